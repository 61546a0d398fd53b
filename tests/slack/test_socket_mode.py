"""Socket Mode: Slack's own client connects to a WebSocket of ours; nothing listens for Slack."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from tests.promises.harness import Client
from tests.slack.fake_slack import FakeSlack
from tests.slack.slack_requests import click, event
from tests.slack.slack_server import SECRETS, SlackServer, said


def envelope(number: int, payload: dict[str, Any], retry: int = 0) -> dict[str, Any]:
    interactive = payload["type"] == "block_actions"
    return {
        "type": "interactive" if interactive else "events_api",
        "envelope_id": f"envelope-{number}",
        "payload": payload,
        "accepts_response_payload": interactive,
        "retry_attempt": retry,
        "retry_reason": "timeout" if retry else "",
    }


def wait_for_acks(fake: FakeSlack, count: int) -> list[str]:
    deadline = time.monotonic() + 20
    while len(fake.acks) < count:
        assert time.monotonic() < deadline, fake.acks
        time.sleep(0.01)
    return [ack["envelope_id"] for ack in fake.acks]


def test_events_and_clicks_arrive_and_are_acknowledged_once_kept(tmp_path: Path) -> None:
    db = tmp_path / "log.sqlite3"
    with FakeSlack() as fake, SlackServer(db, fake.url, "--mode", "socket") as server:
        message = event("over the socket")
        fake.push(envelope(1, message))
        (post,) = fake.wait(1)
        fake.push(envelope(2, message, retry=1))
        thumb = post["blocks"][-1]["elements"][0]
        action = {
            "type": "feedback_buttons",
            "action_id": thumb["action_id"],
            "value": thumb["positive_button"]["value"],
        }
        fake.push(envelope(3, click(action, {"text": post["text"], "blocks": post["blocks"]})))
        fake.push(envelope(4, event("again")))
        fake.wait(2)
        assert wait_for_acks(fake, 4) == [f"envelope-{i}" for i in (1, 2, 3, 4)]

        async def over_http() -> int:
            client = Client(server.port)
            answer = await client.post("/slack/events", event("not this way"))
            client.close()
            return answer.status

        assert asyncio.run(over_http()) == 404
        assert server.stop() == 0
        assert not [secret for secret in (*SECRETS.values(), "one-time-ticket") if secret in server.output]
    assert said(db) == {"slack:T1:D1:U1": ["over the socket", "again"]}


def test_what_is_not_kept_is_not_acknowledged(tmp_path: Path) -> None:
    """One event may wait: while it does, a second one is refused, and taken when Slack sends it again."""
    db = tmp_path / "log.sqlite3"
    with FakeSlack() as fake:
        fake.faults.append(("429", 2))
        with SlackServer(db, fake.url, "--mode", "socket", "--max-waiting", "1") as server:
            fake.push(envelope(1, event("first")))
            assert wait_for_acks(fake, 1) == ["envelope-1"]
            second = event("second")
            fake.push(envelope(2, second))
            fake.wait(1)
            assert len(fake.acks) == 1
            time.sleep(0.2)
            fake.push(envelope(3, second, retry=1))
            fake.wait(2)
            assert wait_for_acks(fake, 2) == ["envelope-1", "envelope-3"]
            server.stop()
    assert said(db) == {"slack:T1:D1:U1": ["first", "second"]}
