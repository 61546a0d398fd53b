/** Everything on the page that a screen reader could not name, open shadow roots included; [] when all is well. */
() => {
  const NAMED = "a, button, input, [role=button], [role=textbox], [role=region], [role=log], [role=dialog]";
  const bad = [];
  const text = (root, ids) => ids.map((id) => root.getElementById(id)?.textContent ?? "").join(" ");
  const name = (node, root) => {
    const labelled = text(root, (node.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean));
    const label = node.labels?.[0]?.textContent;
    const sources = [node.getAttribute("aria-label"), labelled, label, node.textContent, node.getAttribute("title")];
    return sources.find((source) => source?.trim());
  };
  const walk = (root) => {
    for (const node of root.querySelectorAll(NAMED)) {
      if (node.getClientRects().length && !name(node, root)) bad.push(node.outerHTML.slice(0, 120));
    }
    for (const node of root.querySelectorAll("img:not([alt])")) bad.push(node.outerHTML.slice(0, 120));
    for (const node of root.querySelectorAll("*")) if (node.shadowRoot) walk(node.shadowRoot);
  };
  walk(document);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  if (new Set(ids).size !== ids.length) bad.push("duplicate ids");
  if (document.querySelectorAll("h1").length !== 1) bad.push("there must be exactly one h1");
  if (!document.documentElement.lang) bad.push("no language");
  return bad;
};
