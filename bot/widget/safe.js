/** Untrusted text -> DOM. The only place where texts of users and of the server become page content.
 *
 * Everything is built from `document.createElement` and `textContent`; nothing is ever parsed as HTML. deep-chat takes
 * HTML strings, so finished nodes are serialised for it, which escapes every text and attribute.
 */

const SAFE_PROTOCOLS = new Set(["https:", "mailto:"]);
const MAX_CHARS = 20_000;
const INLINE = new RegExp(
  [
    /\*\*([^*\n]+)\*\*/, // **bold**
    /`([^`\n]+)`/, // `code`
    /\[([^\]\n]{1,300})\]\(([^()\s]{1,2000})\)/, // [label](target)
    /(https:\/\/[^\s<>()"'`]{1,2000}[^\s<>()"'`.,;:!?])/, // a bare link, without the sentence's full stop
  ]
    .map((part) => part.source)
    .join("|"),
  "g",
);

/** The URL in normal form, or null unless it is an absolute https or mailto URL. */
export function safeUrl(raw) {
  try {
    const url = new URL(String(raw));
    return SAFE_PROTOCOLS.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** The address of a picture: https, or a path on the server `base`; null for everything else. */
export function safeImage(raw, base) {
  try {
    const url = new URL(String(raw), base);
    return url.protocol === "https:" || url.origin === new URL(base).origin ? url.href : null;
  } catch {
    return null;
  }
}

/** `element("a", {href: "..."}, "text", node)`: attributes are set one by one, strings become text nodes. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.toLowerCase().startsWith("on")) throw new TypeError(`no event handler attributes: ${name}`);
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children);
  return node;
}

function link(label, raw) {
  const href = safeUrl(raw);
  if (href === null) return label;
  return element("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) nodes.push(text.slice(end, match.index));
    const [whole, bold, code, label, target, bare] = match;
    if (bold) nodes.push(element("strong", {}, bold));
    else if (code) nodes.push(element("code", {}, code));
    else if (target) nodes.push(link(label, target));
    else nodes.push(link(bare, bare));
    end = match.index + whole.length;
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

function block(lines) {
  if (lines.every((line) => /^\s*[-•]\s/.test(line))) {
    return element("ul", {}, ...lines.map((line) => element("li", {}, ...inline(line.replace(/^\s*[-•]\s+/, "")))));
  }
  const paragraph = element("p");
  lines.forEach((line, i) => paragraph.append(...(i ? [element("br")] : []), ...inline(line)));
  return paragraph;
}

/** Paragraphs, `- lists`, **bold**, `code`, [labels](https://...) and bare https links; all else is plain text. */
export function renderText(text) {
  const box = element("div", { class: "rj-text", dir: "auto" });
  const bounded = String(text ?? "").slice(0, MAX_CHARS);
  for (const part of bounded.replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const lines = part.split("\n").filter((line) => line.trim() !== "");
    if (lines.length) box.append(block(lines));
  }
  return box;
}

/** A finished node as the string deep-chat wants; serialising escapes all texts and attribute values. */
export function serialise(node) {
  return node.outerHTML;
}

const OURS = "rejoinder";

/** The `remarkable` property of our deep-chat elements: tells the plugin below that this one is ours. */
export const GUARDED = { html: false, [OURS]: true };

/** Replaces the Markdown renderer of our deep-chat elements, which accepts javascript: links and loads any picture.
 *
 * The plugin stays registered: deep-chat makes a new renderer whenever it renders itself anew.
 */
export function guardMarkdown() {
  const plugins = (window.remarkable_plugins ??= []); // where deep-chat looks for plugins
  if (plugins.some(({ plugin }) => plugin === guard)) return;
  plugins.push({ plugin: guard });
}

function guard(markdown) {
  if (markdown.options[OURS]) markdown.render = (text) => serialise(renderText(text));
}
