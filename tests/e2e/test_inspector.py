from __future__ import annotations

import json
import re
import urllib.request

from tests.e2e.conftest import Server, Watched


def post(server: Server, sender: str, *messages: str) -> None:
    for message in messages:
        request = urllib.request.Request(
            f"{server.url}/webhooks/rest/webhook",
            json.dumps({"sender": sender, "message": message}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10):
            pass


def test_a_turn_shows_why(server: Server, watched: Watched) -> None:
    post(server, "why", "hello", "thai")
    page = watched.page
    page.goto(f"{server.url}/inspect#why/2")
    panel = page.locator("#turn")
    panel.get_by_text("Turn 2").wait_for()
    assert panel.get_by_text("inform(food=thai)").is_visible()
    slot = panel.locator(".slot").filter(has_text="food").first
    assert slot.locator(".label").first.inner_text() == "thai"
    assert float(slot.locator(".number").first.inner_text()) > 0.5
    chosen = panel.locator(".bar.chosen")
    assert chosen.locator(".label").inner_text() == "offer"
    assert chosen.locator(".number").inner_text() == "0.75"
    masked = panel.locator(".bar.masked")
    assert masked.locator(".label").all_inner_texts() == ["answer"]
    assert panel.get_by_text("scripted · 1").is_visible()
    said, other = panel.locator(".candidate").all()
    assert said.locator(".label").inner_text() == "1. thai thai"
    assert said.locator("[aria-current=true] .number").inner_text() == "0.75"
    assert other.locator(".number").inner_text() == "0.25"
    said.locator("summary").click()
    assert said.locator("dd").all_inner_texts() == ["thai no. 1", "1.5", "0.75", "0.5"]
    assert panel.locator(".stage .label").all_inner_texts()[:4] == ["nlu", "track", "policy", "nlg"]
    assert panel.locator(".gauge").count() == 2
    watched.assert_clean()


def test_keys_and_deep_links(server: Server, watched: Watched) -> None:
    post(server, "keys", "one", "two", "three")
    page = watched.page
    page.goto(f"{server.url}/inspect#keys/3")
    page.locator("#turn").get_by_text("Turn 3").wait_for()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.locator("#turn").get_by_text("Turn 1").wait_for()
    assert page.url.endswith("#keys/1")
    page.keyboard.press("ArrowUp")
    assert page.url.endswith("#keys/1"), "there is no turn 0"
    page.reload()
    page.locator("#turn").get_by_text("Turn 1").wait_for()
    assert page.locator(".turn[aria-current] .bubble.user").inner_text() == "one"


def test_new_turns_appear(server: Server, watched: Watched) -> None:
    post(server, "live", "first")
    page = watched.page
    page.goto(f"{server.url}/inspect#live")
    page.locator("#turn").get_by_text("Turn 1").wait_for()
    post(server, "live", "second")
    page.locator(".bubble.user").filter(has_text="second").wait_for(timeout=4000)
    page.locator("#turn").get_by_text("Turn 2").wait_for()


def test_search_finds_the_turn(server: Server, watched: Watched) -> None:
    post(server, "needle", "hay", "an extraordinary pineapple", "more hay")
    page = watched.page
    page.goto(f"{server.url}/inspect")
    page.locator("#search").fill("pineapples")
    hits = page.locator("#conversations li a")
    page.locator("#conversations mark").first.wait_for()
    assert hits.count() == 2, "what the user said and what the bot repeated"
    hits.first.click()
    page.locator("#turn").get_by_text("Turn 2").wait_for()
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Failed").select_option("yes")
    page.get_by_text("Nothing found.").wait_for()
    page.get_by_label("Failed").select_option("no")
    page.locator("#conversations mark").first.wait_for()
    page.locator("#search").fill('"unbalanced AND (')
    page.get_by_text("Nothing found.").wait_for()


def test_thumbs_are_shown(server: Server, watched: Watched) -> None:
    body = {"sender": "thumb", "message": "hello", "message_id": "m1"}
    for path, content in (
        ("webhooks/rest/webhook", body),
        ("feedback", {"conversation_id": "thumb", "message_id": "m1", "value": -1}),
    ):
        request = urllib.request.Request(
            f"{server.url}/{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10):
            pass
    page = watched.page
    page.goto(f"{server.url}/inspect#thumb")
    page.get_by_text("not helpful").wait_for()


def test_what_is_remembered_is_shown_with_what_an_answer_rests_on(server: Server, watched: Watched) -> None:
    post(server, "memory", "hello", "thai", "indian")
    page = watched.page
    page.goto(f"{server.url}/inspect#memory/2")
    panel = page.locator("#turn .panel").filter(has=page.locator("h3", has_text=re.compile("^Memory")))
    panel.wait_for()
    answer, support = panel.locator(".recalled .bar").all()
    assert answer.locator(".label").inner_text() == "thai"
    assert answer.locator(".number").inner_text() == "0.80"
    assert support.locator(".label").inner_text() == "thai"
    assert support.locator(".number").inner_text() == "1.50"
    assert panel.locator(".statements li").all_inner_texts() == ["thai", "indian"]
    assert panel.locator(".tags li").all_inner_texts() == ["preference thai", "preference indian"]
    page.goto(f"{server.url}/inspect#memory/1")
    page.locator("#turn").get_by_text("Turn 1").wait_for()
    assert page.locator("#turn .recalled").count() == 0, "nothing was asked in the first turn"
    watched.assert_clean()
