"""Rasa's JSON of events, as its API's clients send it, to the events of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.auth import new_message_id
from bot.rasa.actions.answers import MAX_EVENTS, check_event
from bot.rasa.parse_data import nlu_from_parse_data
from bot.wire import Refusal, check_id
from memory.dialogue import BotResponse, Button
from memory.events import BotUttered, Event, TrackerEvent, UserUttered

_LOG = ("event", "timestamp")
_PARTS = ("attachment", "elements", "quick_replies", "button_type")


def read_events(content: Any, now: float) -> list[Event]:
    """One event or a list of them; an event without a timestamp happens ``now`` (seconds since the epoch).

    Raises:
        Refusal: 400 with the number of the event and the field that is wrong.
    """
    events = content if isinstance(content, list) else [content]
    if not events:
        raise _invalid("send at least one event")
    if len(events) > MAX_EVENTS:
        raise _invalid(f"{len(events)} events at once: send at most {MAX_EVENTS}")
    return [_read(index, event, now) for index, event in enumerate(events, start=1)]


def begins_a_session(events: Sequence[Event]) -> bool:
    """Whether the first event is one with which Rasa begins a session."""
    first = events[0] if events else None
    if not isinstance(first, TrackerEvent):
        return False
    return first.name == "session_started" or first.fields.get("name") == "action_session_start"


def _invalid(what: str) -> Refusal:
    return Refusal(400, "BadRequest", f"{what}; nothing was stored")


def _read(index: int, content: Any, now: float) -> Event:
    problem = check_event(content)
    if problem is not None:
        raise _invalid(f"event {index} {problem}")
    name, timestamp = content["event"], content.get("timestamp")
    timestamp = now if timestamp is None else float(timestamp)
    try:
        if name == "user":
            return _user(content, timestamp)
        if name == "bot":
            return BotUttered(timestamp, (_said(content),))
    except ValueError as error:
        raise _invalid(f"event {index} ({name}): {error}") from None
    if name == "action" and not _is_number(content.get("confidence")):
        raise _invalid(f"event {index} (action): `confidence` is no number")
    return TrackerEvent(timestamp, name, {key: value for key, value in content.items() if key not in _LOG})


def _user(content: Mapping[str, Any], timestamp: float) -> UserUttered:
    text = content.get("text") or ""
    message_id = content.get("message_id")
    if message_id is None:
        message_id = new_message_id()
    elif not isinstance(message_id, str):
        raise ValueError("`message_id` is no text")
    try:
        check_id(message_id, "message_id")
    except Refusal as refusal:
        raise ValueError(refusal.message) from None
    _check_parsed(content.get("parse_data") or {})
    nlu = nlu_from_parse_data({**content, "text": text})
    for entity in nlu.entities:
        if not isinstance(entity.role, str | None) or not isinstance(entity.group, str | None):
            raise ValueError("parse_data.entities: role and group must be texts")
    channel = content.get("input_channel") or "rest"
    metadata = content.get("metadata") or {}
    return UserUttered(timestamp, text, message_id, channel, replace(nlu, text=text), metadata)


def _check_parsed(parsed: Mapping[str, Any]) -> None:
    """Also what counts nothing: the text, intents without a name."""
    if not isinstance(parsed.get("text"), str | None):
        raise ValueError("parse_data.text is no text")
    entities, ranking = parsed.get("entities"), parsed.get("intent_ranking")
    if not isinstance(entities, list | None) or not isinstance(ranking, list | None):
        raise ValueError("parse_data: entities and intent_ranking must be lists")
    if any(not isinstance(e, dict) or not isinstance(e.get("entity"), str) for e in entities or ()):
        raise ValueError("parse_data.entities must be a list of mappings with entity (a text) and value")
    for intent in (parsed.get("intent"), *(ranking or ())):
        told = intent if isinstance(intent, dict) else {}
        if not isinstance(told.get("name"), str | None):
            raise ValueError("parse_data: the name of an intent is no text")
        if not _is_number(told.get("confidence")):
            raise ValueError("parse_data: the confidence of an intent is no number")


def _is_number(value: Any) -> bool:
    """Or nothing."""
    return isinstance(value, int | float | None) and not isinstance(value, bool)


def _said(content: Mapping[str, Any]) -> BotResponse:
    data = content.get("data") or {}
    buttons, image, custom = data.get("buttons"), data.get("image"), data.get("custom")
    if not isinstance(buttons, list | None) or not all(isinstance(button, dict) for button in buttons or ()):
        raise ValueError("`data.buttons` must be a list of objects with `title` and `payload`")
    if not isinstance(image, str | None):
        raise ValueError("`data.image` is no text")
    if not isinstance(custom, dict | None):
        raise ValueError("`data.custom` is no object")
    parts = {key: data[key] for key in _PARTS if data.get(key) is not None}
    if content.get("metadata"):
        parts["metadata"] = content["metadata"]
    return BotResponse(
        content.get("text") or "",
        tuple(Button(str(button.get("title", "")), str(button.get("payload", ""))) for button in buttons or ()),
        image,
        custom,
        parts or None,
    )
