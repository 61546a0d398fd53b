/** The conversation itself: deep-chat for bubbles and input, our transport for the wire, `safe.js` for every text. */

import { GUARDED, element, guardMarkdown, renderText, safeImage, serialise } from "./safe.js";
import { CHAT_CSS, FONT, ICONS, LOOKS, TEXT_STYLES } from "./style.js";
import { Transport } from "./transport.js";

const MAX_MESSAGE_CHARS = 1000;
const RETRY_MS = 3000;
const UNAVAILABLE = "Sorry, that message could not be answered. Please try again.";

/** An icon of `style.js` as an SVG node. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const attributes = {
    viewBox: "0 0 24 24",
    fill: "none",
    stroke: "currentColor",
    "stroke-width": "2",
    "aria-hidden": "true",
  };
  Object.entries(attributes).forEach(([key, value]) => svg.setAttribute(key, value));
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("stroke-linecap", "round");
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}

async function loadDeepChat() {
  guardMarkdown();
  await import("./vendor/deepChat.bundle.js");
  await customElements.whenDefined("deep-chat");
}

/** deep-chat renders itself a moment after it was made, on a busy machine twice: what is said in between would be lost. */
async function rendered(chat) {
  while (!chat._hasBeenRendered || chat._waitingToRender_) await new Promise((resolve) => setTimeout(resolve));
}

/** deep-chat drops what it is given while it still shows the last answer. */
function busy(chat) {
  return chat.shadowRoot.querySelector("#input .input-button[aria-busy=true]") !== null;
}

export class Chat extends EventTarget {
  /**
   * @param {HTMLElement} place where the chat goes
   * @param {HTMLElement} log a role=log region that repeats what is said, for screen readers
   * @param {{base: string, greeting: string, placeholder: string}} options
   * Events: "message" {who, text, replies?}, "feedback" {message_id, value}, "status" {state}.
   */
  constructor(place, log, options) {
    super();
    this.place = place;
    this.log = log;
    this.options = options;
    this.buttons = new Map(); // key in the page -> {title, payload}: payloads never become page content
    this.waiting = new Map(); // message_id -> deep-chat's answer callback
    this.submitted = Promise.resolve(); // when deep-chat has taken all that was sent so far
    this.transport = new Transport(options.base);
    this.transport.addEventListener("reply", ({ detail }) => this.#answered(detail));
    this.transport.addEventListener("failure", ({ detail }) => this.#failed(detail));
    this.transport.addEventListener("status", ({ detail }) => this.#emit("status", detail));
  }

  async start() {
    await loadDeepChat();
    const history = await this.#startTransport();
    if (!this.closed) await this.#build(history);
  }

  /** Says `text` as the user; resolves when it is said, which is after the answer to what was said before. */
  send(text) {
    return this.#submitInTurn({ text: String(text).slice(0, MAX_MESSAGE_CHARS) });
  }

  /** deep-chat's own focusInput does not focus inside another shadow root. */
  focus() {
    this.deepChat?.shadowRoot.getElementById("text-input")?.focus();
  }

  async restart() {
    this.waiting.clear();
    this.log.replaceChildren();
    const history = await this.transport.restart();
    await this.#build(history);
  }

  close() {
    this.closed = true;
    this.transport.close();
    this.place.replaceChildren();
  }

  async #startTransport() {
    while (!this.closed) {
      try {
        return await this.transport.start();
      } catch {
        this.#emit("status", { state: "offline" });
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS * (0.5 + Math.random())));
      }
    }
    return [];
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  async #build(turns) {
    const chat = document.createElement("deep-chat");
    chat.style.border = "none";
    chat.style.fontFamily = FONT; // without a font of ours deep-chat fetches one from elsewhere
    Object.assign(chat, LOOKS, {
      auxiliaryStyle: CHAT_CSS,
      remarkable: GUARDED,
      history: this.#history(turns),
      introMessage: this.options.greeting ? { html: serialise(renderText(this.options.greeting)) } : undefined,
      textInput: {
        characterLimit: MAX_MESSAGE_CHARS,
        placeholder: { text: this.options.placeholder, style: { color: "var(--rj-muted)" } },
        styles: TEXT_STYLES,
      },
      connect: { handler: (body, signals) => this.#submit(body, signals) },
      errorMessages: { displayServiceErrorMessages: true },
      htmlClassUtilities: {
        "rj-quick": { events: { click: (event) => this.#chosen(event.currentTarget) } },
        "rj-thumb": { events: { click: (event) => this.#rated(event.currentTarget) } },
      },
    });
    this.place.replaceChildren(chat);
    await rendered(chat);
    this.deepChat = chat;
    this.#makeAccessible();
  }

  /** deep-chat's controls have ids and styles but hardly any names or roles. */
  #makeAccessible() {
    const root = this.deepChat.shadowRoot;
    const input = root.getElementById("text-input");
    input.setAttribute("aria-label", "Your message");
    input.setAttribute("aria-multiline", "true");
    input.setAttribute("tabindex", "0");
    const label = (button) => {
      if (button.getAttribute("aria-label") === "Send") return;
      button.setAttribute("aria-label", "Send");
      button.setAttribute("role", "button");
      button.setAttribute("tabindex", "0");
    };
    const labelAll = () => root.querySelectorAll("#input .input-button").forEach(label);
    labelAll();
    new MutationObserver(labelAll).observe(root.getElementById("input"), { childList: true, subtree: true });
  }

  #history(turns) {
    const messages = turns.flatMap((turn) => [
      { role: "user", text: turn.text },
      ...this.#bubbles(turn.message_id, turn.replies, turn.feedback),
    ]);
    const open = this.transport.pending.map((message) => ({ role: "user", text: message.title ?? message.text }));
    const all = [...messages, ...open];
    // quick replies count only while nothing was said after them
    return all.filter((message, i) => !message.temporary || i === all.length - 1);
  }

  #shows(chat) {
    return chat !== undefined && chat === this.deepChat && !this.closed;
  }

  #submitInTurn(message) {
    const chat = this.deepChat; // another one after a restart, in which nobody said this
    const submit = async () => {
      while (this.#shows(chat) && busy(chat)) await new Promise((resolve) => setTimeout(resolve, 20));
      if (!this.#shows(chat)) return;
      chat.submitUserMessage(message);
      await new Promise((resolve) => setTimeout(resolve)); // it takes a message in a task of its own
    };
    this.submitted = this.submitted.then(submit);
    return this.submitted;
  }

  #submit(body, signals) {
    const { text, custom } = body.messages.at(-1);
    const message = custom?.payload === undefined ? { text } : { payload: custom.payload, title: text };
    const id = this.transport.send(message);
    this.waiting.set(id, signals.onResponse);
    this.#say("You", text);
    this.#emit("message", { who: "user", text, message_id: id });
  }

  #answered({ message_id, replies }) {
    const bubbles = this.#bubbles(message_id, replies);
    const respond = this.waiting.get(message_id);
    this.waiting.delete(message_id);
    if (respond)
      respond(bubbles.length ? bubbles : [{ html: serialise(element("div", { class: "rj-none" })), role: "ai" }]);
    else bubbles.forEach((bubble) => this.deepChat?.addMessage(bubble)); // asked before the page was reloaded
    const text = replies.map((reply) => reply.text ?? "").join("\n");
    this.#say("Assistant", text);
    this.#emit("message", { who: "bot", text, replies, message_id });
  }

  #failed({ message_id, message }) {
    const respond = this.waiting.get(message_id);
    this.waiting.delete(message_id);
    const error = typeof message === "string" && message ? `${UNAVAILABLE} (${message.slice(0, 200)})` : UNAVAILABLE;
    if (respond) respond({ error });
    else this.deepChat?.addMessage({ error });
    this.#say("Assistant", UNAVAILABLE);
  }

