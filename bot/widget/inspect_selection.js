/** Why this venue and these words: the candidates of each choice, with pools, ratio, score and propensity. */

import { bar, panel, percent } from "./inspect_parts.js";
import { element } from "./safe.js";

function number(value) {
  return value === null ? "unknown" : String(Math.round(value * 1000) / 1000);
}

function ratio(shares) {
  const rows = Object.entries(shares).map(([pool, share]) => bar(pool, share, percent(share), "requested"));
  return element("ul", { class: "bars ratio", "aria-label": "Ratio of the pools" }, ...rows);
}

function why(candidate) {
  const pools = Object.entries(candidate.pools).map(([pool, rank]) => `${pool} no. ${rank + 1}`);
  const facts = [
    ["pools", pools.join(", ") || "a random sample"],
    ["score", candidate.score === null ? "no ranker" : number(candidate.score)],
    ["propensity", number(candidate.propensity)],
    ...Object.entries(candidate.features).map(([name, value]) => [name, number(value)]),
  ];
  const items = facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return element("dl", { class: "features" }, ...items);
}

function option(candidate) {
  const label = `${candidate.position + 1}. ${candidate.key}`;
  const row = bar(label, candidate.propensity, percent(candidate.propensity), candidate.said ? "said" : "");
  if (candidate.said) row.setAttribute("aria-current", "true");
  const summary = element("summary", {}, element("ul", { class: "bars" }, row));
  const pool = element("span", { class: "pool" }, candidate.pool || "sample");
  row.querySelector(".label").append(" ", pool);
  return element("details", { class: "candidate" }, summary, why(candidate));
}

function slate(choice) {
  const how = choice.ranker ? `${choice.mode}, ranker ${choice.ranker}` : choice.mode;
  const heading = element("h4", {}, choice.kind, element("span", { class: "aside" }, how));
  const shown = Object.keys(choice.ratio).length > 1 ? [ratio(choice.ratio)] : [];
  return element("div", { class: "slate" }, heading, ...shown, ...choice.candidates.map(option));
}

/** The choices of a turn, venues first; null where nothing was to be chosen. */
export function selected(slates) {
  if (!slates.length) return null;
  const ordered = [...slates].sort((a, b) => (a.kind === "venues" ? 0 : 1) - (b.kind === "venues" ? 0 : 1));
  return panel("Selection", "candidates, probability", ...ordered.map(slate));
}
