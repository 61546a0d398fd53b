"""The start page for people: phones, keyboards, screen readers, colour schemes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.chat_page import open_chat, reply, say, wait_for_answers
from tests.e2e.conftest import Server, Watched

NAMELESS = """() => {
  const bad = [];
  const name = (node, root) => {
    const ids = (node.getAttribute("aria-labelledby") ?? "").split(/\\s+/).filter(Boolean);
    const labelled = ids.map((id) => root.getElementById(id)?.textContent ?? "").join(" ");
    const label = node.labels?.[0]?.textContent ?? "";
    return (node.getAttribute("aria-label") || labelled || label || node.textContent || node.getAttribute("title") || "").trim();
  };
  const walk = (root) => {
    for (const node of root.querySelectorAll("a, button, input, [role=button], [role=textbox], [role=region], [role=log], section")) {
      const visible = node.getClientRects().length > 0;
      const needed = node.localName !== "section" || node.hasAttribute("role");
      if (visible && needed && !name(node, root)) bad.push(node.outerHTML.slice(0, 120));
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
}"""

CONTRAST = """(node) => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((c) => ((c /= 255), c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(node);
  let back = node;
  const transparent = (n) => /, 0\\)$|transparent/.test(getComputedStyle(n).backgroundColor);
  while (transparent(back)) back = back.parentElement ?? back.getRootNode().host;
  const [a, b] = [luminance(style.color), luminance(getComputedStyle(back).backgroundColor)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


def test_everything_has_a_name(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    say(page, reply("Which?", buttons={"Thai": "/thai"}))
    wait_for_answers(page, 1)
    assert page.evaluate(NAMELESS) == []
    page.goto(f"{server.url}/inspect")
    page.locator(".turn").first.wait_for()
    assert page.evaluate(NAMELESS) == []


def test_answers_are_announced(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    log = page.get_by_role("log", name="Conversation")
    assert log.get_attribute("aria-live") == "polite"
    say(page, "hear me")
    wait_for_answers(page, 1)
    assert log.locator("p").all_text_contents() == ["You: hear me", "Assistant: You said: hear me"]


def test_keyboard_alone(server: Server, watched: Watched) -> None:
    """Tab reaches the input, the quick replies and the thumbs; Enter uses them."""
    page = watched.page
    open_chat(page, server.url)
    focused = """() => {
      let node = document.activeElement;
      while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
      return node?.id || node?.className || node?.localName;
    }"""

    def tab_to(pattern: str, key: str = "Tab") -> None:
        for _ in range(30):
            page.keyboard.press(key)
            if re.search(pattern, str(page.evaluate(focused))):
                return
        pytest.fail(f"{key} never reaches {pattern}")

    tab_to("^text-input$")
    page.keyboard.insert_text(reply("Which?", buttons={"Thai": "/thai"}))
    page.keyboard.press("Enter")
    page.locator(".rj-quick").wait_for()
    tab_to("rj-quick", "Shift+Tab")
    page.keyboard.press("Enter")
    assert wait_for_answers(page, 2)[1] == "You said: /thai"
    tab_to("rj-thumb", "Shift+Tab")
    page.keyboard.press("Enter")
    page.locator(".rj-thumb[aria-pressed=true]").wait_for()


@pytest.mark.parametrize("path", ["/", "/inspect"])
def test_no_horizontal_scroll_on_a_phone(server: Server, watched: Watched, path: str) -> None:
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 844})
    open_chat(page, server.url)
    say(page, "Donaudampfschifffahrtsgesellschaftskapitän" * 8)
    wait_for_answers(page, 1)
    page.goto(f"{server.url}{path}")
    page.locator(".rj-answer, .turn").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    if path == "/":
        box = page.locator("#text-input").bounding_box()
        assert box["y"] + box["height"] <= 844, "the input is on the screen without scrolling"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(browser: Any, server: Server, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 : 1 for text."""
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    open_chat(page, server.url)
    say(page, reply("Which?", buttons={"Thai": "/thai"}))
    page.locator(".rj-quick").wait_for()
    selectors = (".lead", ".chips button", ".user-message-text p", ".rj-answer p", ".rj-quick", ".title", ".status")
    measured = {selector: page.locator(selector).first.evaluate(CONTRAST) for selector in selectors}
    page.goto(f"{server.url}/inspect")
    page.locator(".turn").first.wait_for()
    inspected = (".bubble.user", ".bubble.bot", ".meta", ".marks", "#turn .label", "#turn .number", "#turn .aside")
    measured |= {selector: page.locator(selector).first.evaluate(CONTRAST) for selector in inspected}
    context.close()
    assert {selector: round(ratio, 2) for selector, ratio in measured.items() if ratio < 4.5} == {}