  #say(who, text) {
    if (text) this.log.append(element("p", {}, `${who}: ${text}`));
    while (this.log.childElementCount > 50) this.log.firstElementChild.remove();
  }

  /** One turn's replies as deep-chat messages; the last ones carry the thumbs and the quick replies. */
  #bubbles(message_id, replies, feedback = 0) {
    const shown = replies.filter((reply) => reply.text || reply.image);
    const bubbles = shown.map((reply, i) => {
      const node = element("div", { class: "rj-answer" });
      if (reply.text) node.append(renderText(reply.text));
      const image = reply.image ? safeImage(reply.image, this.options.base) : null;
      if (image)
        node.append(element("img", { class: "rj-image", src: image, alt: "", referrerpolicy: "no-referrer" }));
      if (i === shown.length - 1) node.append(this.#thumbs(message_id, feedback));
      return { role: "ai", html: serialise(node) };
    });
    const buttons = replies.flatMap((reply) => reply.buttons ?? []);
    if (buttons.length) bubbles.push({ role: "ai", html: serialise(this.#quickReplies(buttons)), temporary: true });
    return bubbles;
  }

  #quickReplies(buttons) {
    const nodes = buttons.map(({ title, payload }) => {
      const key = String(this.buttons.size);
      this.buttons.set(key, { title: String(title), payload: String(payload) });
      return element("button", { type: "button", class: "rj-quick", "data-key": key }, String(title));
    });
    const attributes = {
      class: "deep-chat-temporary-message rj-quick-replies",
      role: "group",
      "aria-label": "Suggested answers",
    };
    return element("div", attributes, ...nodes);
  }

  #thumbs(message_id, feedback) {
    const thumb = (name, value, label) => {
      const attributes = {
        type: "button",
        class: "rj-thumb",
        "data-turn": message_id,
        "data-value": value,
        "aria-label": label,
      };
      return element(
        "button",
        { ...attributes, title: label, "aria-pressed": String(feedback === value) },
        icon(name),
      );
    };
    const group = { class: "rj-feedback", role: "group", "aria-label": "Was this answer helpful?" };
    return element("div", group, thumb("up", 1, "Helpful"), thumb("down", -1, "Not helpful"));
  }

  #chosen(button) {
    const { title, payload } = this.buttons.get(button.dataset.key);
    for (const one of button.parentElement.querySelectorAll("button")) one.disabled = true; // a second click says nothing
    this.#submitInTurn({ text: title, custom: { payload } });
    this.focus();
  }

  async #rated(button) {
    const value = Number(button.dataset.value);
    if (!(await this.transport.feedback(button.dataset.turn, value))) return;
    for (const thumb of button.parentElement.querySelectorAll(".rj-thumb")) {
      thumb.setAttribute("aria-pressed", String(thumb === button));
    }
    this.#emit("feedback", { message_id: button.dataset.turn, value });
  }
}
