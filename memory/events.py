"""The facts of a conversation and their JSON form.

State is never stored: it is a fold over these events (``memory.conversation``). An event's JSON carries its
``type``; ``SCHEMA_VERSION`` grows when a form changes in a way that old readers can't read.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

from memory.dialogue import BotResponse, Button, Decision, DialogueAct, Entity, NLUResult, ScoredAct, SystemAct
from memory.slates import OfferedCandidate, OfferedSlate

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class UserUttered:
    """A person said something; ``nlu`` is what was understood at the time, ``metadata`` what the client sent beside."""

    timestamp: float
    text: str
    message_id: str
    channel: str
    nlu: NLUResult
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided:
    """The policy chose; ``system`` is None for social turns, which leave the task's pending question open."""

    timestamp: float
    decision: Decision
    system: SystemAct | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selected:
    """Where the reply had a choice: the slates it was taken from."""

    timestamp: float
    slates: tuple[OfferedSlate, ...]


@dataclass(frozen=True, slots=True)
class BotUttered:
    """What the bot said in one turn."""

    timestamp: float
    replies: tuple[BotResponse, ...]


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking was made."""

    timestamp: float
    reference: str
    entity: str
    details: dict[str, str]


@dataclass(frozen=True, slots=True)
class HandedOff:
    """A person takes over."""

    timestamp: float
    reason: str


@dataclass(frozen=True, slots=True)
class FeedbackGiven:
    """Thumbs: ``value`` 1 or -1 for the bot turn whose user message had ``message_id``."""

    timestamp: float
    message_id: str
    value: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class StatementRemembered:
    """The user stated ``text``, a sentence to be remembered."""

    timestamp: float
    text: str


@dataclass(frozen=True, slots=True)
class MemoryCleared:
    """The user asked to forget everything that was remembered so far."""

    timestamp: float


@dataclass(frozen=True, slots=True)
class StatementsForgotten:
    """The user asked to forget these statements, ``texts`` verbatim; the others stay."""

    timestamp: float
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemoryAnswered:
    """The memory was asked; ``answer`` None is "I don't know", ``supporting`` holds statements with read weights."""

    timestamp: float
    question: str
    answer: str | None
    confidence: float
    supporting: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PreferenceStated:
    """The user said of themselves what counts in every search: the preference ``name``, in their words ``text``."""

    timestamp: float
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class PreferenceWithdrawn:
    """The preference ``name`` holds no more."""

    timestamp: float
    name: str


@dataclass(frozen=True, slots=True)
class TrackerEvent:
    """An event of Rasa's tracker that has no form of its own here: action, slot, active_loop, followup, pause, ...

    ``name`` is Rasa's (`event`), ``fields`` the rest of its JSON without `event` and `timestamp`.
    """

    timestamp: float
    name: str
    fields: dict[str, Any]


MemoryEvent = (
    StatementRemembered | StatementsForgotten | MemoryCleared | MemoryAnswered | PreferenceStated | PreferenceWithdrawn
)
Event = UserUttered | Decided | Selected | BotUttered | Booked | HandedOff | FeedbackGiven | TrackerEvent | MemoryEvent
_TYPES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        UserUttered, Decided, Selected, BotUttered, Booked, HandedOff, FeedbackGiven, StatementRemembered,
        StatementsForgotten, MemoryCleared, MemoryAnswered, PreferenceStated, PreferenceWithdrawn, TrackerEvent,
    )
}  # fmt: skip


def event_to_json(event: Event) -> str:
    """A canonical single-line JSON object with the event's ``type`` first; NaN (masked action values) becomes null."""
    if isinstance(event, Decided):
        values: Any = tuple(None if math.isnan(value) else value for value in event.decision.values)
        event = replace(event, decision=replace(event.decision, values=values))
    body = {"type": type(event).__name__, **_fields(event)}
    if isinstance(event, UserUttered) and not event.metadata:
        del body["metadata"]  # nearly always
    return json.dumps(body, default=_fields, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _fields(value: Any) -> dict[str, Any]:
    """One level of a dataclass with slots; the encoder asks again for what is inside (asdict copies everything)."""
    return {name: getattr(value, name) for name in value.__slots__}


def event_from_json(text: str) -> Event:
    """Inverse of ``event_to_json``; ValueError for an unknown type or a missing field."""
    body = json.loads(text)
    cls = _TYPES.get(body.pop("type", None))
    if cls is None:
        raise ValueError("unknown event type: this log was written by a newer version")
    try:
        return _REVIVE.get(cls, lambda b: cls(**b))(body)  # type: ignore[no-any-return]
    except (KeyError, TypeError) as error:
        raise ValueError(f"broken {cls.__name__} event: {error}") from None


def _user(body: dict[str, Any]) -> UserUttered:
    nlu = body["nlu"]
    result = NLUResult(
        text=nlu["text"],
        acts=tuple(ScoredAct(DialogueAct(**a["act"]), a["confidence"]) for a in nlu["acts"]),
        intents=tuple((name, p) for name, p in nlu["intents"]),
        entities=tuple(Entity(**entity) for entity in nlu["entities"]),
        sentiment=nlu["sentiment"],
        out_of_scope=nlu["out_of_scope"],
    )
    return UserUttered(**{**body, "nlu": result})


def _decided(body: dict[str, Any]) -> Decided:
    raw = body["decision"]
    values = tuple(float("nan") if value is None else value for value in raw["values"])
    decision = Decision(**{**raw, "values": values, "mask": tuple(raw["mask"])})
    system = body["system"]
    if system is not None:
        system = SystemAct(**{**system, "answered": tuple(system["answered"])})
    return Decided(**{**body, "decision": decision, "system": system})


def _selected(body: dict[str, Any]) -> Selected:
    return Selected(body["timestamp"], tuple(slate_from_fields(slate) for slate in body["slates"]))


def slate_from_fields(fields: dict[str, Any]) -> OfferedSlate:
    """A slate from its JSON form; KeyError or TypeError where that is broken."""
    candidates = (OfferedCandidate(**{**c, "features": tuple(c["features"])}) for c in fields["candidates"])
    return OfferedSlate(**{**fields, "features": tuple(fields["features"]), "candidates": tuple(candidates)})


def _bot(body: dict[str, Any]) -> BotUttered:
    replies = (BotResponse(**{**r, "buttons": tuple(Button(**b) for b in r["buttons"])}) for r in body["replies"])
    return BotUttered(body["timestamp"], tuple(replies))


def _forgotten(body: dict[str, Any]) -> StatementsForgotten:
    return StatementsForgotten(**{**body, "texts": tuple(body["texts"])})


def _answered(body: dict[str, Any]) -> MemoryAnswered:
    return MemoryAnswered(**{**body, "supporting": tuple((text, weight) for text, weight in body["supporting"])})


_REVIVE: dict[type[Any], Any] = {
    UserUttered: _user,
    Decided: _decided,
    Selected: _selected,
    BotUttered: _bot,
    StatementsForgotten: _forgotten,
    MemoryAnswered: _answered,
}
