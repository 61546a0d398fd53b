"""A conversation is a fold over its events: belief, mood, what was last said and booked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from memory.belief import BeliefState, observe_system, observe_user
from memory.dialogue import BotResponse
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
from memory.feedback import FeedbackState, observe
from memory.ontology import Ontology
from memory.turn import OpenValues, evidence_from_acts, system_turn

MOOD_MEMORY = 0.6
"""Weight of the past in the smoothed sentiment: one short message says little about a mood."""

REMEMBERED_STATEMENTS = 256
"""Statements kept of one conversation; the oldest ones go first."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The state of one conversation after ``seq`` events."""

    id: str
    belief: BeliefState
    open_values: OpenValues
    seq: int = 0
    mood: float = 0.0
    """Exponentially smoothed VADER compound score."""
    complaints: int = 0
    misunderstood: int = 0
    """Consecutive turns that were not understood."""
    pending: str | None = None
    """The social question that waits for yes or no, e.g. ``handoff_offer``."""
    handed_off: bool = False
    bookings: tuple[Booked, ...] = ()
    last_replies: tuple[BotResponse, ...] = ()
    remembered: tuple[str, ...] = ()
    """The user's latest statements, oldest first; at most ``REMEMBERED_STATEMENTS``."""
    noted: int = 0
    """How many statements the latest message added: what "forget that" means right after it."""
    preferences: tuple[str, ...] = ()
    """What the user said of themselves for every search; it survives a restart of the dialogue."""
    feedback: FeedbackState = field(default_factory=FeedbackState)
    """What was said lately and this person's reactions to it: what selection learns from."""

    @classmethod
    def new(cls, ontology: Ontology, conversation_id: str) -> Conversation:
        """Before the first event."""
        return cls(conversation_id, BeliefState.initial(ontology), tuple(() for _ in ontology.open_slots))

    def open_value(self, ontology: Ontology, slot: str) -> str | None:
        """The value believed for an open slot (e.g. ``time``), or None."""
        o = ontology.open_index[slot]
        index = int(self.belief.open_value[0, o])
        return self.open_values[o][index] if index >= 0 else None


UNDERSTOOD_NOTHING = ("ask_rephrase", "out_of_scope")


def apply(ontology: Ontology, state: Conversation, event: Event) -> Conversation:
    """The state after one more event; pure."""
    state = replace(state, seq=state.seq + 1, feedback=observe(state.feedback, event)[0])
    match event:
        case UserUttered():
            return _heard(ontology, state, event)
        case Decided():
            return _decided(ontology, state, event)
        case BotUttered():
            return replace(state, last_replies=event.replies)
        case Booked():
            return replace(state, bookings=(*state.bookings, event))
        case HandedOff():
            return replace(state, handed_off=True)
        case FeedbackGiven() | TrackerEvent() | Selected():
            return state
        case _:
            return _memory(state, event)


def _memory(state: Conversation, event: MemoryEvent) -> Conversation:
    match event:
        case StatementRemembered():
            remembered = (*state.remembered, event.text)[-REMEMBERED_STATEMENTS:]
            return replace(state, remembered=remembered, noted=state.noted + 1)
        case StatementsForgotten():
            gone = frozenset(event.texts)
            return replace(state, remembered=tuple(text for text in state.remembered if text not in gone), noted=0)
        case MemoryCleared():
            return replace(state, remembered=(), noted=0, preferences=())
        case PreferenceStated():
            others = tuple(name for name in state.preferences if name != event.name)
            return replace(state, preferences=(*others, event.name))
        case PreferenceWithdrawn():
            return replace(state, preferences=tuple(name for name in state.preferences if name != event.name))
        case MemoryAnswered():
            return state


@dataclass(frozen=True, slots=True)
class Turn:
    """Events that happen together, and the conversation after them: folded once, stored in one transaction."""

    events: tuple[Event, ...]
    state: Conversation

    @classmethod
    def begin(cls, state: Conversation) -> Turn:
        """Nothing has happened yet."""
        return cls((), state)

    def then(self, ontology: Ontology, *events: Event) -> Turn:
        """The turn with ``events`` after what it has."""
        state = self.state
        for event in events:
            state = apply(ontology, state, event)
        return Turn((*self.events, *events), state)


def fold(ontology: Ontology, conversation_id: str, events: Iterable[Event]) -> Conversation:
    """The state after all events, from the beginning."""
    return Turn.begin(Conversation.new(ontology, conversation_id)).then(ontology, *events).state


def _heard(ontology: Ontology, state: Conversation, event: UserUttered) -> Conversation:
    evidence, open_values = evidence_from_acts(ontology, event.nlu.acts, state.open_values)
    complained = any(scored.act.type == "complaint" and scored.confidence > 0.5 for scored in event.nlu.acts)
    return replace(
        state,
        belief=observe_user(ontology, state.belief, evidence),
        open_values=open_values,
        mood=MOOD_MEMORY * state.mood + (1 - MOOD_MEMORY) * event.nlu.sentiment,
        complaints=state.complaints + complained,
        noted=0,
    )


def _decided(ontology: Ontology, state: Conversation, event: Decided) -> Conversation:
    missed = event.decision.action in UNDERSTOOD_NOTHING
    belief = state.belief
    if event.system is not None:
        belief = observe_system(ontology, belief, system_turn(ontology, event.system))
    if event.decision.action == "restart":  # bookings are facts and stay
        belief = BeliefState.initial(ontology)
        state = replace(state, mood=0.0, complaints=0, handed_off=False, remembered=())
    return replace(
        state,
        belief=belief,
        misunderstood=state.misunderstood + 1 if missed else 0,
        pending=event.decision.action if event.decision.action == "handoff_offer" else None,
    )
