"""From the event log to what can be learned from: finished dialogues, their outcome, and their transitions.

A conversation is cut into dialogues at a goodbye, a hand-off, a restart, and a silence. Features and masks are
recomputed from the events, exactly as the policy saw them. A decision's reward is what happened until the policy
decided again: each bot turn costs, social ones too, since they are part of what the user went through. What the
dialogue led to is paid at its end, as in the simulation: paid at the moment of a booking it would contradict what the
network has learned about all states after one.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from memory.belief import BeliefState
from memory.conversation import Conversation, apply
from memory.events import Booked, Decided, Event, FeedbackGiven, HandedOff, UserUttered, event_from_json
from memory.ontology import BoolArray
from memory.store import StoreUnavailable
from memory.store_opening import StoreAddress, is_database_url, open_store
from memory.store_schema import open_for_reading
from memory.turn import FloatArray
from policies.actions import ActionSpace

Outcome = Literal["booked", "goodbye", "handed_off", "restarted", "silence"]
_ENDS: dict[str, Outcome] = {"bye": "goodbye", "handoff": "handed_off", "restart": "restarted"}


@dataclass(frozen=True, slots=True)
class OutcomeReward:
    """What a real dialogue was worth; the scale is the simulation's (+20 for success, -1 a turn).

    ``turn`` for each bot turn. At the end ``booking`` if there was one, else ``goodbye`` for a goodbye after a venue
    was named (somebody who only wanted to know something), and ``handoff``. ``thumb`` times 1 or -1 at its turn.
    """

    turn: float = -1.0
    booking: float = 20.0
    goodbye: float = 10.0
    handoff: float = -10.0
    thumb: float = 5.0


@dataclass
class Step:
    """One decision of the task's policy: state (n_in,), mask (A,), action, what it earned and how it was chosen."""

    features: FloatArray
    mask: BoolArray
    action: int
    reward: float
    propensity: float
    policy: str
    version: str


@dataclass
class RealDialogue:
    """A finished dialogue; ``known_at`` is when it was certain to be over (seconds since the epoch)."""

    conversation_id: str
    outcome: Outcome
    known_at: float
    steps: list[Step] = field(default_factory=list)

    @property
    def reward(self) -> float:
        """The sum of its steps' rewards."""
        return sum(step.reward for step in self.steps)


class ExperienceReader:
    """Reads finished dialogues of one assistant.

    ``featurize`` maps a belief state to (1, n_in); ``silence`` in seconds ends a dialogue without a goodbye.
    """

    def __init__(
        self,
        space: ActionSpace,
        featurize: Callable[[BeliefState], FloatArray],
        reward: OutcomeReward,
        silence: float,
    ) -> None:
        self._space, self._featurize, self._reward, self._silence = space, featurize, reward, silence

    def read(self, database: StoreAddress, now: float, limit: int) -> list[RealDialogue]:
        """The finished dialogues of the ``limit`` latest conversations, oldest first; StoreUnavailable."""
        found: list[RealDialogue] = []
        for conversation, events in latest_conversations(database, limit):
            found += self.dialogues(conversation, events, now)
        return sorted(found, key=lambda dialogue: dialogue.known_at)

    def dialogues(self, conversation_id: str, events: Sequence[Event], now: float) -> list[RealDialogue]:
        """The finished dialogues of one conversation."""
        thumbs = {event.message_id: event.value for event in events if isinstance(event, FeedbackGiven)}
        cutter = _Cutter(self._space, self._featurize, self._reward, thumbs, conversation_id)
        ontology = self._space.ontology
        state, last = Conversation.new(ontology, conversation_id), None
        for event in events:
            if isinstance(event, FeedbackGiven):
                continue
            if isinstance(event, UserUttered):
                if last is not None and event.timestamp - last > self._silence:
                    cutter.end("silence", last + self._silence)
                cutter.turn_begins(event)
            elif isinstance(event, Decided):
                cutter.decided(state.belief, event)
            else:
                cutter.happened(event)
            state, last = apply(ontology, state, event), event.timestamp
        if last is not None and now - last > self._silence:
            cutter.end("silence", last + self._silence)
        else:
            cutter.end_if_over()
        return cutter.found


class _Cutter:
    """Collects the steps of the present dialogue and closes it when it is over."""

    def __init__(
        self,
        space: ActionSpace,
        featurize: Callable[[BeliefState], FloatArray],
        reward: OutcomeReward,
        thumbs: dict[str, int],
        conversation_id: str,
    ) -> None:
        self._space, self._featurize, self._reward, self._thumbs = space, featurize, reward, thumbs
        self._conversation_id = conversation_id
        self.found: list[RealDialogue] = []
        self._steps: list[Step] = []
        self._message = ""
        self._over: tuple[Outcome, float] | None = None
        self._booked = self._handed_off = self._named_venue = self._spoke = False

    def turn_begins(self, event: UserUttered) -> None:
        self.end_if_over()
        self._message, self._spoke = event.message_id, True

    def decided(self, belief: BeliefState, event: Decided) -> None:
        decision, index = event.decision, self._space.index
        if event.system is not None and decision.mask and decision.action in index:
            mask = self._space.masks(belief)[0]
            features = self._featurize(belief)[0]
            chosen, who = index[decision.action], (decision.policy, decision.version)
            self._steps.append(Step(features, mask, chosen, 0.0, decision.propensity, *who))
            self._named_venue |= event.system.entity is not None
        thumb = self._thumbs.get(self._message, 0)
        self._earn(self._reward.turn + thumb * self._reward.thumb)
        if decision.action in _ENDS:
            self._over = _ENDS[decision.action], event.timestamp

    def happened(self, event: Event) -> None:
        self._booked |= isinstance(event, Booked)
        self._handed_off |= isinstance(event, HandedOff)

    def end_if_over(self) -> None:
        """Close the dialogue whose last turn said goodbye, handed over or began anew."""
        if self._over is not None:
            self.end(*self._over)

    def end(self, outcome: Outcome, known_at: float) -> None:
        """Close the dialogue; one in which nobody said anything is none."""
        outcome, known_at = self._over or (outcome, known_at)
        if self._booked:
            self._earn(self._reward.booking)
        elif outcome == "goodbye" and self._named_venue:
            self._earn(self._reward.goodbye)
        if self._handed_off:
            self._earn(self._reward.handoff)
        if self._spoke:
            shown: Outcome = "booked" if self._booked else outcome
            self.found.append(RealDialogue(self._conversation_id, shown, known_at, self._steps))
        self._steps, self._over = [], None
        self._booked = self._handed_off = self._named_venue = self._spoke = False

    def _earn(self, reward: float) -> None:
        """What happens before the task's policy has decided anything is nobody's merit."""
        if self._steps:
            self._steps[-1].reward += reward


