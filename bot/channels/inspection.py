"""One conversation as the inspector shows it: turn by turn, with what was believed when a reply was chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bot.channels.tracker import acts_json, slots
from bot.channels.websocket import history_json
from bot.conversations import history
from memory.conversation import Conversation, apply
from memory.dialogue import NLUResult
from memory.events import (
    Booked,
    BotUttered,
    Decided,
    Event,
    FeedbackGiven,
    HandedOff,
    MemoryAnswered,
    MemoryCleared,
    MemoryEvent,
    PreferenceStated,
    PreferenceWithdrawn,
    Selected,
    StatementRemembered,
    StatementsForgotten,
    TrackerEvent,
    UserUttered,
)
from memory.ontology import DISCOURSE_ACTS, METHODS, Ontology
from memory.slates import OfferedSlate

VISIBLE = 0.01
"""Smallest probability shown."""


def conversation_json(
    ontology: Ontology, conversation_id: str, events: Sequence[Event], actions: Sequence[str] = ()
) -> dict[str, Any]:
    """Fold the events and keep a view of the state as it was when each turn's reply was chosen."""
    state = Conversation.new(ontology, conversation_id)
    turns: list[dict[str, Any]] = []
    by_message: dict[str, dict[str, Any]] = {}
    shown = history_json(history(events))
    for seq, event in enumerate(events):
        state = apply(ontology, state, event)
        if isinstance(event, UserUttered):
            turns.append({"turn": len(turns), **shown[len(turns)], **_user_json(ontology, state, event, seq)})
            by_message[event.message_id] = turns[-1]
        elif isinstance(event, FeedbackGiven) and event.message_id in by_message:
            by_message[event.message_id]["feedback_comment"] = event.comment
        elif turns:
            _add(turns[-1], event, actions)
    return {
        "id": conversation_id,
        "slots": slots(ontology, state),
        "mood": state.mood,
        "complaints": state.complaints,
        "handed_off": state.handed_off,
        "bookings": [asdict(booking) for booking in state.bookings],
        "memory": {"statements": list(state.remembered), "preferences": list(state.preferences)},
        "turns": turns,
    }


def _user_json(ontology: Ontology, state: Conversation, event: UserUttered, seq: int) -> dict[str, Any]:
    return {
        "seq": seq,
        "channel": event.channel,
        "nlu": nlu_json(event.nlu),
        "belief": belief_json(ontology, state),
        "mood": state.mood,
        "complaints": state.complaints,
        "decision": None,
        "system": None,
        "timings_ms": {},
        "effects": [],
        "notes": [],
        "recalled": [],
        "selection": [],
    }


def nlu_json(nlu: NLUResult) -> dict[str, Any]:
    """What was understood: n-best acts, intents, entities, mood."""
    return {
        "acts": acts_json(nlu),
        "intents": [{"name": name, "confidence": float(p)} for name, p in nlu.intents],
        "entities": [asdict(entity) for entity in nlu.entities],
        "sentiment": float(nlu.sentiment),
        "out_of_scope": float(nlu.out_of_scope),
    }


def _add(turn: dict[str, Any], event: Event, actions: Sequence[str]) -> None:
    match event:
        case Decided():
            turn["decision"] = decision_json(event, actions)
            turn["system"] = None if event.system is None else asdict(event.system)
            turn["timings_ms"] = dict(event.timings_ms)
        case Booked():
            turn["effects"].append({"type": "booked", **asdict(event)})
            turn["notes"].append(f"booked {event.entity} ({event.reference})")
        case HandedOff():
            turn["effects"].append({"type": "handed_off", **asdict(event)})
            turn["notes"].append(f"handed off: {event.reason}")
        case BotUttered():
            turn["replied_at"] = event.timestamp
        case TrackerEvent():
            told = ", ".join(f"{key} {value}" for key, value in event.fields.items() if value is not None)
            turn["notes"].append(f"{event.name}: {told}" if told else event.name)
        case Selected():
            turn["selection"] += [slate_json(slate) for slate in event.slates]
        case UserUttered() | FeedbackGiven():
            pass
        case _:
            _add_memory(turn, event)


