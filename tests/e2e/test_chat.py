from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chat_page import (
    bot_texts,
    conversation_of,
    open_chat,
    ready,
    reply,
    say,
    user_texts,
    wait_for_answers,
    wait_for_text,
)
from tests.e2e.conftest import Server, Watched


def stored_turns(server: Server, page: Any) -> list[dict[str, Any]]:
    conversation, token = conversation_of(page)
    request = urllib.request.Request(
        f"{server.url}/conversations/{conversation}/messages", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        return list(json.load(response)["messages"])


def test_message_is_answered_and_shown(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    say(page, "hello there")
    assert wait_for_answers(page, 1) == ["You said: hello there"]
    assert user_texts(page) == ["hello there"]
    assert [turn["text"] for turn in stored_turns(server, page)] == ["hello there"]
    watched.assert_clean()


def test_example_prompts_are_said(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    chips = page.locator("[data-say]")
    assert chips.count() == 3
    chips.nth(1).click()
    said = chips.nth(1).get_attribute("data-say")
    assert wait_for_answers(page, 1) == [f"You said: {said}"]


def test_quick_reply_shows_title_and_sends_payload(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    say(page, reply("Which?", buttons={"Thai, please": '/inform{"food":"thai"}', "No": "/negate"}))
    page.get_by_role("button", name="Thai, please").click()
    assert wait_for_answers(page, 2)[1] == 'You said: /inform{"food":"thai"}'
    assert user_texts(page)[1] == "Thai, please"
    assert page.locator(".rj-quick").count() == 0, "answered quick replies must go"
    assert stored_turns(server, page)[1]["payload"] == '/inform{"food":"thai"}'
    page.reload()
    ready(page)
    assert user_texts(page)[1] == "Thai, please"


def test_thumbs_are_stored_and_survive_a_reload(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    for text in ("one", "two"):
        say(page, text)
        wait_for_text(page, f"You said: {text}")
    up, down = page.get_by_role("button", name="Helpful", exact=True), page.get_by_role("button", name="Not helpful")
    up.nth(0).click()
    page.locator(".rj-thumb[aria-pressed=true]").nth(0).wait_for()
    down.nth(1).click()
    page.locator(".rj-thumb[aria-pressed=true]").nth(1).wait_for()
    assert [turn["feedback"] for turn in stored_turns(server, page)] == [1, -1]
    page.reload()
    ready(page)
    assert [up.nth(i).get_attribute("aria-pressed") for i in (0, 1)] == ["true", "false"]
    assert [down.nth(i).get_attribute("aria-pressed") for i in (0, 1)] == ["false", "true"]


def test_history_and_open_quick_replies_after_reload(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    say(page, "first")
    wait_for_answers(page, 1)
    say(page, reply("Pick", buttons={"A": "/a"}))
    page.locator(".rj-quick").wait_for()
    page.reload()
    ready(page)
    assert bot_texts(page) == ["You said: first", "Pick"]
    page.get_by_role("button", name="A", exact=True).click()
    assert wait_for_answers(page, 3)[2] == "You said: /a"
    watched.assert_clean()


def test_start_over_opens_an_empty_conversation(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    say(page, "first")
    wait_for_answers(page, 1)
    before = conversation_of(page)
    page.get_by_role("button", name="Start over").click()
    page.locator(".rj-answer").first.wait_for(state="detached")
    ready(page)
    say(page, "second")
    assert wait_for_answers(page, 1) == ["You said: second"]
    assert conversation_of(page) != before


def test_typing_indicator_until_the_answer(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    say(page, "slow")
    typing = page.locator(".deep-chat-loading-message-bubble")
    typing.wait_for(timeout=800)
    assert bot_texts(page) == []
    wait_for_answers(page, 1)
    assert typing.count() == 0


def test_what_is_sent_before_the_answer_is_said_after_it(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    page.evaluate("""() => ["slow", "second", "third"].forEach((text) => window.Rejoinder.send(text))""")
    assert wait_for_answers(page, 3) == ["You said: slow", "You said: second", "You said: third"]


def test_quick_reply_is_said_once_however_early_and_often_it_is_clicked(server: Server, watched: Watched) -> None:
    """In the moment in which the buttons are there and deep-chat still blocks its input."""
    page = watched.page
    open_chat(page, server.url)
    page.evaluate(
        """() => {
          const chat = document.getElementById("rejoinder-chat").shadowRoot.querySelector("deep-chat");
          new MutationObserver((_, observer) => {
            const button = chat.shadowRoot.querySelector(".rj-quick");
            if (!button) return;
            observer.disconnect();
            button.click();
            button.click();
          }).observe(chat.shadowRoot, { childList: true, subtree: true });
        }"""
    )
    say(page, reply("Yes?", buttons={"Yes": "yes, indeed"}))
    assert wait_for_answers(page, 2) == ["Yes?", "You said: yes, indeed"]
    page.wait_for_timeout(300)
    assert user_texts(page)[1:] == ["Yes"]


def test_turn_without_a_reply_ends_the_typing_indicator(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    say(page, "[]")
    page.locator(".deep-chat-loading-message-bubble").wait_for(state="detached")
    say(page, "still here")
    assert wait_for_answers(page, 1) == ["You said: still here"]


def test_refused_message_says_so_and_the_chat_goes_on(server: Server, watched: Watched) -> None:
    page = watched.page
    open_chat(page, server.url)
    page.evaluate("window.Rejoinder.send('x'.repeat(990) + '😀'.repeat(5))")  # within both limits
    wait_for_answers(page, 1)
    say(page, reply("ok", buttons={"blank": " "}))
    page.get_by_role("button", name="blank").click()
    page.locator(".error-message-text").wait_for()
    say(page, "again")
    assert wait_for_answers(page, 3)[2] == "You said: again"


@pytest.mark.parametrize("reload", [False, True], ids=["stays", "reloads"])
def test_message_typed_while_the_server_is_down_is_answered_once(tmp_path: Path, context: Any, reload: bool) -> None:
    server = Server(tmp_path / "events.sqlite3")
    server.start()
    try:
        page = context.new_page()
        open_chat(page, server.url)
        say(page, "before")
        wait_for_answers(page, 1)
        server.kill()
        page.locator(".status[data-state=offline]").wait_for(state="attached")
        say(page, "while down")
        page.get_by_text("Reconnecting…").wait_for()
        server.start()
        if reload:
            open_chat(page, server.url)
        wait_for_text(page, "You said: while down", timeout=20_000)
        assert bot_texts(page) == ["You said: before", "You said: while down"]
        assert user_texts(page) == ["before", "while down"]
        assert [turn["text"] for turn in stored_turns(server, page)] == ["before", "while down"]
        say(page, "after")
        assert wait_for_answers(page, 3)[2] == "You said: after"
    finally:
        server.stop()


def test_answer_lost_in_a_cut_is_not_a_second_turn(tmp_path: Path, context: Any) -> None:
    server = Server(tmp_path / "events.sqlite3")
    server.start()
    try:
        page = context.new_page()
        open_chat(page, server.url)
        say(page, "slow")
        page.locator(".deep-chat-loading-message-bubble").wait_for()
        server.kill()  # in the middle of the turn
        server.start()
        wait_for_text(page, "You said: slow", timeout=20_000)
        assert [turn["text"] for turn in stored_turns(server, page)] == ["slow"]
    finally:
        server.stop()


def test_deleted_log_starts_a_new_conversation(tmp_path: Path, context: Any) -> None:
    server = Server(tmp_path / "a" / "events.sqlite3", ("--inspect-token", "correct horse battery"))
    server.start()
    try:
        page = context.new_page()
        open_chat(page, server.url)
        say(page, "before")
        wait_for_answers(page, 1)
        before = conversation_of(page)
        server.kill()
        server.database = tmp_path / "b" / "events.sqlite3"  # another secret: the old token opens nothing here
        server.start()
        page.reload()
        ready(page)
        say(page, "after")
        assert wait_for_answers(page, 1) == ["You said: after"]
        assert conversation_of(page) != before
    finally:
        server.stop()
