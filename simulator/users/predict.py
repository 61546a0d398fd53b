"""What different users would say in a recorded situation: one probability per label, whatever the kind of user.

All are judged in the same way, by the probability they give to each label (a flow act, a slot, an attribute) given
the recorded past. For the network these are its outputs, for the unigram plain rates; for an agenda, whose choices
depend on each other, they are frequencies over samples of the real ``AgendaUsers`` put into the situation.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from memory.ontology import IntArray
from memory.turn import KIND, FloatArray, SystemTurn, kind_table
from simulator.agenda import BOOKED, NOT_BOOKED
from simulator.goal import Task
from simulator.user_agenda import AgendaUsers
from simulator.user_parameters import UserParameters
from simulator.user_turn import Told
from simulator.users.network import UserNetwork
from simulator.users.replay import Replay, Step
from simulator.users.situation import FLOW_LABELS, LABEL, Situation, features, said_of

SAMPLES = 200
"""Simulated reactions per recorded turn."""

_ABOUT_VENUE = kind_table("offer", "answer", "request_open", "confirm_booking", "booked")


class Predictor(Protocol):
    """Probabilities of what users say; ``step``s of one replay must come in order."""

    def __call__(self, step: Step) -> FloatArray:
        """(B, F + S + R + O) in the order of ``Said.flat``."""
        ...


class Unigram:
    """Each flow act, and any slot, attribute or detail of the goal, at its overall rate in ``replay``."""

    def __init__(self, replay: Replay) -> None:
        said = np.zeros(len(FLOW_LABELS) + 3)
        possible = np.zeros_like(said)
        for step in replay.steps():
            could = step.situation.possible()
            for totals, labels in ((said, step.said), (possible, could)):
                totals[:-3] += labels.flow.sum(axis=0)
                totals[-3:] += [labels.inform.sum(), labels.request.sum(), labels.open.sum()]
        self.rates = ((said + 0.5) / (possible + 1.0)).astype(np.float32)

    def __call__(self, step: Step) -> FloatArray:
        """See ``Predictor``."""
        widths = [step.said.inform.shape[1], step.said.request.shape[1], step.said.open.shape[1]]
        row = np.concatenate([self.rates[:-3], np.repeat(self.rates[-3:], widths)])
        return np.broadcast_to(row, (len(step.rows), len(row)))


class NetworkPredictor:
    """A learned user's chances."""

    def __init__(self, network: UserNetwork, replay: Replay) -> None:
        self.network = network
        self._memory = network.start(len(replay.dialogues))

    def __call__(self, step: Step) -> FloatArray:
        """See ``Predictor``."""
        chances, self._memory[step.rows] = self.network.step(features(step.situation), self._memory[step.rows])
        return chances.flat


