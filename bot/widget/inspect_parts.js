/** What the panels of the inspector's right column are made of. */

import { element } from "./safe.js";

/** A probability, so that only certainty is 1.00. */
export function percent(p) {
  return p >= 0.9995 ? "1.00" : p.toFixed(2);
}

/** A labelled bar, `fraction` of its track long. */
export function bar(label, fraction, text, classes = "") {
  const fill = element("span", { class: "fill" });
  fill.style.width = `${Math.max(0, Math.min(1, fraction)) * 100}%`;
  const name = element("span", { class: "label", title: label, dir: "auto" }, label);
  return element(
    "li",
    { class: `bar ${classes}` },
    name,
    element("span", { class: "track" }, fill),
    element("span", { class: "number" }, text),
  );
}

/** A titled section of the column. */
export function panel(title, aside, ...children) {
  const heading = element("h3", {}, title);
  if (aside) heading.append(element("span", { class: "aside" }, aside));
  return element("section", { class: "panel" }, heading, ...children);
}
