"""Rasa's shapes: the parse result and the tracker, derived from events and folded belief."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from memory.belief import top_values
from memory.conversation import Conversation, apply
from memory.dialogue import BotResponse, NLUResult
from memory.events import BotUttered, Decided, Event, HandedOff, UserUttered
from memory.ontology import Ontology

FILLED = 0.5
"""A slot is filled with its best value from this belief on."""


def parse_json(nlu: NLUResult) -> dict[str, Any]:
    """Rasa's ``/model/parse`` result, plus ``acts``, ``sentiment`` and ``out_of_scope``."""
    ranking = [{"name": name, "confidence": float(confidence)} for name, confidence in nlu.intents]
    return {
        "text": nlu.text,
        "intent": ranking[0] if ranking else {"name": None, "confidence": 0.0},
        "entities": [
            {
                "entity": entity.name,
                "value": entity.value,
                "start": entity.start,
                "end": entity.end,
                "confidence_entity": float(entity.confidence),
                "extractor": entity.source,
                **({} if entity.role is None else {"role": entity.role}),
            }
            for entity in nlu.entities
        ],
        "intent_ranking": ranking,
        "acts": acts_json(nlu),
        "sentiment": float(nlu.sentiment),
        "out_of_scope": float(nlu.out_of_scope),
    }


def acts_json(nlu: NLUResult) -> list[dict[str, Any]]:
    """The n-best acts, most probable first."""
    ordered = sorted(nlu.acts, key=lambda scored: -scored.confidence)
    return [
        {
            "act": str(scored.act),
            "type": scored.act.type,
            "slot": scored.act.slot,
            "value": scored.act.value,
            "confidence": float(scored.confidence),
        }
        for scored in ordered
    ]


def slots(ontology: Ontology, state: Conversation) -> dict[str, str | None]:
    """Every constraint and open slot with its believed value, or None; the venue under its key column's name."""
    index, belief = top_values(ontology, state.belief)
    filled: dict[str, str | None] = {
        slot: ontology.values[index[0, s]][1] if belief[0, s] > FILLED else None
        for s, slot in enumerate(ontology.slots)
    }
    for slot in ontology.open_slots:
        filled[slot] = state.open_value(ontology, slot)
    venue = int(state.belief.venue[0])
    filled[ontology.key] = ontology.entity_names[venue] if venue >= 0 else None
    return filled


def tracker_json(
    ontology: Ontology, conversation_id: str, events: Sequence[Event], include_events: str = "AFTER_RESTART"
) -> dict[str, Any]:
    """Rasa's tracker of one conversation; ``include_events`` NONE leaves the events out."""
    state = Conversation.new(ontology, conversation_id)
    before = slots(ontology, state)
    told: list[dict[str, Any]] = _session_start(events[0].timestamp if events else 0.0)
    latest: dict[str, Any] = {"intent": {}, "entities": [], "text": None, "message_id": None, "metadata": {}}
    channel = None
    for event in events:
        state = apply(ontology, state, event)
        told.extend(_event_json(event))
        after = slots(ontology, state)
        told.extend(_slot_events(before, after, event.timestamp))
        before = after
        if isinstance(event, UserUttered):
            latest = {**parse_json(event.nlu), "message_id": event.message_id, "metadata": {}}
            channel = event.channel
        if isinstance(event, BotUttered):
            told.append(_action("action_listen", event.timestamp))
    actions = [event["name"] for event in told if event["event"] == "action"]
    return {
        "sender_id": conversation_id,
        "slots": before,
        "latest_message": latest,
        "latest_event_time": events[-1].timestamp if events else 0.0,
        "followup_action": None,
        "paused": state.handed_off,
        "events": None if include_events == "NONE" else told,
        "latest_input_channel": channel,
        "active_loop": {},
        "latest_action": {"action_name": actions[-1]} if actions else {},
        "latest_action_name": actions[-1] if actions else None,
    }


def _session_start(timestamp: float) -> list[dict[str, Any]]:
    return [
        _action("action_session_start", timestamp),
        {"event": "session_started", "timestamp": timestamp},
        _action("action_listen", timestamp),
    ]


def _action(name: str, timestamp: float, policy: str | None = None, confidence: float = 1.0) -> dict[str, Any]:
    return {"event": "action", "timestamp": timestamp, "name": name, "policy": policy, "confidence": confidence}


def _slot_events(
    before: dict[str, str | None], after: dict[str, str | None], timestamp: float
) -> Iterable[dict[str, Any]]:
    for name, value in after.items():
        if value != before[name]:
            yield {"event": "slot", "timestamp": timestamp, "name": name, "value": value}


def _event_json(event: Event) -> Iterable[dict[str, Any]]:
    match event:
        case UserUttered():
            yield {
                "event": "user",
                "timestamp": event.timestamp,
                "text": event.text,
                "parse_data": parse_json(event.nlu),
                "input_channel": event.channel,
                "message_id": event.message_id,
            }
        case Decided():
            decision = event.decision
            yield _action(decision.action, event.timestamp, decision.policy, float(decision.propensity))
        case BotUttered():
            yield from (_bot(reply, event.timestamp) for reply in event.replies)
        case HandedOff():
            yield {"event": "pause", "timestamp": event.timestamp}
        case _:
            return


def _bot(reply: BotResponse, timestamp: float) -> dict[str, Any]:
    buttons = [{"title": button.title, "payload": button.payload} for button in reply.buttons]
    return {
        "event": "bot",
        "timestamp": timestamp,
        "text": reply.text or None,
        "data": {
            "elements": None,
            "quick_replies": None,
            "buttons": buttons or None,
            "attachment": None,
            "image": reply.image,
            "custom": reply.custom,
        },
        "metadata": {},
    }