def slate_json(slate: OfferedSlate) -> dict[str, Any]:
    """Why this was said: the candidates in order, with pools, features by name, the ranker's score and propensity."""
    names = slate.features
    candidates = [
        {
            "position": position,
            "key": candidate.key,
            "pool": candidate.pool,
            "pools": dict(candidate.pools),
            "score": candidate.score,
            "propensity": candidate.propensity,
            "said": candidate.said,
            "features": dict(zip(names, candidate.features, strict=False)),
        }
        for position, candidate in enumerate(slate.candidates)
    ]
    told = ("kind", "query", "mode", "ranker", "exploration")
    return {**{name: getattr(slate, name) for name in told}, "ratio": dict(slate.ratio), "candidates": candidates}


def _add_memory(turn: dict[str, Any], event: MemoryEvent) -> None:
    match event:
        case StatementRemembered():
            turn["notes"].append(f"remembered: {event.text}")
        case StatementsForgotten():
            turn["notes"] += [f"forgot: {text}" for text in event.texts]
        case MemoryCleared():
            turn["notes"].append("forgot what was remembered")
        case PreferenceStated():
            turn["notes"].append(f"from now on: {event.name}")
        case PreferenceWithdrawn():
            turn["notes"].append(f"no longer: {event.name}")
        case MemoryAnswered():
            turn["recalled"].append(recalled_json(event))


def recalled_json(event: MemoryAnswered) -> dict[str, Any]:
    """An answer of the memory: ``answer`` null is "I don't know"; the statements with how much each was read."""
    supporting = [{"text": text, "weight": weight} for text, weight in event.supporting]
    return {
        "question": event.question,
        "answer": event.answer,
        "confidence": event.confidence,
        "supporting": supporting,
    }


def decision_json(event: Decided, actions: Sequence[str] = ()) -> dict[str, Any]:
    """What was chosen and every action's value, best first; masked ones last, without a value."""
    decision = event.decision
    mask = decision.mask or (True,) * len(decision.values)
    rows: list[dict[str, Any]] = [
        {
            "action": actions[a] if len(actions) == len(decision.values) else f"action {a}",
            "value": None if math.isnan(value) else value,
            "allowed": mask[a] if a < len(mask) else True,
        }
        for a, value in enumerate(decision.values)
    ]
    rows.sort(key=lambda row: (not row["allowed"], row["value"] is None, -(row["value"] or 0.0)))
    return {
        "action": decision.action,
        "policy": decision.policy,
        "version": decision.version,
        "propensity": decision.propensity,
        "actions": rows,
    }


def belief_json(ontology: Ontology, state: Conversation) -> dict[str, Any]:
    """The belief by names: per slot its values above 0.01, best first."""
    belief = state.belief
    per_slot: dict[str, dict[str, float]] = {slot: {} for slot in ontology.slots}
    for v in np.argsort(-belief.goals[0], kind="stable"):
        slot, value = ontology.values[v]
        if belief.goals[0, v] > VISIBLE:
            per_slot[slot][value] = float(belief.goals[0, v])
    venue = int(belief.venue[0])
    named = None if venue < 0 else {"value": ontology.entity_names[venue], "p": float(belief.venue_confidence[0])}
    return {
        "slots": per_slot,
        "open": {
            slot: {"value": state.open_value(ontology, slot), "p": float(belief.open_confidence[0, o])}
            for o, slot in enumerate(ontology.open_slots)
        },
        "requested": dict(zip(ontology.requestable, belief.requested[0].tolist(), strict=True)),
        "method": dict(zip(METHODS, belief.method[0].tolist(), strict=True)),
        "discourse": dict(zip(DISCOURSE_ACTS, belief.discourse[0].tolist(), strict=True)),
        "venue": named,
    }