class AgendaPredictor:
    """Frequencies of the labels over ``samples`` people of ``parameters`` in the same situation.

    Smoothed by half a count, so that what an agenda never does has probability 0.5 / (samples + 1).
    """

    def __init__(self, parameters: UserParameters, replay: Replay, samples: int = SAMPLES, seed: int = 0) -> None:
        self.parameters, self.ontology, self.samples, self.seed = parameters, replay.ontology, samples, seed
        index, dontcare = replay.ontology.value_index, replay.ontology.offsets[1:] - 1
        self._final = np.tile(dontcare, (len(replay.goals), 1))
        self._first = self._final.copy()
        for row, goal in enumerate(replay.goals):
            for s, slot in enumerate(replay.ontology.slots):
                wanted = goal.constraints.get(slot, "")
                self._final[row, s] = index.get((slot, wanted), dontcare[s])
                self._first[row, s] = index.get((slot, goal.first_choice.get(slot, wanted)), self._final[row, s])
        self._entity = _nearest(self._final, replay.ontology.entity_values, dontcare)

    def __call__(self, step: Step) -> FloatArray:
        """See ``Predictor``."""
        copies = np.repeat(np.arange(len(step.rows)), self.samples).astype(np.int32)
        seeds = [self.seed * 1_000_003 + i for i in range(len(copies))]
        users = AgendaUsers(self.ontology, Task({}), seeds, self.parameters)
        system = self._place(users, step, copies)
        everybody = np.arange(len(copies), dtype=np.int32)
        if not step.situation.turn.any():
            turn = users.open(everybody)
        else:
            echo = np.full(users.goals.wanted.shape, -1, dtype=np.int32)
            turn = users.react(system, Told(echo, users.goals.open_value.copy()))
        counts = said_of(turn, users.matcher.dontcare).flat.reshape(len(step.rows), self.samples, -1).sum(axis=1)
        frequency: FloatArray = ((counts + 0.5) / (self.samples + 1.0)).astype(np.float32)
        return frequency

    def _place(self, users: AgendaUsers, step: Step, copies: IntArray) -> SystemTurn:
        """Put the users into the recorded situation; returns the system turn they are to answer."""
        seen, rows = step.situation, step.rows
        none = (seen.kind == KIND["offer_none"])[:, None] & step.replaced
        goals, s, entity = users.goals, users.state, self._entity[rows]
        goals.wanted[:] = np.where(none, self._first[rows], self._final[rows])[copies]
        goals.fallback[:] = self._final[rows][copies]
        goals.requests[:], goals.books[:], goals.open_value[:] = seen.requests[copies], seen.books[copies], 0
        s.pending[:], s.unfilled[:] = seen.pending[copies], seen.unfilled[copies]
        s.open_pending[:] = (seen.books[:, None] & ~seen.open_said)[copies]
        s.venue[:] = np.where(seen.venue, entity, -1)[copies]
        s.offered_once[:] = seen.offered_once[copies]
        s.goodbyes[:] = seen.last.flow[copies, LABEL["bye"]]
        s.booked[:] = np.where(seen.booked & (seen.kind != KIND["booked"]), BOOKED, NOT_BOOKED)[copies]
        s.turn[:] = seen.turn[copies] - 1
        slot, value = self._about(seen, goals.wanted[:: self.samples])
        kind = np.where(seen.kind == KIND["none"], KIND["reqmore"], seen.kind)
        kind = np.where((kind == KIND["confirm"]) & (slot < 0), KIND["reqmore"], kind).astype(np.int32)
        told = np.where(_ABOUT_VENUE[kind], entity, -1)
        other = np.full(len(copies), -1, dtype=np.int32)
        return SystemTurn(kind[copies], slot[copies], value[copies], other, told[copies], seen.answered[copies])

    def _about(self, seen: Situation, wanted: IntArray) -> tuple[IntArray, IntArray]:
        """(B,) the slot a system turn is about and the value it names, -1 where there is none.

        When nothing matches, our system proposes to give one wish up: here the first.
        """
        about = seen.asked | seen.right | seen.wrong
        about |= (seen.kind == KIND["offer_none"])[:, None] & seen.cares & ~about.any(axis=1, keepdims=True)
        slot = np.where(about.any(axis=1), about.argmax(axis=1), -1)
        opened = seen.kind == KIND["request_open"]
        if seen.open_asked.shape[1]:
            slot = np.where(opened, seen.open_asked.argmax(axis=1), slot)
        rows, safe = np.arange(len(slot)), np.maximum(slot, 0) * ~opened
        right = wanted[rows, safe]
        start, end = self.ontology.offsets[safe], self.ontology.offsets[safe + 1]
        other = start + (right - start + 1) % (end - start)
        value = np.where(seen.wrong[rows, safe], other, right)
        return slot.astype(np.int32), np.where((slot < 0) | opened, -1, value).astype(np.int32)


def _nearest(wanted: IntArray, entities: IntArray, dontcare: IntArray) -> IntArray:
    """(N,) for each goal (N, S) the entity (E, S) that misses fewest wishes: none, in the corpus' own ontology."""
    missed = ((wanted[:, None] != entities[None]) & (wanted != dontcare)[:, None]).sum(axis=2)
    nearest: IntArray = missed.argmin(axis=1).astype(np.int32)
    return nearest
