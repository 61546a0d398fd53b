/** The right column of the inspector: what was understood, believed and decided in one turn. */

import { bar, panel, percent } from "./inspect_parts.js";
import { selected } from "./inspect_selection.js";
import { element } from "./safe.js";

const MIN_PROBABILITY = 0.01;
const TOP_ACTIONS = 8;
const STAGES = ["memory", "nlu", "track", "policy", "nlg", "store"];

function bars(entries, classes) {
  const shown = entries.filter(([, p]) => p > MIN_PROBABILITY).sort((a, b) => b[1] - a[1]);
  return element("ul", { class: "bars" }, ...shown.map(([label, p]) => bar(label, p, percent(p), classes)));
}

function empty(text) {
  return element("p", { class: "empty" }, text);
}

function understood(nlu) {
  const acts = nlu.acts.map(({ act, confidence }) => [act, confidence]);
  const extra = nlu.out_of_scope > MIN_PROBABILITY ? [["out of scope", nlu.out_of_scope]] : [];
  const entries = [...acts, ...extra];
  const children = [entries.length ? bars(entries) : empty("Nothing was understood.")];
  if (nlu.entities.length) {
    const chips = nlu.entities.map(({ name, value }) => element("li", {}, element("b", {}, name), ` ${value}`));
    children.push(element("ul", { class: "tags", "aria-label": "Entities" }, ...chips));
  }
  return panel("Understood", "acts, confidence", ...children);
}

function slot(name, entries, classes) {
  const shown = entries.filter(([, p]) => p > MIN_PROBABILITY);
  return shown.length ? element("div", { class: "slot" }, element("h4", {}, name), bars(shown, classes)) : null;
}

function believed(belief) {
  const one = (row) => (row && row.value !== null ? [[row.value, row.p]] : []);
  const shown = [
    ...Object.entries(belief.slots).map(([name, values]) => slot(name, Object.entries(values), "belief")),
    ...Object.entries(belief.open).map(([name, row]) => slot(name, one(row), "belief")),
    slot("about", one(belief.venue), "belief"),
    slot("requested", Object.entries(belief.requested), "requested"),
    slot(
      "method",
      Object.entries(belief.method).filter(([name]) => name !== "none"),
      "requested",
    ),
  ].filter(Boolean);
  return panel("Belief", "after the message", ...(shown.length ? shown : [empty("Nothing is believed yet.")]));
}

function gauge(label, value) {
  const needle = element("span", { class: "needle" });
  needle.style.left = `${(Math.max(-1, Math.min(1, value)) + 1) * 50}%`;
  const number = `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;
  return element(
    "li",
    { class: "bar" },
    element("span", { class: "label" }, label),
    element("span", { class: "gauge" }, needle),
    element("span", { class: "number" }, number),
  );
}

function decided(decision) {
  if (!decision) return panel("Decision", "", empty("No decision in this turn."));
  const who = [decision.policy, decision.version].filter(Boolean).join(" · ");
  const options = decision.actions; // best first, what the mask forbids last
  if (!options.length) return panel("Decision", who, element("p", { class: "chosen-action" }, decision.action));
  const isChosen = ({ action }) => action === decision.action;
  const top = options.slice(0, TOP_ACTIONS);
  if (!top.some(isChosen)) top.push(...options.filter(isChosen));
  const known = top.filter(({ value }) => value !== null).map(({ value }) => value);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const rows = top.map((option) => {
    const { action, value, allowed } = option;
    const fraction = value === null ? 0 : high > low ? 0.04 + (0.96 * (value - low)) / (high - low) : 1;
    const text = value === null ? "masked" : value.toFixed(2);
    const row = bar(action, fraction, text, `${isChosen(option) ? "chosen" : ""} ${allowed ? "" : "masked"}`);
    if (!allowed) row.title = "forbidden by the mask";
    if (isChosen(option)) row.setAttribute("aria-current", "true");
    return row;
  });
  const allowed = options.filter((option) => option.allowed).length;
  const note = `${allowed} of ${options.length} actions allowed`;
  return panel("Decision", who, element("ul", { class: "bars" }, ...rows), element("p", { class: "note" }, note));
}

function timed(timings) {
  const names = [
    ...STAGES.filter((stage) => stage in timings),
    ...Object.keys(timings).filter((name) => !STAGES.includes(name)),
  ];
  if (!names.length) return panel("Time", "", empty("Not measured."));
  const total = names.reduce((sum, name) => sum + timings[name], 0);
  let start = 0;
  const rows = names.map((name) => {
    const row = bar(name, total ? timings[name] / total : 0, `${timings[name].toFixed(1)} ms`, `stage stage-${name}`);
    row.querySelector(".fill").style.marginLeft = `${total ? (start / total) * 100 : 0}%`;
    start += timings[name];
    return row;
  });
  return panel("Time", `${total.toFixed(1)} ms`, element("ul", { class: "bars" }, ...rows));
}

function answered({ question, answer, confidence, supporting }) {
  const most = Math.max(...supporting.map(({ weight }) => weight), 1e-9);
  const rows = supporting.map(({ text, weight }) => bar(text, weight / most, weight.toFixed(2), "supporting"));
  return element(
    "div",
    { class: "recalled" },
    element("p", { class: "note", dir: "auto" }, question),
    element("ul", { class: "bars" }, bar(answer ?? "don't know", confidence, percent(confidence), "answer"), ...rows),
  );
}

/** What the memory answered in this turn, from which statements, and what the conversation remembers by now. */
function remembered(recalled, { statements, preferences }) {
  const lines = statements.map((text) => element("li", { dir: "auto" }, text));
  const chips = preferences.map((name) => element("li", {}, element("b", {}, "preference"), ` ${name}`));
  const children = recalled.map(answered);
  if (chips.length) children.push(element("ul", { class: "tags", "aria-label": "Preferences" }, ...chips));
  if (lines.length) {
    const list = { class: "statements", "aria-label": "Statements", tabindex: "0" };
    children.push(element("ol", list, ...lines));
  }
  if (!children.length) return null;
  const count = `${statements.length} ${statements.length === 1 ? "statement" : "statements"} now`;
  return panel("Memory", count, ...children);
}

/** All panels of a turn; `memory` is what the conversation remembers. */
export function turnPanels(turn, number, memory) {
  const heading = element("h2", {}, `Turn ${number}`, element("span", { class: "aside" }, turn.channel));
  const mood = panel(
    "Mood",
    "",
    element("ul", { class: "bars" }, gauge("message", turn.nlu.sentiment), gauge("mood", turn.mood)),
  );
  return [
    heading,
    understood(turn.nlu),
    believed(turn.belief),
    remembered(turn.recalled, memory),
    decided(turn.decision),
    selected(turn.selection ?? []),
    mood,
    timed(turn.timings_ms),
  ].filter(Boolean);
}
