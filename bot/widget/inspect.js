/** The inspector: conversations, their transcripts, and why the bot said what it said. Polls; keeps no copy. */

import { turnPanels } from "./inspect_turn.js";
import { element } from "./safe.js";

const POLL_MS = 2000;
const SEARCH_DELAY_MS = 200;
const TOKEN_KEY = "rejoinder:inspect-token";
const byId = (id) => document.getElementById(id);

const view = { conversation: null, turn: null, seek: null, turns: [], memory: null, list: "", detail: "", query: "" };
let token = sessionStorage.getItem(TOKEN_KEY);

class Unauthorised extends Error {}

async function get(path) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(`/inspect/api/${path}`, { headers, cache: "no-store" });
  if (response.status === 401 || response.status === 403) throw new Unauthorised();
  if (!response.ok) throw new Error(`${path}: the server answered ${response.status}`);
  return response.json();
}

async function askForToken() {
  const login = byId("login");
  if (login.open) return;
  byId("login-error").textContent = token ? "That token does not open it." : "";
  login.showModal();
  await new Promise((resolve) => login.addEventListener("close", resolve, { once: true }));
  token = byId("token").value;
  byId("token").value = "";
  sessionStorage.setItem(TOKEN_KEY, token);
}

function ago(seconds) {
  const passed = Math.max(0, Date.now() / 1000 - seconds);
  if (passed < 60) return "now";
  if (passed < 3600) return `${Math.floor(passed / 60)} min`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h`;
  return new Date(seconds * 1000).toLocaleDateString();
}

function hash(conversation, turn) {
  return `#${encodeURIComponent(conversation)}${turn === null ? "" : `/${turn}`}`;
}

function readHash() {
  const [conversation, turn] = location.hash.slice(1).split("/");
  view.conversation = conversation ? decodeURIComponent(conversation) : null;
  const [, seq] = turn?.match(/^event-(\d+)$/) ?? [];
  view.seek = seq === undefined ? null : Number(seq);
  view.turn = turn === undefined || view.seek !== null ? null : Number(turn);
  view.detail = "";
}

function moodDot(mood) {
  const word = mood > 0.15 ? "good" : mood < -0.15 ? "bad" : "neutral";
  return element("span", {
    class: `mood ${word}`,
    role: "img",
    "aria-label": `mood ${word}`,
    title: `mood ${mood.toFixed(2)}`,
  });
}

function conversationRow({ id, channel, last_text, last_time, turns, mood, bookings, handed_off }) {
  const top = element(
    "span",
    { class: "top" },
    moodDot(mood),
    element("span", { class: "id" }, id),
    element("time", {}, ago(last_time)),
  );
  const marks = [`${turns} ${turns === 1 ? "turn" : "turns"}`, channel];
  if (bookings) marks.push(bookings === 1 ? "booked" : `${bookings} bookings`);
  if (handed_off) marks.push("handed off");
  const text = element("span", { class: "text", dir: "auto" }, last_text || "…");
  const link = element(
    "a",
    { href: hash(id, null) },
    top,
    text,
    element("span", { class: "marks" }, marks.join(" · ")),
  );
  if (id === view.conversation) link.setAttribute("aria-current", "true");
  return element("li", {}, link);
}

/** The store marks what matched with [brackets]. */
function marked(snippet) {
  return snippet
    .split(/(\[[^[\]]*\])/)
    .map((part) => (part.startsWith("[") ? element("mark", {}, part.slice(1, -1)) : part));
}

function hitRow({ conversation_id, seq, who, snippet, timestamp }) {
  const top = element(
    "span",
    { class: "top" },
    element("span", { class: "id" }, conversation_id),
    element("time", {}, ago(timestamp)),
  );
  const text = element("span", { class: "text", dir: "auto" }, ...marked(snippet));
  const link = element(
    "a",
    { href: hash(conversation_id, `event-${seq}`) },
    top,
    text,
    element("span", { class: "marks" }, who),
  );
  return element("li", {}, link);
}

/** The words and filters that are set, as the API takes them; empty for none. */
function searched() {
  const given = [["q", view.query], ...new FormData(byId("filters"))].filter(([, value]) => value.trim());
  return new URLSearchParams(given).toString();
}

async function refreshList() {
  const query = searched();
  const answer = query ? await get(`search?${query}`) : await get("conversations");
  if (query !== searched()) return;
  const rows = query ? answer.hits : answer.conversations;
  const fingerprint = JSON.stringify([rows, view.conversation, query]);
  if (fingerprint === view.list) return;
  view.list = fingerprint;
  const nothing = element("li", { class: "empty" }, query ? "Nothing found." : "No conversation yet.");
  byId("conversations").replaceChildren(...(rows.length ? rows.map(query ? hitRow : conversationRow) : [nothing]));
  if (!query && view.conversation === null && rows.length) location.replace(hash(rows[0].id, null));
}

