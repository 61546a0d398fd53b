"""Pictures of a real conversation; REJOINDER_SCREENSHOTS=1 writes them to docs/images for the documentation."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.chat_page import conversation_of, open_chat, say, wait_for_answers
from tests.e2e.conftest import ROOT, Server, free_port

WRITE = os.environ.get("REJOINDER_SCREENSHOTS") == "1"
IMAGES = ROOT / "docs" / "images"
MODELS = Path(os.environ.get("REJOINDER_MODELS", ROOT / "models"))
MODEL = MODELS / "restaurants" / "policy" / "manifest.json"
SIZE = {"width": 1280, "height": 800}
START_SECONDS = 60.0
SAID = (
    "Hi, I am looking for a cheap restaurant in the south",
    "any food is fine",
    "great, what is the phone number and the address?",
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``python -m bot serve`` with the trained restaurants assistant and an empty event log."""
    if not MODEL.exists():
        pytest.skip("the restaurants assistant is not trained: run `python -m bot train`")
    folder = tmp_path_factory.mktemp("real")
    config = folder / "config.yml"
    config.write_text(f"assistant: {ROOT / 'assistants' / 'restaurants'}\nmodels: {MODELS}\ndata: {folder / 'data'}\n")
    port = free_port()
    command = [sys.executable, "-m", "bot", "serve", "--config", str(config), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_healthy(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(15)


def wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("`python -m bot serve` did not become healthy; its output is above")


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
