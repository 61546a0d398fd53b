"""What Slack sends: payloads in its documented form, and their signature."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from typing import Any
from urllib.parse import urlencode

from tests.promises.harness import Answer, Client
from tests.slack.fake_slack import BOT_USER, SIGNING_SECRET, TEAM

_numbers = itertools.count(1)


def new_ts() -> str:
    return f"{int(time.time())}.{next(_numbers):06d}"


def event(
    text: str,
    *,
    kind: str = "message",
    channel: str = "D1",
    user: str | None = "U1",
    ts: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An ``event_callback``; ``channel_type`` follows from the channel's first letter."""
    ts = ts or new_ts()
    inner: dict[str, Any] = {"type": kind, "channel": channel, "user": user, "text": text, "ts": ts, "event_ts": ts}
    if kind == "message":
        inner["channel_type"] = {"D": "im", "C": "channel", "G": "mpim"}[channel[0]]
    event_id = more.pop("event_id", f"Ev{next(_numbers):08d}")
    return {
        "type": "event_callback",
        "token": "deprecated",
        "team_id": TEAM,
        "api_app_id": "A1",
        "event": {**inner, **more},
        "event_id": event_id,
        "event_time": int(float(ts)),
        "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
    }


def click(action: dict[str, Any], message: dict[str, Any], channel: str = "D1", user: str = "U1") -> dict[str, Any]:
    """A ``block_actions`` interaction on one element of a message that the bot posted."""
    ts = message.get("ts") or new_ts()
    return {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "example"},
        "user": {"id": user, "team_id": TEAM},
        "channel": {"id": channel, "name": "directmessage"},
        "container": {"type": "message", "message_ts": ts, "channel_id": channel},
        "message": {"ts": ts, **message},
        "actions": [{**action, "action_ts": new_ts()}],
        "trigger_id": "1.2.3",
    }


def signature(body: bytes, timestamp: str, secret: str = SIGNING_SECRET) -> str:
    """Written from Slack's description, not with the code under test."""
    base = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def signed(body: bytes, timestamp: str | None = None) -> dict[str, str]:
    timestamp = timestamp or str(int(time.time()))
    return {"x-slack-request-timestamp": timestamp, "x-slack-signature": signature(body, timestamp)}


async def send(client: Client, payload: dict[str, Any], retry: int | None = None) -> Answer:
    """As Slack would: events as JSON, interactions as a form; ``retry`` marks a repetition."""
    kind, body = "application/json", json.dumps(payload).encode()
    if payload["type"] == "block_actions":
        kind, body = "application/x-www-form-urlencoded", urlencode({"payload": json.dumps(payload)}).encode()
    headers = {"content-type": kind, **signed(body)}
    if retry is not None:
        headers |= {"x-slack-retry-num": str(retry), "x-slack-retry-reason": "http_timeout"}
    return await client.request("POST", "/slack/events", body, headers)
