"""Rasa's tracker as JSON: what its HTTP API answers and what action servers are sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bot.rasa.conversation import RasaConversation, apply_event, fold, new_conversation, situation
from bot.rasa.parse_data import parse_data
from bot.rasa.project import RasaDomain
from memory.dialogue import BotResponse
from memory.events import BotUttered, Event, TrackerEvent, UserUttered

__all__ = [
    "RasaConversation", "apply_event", "current_state", "fold", "new_conversation", "rasa_events", "situation",
    "tracker_json",
]  # fmt: skip

ACTION_FAILED = "action_failed"
"""Our own event: an action that could not be run, and why. Rasa's clients don't know it and are not told."""

_PARTS = ("elements", "quick_replies", "buttons", "attachment", "image", "custom")


def rasa_events(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Every event in Rasa's JSON; events that Rasa has no form for are left out."""
    return [told for event in events for told in _event_json(event)]


def current_state(
    domain: RasaDomain,
    conversation_id: str,
    events: Sequence[Event],
    include_events: str = "AFTER_RESTART",
    until: float | None = None,
) -> dict[str, Any]:
    """Rasa's tracker after all events (with ``until``: those up to that time).

    ``include_events``: ALL; AFTER_RESTART, those since the last restart; APPLIED, without those that were taken back;
    NONE.
    """
    if until is not None:
        events = [event for event in events if event.timestamp <= until]
    state = fold(domain, conversation_id, events)
    match include_events:
        case "NONE":
            return tracker_json(state, None)
        case "APPLIED":
            events = applied_events(events)
        case "AFTER_RESTART":
            restarts = [i for i, e in enumerate(events) if isinstance(e, TrackerEvent) and e.name == "restart"]
            events = events[restarts[-1] + 1 :] if restarts else events
    return tracker_json(state, rasa_events(events))


def tracker_json(state: RasaConversation, events: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The tracker of a state, with these events."""
    latest = state.latest
    message = _message_json(state)
    return {
        "sender_id": state.id,
        "slots": dict(state.slots),
        "latest_message": message,
        "latest_event_time": state.event_at,
        "followup_action": state.followup,
        "paused": state.paused,
        "events": events,
        "latest_input_channel": latest.channel if latest else None,
        "active_loop": _loop_json(state, message),
        "latest_action": {"action_name": state.latest_action} if state.latest_action else {},
        "latest_action_name": state.latest_action,
    }


def applied_events(events: Sequence[Event]) -> list[Event]:
    """The events of the session without those that `undo` and `rewind` took back."""
    applied: list[Event] = []
    for event in events:
        match event:
            case TrackerEvent(name="restart" | "session_started"):
                applied = []
            case TrackerEvent(name="undo"):
                _take_back(applied, "action")
            case TrackerEvent(name="rewind"):
                _take_back(applied, "user")
                _take_back(applied, "action")
            case _:
                applied.append(event)
    return applied


def _take_back(applied: list[Event], name: str) -> None:
    while applied:
        event = applied.pop()
        if isinstance(event, TrackerEvent) and event.name == name:
            return
        if isinstance(event, UserUttered) and name == "user":
            return


def _message_json(state: RasaConversation) -> dict[str, Any]:
    if state.latest is None:
        return {"intent": {}, "entities": [], "text": None, "message_id": None, "metadata": {}}
    return parse_data(state.latest.nlu, state.latest.message_id, state.latest.metadata)


def _loop_json(state: RasaConversation, message: dict[str, Any]) -> dict[str, Any]:
    if state.active_loop is None:
        return {}
    return {
        "name": state.active_loop,
        "is_interrupted": state.loop_interrupted,
        "rejected": state.loop_rejected,
        "trigger_message": message,
    }


def _event_json(event: Event) -> list[dict[str, Any]]:
    match event:
        case UserUttered():
            return [
                {
                    "event": "user",
                    "timestamp": event.timestamp,
                    "metadata": dict(event.metadata),
                    "text": event.text,
                    "parse_data": parse_data(event.nlu, event.message_id, event.metadata),
                    "input_channel": event.channel,
                    "message_id": event.message_id,
                }
            ]
        case BotUttered():
            return [_bot_json(reply, event.timestamp) for reply in event.replies]
        case TrackerEvent() if event.name != ACTION_FAILED:
            told = {"event": event.name, "timestamp": event.timestamp, "metadata": {}, **event.fields}
            if event.name == "action":
                told.setdefault("action_text", None)
                told.setdefault("hide_rule_turn", False)
            return [told]
        case _:
            return []


def _bot_json(reply: BotResponse, timestamp: float) -> dict[str, Any]:
    parts = dict(reply.parts or {})
    metadata = parts.pop("metadata", None) or {}
    buttons = [{"title": button.title, "payload": button.payload} for button in reply.buttons]
    data: dict[str, Any] = {**dict.fromkeys(_PARTS), "buttons": buttons or None, "image": reply.image}
    return {
        "event": "bot",
        "timestamp": timestamp,
        "metadata": metadata,
        "text": reply.text or None,
        "data": {**data, "custom": reply.custom, **parts},
    }
