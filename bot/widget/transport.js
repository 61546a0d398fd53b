/** The wire: one conversation over one WebSocket that comes back after every cut.
 *
 * A message is kept in `pending` (and in localStorage) until its reply arrives; after a reconnect it is sent again
 * under the same message_id, which the server answers from its store when it had handled it: answered exactly once.
 *
 * Events: "ready", "typing", "reply" {message_id, replies}, "failure" {message_id, message}, "status" {state}.
 */

const FIRST_DELAY_MS = 300;
const MAX_DELAY_MS = 15_000;
const PING_MS = 25_000;
const PONG_MS = 10_000;
const REFUSED = new Set([401, 403, 404]);

/** 128 random bits; crypto.randomUUID does not exist on plain http. */
export function messageId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

/** What the server takes for text: no NUL, no half of a surrogate pair. */
function wellFormed(text) {
  return String(text).replace(/\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

/** localStorage where the browser allows it, memory where it does not. */
class Remembered {
  constructor(key) {
    this.key = key;
    this.value = { conversation: null, token: null, pending: [] };
    try {
      const stored = JSON.parse(localStorage.getItem(key) ?? "null");
      if (stored && typeof stored.conversation === "string" && Array.isArray(stored.pending)) this.value = stored;
    } catch {
      // blocked or broken storage: the conversation then lives as long as the page
    }
  }

  save() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.value));
    } catch {
      // see above
    }
  }
}

export class Transport extends EventTarget {
  /** @param {string} base address of the server, e.g. "https://bot.example/" */
  constructor(base) {
    super();
    this.base = base;
    this.memory = new Remembered(`rejoinder:${base}`);
    this.socket = null;
    this.ready = false;
    this.closed = false;
    this.failures = 0;
    this.timers = new Set();
    this.wake = () => document.visibilityState === "visible" && this.#hurry();
    addEventListener("online", this.wake);
    document.addEventListener("visibilitychange", this.wake);
  }

  get conversation() {
    return this.memory.value.conversation;
  }

  get pending() {
    return this.memory.value.pending;
  }

  /** Opens (or reopens) the conversation and the socket; resolves with the history, oldest first. */
  async start() {
    let history = this.conversation === null ? null : await this.#history();
    if (history === null) {
      await this.#create();
      history = [];
    }
    const answered = new Set(history.map((turn) => turn.message_id));
    this.memory.value.pending = this.pending.filter((message) => !answered.has(message.message_id));
    this.memory.save();
    this.#connect();
    return history;
  }

  /** Queues a message or a button's payload; returns its message_id. The answer comes as a "reply" event. */
  send({ text, payload, title }) {
    const message_id = messageId();
    const frame =
      payload === undefined ? { type: "message", text: wellFormed(text) } : { type: "payload", payload, title };
    const message = { ...frame, message_id };
    this.pending.push(message);
    this.memory.save();
    if (this.ready) this.#write(message);
    else this.#hurry();
    return message_id;
  }

  /** Stores thumbs up (1) or down (-1) for the answer to `message_id`; resolves to whether it was stored. */
  async feedback(message_id, value) {
    const body = { conversation_id: this.conversation, message_id, value };
    const response = await this.#fetch("feedback", { method: "POST", body: JSON.stringify(body) }).catch(() => null);
    return response?.ok ?? false;
  }

  /** Forgets the conversation on this device and starts an empty one. */
  async restart() {
    this.memory.value = { conversation: null, token: null, pending: [] };
    this.memory.save();
    this.#drop();
    return this.start();
  }

  close() {
    this.closed = true;
    removeEventListener("online", this.wake);
    document.removeEventListener("visibilitychange", this.wake);
    this.#drop();
  }

  #emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #fetch(path, options = {}) {
    const headers = { Authorization: `Bearer ${this.memory.value.token}` };
    if (options.body !== undefined) headers["Content-Type"] = "application/json";
    return fetch(new URL(path, this.base), { ...options, headers, credentials: "omit" });
  }

  async #create() {
    const response = await fetch(new URL("conversations", this.base), { method: "POST", credentials: "omit" });
    if (!response.ok) throw new Error(`the server refused a new conversation (${response.status})`);
    const { conversation, token } = await response.json();
    Object.assign(this.memory.value, { conversation, token });
    this.memory.save();
  }

  async #history() {
    const response = await this.#fetch(`conversations/${encodeURIComponent(this.conversation)}/messages`);
    if (REFUSED.has(response.status)) return null;
    if (!response.ok) throw new Error(`the server refused the history (${response.status})`);
    return (await response.json()).messages;
  }

  #connect() {
    if (this.closed) return;
    this.#drop();
    const url = new URL(`ws?conversation=${encodeURIComponent(this.conversation)}`, this.base);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, ["rejoinder", this.memory.value.token]);
    this.socket = socket;
    socket.onmessage = ({ data }) => this.socket === socket && this.#received(data);
    socket.onclose = () => this.socket === socket && this.#lost();
  }

  #drop() {
    this.timers.forEach(clearTimeout);
    this.timers.clear();
    this.ready = false;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  #later(ms, action) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action();
    }, ms);
    this.timers.add(timer);
    return timer;
  }

  /** Back-off with full jitter, so that a restarted server is not met by all its clients at once. */
  #lost() {
    this.#drop();
    this.failures += 1;
    this.#emit("status", { state: "offline" });
    const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    this.#later(FIRST_DELAY_MS + Math.random() * ceiling, () => this.#reconnect());
  }

  async #reconnect() {
    try {
      // a refused upgrade tells a browser nothing: ask the REST door whether the token still counts
      if (this.failures > 2 && (await this.#history()) === null) await this.#create();
    } catch {
      this.#lost();
      return;
    }
    this.#connect();
  }

  #hurry() {
    if (this.socket === null && !this.closed && this.conversation !== null && this.timers.size > 0) this.#connect();
  }

  #write(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  #received(data) {
    const frame = JSON.parse(data);
    if (frame.type === "ready") this.#opened();
    else if (frame.type === "typing") this.#emit("typing");
    else if (frame.type === "reply") this.#settle(frame.message_id, "reply", frame);
    else if (frame.type === "error") this.#refused(frame);
    else if (frame.type === "pong") clearTimeout(this.silence);
  }

  #opened() {
    this.ready = true;
    this.failures = 0;
    this.#emit("status", { state: "online" });
    this.#emit("ready");
    this.pending.forEach((message) => this.#write(message));
    this.#ping();
  }

  #ping() {
    this.#later(PING_MS, () => {
      this.#write({ type: "ping" });
      this.silence = this.#later(PONG_MS, () => this.#lost());
      this.#ping();
    });
  }

  #refused(frame) {
    const { message_id, retry_after } = frame;
    const message = this.pending.find((entry) => entry.message_id === message_id);
    if (message && retry_after !== undefined && retry_after !== null) {
      this.#later(retry_after * 1000 * (1 + Math.random() / 2), () => this.ready && this.#write(message));
      return;
    }
    this.#settle(message_id, "failure", frame);
  }

  #settle(message_id, type, detail) {
    const index = this.pending.findIndex((message) => message.message_id === message_id);
    if (index < 0) return; // answered before: the reply to a message that was sent twice
    this.pending.splice(index, 1);
    this.memory.save();
    this.#emit(type, detail);
  }
}
