"""The start page for people: phones, keyboards, screen readers, colour schemes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chat_page import open_chat, reply, say, wait_for_answers
from tests.e2e.conftest import Server, Watched

HERE = Path(__file__).parent
NAMELESS = (HERE / "nameless.js").read_text(encoding="utf-8")
CONTRAST = (HERE / "contrast.js").read_text(encoding="utf-8")


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
