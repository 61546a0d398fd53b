"""What a person does in the chat, in words."""

from __future__ import annotations

import json
from typing import Any


def open_chat(page: Any, url: str) -> None:
    """Open the start page and wait until one can type."""
    page.goto(url)
    ready(page)


def ready(page: Any) -> None:
    """Wait until the chat is there and connected."""
    page.locator("#text-input").wait_for()
    page.locator(".status[data-state=online]").wait_for(state="attached")


def say(page: Any, text: str) -> None:
    """Type a message and press Enter."""
    page.locator("#text-input").click()
    page.keyboard.insert_text(text)
    page.keyboard.press("Enter")


def bot_texts(page: Any) -> list[str]:
    """The texts of the bot's answers, without the greeting."""
    return [str(text) for text in page.locator(".rj-answer .rj-text").all_inner_texts()]


def user_texts(page: Any) -> list[str]:
    """The texts of the user's bubbles."""
    return [str(text) for text in page.locator(".user-message-text").all_inner_texts()]


def wait_for_answers(page: Any, count: int) -> list[str]:
    """Wait for the ``count``-th answer; returns all."""
    page.locator(".rj-answer").nth(count - 1).wait_for()
    return bot_texts(page)


def wait_for_text(page: Any, text: str, timeout: float = 30_000) -> None:
    """Wait for an answer with this text."""
    page.locator(".rj-answer .rj-text").filter(has_text=text).wait_for(timeout=timeout)


def reply(text: str = "", *, buttons: dict[str, str] | None = None, image: str | None = None) -> str:
    """The message that makes the scripted engine reply so; ``buttons`` maps titles to payloads."""
    pairs = [{"title": title, "payload": payload} for title, payload in (buttons or {}).items()]
    return json.dumps([{"text": text, "buttons": pairs, "image": image}])


def conversation_of(page: Any) -> tuple[str, str]:
    """Id and token of the page's conversation."""
    stored = page.evaluate(
        "JSON.parse(localStorage.getItem(Object.keys(localStorage).find((key) => key.startsWith('rejoinder:'))))"
    )
    return stored["conversation"], stored["token"]