function bubbleTime(turn) {
  const total = Object.values(turn.timings_ms).reduce((sum, ms) => sum + ms, 0);
  const clock = new Date(turn.timestamp * 1000).toLocaleTimeString();
  return total ? `${clock} · ${total.toFixed(1)} ms` : clock;
}

function reply({ text, image, buttons }) {
  const bubble = element("div", { class: "bubble bot", dir: "auto" }, text || (image ? "(picture)" : "(no text)"));
  if (buttons?.length) {
    const chips = buttons.map(({ title, payload }) => element("span", { class: "button", title: payload }, title));
    bubble.append(element("div", { class: "buttons" }, ...chips));
  }
  return bubble;
}

function turnBlock(turn, number) {
  const meta = element("div", { class: "meta" }, element("span", {}, bubbleTime(turn)));
  if (turn.decision) meta.append(element("span", { class: "action" }, turn.decision.action));
  if (turn.feedback)
    meta.append(
      element(
        "span",
        { class: `thumb ${turn.feedback > 0 ? "good" : "bad"}` },
        turn.feedback > 0 ? "helpful" : "not helpful",
      ),
    );
  for (const note of turn.notes) meta.append(element("span", { class: "effect" }, note));
  const user = element("div", { class: "bubble user", dir: "auto" }, turn.text);
  const block = element(
    "a",
    { class: "turn", href: hash(view.conversation, number), "data-turn": number },
    user,
    ...turn.replies.map(reply),
    meta,
  );
  if (number === view.turn) block.setAttribute("aria-current", "true");
  return block;
}

async function refreshDetail() {
  if (view.conversation === null) return;
  const wanted = view.conversation;
  const detail = await get(`conversations/${encodeURIComponent(wanted)}`);
  if (wanted !== view.conversation) return;
  const grew = detail.turns.length > view.turns.length;
  const atEnd = view.turn === null || view.turn === view.turns.length;
  view.turns = detail.turns;
  view.memory = detail.memory;
  if (view.seek !== null) view.turn = view.turns.filter((turn) => turn.seq <= view.seek).length;
  else if ((atEnd && grew) || view.turn === null) view.turn = view.turns.length;
  view.seek = null;
  const fingerprint = JSON.stringify([detail, view.turn]);
  if (fingerprint === view.detail) return;
  view.detail = fingerprint;
  showTurns();
}

function showTurns() {
  const { turns, turn, memory } = view;
  byId("transcript").replaceChildren(...turns.map((entry, i) => turnBlock(entry, i + 1)));
  const current = turns[turn - 1];
  byId("turn").replaceChildren(
    ...(current ? turnPanels(current, turn, memory) : [element("p", { class: "empty" }, "No turn here.")]),
  );
  document.querySelector(".turn[aria-current]")?.scrollIntoView({ block: "nearest" });
}

function choose(turn) {
  if (turn < 1 || turn > view.turns.length) return;
  view.turn = turn;
  history.replaceState(null, "", hash(view.conversation, turn));
  showTurns();
}

function onKey(event) {
  if (
    event.target instanceof HTMLInputElement ||
    byId("login").open ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey
  )
    return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step === undefined || view.turn === null) return;
  event.preventDefault();
  choose(view.turn + step);
}

function showState(text, state) {
  byId("state").textContent = text;
  byId("state").dataset.state = state;
}

async function refresh() {
  try {
    await refreshList();
    await refreshDetail();
    showState("live", "online");
  } catch (error) {
    if (error instanceof Unauthorised) {
      showState("locked", "offline");
      await askForToken();
      return refresh();
    }
    showState("not connected", "offline");
    console.warn("inspector:", error);
  }
}

async function poll() {
  if (document.visibilityState === "visible") await refresh();
  setTimeout(poll, POLL_MS);
}

let searching;
function searchSoon() {
  clearTimeout(searching);
  searching = setTimeout(refresh, SEARCH_DELAY_MS);
}
byId("search").addEventListener("input", (event) => {
  view.query = event.target.value.trim();
  searchSoon();
});
byId("filters").addEventListener("input", searchSoon);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", () => {
  const before = view.conversation;
  readHash();
  if (view.conversation !== before) view.turns = [];
  if (view.conversation === before && view.turn !== null) showTurns();
  refresh();
});
addEventListener("keydown", onKey);
readHash();
poll();
