"""The Slack channel in its own process, with Slack's real packages, against a Slack of ours."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memory.events import FeedbackGiven
from memory.store import SqliteStore
from tests.promises.harness import Answer, Client
from tests.slack.fake_slack import BOT_ID, BOT_USER, TEAM, FakeSlack
from tests.slack.slack_requests import click, event, new_ts, send, signed
from tests.slack.slack_server import SECRETS, SlackServer, said


class Workspace:
    """A fake Slack, a server, and what was posted since the test began."""

    def __init__(self, fake: FakeSlack, server: SlackServer, db: Path) -> None:
        self.fake, self.server, self.db = fake, server, db
        self.before = 0

    def send(self, *payloads: dict[str, Any], retry: int | None = None) -> list[Answer]:
        async def run() -> list[Answer]:
            client = Client(self.server.port)
            answers = [await send(client, payload, retry) for payload in payloads]
            client.close()
            return answers

        return asyncio.run(run())

    def posts(self, count: int) -> list[dict[str, Any]]:
        return self.fake.wait(self.before + count)[self.before :]

    def said(self, conversation: str) -> list[str]:
        return said(self.db).get(f"slack:{TEAM}:{conversation}", [])

    def marker(self) -> None:
        """A message to the bot is answered: whatever was sent before it has had its chance."""
        answered = len(self.fake.made())
        self.send(event("marker", channel="D9", user="U9"))
        self.fake.wait(answered + 1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    db = tmp_path_factory.mktemp("slack") / "log.sqlite3"
    with FakeSlack() as fake, SlackServer(db, fake.url) as server:
        yield Workspace(fake, server, db)
        assert fake.alarms == []
        assert server.stop() == 0
        for secret in SECRETS.values():
            assert secret not in server.output


@pytest.fixture
def slack(running: Workspace) -> Workspace:
    running.before = len(running.fake.made())
    return running


def text_of(post: dict[str, Any]) -> str:
    return str(post["blocks"][0]["text"]["text"])


def test_the_challenge_is_echoed(slack: Workspace) -> None:
    (answer,) = slack.send({"type": "url_verification", "challenge": "c0ffee", "token": "t"})
    assert answer.status == 200
    assert answer.json == {"challenge": "c0ffee"}


def test_a_direct_message_is_answered_flat_and_a_repetition_is_not(slack: Workspace) -> None:
    message = event("hello there")
    assert [answer.status for answer in slack.send(message)] == [200]
    assert [answer.status for answer in slack.send(message, retry=1)] == [200]
    assert [answer.status for answer in slack.send({**message, "event_id": "EvOther"}, retry=2)] == [200]
    slack.marker()
    first, _ = slack.posts(2)
    assert text_of(first) == "turn 1: hello there"
    assert first["channel"] == "D1"
    assert "thread_ts" not in first
    assert slack.said("D1:U1") == ["hello there"]


def test_a_mention_is_answered_in_its_thread_and_the_thread_is_one_conversation(slack: Workspace) -> None:
    ts, text = new_ts(), f"<@{BOT_USER}> a table for two"
    mention = event(text, kind="app_mention", channel="C1", ts=ts)
    twin = event(text, channel="C1", ts=ts)
    slack.send(mention, twin)
    slack.posts(1)
    slack.send(event("and cheap", channel="C1", user="U2", thread_ts=ts))
    posts = slack.posts(2)
    assert [text_of(post) for post in posts] == ["turn 1: a table for two", "turn 2: and cheap"]
    assert [post["thread_ts"] for post in posts] == [ts, ts]
    assert slack.said(f"C1:{ts}") == ["a table for two", "and cheap"]


def test_nobody_is_answered_who_did_not_ask(slack: Workspace) -> None:
    ts = new_ts()
    silent = [
        event("to a colleague", channel="C1"),
        event("in a thread without the bot", channel="C1", thread_ts=ts),
        event("own", user=BOT_USER, bot_id=BOT_ID),
        event("own, in a channel", channel="C1", user=None, bot_id=BOT_ID, subtype="bot_message"),
        event("another bot", bot_id="B2", bot_profile={"id": "B2"}),
        event(f"<@{BOT_USER}> another bot", kind="app_mention", channel="C1", bot_id="B2"),
        event("edited", subtype="message_changed"),
        event("gone", subtype="message_deleted"),
        event("joined", channel="C1", subtype="channel_join"),
        event("hidden", hidden=True),
        event("x", kind="reaction_added"),
        {"type": "event_callback", "team_id": TEAM, "event_id": "Ev0", "event": {"type": "message"}},
        {"type": "event_callback", "team_id": TEAM, "event_id": "Ev1", "event": {"type": "app_home_opened"}},
        click({"type": "button", "action_id": "of_another_app", "value": "x"}, {"text": "x"}),
        {"type": "view_submission", "team": {"id": TEAM}, "user": {"id": "U1"}, "view": {}},
    ]
    assert [answer.status for answer in slack.send(*silent)] == [200] * len(silent)
    slack.marker()
    assert len(slack.posts(1)) == 1


def test_text_stays_text(slack: Workspace) -> None:
    slack.send(event("&lt;!channel&gt; &amp;lt; <https://a.example/x|label> <#C2|general> <@U5> *b* @channel"))
    (post,) = slack.posts(1)
    shown = text_of(post)
    assert shown.endswith("&lt;!channel&gt; &amp;lt; label #general @U5 *b* @channel")
    assert post["blocks"][0]["text"]["verbatim"] is True
    assert post["parse"] == "none"


def test_a_quick_reply_is_a_turn_and_its_buttons_go(slack: Workspace) -> None:
    buttons = [{"title": "Thai", "payload": "thai please"}, {"title": "x" * 90, "payload": "long"}]
    slack.send(event("/echo " + json.dumps({"text": "Which food?", "buttons": buttons}), channel="D2"))
    (post,) = slack.posts(1)
    actions = next(block for block in post["blocks"] if block["type"] == "actions")
    assert [len(element["text"]["text"]) for element in actions["elements"]] == [4, 75]
    updates = len(slack.fake.made("chat.update"))
    clicked = click(actions["elements"][0], {"text": post["text"], "blocks": post["blocks"], "ts": new_ts()}, "D2")
    twice = {**clicked, "actions": [{**clicked["actions"][0], "action_ts": new_ts()}]}
    assert [answer.status for answer in slack.send(clicked, twice)] == [200, 200]
    slack.marker()
    assert slack.said("D2:U1")[1:] == ["thai please"]
    (update,) = slack.fake.wait(updates + 1, "chat.update")[updates:]
    assert "actions" not in [block["type"] for block in update["blocks"]]
    assert "✓ Thai" in json.dumps(update["blocks"], ensure_ascii=False)


def test_thumbs_are_kept_as_events(slack: Workspace) -> None:
    asked = event("was it good?", channel="D3", user="U3")
    slack.send(asked)
    (post,) = slack.posts(1)
    element = post["blocks"][-1]["elements"][0]
    assert element["type"] == "feedback_buttons"
    for button in ("negative_button", "positive_button"):
        action = {"type": "feedback_buttons", "action_id": element["action_id"], "value": element[button]["value"]}
        slack.send(click(action, {"text": post["text"], "blocks": post["blocks"]}, "D3", "U3"))
    slack.marker()
    deadline, values = time.monotonic() + 10, []
    while values != [-1, 1] and time.monotonic() < deadline:
        store = SqliteStore(slack.db)
        values = [e.value for e in store.load(f"slack:{TEAM}:D3:U3") if isinstance(e, FeedbackGiven)]
        store.close()
    assert values == [-1, 1]


def test_retry_after_is_obeyed_and_passing_faults_are_outlived(slack: Workspace) -> None:
    slack.fake.faults.extend((("429", 2), ("500",), ("error", "internal_error")))
    started = time.monotonic()
    slack.send(event("patience", channel="D4"), event("patience", channel="D5"))
    assert sorted(post["channel"] for post in slack.posts(2)) == ["D4", "D5"]
    assert time.monotonic() - started >= 2.0
    assert slack.fake.alarms == []


def test_refused_blocks_are_sent_as_text_and_a_lost_channel_is_given_up(slack: Workspace) -> None:
    slack.fake.faults.extend((("error", "invalid_blocks"),))
    slack.send(event("plain", channel="D6"))
    (post,) = slack.posts(1)
    assert "blocks" not in post
    slack.fake.faults.extend((("error", "is_archived"),))
    slack.send(event("nobody home", channel="D6"), event("next", channel="D6"))
    assert text_of(slack.posts(2)[1]) == "turn 3: next"


def test_a_message_that_is_too_long_and_a_bare_mention_get_a_reply(slack: Workspace) -> None:
    slack.send(event("x" * 1001, channel="D7"), event(f"<@{BOT_USER}>", kind="app_mention", channel="C7"))
    texts = {post["channel"]: text_of(post) for post in slack.posts(2)}
    assert "at most 1000" in texts["D7"]
    assert texts["C7"] == "turn 1: hello"


def test_a_long_reply_is_cut_to_what_slack_takes(slack: Workspace) -> None:
    slack.send(event("/echo " + json.dumps({"text": "a < b & c ", "times": 1500}), channel="D8"))
    (post,) = slack.posts(1)
    sections = [block["text"]["text"] for block in post["blocks"] if block["type"] == "section"]
    assert len(sections) > 5
    assert all(len(section) <= 3000 for section in sections)
    assert " ".join(sections).count("&amp;") == 1500
    assert slack.fake.alarms == []


def test_a_captured_request_sent_again_within_the_window_changes_nothing(slack: Workspace) -> None:
    body = json.dumps(event("once", channel="D10")).encode()
    headers = {"content-type": "application/json", **signed(body)}

    async def replay() -> list[int]:
        client = Client(slack.server.port)
        answers = [await client.request("POST", "/slack/events", body, headers) for _ in range(5)]
        client.close()
        return [answer.status for answer in answers]

    assert asyncio.run(replay()) == [200] * 5
    slack.posts(1)
    assert slack.said("D10:U1") == ["once"]


def test_conversations_of_slack_are_closed_to_http_clients_from_elsewhere(slack: Workspace) -> None:
    async def ask() -> Answer:
        client = Client(slack.server.port)
        content = {"sender": f"slack:{TEAM}:D1:U1", "message": "pretending"}
        answer = await client.post("/webhooks/rest/webhook", content, {"host": "elsewhere.example"})
        client.close()
        return answer

    assert asyncio.run(ask()).status == 401


def test_nothing_said_stays_in_the_inbox(slack: Workspace) -> None:
    slack.send(event("canary-5521", channel="D11"))
    slack.posts(1)
    slack.marker()
    time.sleep(0.3)
    with sqlite3.connect(slack.db.parent / "small.slack.sqlite3") as inbox:
        bodies = inbox.execute("SELECT body FROM slack_inbox WHERE body LIKE '%canary-5521%'").fetchall()
        assert bodies == []
        assert inbox.execute("SELECT count(*) FROM slack_inbox").fetchone()[0] > 3
    inbox.close()
    assert "canary-5521" not in slack.server.output


def test_the_acknowledgement_does_not_wait_for_the_turn(tmp_path: Path) -> None:
    with FakeSlack() as fake, SlackServer(tmp_path / "log.sqlite3", fake.url, "--sleep-ms", "3000") as server:

        async def run() -> list[int]:
            client = Client(server.port)
            answers = [await send(client, event(f"slow {i}", channel=f"D{i}")) for i in range(3)]
            client.close()
            return [answer.status for answer in answers]

        assert asyncio.run(run()) == [200] * 3
        assert fake.made() == []
        fake.wait(3)
