"""Users fitted on stories: what people say after what the bot did, also in orders that nobody wrote down.

A user wants to live through one story (the goal). Before each of their turns they may leave it: with the probability
that something unseen follows in this context, estimated from the stories (Witten & Bell 1991, method C: T / (N + T)
for N turns of T kinds seen there), backing off from (last action, last intent) to the last action to any time. What
follows the same action in another story makes that story the goal; what opens a story or rule is a digression, after
which the user comes back to the goal.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.stories.scripts import Script
from policies.stories.state import LISTEN, StoryState

TurnKind = tuple[str | None, tuple[str, ...], str | None]
"""Intent, entities and text of a user turn."""


@dataclass(frozen=True, slots=True)
class Position:
    """A user turn of a script: ``users.scripts[script].states[t]``."""

    script: int
    t: int


def turn_kind(state: StoryState) -> TurnKind:
    """What the user said in ``state``."""
    return state.intent, state.entities, state.text


class StoryUsers:
    """The fitted model; draws goals and turns.

    ``goals`` are scripts that a user can live through, ``openings`` the positions that begin a script.
    ValueError when no script has a user turn: there is nobody to talk to.
    """

    def __init__(self, scripts: Sequence[Script]) -> None:
        self.scripts = tuple(scripts)
        begun = [(n, script) for n, script in enumerate(self.scripts) if script.first_turn is not None]
        ended = [(n, script) for n, script in begun if script.actions[-1] == LISTEN]
        self.goals = [n for n, script in ended if not script.rule] or [n for n, script in ended if script.opens]
        if not self.goals:
            raise ValueError("no story or rule begins with something that a user says: there is nothing to practise")
        self.openings = [Position(n, 0) for n, script in begun if script.opens and self._digression(script)]
        self._after: dict[tuple[str | None, ...], list[Position]] = defaultdict(list)
        self._following: dict[tuple[object, ...], list[Position]] = defaultdict(list)
        self._answers: dict[tuple[object, ...], set[tuple[str, ...]]] = defaultdict(set)
        self._opened: dict[TurnKind, set[tuple[str, ...]]] = defaultdict(set)
        for n, script in enumerate(self.scripts):
            for t in range(len(script.states)):
                if script.user_speaks(t):
                    self._count(Position(n, t))
        self.novelty = {context: _witten_bell(self._kinds(seen)) for context, seen in self._after.items()}
        self.loops = frozenset(s.active_loop for script in self.scripts for s in script.states if s.active_loop)
        self.keeps_user = any(
            state.intent is not None and state.previous_action not in (LISTEN, None)
            for script in self.scripts
            for state in script.states
        )
        """Whether states after the bot's first action still show the user's turn."""

    def state(self, position: Position) -> StoryState:
        """The state in which the user has just said this turn."""
        return self.scripts[position.script].states[position.t]

    def before(self, position: Position) -> StoryState:
        """The state before this turn: of the step before, or what the script asks for at its beginning."""
        script = self.scripts[position.script]
        if position.t:
            return script.states[position.t - 1]
        first = script.states[0]
        slots = {
            **dict(script.initial),
            **{name: first.slots[name] for name in script.condition if name in first.slots},
        }
        loop, asked = (first.active_loop, first.requested_slot) if script.rule else (None, None)
        return StoryState(slots=slots, active_loop=loop, requested_slot=asked)

    def goal(self, rng: np.random.Generator) -> Position:
        """The first turn of a random goal."""
        n = int(rng.choice(self.goals))
        return Position(n, self.scripts[n].first_turn or 0)

    def turn(self, planned: Position, now: StoryState, digressing: float, rng: np.random.Generator) -> Position:
        """What the user says instead of, or as, the ``planned`` turn of their goal.

        Args:
            now: slots, loop and (as ``previous_action``) what the bot did last, before it listened.
            digressing: scales the fitted probabilities; 0 never leaves the goal.
        """
        context = self._context(planned)
        novelty = self.novelty.get(context, 0.5)
        if rng.random() >= digressing * novelty:
            return planned
        switches = self._switches(planned, now)
        if switches and rng.random() >= self.novelty.get((context[0],), 0.5):
            return switches[int(rng.integers(len(switches)))]
        digressions = [position for position in self.openings if self._fits(position, planned, now)]
        return digressions[int(rng.integers(len(digressions)))] if digressions else planned

    def _count(self, position: Position) -> None:
        action, intent = self._context(position)
        state, script = self.state(position), self.scripts[position.script]
        self._after[action, intent].append(position)
        self._after[(action,)].append(position)
        if position.t and position.script in self.goals:
            self._following[action, _situation(self.before(position))].append(position)
        answer = self._answer(position)
        self._answers[action, turn_kind(state), state.active_loop].add(answer)
        if position.t == script.first_turn:
            self._opened[turn_kind(state)].add(answer)

    def _answer(self, position: Position) -> tuple[str, ...]:
        """What the bot does until it listens again."""
        actions = self.scripts[position.script].actions[position.t :]
        return actions[: actions.index(LISTEN) + 1] if LISTEN in actions else actions

    def _context(self, position: Position) -> tuple[str | None, str | None]:
        """The last action but listening and the last intent before this turn."""
        script = self.scripts[position.script]
        action = next((a for a in reversed(script.actions[: position.t]) if a != LISTEN), None)
        intent = next((s.intent for s in reversed(script.states[: position.t]) if s.intent), None)
        return action, intent

    def _kinds(self, positions: Sequence[Position]) -> Counter[TurnKind]:
        return Counter(turn_kind(self.state(position)) for position in positions)

    def _switches(self, planned: Position, now: StoryState) -> list[Position]:
        """Turns of other stories that follow the same action in the same situation, with one answer that is known."""
        action, kind = self._context(planned)[0], turn_kind(self.state(planned))
        found = []
        for position in self._following[action, _situation(now)]:
            state = self.state(position)
            known = len(self._answers[action, turn_kind(state), state.active_loop]) == 1
            if known and turn_kind(state) != kind:
                found.append(position)
        return found

    def _fits(self, opening: Position, planned: Position, now: StoryState) -> bool:
        """Whether this opening can be said now, instead of ``planned``, and has one answer."""
        start, state = self.before(opening), self.state(opening)
        script = self.scripts[opening.script]
        if opening.script == planned.script or turn_kind(state) == turn_kind(self.state(planned)):
            return False
        if now.active_loop is not None and now.previous_action != now.active_loop:
            return False  # the loop would ask again, and the question before be forgotten
        if (now.previous_action, turn_kind(state), now.active_loop) in self._answers:
            return False  # here it means something else
        if self._means_something_else(planned, script, now):
            return False
        if not script.rule and len(self._opened[turn_kind(state)]) > 1:
            return False
        if start.active_loop != now.active_loop and (start.active_loop is not None or not script.rule):
            return False  # inside a loop only rules answer, and what is written for it
        return all(now.slots.get(name) == start.slots.get(name) for name in script.condition)

    def _means_something_else(self, planned: Position, digression: Script, now: StoryState) -> bool:
        """Whether the ``planned`` turn, said after the digression, would be an answer to what the bot said in it."""
        said = [action for action in digression.actions[: self.end_of_digression(digression)] if action != LISTEN]
        meant = self._answers.get((said[-1] if said else None, turn_kind(self.state(planned)), now.active_loop))
        return meant is not None and meant != {self._answer(planned)}

    def _digression(self, script: Script) -> bool:
        """Whether the first exchange, or a whole rule, leaves the loop as it found it and gives the turn back."""
        return _closed(script, self.end_of_digression(script))

    @staticmethod
    def end_of_digression(script: Script) -> int:
        """How many steps of ``script`` a digression takes: all of a rule, else all up to the first listening."""
        first = script.first_turn
        if script.rule or first is None:
            return len(script.actions)
        heard = (t for t in range(first, len(script.actions)) if script.actions[t] == LISTEN)
        return next(heard, len(script.actions) - 1) + 1


def _closed(script: Script, end: int) -> bool:
    """Whether the bot listens in the end and no loop was begun or left unfinished."""
    first = script.states[script.first_turn or 0].active_loop
    before = first if script.rule else None
    return script.actions[end - 1] == LISTEN and script.states[end - 1].active_loop == before


def _situation(state: StoryState) -> tuple[object, ...]:
    """Slots and loop."""
    return tuple(sorted(state.slots.items())), state.active_loop


def _witten_bell(kinds: Counter[TurnKind]) -> float:
    """The probability that a kind follows which was not seen here."""
    total = sum(kinds.values())
    return len(kinds) / (len(kinds) + total) if total else 0.5
