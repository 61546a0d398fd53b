"""What is known of each turn besides its words: what searches filter by, derived from the events as they are stored.

Both stores keep the same rows. A turn is a user's message with what followed; events that come later (feedback, an
event pushed from outside) change the row of the turn they belong to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from memory.events import Decided, Event, FeedbackGiven, HandedOff, TrackerEvent, UserUttered

Sentiment = Literal["negative", "neutral", "positive"]

POLAR = 0.05
"""VADER's own limits (Hutto & Gilbert 2014): compound scores from 0.05 are positive, to -0.05 negative."""

FAILED_ACTIONS = frozenset(
    {"ask_rephrase", "out_of_scope", "handoff", "handoff_offer", "answer_unknown", "booking_unknown_venue",
     "action_default_fallback", "action_two_stage_fallback", "action_default_ask_rephrase",
     "action_default_ask_affirmation", "utter_default", "utter_please_rephrase", "utter_ask_rephrase",
     "utter_out_of_scope"}
)  # fmt: skip
"""Actions that admit that a turn went wrong: not understood, out of scope, or a person has to take over."""
FAILED_KINDS = frozenset({"booking_failed"})
FAILED_INTENTS = frozenset({"nlu_fallback"})


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn: ``seq`` of its user event, what was understood, the last ``action`` chosen, whether it ``failed``."""

    seq: int
    message_id: str
    timestamp: float
    channel: str
    intent: str
    sentiment: float
    action: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class TurnRows:
    """What one append means for the table of turns.

    ``new`` turns; ``later_action``/``later_failed`` change the turn before the first new one; ``feedback`` holds
    (message id, 1 or -1).
    """

    new: tuple[TurnRow, ...] = ()
    later_action: str = ""
    later_failed: bool = False
    feedback: tuple[tuple[str, int], ...] = field(default=())


def turn_rows(seq: int, events: Sequence[Event]) -> TurnRows:
    """The rows of ``events`` numbered ``seq``, ``seq + 1``, ..."""
    new: list[TurnRow] = []
    feedback: list[tuple[str, int]] = []
    action, failed = "", False
    for i, event in enumerate(events):
        if isinstance(event, UserUttered):
            new.append(_begun(seq + i, event))
        elif isinstance(event, FeedbackGiven):
            feedback.append((event.message_id, event.value))
        elif new:
            new[-1] = replace(
                new[-1], action=_action(event) or new[-1].action, failed=new[-1].failed or has_failed(event)
            )
        else:
            action, failed = _action(event) or action, failed or has_failed(event)
    return TurnRows(tuple(new), action, failed, tuple(feedback))


def _begun(seq: int, event: UserUttered) -> TurnRow:
    intent = top_intent(event)
    failed = intent in FAILED_INTENTS
    return TurnRow(
        seq, event.message_id, event.timestamp, event.channel, intent, float(event.nlu.sentiment), failed=failed
    )


def top_intent(event: UserUttered) -> str:
    """The most probable intent, else the type of the most probable act, else nothing."""
    nlu = event.nlu
    if nlu.intents:
        return max(nlu.intents, key=lambda pair: pair[1])[0]
    return max(nlu.acts, key=lambda scored: scored.confidence).act.type if nlu.acts else ""


def _action(event: Event) -> str:
    if isinstance(event, Decided):
        return "" if event.decision.action == "action_listen" else event.decision.action
    if isinstance(event, TrackerEvent) and event.name == "action":
        name = str(event.fields.get("name") or "")
        return "" if name == "action_listen" else name
    return ""


def has_failed(event: Event) -> bool:
    """Whether this event says that the turn went wrong."""
    if isinstance(event, HandedOff):
        return True
    if isinstance(event, Decided) and event.system is not None and event.system.kind in FAILED_KINDS:
        return True
    return _action(event) in FAILED_ACTIONS


@dataclass(frozen=True, slots=True)
class TurnFilter:
    """Which turns a search takes; None takes all.

    ``since``/``until`` in seconds since the epoch (until is excluded), ``sentiment`` of the user's message,
    ``failed`` True for turns that went wrong, ``feedback`` 1 or -1.
    """

    intent: str | None = None
    channel: str | None = None
    since: float | None = None
    until: float | None = None
    sentiment: Sentiment | None = None
    failed: bool | None = None
    feedback: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is filtered."""
        return self != TurnFilter()

    def conditions(self) -> list[tuple[str, object]]:
        """SQL conditions on the table of turns as ``t``, one parameter each in the place of ``?``."""
        limits: dict[str | None, list[tuple[str, object]]] = {
            "negative": [("t.sentiment <= ?", -POLAR)],
            "neutral": [("t.sentiment > ?", -POLAR), ("t.sentiment < ?", POLAR)],
            "positive": [("t.sentiment >= ?", POLAR)],
        }
        given: list[tuple[str, object | None]] = [
            ("t.intent = ?", self.intent),
            ("t.channel = ?", self.channel),
            ("t.timestamp >= ?", self.since),
            ("t.timestamp < ?", self.until),
            ("t.failed = ?", self.failed),
            ("t.feedback = ?", self.feedback),
        ]
        return [(sql, value) for sql, value in given if value is not None] + limits.get(self.sentiment, [])
