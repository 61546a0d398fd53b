"""Users that do what a network learned from recorded people, in the situations that recordings show.

Recorded people talk to a human "system" that hears well: nobody had to correct a wrong confirmation, refuse a venue
that does not fit, repeat a misheard wish, or was asked "anything else?" too early. In those situations, in kinds of
turns that were hardly recorded (``UserNetwork.knows``), and for bookings when the recordings have none, the agenda's
reactions take over. Leaving before everything is done is a matter of the agenda's patience and hazard as well: the
network says goodbye, or "no" to "anything else?", once its goal is reached, or when nothing matches. Everything else
is the network's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import KIND, SYSTEM_KINDS, FloatArray, SystemTurn, kind_table
from simulator.agenda import BOOKED, NOT_BOOKED
from simulator.goal import Task
from simulator.user_agenda import AgendaUsers
from simulator.user_parameters import UserParameters
from simulator.user_turn import Told, UserTurn
from simulator.users.network import UserNetwork
from simulator.users.situation import FLOW_COLUMNS, FLOW_LABELS, LABEL, Said, Situation, features, said_of

_RECORDED = {"alternative": "offer", "alternative_none": "offer_none", "select": "request"}
_AS_RECORDED = np.array([KIND[_RECORDED.get(kind, kind)] for kind in SYSTEM_KINDS], dtype=np.int32)
"""Recordings tell fewer kinds of system turns apart than our system has."""
_OFFERS = kind_table("offer", "alternative")
_UNRECORDED = kind_table("alternative_none", "booking_failed", "bye")
_BOOKING = kind_table("request_open", "confirm_booking", "booked", "booking_failed")
_CHECKS = kind_table("confirm_booking", "booked")
_ASKS = kind_table("request", "select")
_CLASHES = tuple(
    (LABEL[one], LABEL[other])
    for one, other in (("affirm", "negate"), ("reqalts", "ack"), ("reqalts", "affirm"), ("reqalts", "book"))
)


class LearnedUsers(AgendaUsers):
    """B users driven by ``network``; the interface, goals and randomness are those of ``AgendaUsers``."""

    remembered: ClassVar[tuple[str, ...]] = (*AgendaUsers.remembered, "_memory", "_last")

    def __init__(
        self, ontology: Ontology, task: Task, seeds: Sequence[int], parameters: UserParameters | None,
        network: UserNetwork,
    ) -> None:  # fmt: skip
        self.network = network
        self._unknown = np.array([not network.knows(kind) for kind in SYSTEM_KINDS], dtype=np.bool_)[_AS_RECORDED]
        self._books, self._indifferent = network.knows("booking"), network.knows("indifferent")
        self._memory: FloatArray = network.start(len(seeds))
        self._sizes = len(ontology.slots), len(ontology.requestable), len(ontology.open_slots)
        self._last = Said.nothing(len(seeds), *self._sizes)
        super().__init__(ontology, task, seeds, parameters)

    def reset(self, rows: IntArray) -> None:
        """Give ``rows`` a new person with a new goal and nothing heard yet."""
        super().reset(rows)
        self._memory[rows] = 0.0
        for name in Said.__slots__:
            getattr(self._last, name)[rows] = False

    def open(self, rows: IntArray) -> UserTurn:
        """The first turns of ``rows``; everybody else is silent."""
        batch = len(self.state.venue)
        turn = UserTurn.empty(self.ontology, batch)
        self._draws[rows] = self.random.uniform(self._width, rows)
        silence = SystemTurn.empty(self.ontology, batch)
        draws = np.ones((batch, len(FLOW_LABELS) + sum(self._sizes)), dtype=np.float32)
        draws[rows] = self.random.uniform(draws.shape[1], rows)
        said = self._choose(silence, rows, draws)
        self._say(turn, rows, said)
        self._remember(turn, rows)
        return turn

    def react(self, system: SystemTurn, told: Told) -> UserTurn:
        """The users' answers to one system turn each; ``state.hung_up`` tells who has left for good."""
        turn = UserTurn.empty(self.ontology, len(system.kind))
        active = self._listen(turn, system)
        draws = self.random.uniform(len(FLOW_LABELS) + sum(self._sizes))
        unrecorded = self._unrecorded(system, told)
        learned = np.flatnonzero(active & ~unrecorded).astype(np.int32)
        self._take_in(system, learned)
        everybody = np.arange(len(system.kind), dtype=np.int32)
        said = self._choose(system, everybody, draws)
        self._react_to(active & unrecorded, turn, system, told)
        none = system.kind[learned] == KIND["offer_none"]
        self._after_none(turn, learned[none], system, said)
        self._say(turn, learned[~none], said)
        self.state.offered_once |= _OFFERS[system.kind]
        self._remember(turn, everybody)
        return turn

    def _unrecorded(self, system: SystemTurn, told: Told) -> BoolArray:
        """(B,) where the system errs, or does what recordings do not show: the agenda knows what to say."""
        rows, kind, s = np.arange(len(system.kind), dtype=np.int32), system.kind, self.state
        named = system.entity >= 0
        wants = self.goals.books & (s.booked == NOT_BOOKED)
        confirmed = kind == KIND["confirm"]
        wrong = named & (self._misses(rows, system.entity).any(axis=1) | (s.refused == system.entity))
        slot = np.where(confirmed | _ASKS[kind], system.slot, 0)
        wanted = self.goals.wanted[rows, slot]
        wrong |= confirmed & (wanted != system.value)
        misheard = (told.constraints >= 0) & (told.constraints != self.goals.wanted)
        wrong |= (kind == KIND["offer_none"]) & misheard.any(axis=1)
        wrong |= _BOOKING[kind] & ~wants
        wrong |= _CHECKS[kind] & (told.booking != self.goals.open_value).any(axis=1)
        wrong |= _UNRECORDED[kind]
        wrong |= self._unknown[kind]
        cares = wanted != self.matcher.dontcare[slot]
        wrong |= _ASKS[kind] & np.where(cares, ~s.pending[rows, slot], not self._indifferent)
        ready = (s.venue >= 0) & ~s.unfilled.any(axis=1) & wants
        wrong |= (kind == KIND["reqmore"]) & (s.venue >= 0) & (s.unfilled.any(axis=1) | ready)
        if not self._books:
            wrong |= _BOOKING[kind] | (ready & (kind != KIND["offer_none"]))
        flags: BoolArray = wrong
        return flags

    def _take_in(self, system: SystemTurn, rows: IntArray) -> None:
        """Note what is offered, told, booked or not to be had, before speaking."""
        self._accept(rows, system.entity[rows], system.answered[rows])
        self.state.booked[rows[system.kind[rows] == KIND["booked"]]] = BOOKED
        self._drop_venue(rows[system.kind[rows] == KIND["offer_none"]])

    def _situation(self, system: SystemTurn, rows: IntArray) -> Situation:
        s, goals = self.state, self.goals
        kind, slot = _AS_RECORDED[system.kind[rows]], system.slot[rows]
        cares = goals.wanted[rows] != self.matcher.dontcare
        about = np.arange(self._sizes[0]) == slot[:, None]
        confirms = (system.kind[rows] == KIND["confirm"])[:, None] & about
        agrees = (goals.wanted[rows] == system.value[rows, None]) & confirms
        opened = np.arange(self._sizes[2]) == slot[:, None]
        books = goals.books[rows]
        return Situation(
            kind=kind, turn=s.turn[rows], cares=cares, said=cares & ~s.pending[rows],
            asked=about & _ASKS[system.kind[rows]][:, None], right=agrees, wrong=confirms & ~agrees,
            requests=goals.requests[rows], unfilled=s.unfilled[rows], answered=system.answered[rows], books=books,
            booked=s.booked[rows] == BOOKED, open_said=books[:, None] & ~s.open_pending[rows],
            open_asked=opened & (kind == KIND["request_open"])[:, None], venue=s.venue[rows] >= 0,
            offered_once=s.offered_once[rows],
            last=Said(*(getattr(self._last, name)[rows] for name in Said.__slots__)),
        )  # fmt: skip

    def _choose(self, system: SystemTurn, rows: IntArray, draws: FloatArray) -> Said:
        """(B,) what the network would say in ``rows``, nothing elsewhere; ``draws`` (B, labels) uniforms.

        Labels are drawn independently; of two that contradict each other the likelier stays, and who drew nothing
        says the likeliest thing, because the simulated system takes an empty turn for silence.
        """
        situation = self._situation(system, rows)
        chances, self._memory[rows] = self.network.step(features(situation), self._memory[rows])
        likely = np.where(self._sensible(situation), chances.flat, 0.0)
        flags: BoolArray = draws[rows] < likely
        for one, other in _CLASHES:
            both = np.flatnonzero(flags[:, one] & flags[:, other])
            flags[both, np.where(likely[both, one] >= likely[both, other], other, one)] = False
        empty = np.flatnonzero(~flags.any(axis=1))
        flags[empty, likely[empty].argmax(axis=1)] = True
        whole = np.zeros((len(system.kind), flags.shape[1]), dtype=np.bool_)
        whole[rows] = flags
        return Said(*np.split(whole, np.cumsum([len(FLOW_LABELS), *self._sizes[:2]]), axis=1))

    def _sensible(self, situation: Situation) -> BoolArray:
        """(n, labels) what could be said: nothing that would mislead the system about the goal."""
        possible = situation.possible()
        none = situation.kind == KIND["offer_none"]
        flow = possible.flow.copy()
        flow[:, LABEL["negate"]] = situation.complete & ~situation.right.any(axis=1)
        flow[:, LABEL["bye"]] = situation.complete | none
        flow[:, LABEL["dontcare"]] = situation.asked.any(axis=1) & ~(situation.asked & situation.cares).any(axis=1)
        flow[:, LABEL["dontcare"]] |= none
        flow[:, LABEL["reqalts"]] = situation.venue & ~situation.booked
        flow[:, LABEL["book"]] &= ~situation.booked & self._books
        return Said(flow, possible.inform, possible.request, possible.open & self._books).flat

    def _say(self, turn: UserTurn, rows: IntArray, said: Said) -> None:
        """Put the labels of ``rows`` into words of the goal, and remember what they mean."""
        s, inform, opened = self.state, said.inform[rows], said.open[rows]
        turn.inform[rows] = np.where(inform, self.goals.wanted[rows], turn.inform[rows])
        s.pending[rows] &= ~inform
        turn.request[rows] |= said.request[rows]
        turn.open_value[rows] = np.where(opened, self.goals.open_value[rows], turn.open_value[rows])
        s.open_pending[rows] &= ~opened
        turn.flow[rows[:, None], FLOW_COLUMNS] |= said.flow[rows]
        elsewhere = rows[said.flow[rows, LABEL["reqalts"]]]
        s.refused[elsewhere] = s.venue[elsewhere]
        self._drop_venue(elsewhere)
        self._leave(turn, rows[said.flow[rows, LABEL["bye"]]])

    def _after_none(self, turn: UserTurn, rows: IntArray, system: SystemTurn, said: Said) -> None:
        """Nothing matches: leave, give the named wish up, or take the second choice, as the network says."""
        wishes = said.inform[rows].any(axis=1)
        flow = said.flow[rows]
        gone = flow[:, LABEL["bye"]] & ~wishes
        self._hang_up(turn, rows[gone])
        gives_in = (flow[:, LABEL["affirm"]] | flow[:, LABEL["dontcare"]]) & ~wishes
        self._give_way(turn, rows[~gone], system.slot[rows[~gone]], gives_in[~gone])

    def _remember(self, turn: UserTurn, rows: IntArray) -> None:
        """What ``rows`` said, whoever chose it, is what the network sees as the turn before."""
        said = said_of(turn, self.matcher.dontcare)
        for name in Said.__slots__:
            getattr(self._last, name)[rows] = getattr(said, name)[rows]
