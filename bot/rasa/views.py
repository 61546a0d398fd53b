"""How a Rasa project's conversations are shown: Rasa's own tracker, and the inspector's turns with their actions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bot.channels.inspection import nlu_json
from bot.channels.tracker import parse_json
from bot.channels.websocket import history_json
from bot.conversations import history
from bot.rasa.conversation import apply_event, new_conversation
from bot.rasa.project import RasaDomain
from bot.rasa.reading.names import base_intent
from bot.rasa.tracker import current_state
from memory.conversation import MOOD_MEMORY
from memory.dialogue import NLUResult
from memory.events import Decided, Event, FeedbackGiven, TrackerEvent, UserUttered

_LISTEN = "action_listen"
_OURS = ("acts", "out_of_scope")
"""Keys of our parse result that a Rasa project's NLU has no use for."""


class RasaViews:
    """Of the conversations of one project."""

    def __init__(self, domain: RasaDomain) -> None:
        self._domain = domain

    def beginning(self, now: float) -> tuple[Event, ...]:
        """Rasa begins every conversation so, whoever asks for it first."""
        return session_start(now)

    def tracker(
        self, conversation_id: str, events: Sequence[Event], include_events: str, until: float | None
    ) -> dict[str, Any]:
        """See ``bot.channels.views.Views``."""
        return current_state(self._domain, conversation_id, events, include_events, until)

    def parsed(self, nlu: NLUResult) -> dict[str, Any]:
        """Rasa's parse result, with the sentiment beside it; of a retrieval intent the response it selects too."""
        told = {key: value for key, value in parse_json(nlu).items() if key not in _OURS}
        ranking = told["intent_ranking"]
        retrieval = [entry for entry in ranking if "/" in entry["name"]]
        if retrieval:
            best = {"intent_response_key": retrieval[0]["name"], "confidence": retrieval[0]["confidence"]}
            best["utter_action"] = f"utter_{retrieval[0]['name']}"
            selected = {"response": best, "ranking": []}
            told["response_selector"] = {"default": selected}
            bases = [{**entry, "name": base_intent(entry["name"])} for entry in ranking]
            told["intent_ranking"], told["intent"] = bases, bases[0]
        return told

    def inspection(self, conversation_id: str, events: Sequence[Event]) -> dict[str, Any]:
        """See ``bot.channels.views.Views``: slots stand where another assistant's belief does."""
        state, mood = new_conversation(self._domain, conversation_id), 0.0
        shown = history_json(history(events))
        turns: list[dict[str, Any]] = []
        by_message: dict[str, dict[str, Any]] = {}
        for seq, event in enumerate(events):
            state = apply_event(self._domain, state, event)
            if isinstance(event, UserUttered):
                mood = MOOD_MEMORY * mood + (1 - MOOD_MEMORY) * event.nlu.sentiment
                turns.append({"turn": len(turns), **shown[len(turns)], **_turn(event, seq, mood)})
                by_message[event.message_id] = turns[-1]
            elif isinstance(event, FeedbackGiven) and event.message_id in by_message:
                by_message[event.message_id]["feedback_comment"] = event.comment
            elif turns:
                _add(turns[-1], event)
            if turns:
                turns[-1]["belief"]["open"] = {
                    name: {"value": _text(value), "p": 1.0} for name, value in state.slots.items() if value is not None
                }
        return {
            "id": conversation_id,
            "slots": dict(state.slots),
            "active_loop": state.active_loop,
            "mood": mood,
            "complaints": 0,
            "handed_off": False,
            "bookings": [],
            "memory": {"statements": [], "preferences": []},
            "turns": turns,
        }


def session_start(now: float) -> tuple[Event, ...]:
    """The events with which Rasa begins a session; ``now`` in seconds since the epoch."""
    return (
        TrackerEvent(now, "action", {"name": "action_session_start", "policy": None, "confidence": 1.0}),
        TrackerEvent(now, "session_started", {}),
        TrackerEvent(now, "action", {"name": _LISTEN, "policy": None, "confidence": None}),
    )


def _turn(event: UserUttered, seq: int, mood: float) -> dict[str, Any]:
    return {
        "seq": seq,
        "channel": event.channel,
        "nlu": nlu_json(event.nlu),
        "belief": {"slots": {}, "open": {}, "requested": {}, "method": {}, "discourse": {}, "venue": None},
        "mood": mood,
        "complaints": 0,
        "decision": None,
        "system": None,
        "timings_ms": {},
        "effects": [],
        "notes": [],
        "recalled": [],
    }


def _add(turn: dict[str, Any], event: Event) -> None:
    match event:
        case TrackerEvent(name="action"):
            _add_action(turn, event)
        case TrackerEvent(name="slot"):
            turn["notes"].append(f"slot {event.fields.get('name')}: {_text(event.fields.get('value'))}")
        case TrackerEvent(name="active_loop"):
            loop = event.fields.get("name")
            turn["notes"].append("form ended" if loop is None else f"form {loop}")
        case TrackerEvent():
            told = ", ".join(f"{key} {_text(value)}" for key, value in event.fields.items() if value is not None)
            turn["notes"].append(f"{event.name}: {told}" if told else event.name)
        case Decided():
            turn["timings_ms"] = dict(event.timings_ms)
        case _:
            return


def _add_action(turn: dict[str, Any], event: TrackerEvent) -> None:
    """All actions of a turn with their policies' confidence; the first one is the decision."""
    name = event.fields.get("name") or event.fields.get("action_text") or ""
    if name in (_LISTEN, "action_extract_slots"):
        return
    confidence, policy = event.fields.get("confidence"), event.fields.get("policy")
    if turn["decision"] is None:
        propensity = 1.0 if confidence is None else confidence
        turn["decision"] = {
            "action": name, "policy": policy or "", "version": "", "propensity": propensity, "actions": [],
        }  # fmt: skip
    turn["decision"]["actions"].append({"action": name, "value": confidence, "allowed": True})
    turn["notes"].append(f"{name} ({policy})" if policy else name)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
