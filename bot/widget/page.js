/** The start page: a click on an example says it; another assistant than the default one gets a neutral page. */

for (const chip of document.querySelectorAll("[data-say]")) {
  chip.addEventListener("click", () => window.Rejoinder?.send(chip.dataset.say));
}

const { model_id: model } = await (await fetch("/status")).json();
const [name] = model.split(" "); // "restaurants learned 3f2a": assistant, policy, version
if (name && name !== document.body.dataset.assistant) {
  document.title = `${name} · Rejoinder`;
  document.getElementById("name").textContent = `Talk to ${name}.`;
  document.querySelector(".lead").textContent = "Say what you need, in your own words.";
  for (const node of document.querySelectorAll("#try, .chips")) node.hidden = true;
}
