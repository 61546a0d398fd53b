"""``rejoinder serve`` as a process: start, answer, weigh, end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
RASA_RSS_MB = 1120
"""Of Rasa 3.6.21 serving its smallest bot; ours must stay below a third."""


class Server:
    def __init__(self, models: Path, folder: Path) -> None:
        self.folder = folder
        config = folder / "config.yml"
        config.write_text(f"assistant: {ROOT / 'assistants/restaurants'}\nmodels: {models}\n")
        started = time.perf_counter()
        command = [sys.executable, "-m", "bot", "serve", "--port", "0", "--config", str(config)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        match = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert match, line
        self.http = httpx.Client(base_url=match[0])
        assert self.say("hello", "start")
        self.start_seconds = time.perf_counter() - started

    def say(self, text: str, sender: str, message_id: str | None = None) -> list[dict[str, object]]:
        body = {"sender": sender, "message": text, **({"message_id": message_id} if message_id else {})}
        response = self.http.post("/webhooks/rest/webhook", json=body)
        assert response.status_code == 200, response.text
        replies: list[dict[str, object]] = response.json()
        return replies


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(models, tmp_path_factory.mktemp("serve"))
    yield server
    server.process.kill()


def test_answers_soon_after_the_start(server: Server) -> None:
    assert server.start_seconds < 10, "3 s on an idle machine; tests may share theirs"


def test_a_conversation(server: Server) -> None:
    replies = server.say("cheap thai in the north, and what's the phone number?", "a")
    text = " ".join(str(reply["text"]) for reply in replies)
    assert "thai" in text.lower() or "Thai" in text
    assert "01632" in text
    assert {"title": "Book a table", "payload": "/book"} in replies[-1]["buttons"]  # type: ignore[operator]


def test_the_same_message_id_is_one_turn(server: Server) -> None:
    first = server.say("something italian", "b", "m1")
    assert server.say("something italian", "b", "m1") == first
    tracker = server.http.get("/conversations/b/tracker").json()
    assert sum(event["event"] == "user" for event in tracker["events"]) == 1


def test_parse(server: Server) -> None:
    result = server.http.post("/model/parse", json={"text": "any indian places in the centre?"}).json()
    assert {e["entity"]: e["value"] for e in result["entities"]} == {"food": "indian", "area": "centre"}
    assert result["intent"]["name"] in ("inform", "request", "confirm")
    assert result["intent_ranking"]


def test_memory_is_below_a_third_of_rasas(server: Server) -> None:
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("memory is read from /proc")
    match = re.search(r"VmRSS:\s+(\d+)", status.read_text())
    assert match
    assert int(match[1]) / 1024 < RASA_RSS_MB / 3


def test_metrics_and_health(server: Server) -> None:
    assert server.http.get("/health").json()["status"] == "ok"
    assert "rejoinder_" in server.http.get("/metrics").text


def test_search_finds_what_was_said_and_sigterm_ends_cleanly(server: Server) -> None:
    server.say("a birthday dinner with my zygodactyl parrot", "d")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    command = [
        sys.executable,
        "-m",
        "bot",
        "log",
        "search",
        "zygodactyl",
        "--json",
        "-c",
        str(server.folder / "config.yml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    hits = json.loads(done.stdout)["hits"]
    assert [hit["conversation_id"] for hit in hits] == ["d"]


def test_a_missing_model_is_one_clear_message(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"assistant: {ROOT / 'assistants/restaurants'}\n")
    command = [sys.executable, "-m", "bot", "serve", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "train" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["fly"], 2), (["simulate", "-n", "none"], 2), (["serve", "--config", "nowhere.yml"], 1), (["--help"], 0)],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
