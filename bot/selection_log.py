"""From conversations to what selection learns from: slates with their feedback, counts by candidate and by pool."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from memory.events import Event, Selected
from memory.feedback import derive
from memory.slates import VENUES, OfferedSlate
from policies.ranking.behaviour import Behaviour
from policies.ranking.blending_bandit import Action, ActionTaken, BlendEvent, SlateShown
from policies.ranking.logged_slates import LoggedSlate

_COUNTED = {
    "clicked": "viewed", "accepted": "positive", "booked": "positive", "thumbs_up": "positive",
    "thumbs_down": "negative", "refused": "negative", "rephrased": "negative", "abandoned": "negative",
}  # fmt: skip
_BLENDED: dict[str, Action] = {
    "clicked": "view", "accepted": "positive", "booked": "positive", "thumbs_up": "positive",
    "thumbs_down": "negative", "refused": "negative", "abandoned": "negative",
}  # fmt: skip


def person(conversation_id: str) -> str:
    """A name for whoever speaks in a conversation that does not tell who it is."""
    return hashlib.sha256(conversation_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def logged_slates(conversation_id: str, events: Sequence[Event], now: float | None = None) -> list[LoggedSlate]:
    """The slates of one conversation with what was done next; ``now`` decides whether the last offer was abandoned."""
    who, found = person(conversation_id), dict[str, LoggedSlate]()
    for event in events:
        if isinstance(event, Selected):
            for slate in event.slates:
                name = f"{who}-{slate.query}"
                renamed = replace(slate, query=name)
                found[slate.query] = LoggedSlate(name, name, who, event.timestamp, renamed)
    for given in derive(events, now):
        if (logged := found.get(given.slate)) is not None:
            done = (str(given.action), given.candidate, given.timestamp)
            found[given.slate] = replace(logged, feedback=(*logged.feedback, done))
    return _sessions(found.values())


def _sessions(slates: Iterable[LoggedSlate]) -> list[LoggedSlate]:
    """Slates of venues share the session of the one before while each offer is refused for the next one."""
    result: list[LoggedSlate] = []
    before: LoggedSlate | None = None
    for logged in slates:
        if logged.slate.kind == VENUES:
            if before is not None and any(action == "refused" for action, *_ in before.feedback):
                logged = replace(logged, session=before.session)
            before = logged
        result.append(logged)
    return result


def behaviour_of(slates: Iterable[LoggedSlate]) -> Behaviour:
    """How often each candidate was said, and what for; several actions on one offer count once on either side."""

    def counted() -> Iterable[tuple[str, str, str]]:
        for logged in slates:
            kind, key = logged.slate.kind, said_of(logged.slate)
            yield kind, key, "shown"
            for what in {_COUNTED[action] for action in logged.actions(key)}:
                yield kind, key, what

    return Behaviour.of(counted())


def blend_events(slates: Iterable[LoggedSlate]) -> Iterable[BlendEvent]:
    """What blending learns about everybody: the pool of each venue that was offered, and what was done with it."""
    for logged in slates:
        said = logged.slate.candidates[logged.said]
        if logged.slate.kind != VENUES or not said.pool:
            continue
        yield SlateShown(logged.person, (said.pool,), (0,), logged.time)
        for action in {_BLENDED[a] for a in logged.actions(said.key) if a in _BLENDED}:
            yield ActionTaken(logged.person, said.pool, 0, action, logged.time)


def said_of(slate: OfferedSlate) -> str:
    """The key of what was said."""
    return next(candidate.key for candidate in slate.candidates if candidate.said)
