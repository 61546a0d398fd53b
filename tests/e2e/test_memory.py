"""The real server in a browser: what people tell it, asked back, counted in searches, and kept over a restart."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chat_page import bot_texts, conversation_of, open_chat, ready, say, wait_for_answers
from tests.e2e.conftest import ROOT, Watched, free_port, wait_until_healthy

NOT_TOLD = "ave not told me"


@dataclass
class RealServer:
    """``python -m bot serve`` with the default memory; it can be killed and started again on the same port and log."""

    config: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "bot", "serve", "--config", str(self.config), "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT)
        wait_until_healthy(self.process, self.url)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(15)


@pytest.fixture
def remembering(models: Path, tmp_path: Path) -> Iterator[RealServer]:
    config = tmp_path / "config.yml"
    assistant = ROOT / "assistants" / "restaurants"
    config.write_text(f"assistant: {assistant}\nmodels: {models}\ndata: {tmp_path / 'data'}\n")
    server = RealServer(config)
    server.start()
    yield server
    server.kill()


class Chat:
    """A person at the page, one message after the other."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def say(self, text: str) -> str:
        """Say it and return all bubbles of the answer."""
        before, turns = len(bot_texts(self.page)), self.page.locator(".user-message-text").count()
        say(self.page, text)
        self.page.locator(".user-message-text").nth(turns).wait_for()
        wait_for_answers(self.page, before + 1)
        self.page.wait_for_timeout(150)  # the bubbles of one turn come one after the other
        return "\n".join(bot_texts(self.page)[before:])

    def search(self, wish: str) -> str:
        """Say a wish and don't mind about anything else, until a place is proposed because of what is preferred."""
        reply = self.say(wish)
        for _ in range(8):
            if "Since you are vegetarian" in reply:
                break
            reply = self.say("I don't mind")
        return reply


def suited() -> dict[str, tuple[str, str]]:
    with (ROOT / "assistants/restaurants/venues.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: (row["food"], row["suits"]) for row in csv.DictReader(file)}


def test_it_remembers_counts_in_searches_and_outlives_a_restart(context: Any, remembering: RealServer) -> None:
    page = context.new_page()
    watched = Watched(page, (remembering.url, remembering.url.replace("http", "ws")))
    watched.watch()
    open_chat(page, remembering.url)
    chat = Chat(page)
    chat.say("I left the passport in the drawer. Then I took it to the office.")
    assert "ffice" in chat.say("Where is my passport?")
    assert NOT_TOLD in chat.say("Where is my umbrella?")
    chat.say("I'll be at the dentist on Friday.")
    assert "entist" in chat.say("Where did I say I'd be on Friday?")
    assert "vegetarian" in chat.say("Remember that I'm vegetarian.")

    remembering.kill()
    remembering.start()
    page.reload()
    ready(page)
    assert "ffice" in chat.say("Where is my passport?")
    assert "entist" in chat.say("Where did I say I'd be on Friday?")
    assert "You are vegetarian." in chat.say("What do you remember?")
    reply = chat.search("I'd like french food")
    venues = {name: kind for name, kind in suited().items() if name in reply}
    assert venues, reply
    assert all(food == "french" and "vegetarians" in diets for food, diets in venues.values()), venues

    chat.say("Forget what I said about my passport.")
    assert NOT_TOLD in chat.say("Where is my passport?")
    assert "entist" in chat.say("Where did I say I'd be on Friday?"), "the rest is still known"
    chat.say("Forget everything I told you.")
    assert "vegetarian" not in chat.say("What do you remember?")
    watched.assert_clean()


def test_the_inspector_shows_what_is_remembered(context: Any, remembering: RealServer) -> None:
    page = context.new_page()
    open_chat(page, remembering.url)
    chat = Chat(page)
    chat.say("I left the passport in the drawer. Then I took it to the office. I'm vegetarian.")
    chat.say("Where is my passport?")
    conversation, _ = conversation_of(page)
    page.goto(f"{remembering.url}/inspect#{conversation}/2")
    panel = page.locator("#turn .panel").filter(has=page.locator("h3", has_text=re.compile("^Memory")))
    panel.wait_for()
    assert panel.locator(".answer .label").inner_text() == "office"
    assert float(panel.locator(".answer .number").inner_text()) > 0.5
    assert "Then I took it to the office." in panel.locator(".supporting .label").all_inner_texts()
    assert panel.locator(".tags li").all_inner_texts() == ["preference vegetarian"]
