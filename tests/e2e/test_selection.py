"""The real server in a browser: two people with different histories ask the same, and the inspector says why."""

from __future__ import annotations

import csv
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Watched
from tests.e2e.test_memory import RealServer

QUESTION = (
    '/inform{"area":"centre","food":"dontcare","pricerange":"dontcare","atmosphere":"dontcare","seating":"dontcare"}'
)


@pytest.fixture
def choosing(models: Path, tmp_path: Path) -> Iterator[RealServer]:
    config = tmp_path / "config.yml"
    assistant = ROOT / "assistants" / "restaurants"
    settings = "policy: {name: rule}\nmemory: {model: null}\nselection: {exploration: 0}\n"
    config.write_text(f"assistant: {assistant}\nmodels: {models}\ndata: {tmp_path / 'data'}\n{settings}")
    server = RealServer(config)
    server.start()
    yield server
    server.kill()


def post(server: RealServer, sender: str, message: str) -> str:
    body = json.dumps({"sender": sender, "message": message}).encode()
    request = urllib.request.Request(f"{server.url}/webhooks/rest/webhook", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return "\n".join(reply.get("text", "") for reply in json.load(response))


def prices() -> dict[str, str]:
    with (ROOT / "assistants/restaurants/venues.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["pricerange"] for row in csv.DictReader(file)}


def teach(server: RealServer, sender: str, likes: str) -> int:
    """Ask, take up what has the price range ``likes`` and nothing else, some times over; the number of turns."""
    known, turns = prices(), 0
    for _ in range(6):
        message = QUESTION
        for _ in range(5):
            reply = post(server, sender, message)
            turns += 1
            offered = next((name for name in known if name in reply), None)
            if offered is not None and known[offered] == likes:
                post(server, sender, '/request{"attribute":"phone"}')
                turns += 1
                break
            message = "/reqalts"
        post(server, sender, "/restart")
        turns += 1
    post(server, sender, QUESTION)
    return turns + 1


def test_two_people_ask_the_same_and_the_inspector_says_why(context: Any, choosing: RealServer) -> None:
    shown = {}
    for likes in ("cheap", "expensive"):
        page = context.new_page()  # in one that shows another conversation the old panel is there at once
        watched = Watched(page, (choosing.url, choosing.url.replace("http", "ws")))
        watched.watch()
        turn = teach(choosing, f"likes-{likes}", likes)
        page.goto(f"{choosing.url}/inspect#likes-{likes}/{turn}")
        panel = page.locator("#turn .panel").filter(has=page.locator("h3", has_text=re.compile("^Selection")))
        panel.wait_for()
        slate = panel.locator(".slate").first
        assert slate.locator("h4").inner_text().startswith("venues")
        labels = slate.locator(".ratio .label").all_inner_texts()
        assert labels == ["best_match", "popular", "for_you", "new"]
        shares = [float(text) for text in slate.locator(".ratio .number").all_inner_texts()]
        assert sum(shares) == pytest.approx(1, abs=0.03)
        assert shares[2] > 0
        candidates = slate.locator(".candidate")
        names = [re.sub(r"^\d+\. ", "", text) for text in candidates.locator(".label").all_inner_texts()]
        shown[likes] = names
        mine = candidates.filter(has_text="for_you no. 1").first
        mine.locator("summary").click()
        facts = dict(zip(mine.locator("dt").all_inner_texts(), mine.locator("dd").all_inner_texts(), strict=True))
        assert float(facts["affinity_pricerange"]) > 0, facts
        assert {"pools", "score", "propensity", "rating", "seen"} <= facts.keys()
        assert slate.locator("[aria-current=true]").count() == 1
        watched.assert_clean()
    assert shown["cheap"] != shown["expensive"]
