"""Conversations as flat rows, one list a table: what ``rejoinder log export`` writes and ``docs/storage.md`` documents.

Times are seconds since the epoch, UTC. Any event finds its place: what has no table of its own is in ``events``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from memory.events import Booked, BotUttered, Decided, Event, FeedbackGiven, HandedOff, Selected, UserUttered
from memory.events import event_to_json as as_json
from memory.feedback import derive
from memory.store_turns import top_intent, turn_rows

Row = dict[str, Any]
Tables = dict[str, list[Row]]
TABLES = ("conversations", "turns", "decisions", "slates", "feedback", "events")


def conversation_tables(conversation_id: str, events: Sequence[Event]) -> Tables:
    """The rows of one conversation."""
    tables: Tables = {name: [] for name in TABLES}
    turns = _Turns(conversation_id)
    for seq, event in enumerate(events):
        key = {"conversation_id": conversation_id, "seq": seq, "message_id": turns.message_id(event)}
        body = _payload(event)
        tables["events"].append({**key, "type": type(event).__name__, "timestamp": event.timestamp, "payload": body})
        turns.add(seq, event)
        if isinstance(event, Decided):
            tables["decisions"].append({**key, **_decision(event)})
        elif isinstance(event, Selected):
            tables["slates"] += [{**key, **row} for row in _candidates(event)]
        elif isinstance(event, FeedbackGiven):
            tables["feedback"].append({**key, **_thumb(event)})
    tables["turns"] = turns.finished(events)
    tables["feedback"] += _derived(conversation_id, events)
    if events:
        tables["conversations"] = [_conversation(conversation_id, events, tables["turns"])]
    return tables


def _payload(event: Event) -> str:
    """The event's JSON; halves of surrogate pairs, that readers refuse, are for the writer to replace."""
    body = as_json(event)
    return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")) if "\\ud" in body else body


class _Turns:
    """The table of turns as it grows event by event."""

    def __init__(self, conversation_id: str) -> None:
        self._conversation_id = conversation_id
        self.rows: list[Row] = []
        self._by_message: dict[str, Row] = {}

    def message_id(self, event: Event) -> str | None:
        """The user's message that ``event`` belongs to."""
        if isinstance(event, UserUttered | FeedbackGiven):
            return event.message_id
        return self.rows[-1]["message_id"] if self.rows else None

    def add(self, seq: int, event: Event) -> None:
        if isinstance(event, UserUttered):
            self.rows.append(self._begun(seq, event))
            self._by_message[event.message_id] = self.rows[-1]
        elif isinstance(event, FeedbackGiven):
            if event.message_id in self._by_message:
                self._by_message[event.message_id]["feedback"] = event.value
        elif self.rows:
            _happened(self.rows[-1], event)

    def _begun(self, seq: int, event: UserUttered) -> Row:
        nlu = event.nlu
        return {
            "conversation_id": self._conversation_id, "seq": seq, "turn": len(self.rows) + 1,
            "message_id": event.message_id, "timestamp": event.timestamp, "channel": event.channel,
            "text": event.text, "intent": top_intent(event),
            "intent_confidence": max((p for _, p in nlu.intents), default=None),
            "sentiment": nlu.sentiment, "out_of_scope": nlu.out_of_scope,
            "acts": [{"act": str(s.act), "confidence": s.confidence} for s in nlu.acts],
            "entities": [{"name": e.name, "value": e.value, "confidence": e.confidence} for e in nlu.entities],
            "action": None, "policy": None, "version": None, "replies": [], "latency_ms": None,
            "failed": False, "booked": False, "handed_off": False, "feedback": None,
        }  # fmt: skip

    def finished(self, events: Sequence[Event]) -> list[Row]:
        """The rows, with what the store itself says of actions and failures."""
        for row, known in zip(self.rows, turn_rows(0, events).new, strict=True):
            row["failed"] = known.failed
            row["action"] = known.action or None
        return self.rows


def _happened(row: Row, event: Event) -> None:
    match event:
        case Decided():
            row["policy"], row["version"] = event.decision.policy, event.decision.version
            row["latency_ms"] = (row["latency_ms"] or 0.0) + sum(event.timings_ms.values())
        case BotUttered():
            row["replies"] += [reply.text for reply in event.replies if reply.text]
        case Booked():
            row["booked"] = True
        case HandedOff():
            row["handed_off"] = True
        case _:
            pass


def _decision(event: Decided) -> Row:
    decision, system = event.decision, event.system
    return {
        "timestamp": event.timestamp, "policy": decision.policy, "version": decision.version,
        "action": decision.action, "propensity": decision.propensity,
        "kind": system.kind if system else None, "slot": system.slot if system else None,
        "value": system.value if system else None, "entity": system.entity if system else None,
        "answered": list(system.answered) if system else [],
        "action_values": [None if math.isnan(value) else value for value in decision.values],
        "allowed": list(decision.mask), "timings_ms": json.dumps(event.timings_ms, sort_keys=True),
    }  # fmt: skip


def _candidates(event: Selected) -> list[Row]:
    return [
        {
            "timestamp": event.timestamp, "kind": slate.kind, "query": slate.query, "mode": slate.mode,
            "exploration": slate.exploration, "ranker": slate.ranker, "position": position,
            "candidate": candidate.key, "pool": candidate.pool, "propensity": candidate.propensity,
            "score": candidate.score, "said": candidate.said,
            "features": json.dumps(dict(zip(slate.features, candidate.features, strict=False))),
        }
        for slate in event.slates
        for position, candidate in enumerate(slate.candidates)
    ]  # fmt: skip


def _thumb(event: FeedbackGiven) -> Row:
    return {
        "timestamp": event.timestamp, "action": "thumbs_up" if event.value > 0 else "thumbs_down",
        "value": event.value, "comment": event.comment, "kind": None, "query": None, "candidate": None, "pool": None,
    }  # fmt: skip


def _derived(conversation_id: str, events: Sequence[Event]) -> list[Row]:
    """What people did with candidates that were said; thumbs are in the log themselves."""
    return [
        {
            "conversation_id": conversation_id, "seq": None, "message_id": None, "timestamp": found.timestamp,
            "action": found.action, "value": None, "comment": None, "kind": found.kind, "query": found.slate,
            "candidate": found.candidate, "pool": found.pool,
        }
        for found in derive(events)
        if found.action not in ("thumbs_up", "thumbs_down")
    ]  # fmt: skip


def _conversation(conversation_id: str, events: Sequence[Event], turns: Sequence[Row]) -> Row:
    times = [event.timestamp for event in events]
    return {
        "conversation_id": conversation_id, "channel": turns[0]["channel"] if turns else None,
        "started": min(times), "last_time": max(times), "turns": len(turns), "events": len(events),
        "bookings": sum(isinstance(event, Booked) for event in events),
        "handed_off": any(isinstance(event, HandedOff) for event in events),
        "failed_turns": sum(row["failed"] for row in turns),
    }  # fmt: skip
