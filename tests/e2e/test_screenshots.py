"""Pictures of a real conversation; REJOINDER_SCREENSHOTS=1 writes them to docs/images for the documentation."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.chat_page import conversation_of, open_chat, say, wait_for_answers
from tests.e2e.conftest import ROOT, Server

WRITE = os.environ.get("REJOINDER_SCREENSHOTS") == "1"
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
SAID = (
    "Hi, I am looking for a cheap restaurant in the south",
    "any food is fine",
    "great, what is the phone number and the address?",
)


def shoot(page: Any, name: str, folder: Path) -> None:
    path = (IMAGES if WRITE else folder) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(path))
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:24]) == (SIZE["width"], SIZE["height"])
    assert path.stat().st_size > 20_000, "an almost empty picture"


def take_pictures(page: Any, url: str, said: tuple[str, ...], folder: Path) -> None:
    open_chat(page, url)
    for count, text in enumerate(said, start=1):
        say(page, text)
        wait_for_answers(page, count)
    page.get_by_role("button", name="Helpful", exact=True).last.click()
    page.locator(".rj-thumb[aria-pressed=true]").wait_for()
    page.mouse.move(0, 0)
    shoot(page, "widget", folder)
    conversation, _ = conversation_of(page)
    page.goto(f"{url}/inspect#{quote(conversation, safe='')}/2")
    page.locator("#turn").get_by_text("Turn 2").wait_for()
    page.locator("#conversations a").first.wait_for()
    shoot(page, "inspector", folder)


def test_pictures_of_the_real_assistant(real: str, context: Any, tmp_path: Path) -> None:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    take_pictures(page, real, SAID, tmp_path)
    assert errors == []


@pytest.mark.skipif(WRITE, reason="the pictures of the real assistant are being written")
def test_pictures_of_the_scripted_engine(server: Server, context: Any, tmp_path: Path) -> None:
    take_pictures(context.new_page(), server.url, ("hello", "thai", "thank you"), tmp_path)
