"""The agenda of B simulated users: what they remember, how they choose, and the things they can say.

What is still to be said is kept as flags with a per-dialogue random order. Every turn takes a fixed number of
uniforms per dialogue, one column per kind of choice, so that rows never influence each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import FLOW, FloatArray, SystemTurn
from policies.matching import EntityMatcher
from simulator.goal import GoalSampler, Task
from simulator.random import RowRandom
from simulator.user_parameters import PROBABILITIES, WIDTH, UserParameters
from simulator.user_turn import UserTurn

_COLUMN = {name: c for c, name in enumerate(PROBABILITIES)}
NOT_BOOKED, BOOKED, MISBOOKED = 0, 1, 2
MOST_GOODBYES = 2
"""So often a user says goodbye to a system that does not, before hanging up."""


@dataclass(slots=True)
class UserState:
    """What B users remember.

    ``pending`` (B, S) and ``open_pending`` (B, O): not yet said; ``order`` (B, S) who comes first; ``unfilled``
    (B, R) requests without an answer for ``venue`` (B,), the accepted entity; ``refused`` (B,) the entity of which
    the user wanted an alternative; ``offered_once``, ``declined`` ("no, nothing else"), ``hung_up`` (B,);
    ``goodbyes`` (B,) said so far; ``turn`` (B,) user turns after the opening one; ``booked`` (B,) NOT_BOOKED, BOOKED
    or MISBOOKED; ``patience``/``max_patience`` (B,); ``personality`` (B, P); ``last`` (B, 4) the previous system act.
    """

    pending: BoolArray
    open_pending: BoolArray
    order: FloatArray
    unfilled: BoolArray
    venue: IntArray
    refused: IntArray
    offered_once: BoolArray
    declined: BoolArray
    hung_up: BoolArray
    goodbyes: IntArray
    turn: IntArray
    booked: IntArray
    patience: FloatArray
    max_patience: FloatArray
    personality: FloatArray
    last: IntArray

    @classmethod
    def empty(cls, ontology: Ontology, batch: int) -> UserState:
        """Arrays of the right shapes; meaningful only after a reset."""
        slots, requests, opens = len(ontology.slots), len(ontology.requestable), len(ontology.open_slots)

        def no(*shape: int) -> BoolArray:
            return np.zeros((batch, *shape), dtype=np.bool_)

        def real(*shape: int) -> FloatArray:
            return np.zeros((batch, *shape), dtype=np.float32)

        def minus(*shape: int) -> IntArray:
            return np.full((batch, *shape), -1, dtype=np.int32)

        return cls(
            pending=no(slots), open_pending=no(opens), order=real(slots), unfilled=no(requests),
            venue=minus(), refused=minus(), offered_once=no(), declined=no(), hung_up=no(), goodbyes=minus(),
            turn=minus(), booked=minus(),
            patience=real(), max_patience=real(), personality=real(len(PROBABILITIES)), last=minus(4),
        )  # fmt: skip


class Agenda:
    """State, goals and vocabulary of B users; the reactions are in ``simulator.user_agenda``."""

    remembered: ClassVar[tuple[str, ...]] = ("state", "goals", "random", "_draws")

    def __init__(
        self, ontology: Ontology, task: Task, seeds: Sequence[int], parameters: UserParameters | None = None
    ) -> None:
        self.ontology = ontology
        self.matcher = EntityMatcher(ontology)
        self.parameters = parameters or UserParameters.sampled()
        self.random = RowRandom(seeds)
        self.open_values = task.open_values
        self._sampler = GoalSampler(ontology, task)
        batch, slots, opens = len(seeds), len(ontology.slots), len(ontology.open_slots)
        self.state = UserState.empty(ontology, batch)
        self.goals = self._sampler.sample(np.zeros((batch, self._sampler.width), dtype=np.float32))
        choices = len(PROBABILITIES)
        self._informs = slice(choices, choices + slots)
        self._opens = slice(choices + slots, choices + slots + opens)
        self._choices = choices + slots + opens
        self._width = self._choices + (6 if self.parameters.habits else 4)
        self._hazard = np.array(self.parameters.hazard or (0.0,), dtype=np.float32)
        self._draws: FloatArray = np.zeros((batch, self._width), dtype=np.float32)
        self.reset(np.arange(batch, dtype=np.int32))

    def reset(self, rows: IntArray) -> None:
        """Give ``rows`` a new person with a new goal."""
        s, n = self.state, len(rows)
        self.goals.assign(rows, self._sampler.sample(self.random.uniform(self._sampler.width, rows)))
        s.personality[rows], s.patience[rows] = self.parameters.draw(self.random.uniform(WIDTH, rows))
        s.max_patience[rows] = s.patience[rows]
        s.order[rows] = self.random.uniform(s.order.shape[1], rows)
        s.pending[rows] = self.goals.wanted[rows] != self.matcher.dontcare
        s.open_pending[rows] = self.goals.books[rows, None]
        s.unfilled[rows] = self.goals.requests[rows]
        s.venue[rows] = s.refused[rows] = -1
        s.offered_once[rows] = s.declined[rows] = s.hung_up[rows] = False
        s.goodbyes[rows] = s.turn[rows] = 0
        s.booked[rows] = NOT_BOOKED
        s.last[rows] = np.full((n, 4), -1, dtype=np.int32)

    # -- choices ---------------------------------------------------------------------------------------------

    def _coin(self, name: str, rows: IntArray) -> BoolArray:
        """(n,) this turn's choice of each row with its person's probability ``name``."""
        column = _COLUMN[name]
        chosen: BoolArray = self._draws[rows, column] < self.state.personality[rows, column]
        return chosen

    def _choice(self, which: int, rows: IntArray) -> FloatArray:
        """(n,) one of four free uniforms; numbers 4 and 5 exist for users with habits only."""
        chosen: FloatArray = self._draws[rows, self._choices + which]
        return chosen

    def _combined(self, name: str, rows: IntArray, columns: slice) -> IntArray:
        """(n,) how many further things are said: one after another, each with probability ``name``."""
        more = self._draws[rows, columns] < self.state.personality[rows, _COLUMN[name], None]
        count: IntArray = np.logical_and.accumulate(more, axis=1).sum(axis=1, dtype=np.int32)
        return count

    # -- things to say ---------------------------------------------------------------------------------------

    def _inform(self, turn: UserTurn, rows: IntArray, slots: IntArray) -> None:
        turn.inform[rows, slots] = self.goals.wanted[rows, slots]
        self.state.pending[rows, slots] = False

    def _inform_pending(self, turn: UserTurn, rows: IntArray, count: IntArray) -> None:
        """Say the first ``count`` (n,) pending constraints."""
        pending = self.state.pending[rows]
        order = np.where(pending, self.state.order[rows], 2.0)
        rank = (order[:, :, None] > order[:, None, :]).sum(axis=2)
        said = pending & (rank < count[:, None])
        turn.inform[rows] = np.where(said, self.goals.wanted[rows], turn.inform[rows])
        self.state.pending[rows] = pending & ~said

    def _and_more(self, turn: UserTurn, rows: IntArray, name: str = "inform_combination") -> None:
        self._inform_pending(turn, rows, self._combined(name, rows, self._informs))

    def _restate(self, turn: UserTurn, rows: IntArray) -> None:
        """Say everything one cares about; people who no longer care about anything say so."""
        wanted = self.goals.wanted[rows]
        cares = wanted != self.matcher.dontcare
        turn.inform[rows] = np.where(cares, wanted, turn.inform[rows])
        turn.flow[rows[~cares.any(axis=1)], FLOW["dontcare"]] = True
        self.state.pending[rows] = False

    def _request(self, turn: UserTurn, rows: IntArray) -> None:
        """Ask for the first unfilled attribute, sometimes for one more, sometimes naming the venue."""
        unfilled = self.state.unfilled[rows]
        rank = unfilled.cumsum(axis=1)
        turn.request[rows] |= unfilled & (rank <= 1 + self._coin("add_request", rows)[:, None])
        named = rows[self._coin("name_venue", rows)]
        turn.venue[named] = self.state.venue[named]

    def _book(self, turn: UserTurn, rows: IntArray) -> None:
        """Say that a table is wanted, perhaps with some details."""
        turn.flow[rows, FLOW["book"]] = True
        self._open_details(turn, rows)

    def _open_details(self, turn: UserTurn, rows: IntArray) -> None:
        pending = self.state.open_pending[rows]
        count = self._combined("inform_combination", rows, self._opens)
        said = pending & (pending.cumsum(axis=1) <= count[:, None])
        turn.open_value[rows] = np.where(said, self.goals.open_value[rows], turn.open_value[rows])
        self.state.open_pending[rows] = pending & ~said

    def _proceed(self, turn: UserTurn, rows: IntArray) -> None:
        """Go on with the agenda: constraints until a venue is accepted, then requests, booking, goodbye."""
        s = self.state
        has_venue, asks = s.venue[rows] >= 0, s.unfilled[rows].any(axis=1)
        books = self.goals.books[rows] & (s.booked[rows] == NOT_BOOKED)
        searching, done = rows[~has_venue], rows[has_venue & ~asks & ~books]
        pending = s.pending[searching].any(axis=1)
        self._inform_pending(
            turn, searching, np.int32(1) + self._combined("inform_combination", searching, self._informs)
        )
        self._restate(turn, searching[~pending])
        self._request(turn, rows[has_venue & asks])
        self._book(turn, rows[has_venue & ~asks & books])
        leave = self._coin("bye_when_done", done)
        self._leave(turn, done[leave])
        turn.flow[done, FLOW["thankyou"]] |= ~leave | self._coin("thank", done)
        if self.parameters.habits:
            thanks = done[leave & (self._choice(4, done) < self.parameters.thank_with_bye)]
            turn.flow[thanks, FLOW["thankyou"]] = True

    def _leave(self, turn: UserTurn, rows: IntArray) -> None:
        """Say goodbye; who already did twice without being answered by one hangs up."""
        turn.flow[rows, FLOW["bye"]] = True
        self.state.hung_up[rows] |= self.state.goodbyes[rows] >= MOST_GOODBYES
        self.state.goodbyes[rows] += 1

    def _hang_up(self, turn: UserTurn, rows: IntArray) -> None:
        turn.flow[rows, FLOW["bye"]] = True
        self.state.hung_up[rows] = True

    # -- judging the system ----------------------------------------------------------------------------------

    def _misses(self, rows: IntArray, entity: IntArray) -> BoolArray:
        """(n, S) the wishes that ``entity`` (n,) does not satisfy."""
        wanted = self.goals.wanted[rows]
        actual = self.ontology.entity_values[entity]
        missed: BoolArray = (wanted != self.matcher.dontcare) & (wanted != actual)
        return missed

    def _mind_repetition(self, turn: UserTurn, system: SystemTurn) -> None:
        """Lose patience at an exact repetition that tells nothing; without patience, hang up."""
        s = self.state
        act = np.stack([system.kind, system.slot, system.value, system.entity], axis=1)
        repeated = (act == s.last).all(axis=1) & ~system.answered.any(axis=1)
        s.patience -= repeated
        s.last[:] = act
        self._hang_up(turn, np.flatnonzero(s.patience < 1).astype(np.int32))

    def _give_up(self, turn: UserTurn, rows: IntArray) -> None:
        """Leave without what one came for, with the hazard of the turn."""
        if self.parameters.habits:
            chance = self._hazard[np.minimum(self.state.turn[rows], len(self._hazard) - 1)]
            self._hang_up(turn, rows[self._choice(5, rows) < chance])

    def _drop_venue(self, rows: IntArray) -> None:
        self.state.venue[rows] = -1
        self.state.unfilled[rows] = self.goals.requests[rows]

    def _correct(self, turn: UserTurn, rows: IntArray, slots: IntArray, wrong: IntArray) -> None:
        """Contradict ``wrong`` (n,) values of ``slots`` (n,), or hang up (PyDial: 1 - 2p/P + (p/P)^2)."""
        self._drop_venue(rows)
        used = 1.0 - self.state.patience[rows] / self.state.max_patience[rows]
        gone = self._choice(0, rows) < used * used
        self._hang_up(turn, rows[gone])
        rows, slots, wrong = rows[~gone], slots[~gone], wrong[~gone]
        self._inform(turn, rows, slots)
        negate = self._coin("negate_inform", rows)
        deny = ~negate & self._coin("deny_inform", rows)
        turn.flow[rows[negate], FLOW["negate"]] = True
        turn.deny[rows[deny], slots[deny]] = wrong[deny]

    def _accept(self, rows: IntArray, entity: IntArray, answered: BoolArray) -> None:
        """Take ``entity`` (n,) as the venue and note what was told about it."""
        s, named = self.state, entity >= 0
        rows, entity, answered = rows[named], entity[named], answered[named]
        new = entity != s.venue[rows]
        s.unfilled[rows[new]] = self.goals.requests[rows[new]]
        s.venue[rows] = entity
        s.unfilled[rows] &= ~answered

    def _change_goal(self, turn: UserTurn, rows: IntArray) -> None:
        """Give up or replace one constraint so that some entity still fits, and tell it or only ask for another."""
        if not len(rows):
            return
        wanted, dontcare = self.goals.wanted, self.matcher.dontcare
        cares = wanted[rows] != dontcare
        nth = (self._choice(1, rows) * cares.sum(axis=1)).astype(np.int64)
        slot = np.argmax(cares.cumsum(axis=1) > nth[:, None], axis=1)
        rest = wanted[rows].copy()
        rest[np.arange(len(rows)), slot] = -1
        fits = self.matcher.matches(rest)
        nth = (self._choice(2, rows) * fits.sum(axis=1)).astype(np.int64)
        entity = np.argmax(fits.cumsum(axis=1) > nth[:, None], axis=1)
        value = self.ontology.entity_values[entity, slot]
        relaxed = self._coin("constraint_relax", rows) | (value == wanted[rows, slot]) | ~fits.any(axis=1)
        wanted[rows, slot] = np.where(relaxed, dontcare[slot], value)
        self.goals.fallback[rows] = wanted[rows]
        self._drop_venue(rows)
        tell = self._coin("tell_about_change", rows)
        self._inform(turn, rows[tell], slot[tell])
        turn.flow[rows[~tell], FLOW["reqalts"]] = True
        self.state.pending[rows[~tell], slot[~tell]] = True
