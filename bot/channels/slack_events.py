"""From what Slack sends to what is to be answered: messages, clicked quick replies, thumbs; the rest is None.

    direct message                 conversation slack:TEAM:CHANNEL:USER, answered flat
    direct message in a thread     conversation slack:TEAM:CHANNEL:THREAD, answered in the thread
    mention in a channel           conversation slack:TEAM:CHANNEL:THREAD, answered in its thread
    message in such a thread       the same conversation, if the bot takes part in it already

A mention arrives twice, as ``app_mention`` and as ``message``, under two event ids; both have the message's own ``ts``,
which is the message id, so that it is one turn. Messages of bots, this one included, are never answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bot.channels.slack_blocks import THUMB, chosen_blocks, is_quick_reply
from memory.store_rows import storable

CONVERSATION_PREFIX = "slack:"
"""Conversations of this channel start with this; nobody else may write to them."""

_ANSWERED_SUBTYPES = (None, "file_share", "thread_broadcast")
_CONTROL = re.compile(r"<(?P<target>[^<>|]*)(?:\|(?P<label>[^<>]*))?>")


@dataclass(frozen=True, slots=True)
class Received:
    """One event to be worked on; ``key`` is Slack's id of the event, ``message_id`` the message's in the conversation.

    ``thread`` is where to answer (None: flat). ``thumb`` is 1 or -1 for feedback on ``message_id``, else 0.
    ``follow_up``: in a thread, without a mention. ``clicked`` is the update (``channel``, ``ts``, ``text``,
    ``blocks``) of the message whose button was clicked.
    """

    key: str
    conversation_id: str
    message_id: str
    channel: str
    thread: str | None
    text: str
    timestamp: float
    thumb: int = 0
    follow_up: bool = False
    clicked: dict[str, Any] | None = None

    @property
    def unique_id(self) -> str:
        """One turn a message, but any number of thumbs."""
        return f"thumb {self.key}" if self.thumb else self.message_id

    def to_json(self) -> str:
        """As the inbox keeps it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Received:
        """Inverse of ``to_json``."""
        return cls(**json.loads(text))


def received(body: Mapping[str, Any], bot_user: str | None) -> Received | None:
    """What ``body`` (an event callback or an interaction) asks for, None when there is nothing to do.

    ``bot_user`` is this bot's user id where it is known; the event's own ``authorizations`` count first.
    """
    try:
        match body.get("type"):
            case "event_callback":
                return _message(body, _bot_user(body) or bot_user)
            case "block_actions":
                return _action(body)
            case _:
                return None
    except (KeyError, TypeError, AttributeError, IndexError, ValueError):
        return None  # not the form that Slack documents: there is nobody to answer


def _bot_user(body: Mapping[str, Any]) -> str | None:
    for authorization in body.get("authorizations") or ():
        if authorization.get("is_bot"):
            return str(authorization["user_id"])
    return None


def _message(body: Mapping[str, Any], bot_user: str | None) -> Received | None:
    event, team = body["event"], body.get("team_id") or body.get("enterprise_id")
    kind, user, channel, ts = event["type"], event.get("user"), event.get("channel"), event.get("ts")
    if kind not in ("message", "app_mention") or event.get("subtype") not in _ANSWERED_SUBTYPES:
        return None
    if event.get("bot_id") or event.get("hidden") or not user or user in (bot_user, "USLACKBOT"):
        return None
    thread, text = event.get("thread_ts"), event.get("text") or ""
    direct = event.get("channel_type") == "im"
    follow_up = kind == "message" and not direct
    if follow_up and (thread in (None, ts) or (bot_user and f"<@{bot_user}" in text)):
        return None  # not to the bot, or its app_mention says the same
    if kind == "app_mention":
        thread = thread or ts
    return Received(
        key=storable(f"{team}:{body['event_id']}"),
        conversation_id=_conversation(team, channel, thread, user),
        message_id=storable(str(ts)),
        channel=str(channel),
        thread=thread,
        text=plain_text(text, bot_user),
        timestamp=float(ts),
        follow_up=follow_up,
    )


def _action(body: Mapping[str, Any]) -> Received | None:
    action, message = body["actions"][0], body.get("message") or {}
    team = (body.get("team") or body["enterprise"])["id"]
    channel, user, ts = body["channel"]["id"], body["user"]["id"], body["container"]["message_ts"]
    thread = message.get("thread_ts") or (None if channel.startswith("D") else ts)
    conversation = _conversation(team, channel, thread, user)
    key = storable(f"{team}:{channel}:{action['action_ts']}:{action['action_id']}:{user}")
    when = float(action["action_ts"])
    if action["action_id"] == THUMB:
        sign, _, about = action["value"].partition(" ")
        thumb = {"up": 1, "down": -1}[sign]
        return Received(key, conversation, storable(about), channel, thread, "", when, thumb)
    if not is_quick_reply(action):
        return None
    # a second click on the same button, before it is gone, is the same message
    message_id = storable(f"click-{ts}-{action['action_id']}-{user}")
    clicked = {"channel": channel, "ts": ts, **chosen_blocks(message, action)}
    return Received(key, conversation, message_id, channel, thread, action["value"], when, clicked=clicked)


def _conversation(team: Any, channel: Any, thread: str | None, user: str) -> str:
    return storable(f"{CONVERSATION_PREFIX}{team}:{channel}:{thread or user}")


def plain_text(text: str, bot_user: str | None) -> str:
    """What the person wrote: the bot's own mention taken out, links and mentions by their labels, no escapes.

    NUL and lone surrogates become U+FFFD; an empty message (a bare mention) is a greeting.
    """

    def spoken(match: re.Match[str]) -> str:
        target, label = match["target"], match["label"]
        if target.startswith("@"):
            own = target[1:] == bot_user or (bot_user is None and match.start() == 0)
            return "" if own else f"@{label or target[1:]}"
        if target.startswith("!"):
            return label or "@" + target[1:].partition("^")[0]
        if target.startswith("#"):
            return f"#{label or target[1:]}"
        return label or target.removeprefix("mailto:").removeprefix("tel:")

    words = _CONTROL.sub(spoken, text)
    for escape, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):  # & last: "&amp;lt;" is "&lt;"
        words = words.replace(escape, character)
    return storable(words).strip() or "hello"
