/** The chat widget's entry: `<script type="module" src="https://bot.example/widget.js" data-title="...">`.
 *
 * On a page with `<div id="rejoinder-chat">` the chat is mounted into it; elsewhere a launcher button opens a panel.
 * Offers `window.Rejoinder`: open(), close(), send(text), destroy(), and DOM events "rejoinder:*" on document.
 */

import { Chat, icon } from "./widget/chat.js";
import { element } from "./widget/safe.js";
import { HOST_CSS } from "./widget/style.js";

const BASE = new URL(".", import.meta.url).href;

function readOptions() {
  const script = [...document.querySelectorAll("script[src]")].find((node) => node.src === import.meta.url);
  const data = script?.dataset ?? {};
  return {
    base: BASE,
    title: data.title || "Assistant",
    color: data.color && CSS.supports("color", data.color) ? data.color : null,
    position: data.position === "left" ? "left" : "right",
    greeting: data.greeting ?? "Hello! How can I help?",
    placeholder: data.placeholder || "Type a message…",
    open: data.open !== undefined && data.open !== "false",
  };
}

function sheet(css) {
  const styles = new CSSStyleSheet();
  styles.replaceSync(css);
  return styles;
}

class Widget {
  constructor(options) {
    this.options = options;
    this.inlinePlace = document.getElementById("rejoinder-chat");
    this.host = this.inlinePlace ?? document.body.appendChild(element("div", { id: "rejoinder-widget" }));
    const root = this.host.shadowRoot ?? this.host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet(HOST_CSS)];
    if (options.color) this.host.style.setProperty("--rejoinder-color", options.color);
    this.frame = element("div", { class: this.inlinePlace ? "inline" : `floating ${options.position}` });
    this.frame.append(this.#panel());
    if (!this.inlinePlace) this.frame.append(this.#launcher());
    root.replaceChildren(this.frame);
    this.onKey = (event) => event.key === "Escape" && !event.defaultPrevented && this.close();
    if (!this.inlinePlace) this.frame.addEventListener("keydown", this.onKey);
    if (this.inlinePlace || options.open) this.open({ focus: false });
  }

  #panel() {
    this.status = element("span", { class: "status", role: "status", "data-state": "offline" }, "Connecting…");
    const names = element(
      "div",
      { class: "names" },
      element("h2", { class: "title" }, this.options.title),
      this.status,
    );
    const restart = element("button", {
      type: "button",
      class: "icon-button",
      title: "Start over",
      "aria-label": "Start over",
    });
    restart.append(icon("restart"));
    restart.addEventListener("click", () => this.chat?.restart());
    const avatar = element("span", { class: "avatar", "aria-hidden": "true" }, icon("chat"));
    const header = element("header", {}, avatar, names, restart);
    if (!this.inlinePlace) header.append(this.#closeButton());
    this.place = element("div", { class: "chat" });
    const label = "Conversation";
    this.log = element("div", { class: "hidden-log", role: "log", "aria-live": "polite", "aria-label": label });
    const role = this.inlinePlace ? "region" : "dialog"; // ARIA's own spelling
    this.panel = element("section", { class: "panel", id: "panel", role, "aria-label": this.options.title });
    this.panel.append(header, this.place, this.log);
    this.panel.hidden = !this.inlinePlace;
    return this.panel;
  }

  #closeButton() {
    const button = element(
      "button",
      { type: "button", class: "icon-button", "aria-label": "Close chat" },
      icon("close"),
    );
    button.addEventListener("click", () => this.close());
    return button;
  }

  #launcher() {
    const attributes = { type: "button", class: "launcher", "aria-expanded": "false", "aria-controls": "panel" };
    this.launcher = element("button", attributes);
    this.launcher.addEventListener("click", () => (this.panel.hidden ? this.open() : this.close()));
    this.#showLauncher(false);
    return this.launcher;
  }

  #showLauncher(open) {
    this.launcher.replaceChildren(icon(open ? "close" : "chat"));
    this.launcher.setAttribute("aria-expanded", String(open));
    this.launcher.setAttribute("aria-label", open ? "Close chat" : `Open chat: ${this.options.title}`);
  }

  #start() {
    const chat = new Chat(this.place, this.log, this.options);
    chat.addEventListener("status", ({ detail }) => this.#showStatus(detail.state));
    for (const type of ["message", "feedback", "status"]) {
      chat.addEventListener(type, ({ detail }) => this.#emit(type, detail));
    }
    this.chat = chat;
    this.started = chat.start().catch((error) => {
      console.error("Rejoinder:", error);
      this.place.replaceChildren(element("p", { class: "hint", role: "alert" }, "The chat could not be loaded."));
      throw error;
    });
    this.started.catch(() => {}); // shown above; send() tells its caller
    return this.started;
  }

  #showStatus(state) {
    this.status.dataset.state = state;
    this.status.textContent = state === "online" ? "Online" : "Reconnecting…";
  }

  #emit(type, detail = {}) {
    document.dispatchEvent(new CustomEvent(`rejoinder:${type}`, { detail }));
  }

  async open({ focus = true } = {}) {
    const ready = this.started ?? this.#start();
    if (!this.inlinePlace && this.panel.hidden) {
      this.panel.hidden = false;
      this.frame.classList.add("open");
      this.#showLauncher(true);
      this.#emit("open");
    }
    await ready;
    if (focus && !this.panel.hidden) this.chat.focus();
  }

  close() {
    if (this.inlinePlace || this.panel.hidden) return;
    this.panel.hidden = true;
    this.frame.classList.remove("open");
    this.#showLauncher(false);
    this.launcher.focus();
    this.#emit("close");
  }

  async send(text) {
    await this.open({ focus: false });
    await this.chat.send(text);
  }

  destroy() {
    this.chat?.close();
    if (this.inlinePlace) this.host.shadowRoot.replaceChildren();
    else this.host.remove();
    delete window.Rejoinder;
  }
}

function mount() {
  if (window.Rejoinder) return; // the script was included twice
  const widget = new Widget(readOptions());
  window.Rejoinder = {
    open: () => widget.open(),
    close: () => widget.close(),
    send: (text) => widget.send(text),
    destroy: () => widget.destroy(),
  };
}

if (document.readyState === "loading") addEventListener("DOMContentLoaded", mount);
else mount();
