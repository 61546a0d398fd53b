/** The start page: a click on an example says it. */

for (const chip of document.querySelectorAll("[data-say]")) {
  chip.addEventListener("click", () => window.Rejoinder?.send(chip.dataset.say));
}
