"""What people did with what was said, derived from the events of a conversation: nothing of it is stored.

A fold with bounded state: the candidates that were said lately wait for what happens next. A button that is clicked,
details asked for, a booking and a thumb speak for them; a wish for something else, a goodbye or silence before any of
that, and having to say it again speak against them. Clocks that go backwards never count as silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Literal, get_args

from memory.events import (
    Booked,
    BotUttered,
    Decided,
    Event,
    FeedbackGiven,
    MemoryCleared,
    Selected,
    UserUttered,
)
from memory.slates import VENUES, OfferedSlate
from memory.tastes import Tastes

FeedbackAction = Literal[
    "clicked", "accepted", "booked", "thumbs_up", "thumbs_down", "refused", "rephrased", "abandoned"
]
FEEDBACK_ACTIONS: tuple[str, ...] = get_args(FeedbackAction)

SILENCE = 1800.0
"""Seconds without a word after which an offer that nobody took up counts as abandoned."""
RECENT = 16
"""Candidates that may still be reacted to."""
SURE = 0.5
"""Probability above which an act counts."""
NOT_UNDERSTOOD = ("ask_rephrase", "out_of_scope")

_COUNTED: dict[FeedbackAction, str] = {
    "clicked": "viewed", "accepted": "positive", "booked": "positive", "thumbs_up": "positive",
    "thumbs_down": "negative", "refused": "negative", "abandoned": "negative",
}  # fmt: skip
_TAKEN_UP = frozenset(("accepted", "booked"))
_CLOSED = frozenset(("refused", "abandoned", "booked"))
_OFFERED = frozenset(("offer", "alternative"))
"""Kinds of system acts that offer a venue."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """One thing done: ``action`` on ``candidate`` of the slate with query ``slate``; ``kind`` is its content type."""

    timestamp: float
    action: FeedbackAction
    slate: str
    kind: str
    candidate: str
    pool: str


@dataclass(frozen=True, slots=True)
class Said:
    """A candidate that was said in answer to the message ``message_id``, and what was ``done`` with it so far.

    ``slate`` is "" for a venue that came without a choice: the only one that fits, or one that the user named.
    """

    slate: str
    kind: str
    candidate: str
    pool: str
    message_id: str
    done: tuple[FeedbackAction, ...] = ()

    def same(self, other: Said) -> bool:
        """Whether it is the same thing said, whatever was done with it."""
        mine, others = (self.slate, self.kind, self.candidate), (other.slate, other.kind, other.candidate)
        return mine == others and self.message_id == other.message_id


@dataclass(frozen=True, slots=True)
class FeedbackState:
    """Where a conversation stands: what was said lately, and what this person's reactions add up to.

    ``refused``: venues turned down in the present dialogue. ``afresh``: a dialogue has begun (after a goodbye, a
    restart or a silence) in which no venue was named yet: one of an earlier dialogue is no longer under discussion.
    ``offer``: the message that was last answered with an offer, of whichever venue.
    """

    said: tuple[Said, ...] = ()
    refused: tuple[str, ...] = ()
    afresh: bool = True
    tastes: Tastes = field(default_factory=Tastes)
    message: str = ""
    previous: str = ""
    offer: str = ""
    heard: str = ""
    payloads: tuple[str, ...] = ()
    time: float = -float("inf")


def observe(state: FeedbackState, event: Event) -> tuple[FeedbackState, tuple[Feedback, ...]]:
    """The state after one more event, and the feedback that it is; pure."""
    match event:
        case UserUttered():
            return _heard(state, event)
        case Selected():
            return _selected(state, event), ()
        case BotUttered():
            payloads = tuple(button.payload for reply in event.replies for button in reply.buttons)
            return replace(state, payloads=payloads, time=_later(state.time, event.timestamp)), ()
        case Decided() if event.decision.action in NOT_UNDERSTOOD:
            return _done(state, event.timestamp, [(said, "rephrased") for said in _wordings(state, state.previous)])
        case Decided() if event.decision.action == "restart":
            return replace(state, said=(), refused=(), afresh=True, offer=""), ()
        case Decided() if event.system is not None and event.system.entity is not None:
            return _named(state, event.system.kind, event.system.entity), ()
        case Booked():
            ours = [said for said in state.said if said.kind == VENUES and said.candidate == event.entity]
            state, found = _done(state, event.timestamp, [(said, "booked") for said in ours[-1:]])
            return replace(state, refused=()), found
        case FeedbackGiven():
            thumb: FeedbackAction = "thumbs_up" if event.value > 0 else "thumbs_down"
            about = [said for said in state.said if said.message_id == event.message_id]
            return _done(state, event.timestamp, [(said, thumb) for said in about])
        case MemoryCleared():
            return FeedbackState(message=state.message, previous=state.previous, time=state.time), ()
        case _:
            return state, ()


def derive(events: Iterable[Event], now: float | None = None) -> Iterator[Feedback]:
    """All feedback of one conversation, in order; ``now`` (seconds) decides whether its last offer was abandoned."""
    state = FeedbackState()
    for event in events:
        state, found = observe(state, event)
        yield from found
    if now is not None and now - state.time > SILENCE:
        yield from _done(state, state.time + SILENCE, _left(state))[1]


def _heard(state: FeedbackState, event: UserUttered) -> tuple[FeedbackState, tuple[Feedback, ...]]:
    state = replace(state, message=event.message_id, previous=state.message)
    found: tuple[Feedback, ...] = ()
    if isfinite(event.timestamp) and event.timestamp - state.time > SILENCE:
        state, found = _done(state, state.time + SILENCE, _left(state))
        state = replace(state, refused=(), payloads=(), afresh=True)
    acts = {scored.act.type for scored in event.nlu.acts if scored.confidence > SURE}
    state, more = _done(state, event.timestamp, _reactions(state, event, acts))
    if "bye" in acts:
        state = replace(state, refused=(), afresh=True)
    state = replace(state, heard=_plain(event.text), time=_later(state.time, event.timestamp))
    return state, (*found, *more)


def _reactions(
    state: FeedbackState, event: UserUttered, acts: set[str]
) -> Sequence[tuple[Said, FeedbackAction]]:  # fmt: skip
    """What a message does to what was said before it."""
    found: list[tuple[Said, FeedbackAction]] = []
    venue = _open_venue(state)
    direct = venue is not None and state.offer == state.previous
    if venue is not None:
        if "reqalts" in acts or (direct and "negate" in acts):
            found.append((venue, "refused"))
        elif (
            "book" in acts or (acts & {"request", "confirm"} and "inform" not in acts) or (direct and "affirm" in acts)
        ):
            found.append((venue, "accepted"))
        elif "bye" in acts and not _TAKEN_UP & set(venue.done):
            found.append((venue, "abandoned"))
    turned_down = [said for said, action in found if action != "accepted"]
    if event.text in state.payloads:
        latest = [said for said in state.said if said.message_id == state.previous and said not in turned_down]
        found += [(said, "clicked") for said in latest]
    again = event.text not in state.payloads and state.heard and _plain(event.text) == state.heard
    if "repeat" in acts or (again and not turned_down):  # "something else" to the next offer too says nothing of words
        found += [(said, "rephrased") for said in _wordings(state, state.previous)]
    return found


def _left(state: FeedbackState) -> list[tuple[Said, FeedbackAction]]:
    venue = _open_venue(state)
    return [] if venue is None or _TAKEN_UP & set(venue.done) else [(venue, "abandoned")]


def _open_venue(state: FeedbackState) -> Said | None:
    """The latest venue that was offered, unless it was booked, refused or left."""
    venue = next((said for said in reversed(state.said) if said.kind == VENUES), None)
    return None if venue is None or _CLOSED & set(venue.done) else venue


def _wordings(state: FeedbackState, message_id: str) -> list[Said]:
    return [said for said in state.said if said.message_id == message_id and said.kind != VENUES]


def _named(state: FeedbackState, kind: str, entity: str) -> FeedbackState:
    """After the bot spoke of ``entity``: from now on reactions are about it, even where there was nothing to choose."""
    state = replace(state, afresh=False, offer=state.message if kind in _OFFERED else state.offer)
    venues = [said for said in reversed(state.said) if said.kind == VENUES]
    earlier = next((said for said in venues if said.candidate == entity), None)
    if earlier is None or (kind in _OFFERED and _CLOSED & set(earlier.done)):
        earlier = Said("", VENUES, entity, "", state.message)
    elif earlier is venues[0]:
        return state
    return replace(state, said=_bounded((*(said for said in state.said if said is not earlier), earlier)))


def _selected(state: FeedbackState, event: Selected) -> FeedbackState:
    new = [
        Said(slate.query, slate.kind, candidate.key, candidate.pool, state.message)
        for slate in event.slates
        for candidate in slate.candidates
        if candidate.said
    ]
    tastes = state.tastes
    for slate in event.slates:
        if slate.kind == VENUES:
            tastes = tastes.shown(_said_of(slate), event.timestamp)
    if not any(said.kind == VENUES for said in new):
        return replace(state, said=_bounded((*state.said, *new)))
    chosen = (said for said in state.said if said.slate or said.message_id != state.message)  # was noted when decided
    return replace(state, said=_bounded((*chosen, *new)), tastes=tastes, offer=state.message)


def _bounded(said: Sequence[Said]) -> tuple[Said, ...]:
    venues = [item for item in said if item.kind == VENUES][-RECENT // 2 :]
    others = [item for item in said if item.kind != VENUES][-RECENT // 2 :]
    return (*venues, *others)


def _said_of(slate: OfferedSlate) -> list[tuple[str, str]]:
    return [(candidate.key, candidate.pool) for candidate in slate.candidates if candidate.said]


def _done(
    state: FeedbackState, timestamp: float, reactions: Sequence[tuple[Said, FeedbackAction]]
) -> tuple[FeedbackState, tuple[Feedback, ...]]:
    """Note ``reactions``, each kind once for a candidate of a slate; what came without a slate is only noted."""
    if not reactions:
        return state, ()
    found: list[Feedback] = []
    said, tastes, refused = list(state.said), state.tastes, state.refused
    for about, action in reactions:
        place = next(i for i, item in enumerate(said) if item.same(about))
        if action in said[place].done:
            continue
        said[place] = replace(said[place], done=(*said[place].done, action))
        if about.slate:
            found.append(Feedback(timestamp, action, about.slate, about.kind, about.candidate, about.pool))
        if about.kind == VENUES and action in _COUNTED:
            tastes = tastes.acted(about.candidate, about.pool, _COUNTED[action])
            if action == "refused":
                refused = (*(name for name in refused if name != about.candidate), about.candidate)[-RECENT:]
    return replace(state, said=tuple(said), tastes=tastes, refused=refused), tuple(found)


def _later(time: float, timestamp: float) -> float:
    return max(time, timestamp) if isfinite(timestamp) else time


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