def latest_conversations(database: StoreAddress, limit: int) -> Iterable[tuple[str, list[Event]]]:
    """(id, events) of the ``limit`` conversations that were active last; never waits for the server's writes.

    StoreUnavailable, naming the file, when it can't be read or an event was written by a newer version.
    """
    if is_database_url(database):
        yield from _latest_in_database(database, limit)
        return
    connection = open_for_reading(Path(database))
    try:
        ids = connection.execute(
            "SELECT id FROM conversations ORDER BY last_time DESC, id LIMIT ?", (limit,)
        ).fetchall()
        for (conversation,) in ids:
            rows = connection.execute(
                "SELECT payload FROM events WHERE conversation_id = ? ORDER BY seq", (conversation,)
            ).fetchall()
            try:
                events = [event_from_json(row[0]) for row in rows]
            except ValueError as error:
                raise StoreUnavailable(f"{database}: conversation {conversation!r}: {error}") from None
            yield conversation, events
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{database}: the event log can't be read: {error}") from None
    finally:
        connection.close()


def _latest_in_database(url: StoreAddress, limit: int) -> Iterable[tuple[str, list[Event]]]:
    store = open_store(url)
    try:
        for summary in store.conversations(limit):
            try:
                events = store.load(summary.id)
            except ValueError as error:
                raise StoreUnavailable(f"conversation {summary.id!r}: {error}") from None
            yield summary.id, events
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class Transitions:
    """M n-step transitions of real dialogues: a ``policies.replay.Batch`` and the first states' ``masks`` (M, A)."""

    features: FloatArray
    masks: BoolArray
    actions: np.ndarray[tuple[int], np.dtype[np.int64]]
    returns: FloatArray
    discounts: FloatArray
    next_features: FloatArray
    next_masks: BoolArray

    def __len__(self) -> int:
        return len(self.actions)


def transitions(dialogues: Iterable[RealDialogue], n_step: int, gamma: float, scale: float) -> Transitions | None:
    """R = sum_k gamma^k scale r_k until the state n decisions later (discount 0 past the end); None without steps."""
    rows: list[tuple[Step, float, float, Step]] = []
    for dialogue in dialogues:
        steps = dialogue.steps
        for start, step in enumerate(steps):
            ahead = steps[start : start + n_step]
            returns = sum(gamma**k * scale * later.reward for k, later in enumerate(ahead))
            end = start + n_step
            inside = end < len(steps)
            rows.append((step, returns, gamma**n_step if inside else 0.0, steps[end] if inside else step))
    if not rows:
        return None
    return Transitions(
        features=np.stack([step.features for step, *_ in rows]),
        masks=np.stack([step.mask for step, *_ in rows]),
        actions=np.array([step.action for step, *_ in rows], dtype=np.int64),
        returns=np.array([returns for _, returns, *_ in rows], dtype=np.float32),
        discounts=np.array([discount for _, _, discount, _ in rows], dtype=np.float32),
        next_features=np.stack([after.features for *_, after in rows]),
        next_masks=np.stack([after.mask for *_, after in rows]),
    )


def by_version(dialogues: Iterable[RealDialogue]) -> list[dict[str, float | str]]:
    """Per policy and version, over the dialogues in which it decided something.

    ``dialogues``, mean ``reward``, shares ``booked`` and ``handed_off``, and ``explored``: the share of its decisions
    that were drawn rather than certain. Layers of a stack decide in the same dialogues, so these may overlap.
    """
    groups: dict[tuple[str, str], list[RealDialogue]] = {}
    for dialogue in dialogues:
        for who in {(step.policy, step.version) for step in dialogue.steps}:
            groups.setdefault(who, []).append(dialogue)
    rows: list[dict[str, float | str]] = []
    for (policy, version), members in sorted(groups.items()):
        outcomes = Counter(dialogue.outcome for dialogue in members)
        own = [s.propensity for d in members for s in d.steps if (s.policy, s.version) == (policy, version)]
        rows.append(
            {
                "policy": policy,
                "version": version,
                "dialogues": len(members),
                "reward": float(np.mean([dialogue.reward for dialogue in members])),
                "booked": outcomes["booked"] / len(members),
                "handed_off": outcomes["handed_off"] / len(members),
                "explored": float(np.mean(np.array(own) < 1)),
            }
        )
    return rows
