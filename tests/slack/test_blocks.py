"""Texts to and from Slack, and the inbox, without a server."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.slack_blocks import escape, posts
from bot.channels.slack_events import Received, plain_text, received
from bot.channels.slack_inbox import AlreadyReceived, Inbox
from memory.dialogue import BotResponse, Button
from memory.store import StoreUnavailable
from tests.slack.slack_requests import event

texts = st.text(max_size=4000) | st.text("<>&!@#|channel ", max_size=9000)


@settings(max_examples=150, deadline=None)
@given(st.text("<>&!@#|channelhere amp;lt;gt;", min_size=1, max_size=60))
def test_what_a_person_typed_comes_back_as_text(typed: str) -> None:
    """Slack escapes what is typed; what we say of it, Slack shows as it was typed, and takes nothing for a command."""
    heard = plain_text(escape(typed), "UBOT")
    assert heard == (typed.strip() or "hello")
    assert not re.search(r"<|>|&(?!amp;|lt;|gt;)", escape(heard))


@pytest.mark.parametrize(
    ("raw", "heard"),
    [
        ("<@UBOT> hi", "hi"),
        ("<@UBOT|rejoinder>: hi", ": hi"),
        ("ask <@U5|eve> or <@U6>", "ask @eve or @U6"),
        ("<!here> <!subteam^S1|@team> <!date^1|today>", "@here @team today"),
        ("<https://a.example/?a=1&amp;b=2>", "https://a.example/?a=1&b=2"),
        ("<mailto:a@b.example|a@b.example> <tel:+123|+123>", "a@b.example +123"),
        ("&amp;lt;!channel&amp;gt;", "&lt;!channel&gt;"),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
        ("  ", "hello"),
    ],
)
def test_slack_markup_is_heard_as_people_see_it(raw: str, heard: str) -> None:
    assert plain_text(raw, "UBOT") == heard


@settings(max_examples=60, deadline=None)
@given(texts, st.lists(st.builds(Button, st.text(max_size=100), st.text(max_size=2500)), max_size=60))
def test_any_reply_keeps_to_the_limits_of_block_kit(text: str, buttons: list[Button]) -> None:
    calls = posts([BotResponse(text, tuple(buttons))], "D1", None, "m1")
    for call in calls:
        blocks = call.arguments["blocks"]
        assert 0 < len(blocks) <= 50
        assert call.arguments["text"]
        for block in blocks:
            if block["type"] == "section":
                assert 0 < len(block["text"]["text"]) <= 3000
            if block["type"] == "actions":
                assert 0 < len(block["elements"]) <= 25
                assert all(0 < len(element["text"]["text"]) <= 75 for element in block["elements"])
                assert all(0 < len(element["value"]) <= 2000 for element in block["elements"])
                names = [element["action_id"] for element in block["elements"]]
                assert len(set(names)) == len(names)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Zs", "Zl", "Zp", "Cc", "Cs"]), min_size=1, max_size=9000))
def test_cutting_a_long_text_loses_nothing(text: str) -> None:
    (call,) = posts([BotResponse(text)], "D1", None, "m1", thumbs=False)
    assert "".join(block["text"]["text"] for block in call.arguments["blocks"]) == escape(text)


def test_an_event_comes_out_of_the_inbox_as_it_went_in_and_only_once(tmp_path: Path) -> None:
    first = received(event("hi \ud83d\ude00", ts="1.5", event_id="Ev1"), None)
    twin = received(event("hi", ts="1.5", event_id="Ev2"), None)
    assert first is not None
    assert twin is not None
    assert Received.from_json(first.to_json()) == first

    async def run() -> None:
        inbox = Inbox(tmp_path / "inbox.sqlite3")
        row = await inbox.receive(first)
        for again in (first, twin):
            with pytest.raises(AlreadyReceived):
                await inbox.receive(again)
        await inbox.deliver(row, 2)
        inbox.close()
        inbox = Inbox(tmp_path / "inbox.sqlite3", clock=lambda: 4e9)
        assert inbox.waiting() == [(row, first.conversation_id)]
        waiting = inbox.event(row)
        assert waiting is not None
        assert waiting[:2] == (first, 2)
        await inbox.forget_old()  # not while it waits
        await inbox.finish(row)
        assert (inbox.waiting(), inbox.event(row)) == ([], None)
        with pytest.raises(AlreadyReceived):
            await inbox.receive(first)
        await inbox.forget_old()
        await inbox.receive(first)
        inbox.close()
        with pytest.raises(StoreUnavailable):
            await inbox.receive(twin)

    asyncio.run(run())


def test_a_file_that_is_no_inbox_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "inbox.sqlite3"
    path.write_text("no database, " * 1000)
    with pytest.raises(StoreUnavailable, match=re.escape(str(path))):
        Inbox(path)
