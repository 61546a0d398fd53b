"""The noisy channel between what users say and what the bot hears, on arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import FLOW, FLOW_ACTS, FloatArray, UserEvidence
from simulator.noise import QUANTILES, ErrorModel
from simulator.random import RowRandom
from simulator.user_turn import UserTurn

_Index = NDArray[np.intp]

_CONFUSABLE = np.array([f for act, f in FLOW.items() if act not in ("bye", "restart", "cancel")])
"""Flow acts that others are mistaken for; a confusion never ends or restarts a dialogue (as in PyDial)."""


class NoiseChannel:
    """Turns B true user turns into evidence; each dialogue has one of ``models``, drawn by ``assign``."""

    def __init__(
        self, ontology: Ontology, models: Sequence[ErrorModel], task_open_values: int, random: RowRandom
    ) -> None:
        if not models:
            raise ValueError("the noise channel needs at least one error model; ErrorModel.none() hears everything")
        self.ontology = ontology
        self.random = random
        self._open_values = task_open_values
        self._tables(models)
        slots, requests, opens = len(ontology.slots), len(ontology.requestable), len(ontology.open_slots)
        sizes = [slots, slots, requests, len(FLOW_ACTS), opens, 1]
        self._starts = np.cumsum([0, *sizes])
        self._acts = int(self._starts[-1])
        self._width = 4 * self._acts + 4

    def _tables(self, models: Sequence[ErrorModel]) -> None:
        names = (*self.ontology.slots, *self.ontology.open_slots)
        self._substitution = _column(models, "substitution")
        self._by_slot = np.array(
            [[model.per_slot.get(name, model.substitution) for name in names] for model in models], dtype=np.float32
        )
        self._deletion, self._insertion = _column(models, "deletion"), _column(models, "insertion")
        self._value, self._slot = _column(models, "value"), _column(models, "slot")
        self._alternative = _column(models, "alternative")
        self._correct = np.stack([model.correct for model in models])
        self._wrong = np.stack([model.wrong for model in models])

    @property
    def num_models(self) -> int:
        """How many error models dialogues are drawn from."""
        return len(self._correct)

    def assign(self, rows: IntArray) -> IntArray:
        """(len(rows),) an error model for each new dialogue, uniformly drawn."""
        return (self.random.uniform(1, rows)[:, 0] * self.num_models).astype(np.int32)

    def hear(self, turn: UserTurn, model: IntArray, rows: IntArray | None = None) -> UserEvidence:
        """The evidence for ``turn`` when its dialogue b is heard with error model ``model[b]``.

        ``rows`` says which dialogues ``turn`` and ``model`` are about when not all. Values of one slot never sum to
        more than 1, all masses lie in [0, 1].
        """
        evidence = UserEvidence.empty(self.ontology, len(model))
        draws = self.random.uniform(self._width, rows)
        self._hear_informs(evidence, turn.inform, model, draws)
        self._hear_denials(evidence, turn.deny, model, draws)
        self._hear_requests(evidence, turn.request, model, draws)
        self._hear_flow(evidence, turn.flow, model, draws)
        self._hear_open(evidence, turn.open_value, model, draws)
        self._hear_venue(evidence, turn.venue, model, draws)
        self._invent(evidence, model, draws[:, -4:])
        sums = np.add.reduceat(evidence.inform, self.ontology.offsets[:-1], axis=1)
        evidence.inform[:] /= np.maximum(sums, 1.0)[:, self.ontology.slot_of_value]
        return evidence

    def _said(
        self, group: int, said: BoolArray, model: IntArray, draws: FloatArray, rates: FloatArray | None = None
    ) -> tuple[_Index, _Index, BoolArray, FloatArray, FloatArray, FloatArray]:
        """The acts of one group that are not lost, as flat lists.

        Row, position in the group, whether it is confused, its confidence, and two free uniforms. ``rates`` gives
        substitution probabilities by position.
        """
        rows, position = np.nonzero(said)
        column = (self._starts[group] + position) * 4
        fate, level, first, second = (draws[rows, column + k] for k in range(4))
        which = model[rows]
        lost = self._deletion[which]
        rate = self._substitution[which] if rates is None else rates[which, position]
        confused = fate < lost + rate
        bin_ = (level * QUANTILES).astype(np.int64)
        confidence = np.where(confused, self._wrong[which, bin_], self._correct[which, bin_])
        kept = fate >= lost
        return rows[kept], position[kept], confused[kept], confidence[kept], first[kept], second[kept]

    def _random_value(self, slot: _Index, u: FloatArray) -> _Index:
        """(n,) a goal value of each ``slot``, uniformly from ``u`` in [0, 1]."""
        start, end = self.ontology.offsets[slot], self.ontology.offsets[slot + 1]
        return np.minimum(start + (u * (end - start)).astype(np.int64), end - 1).astype(np.intp)

    def _other_value(self, slot: _Index, value: IntArray, u: FloatArray) -> _Index:
        """(n,) a value of each ``slot`` different from ``value``."""
        start = self.ontology.offsets[slot]
        size = self.ontology.offsets[slot + 1] - start
        return (start + (value - start + 1 + (u * (size - 1)).astype(np.int64)) % size).astype(np.intp)

    def _hear_informs(self, evidence: UserEvidence, said: IntArray, model: IntArray, draws: FloatArray) -> None:
        rates = self._by_slot[:, : said.shape[1]]
        rows, slot, confused, confidence, u, kind = self._said(0, said >= 0, model, draws, rates)
        value, which = said[rows, slot], model[rows]
        other = self._other_value(slot, value, u)
        wrong_value = confused & (kind < self._value[which])
        wrong_slot = confused & ~wrong_value & (kind < self._value[which] + self._slot[which])
        wrong_type = confused & ~wrong_value & ~wrong_slot
        rest = (1.0 - confidence) * self._alternative[which]
        valued = ~confused | wrong_value
        best, second = np.where(confused, other, value), np.where(confused, value, other)
        evidence.inform[rows[valued], best[valued]] += confidence[valued]
        evidence.inform[rows[valued], second[valued]] += rest[valued]
        slots = said.shape[1]
        moved = (slot[wrong_slot] + 1 + (u[wrong_slot] * max(slots - 1, 1)).astype(np.int64)) % slots
        within = (kind - self._value[which])[wrong_slot] / self._slot[which][wrong_slot]
        strange = self._random_value(moved, within)
        np.add.at(evidence.inform, (rows[wrong_slot], strange), confidence[wrong_slot])
        evidence.deny[rows[wrong_type], value[wrong_type]] = confidence[wrong_type]

    def _hear_denials(self, evidence: UserEvidence, said: IntArray, model: IntArray, draws: FloatArray) -> None:
        rows, slot, confused, confidence, u, _ = self._said(1, said >= 0, model, draws)
        value = said[rows, slot]
        heard = np.where(confused, self._other_value(slot, value, u), value)
        evidence.deny[rows, heard] = np.maximum(evidence.deny[rows, heard], confidence)

    def _hear_requests(self, evidence: UserEvidence, said: BoolArray, model: IntArray, draws: FloatArray) -> None:
        rows, position, confused, confidence, u, kind = self._said(2, said, model, draws)
        size, which = said.shape[1], model[rows]
        lost = confused & (kind >= self._value[which] + self._slot[which])
        other = (position + 1 + (u * max(size - 1, 1)).astype(np.int64)) % max(size, 1)
        best, second = np.where(confused, other, position), np.where(confused, position, other)
        confidence = np.where(lost, 0.0, confidence)
        rest = np.where(lost, 0.0, (1.0 - confidence) * self._alternative[which])
        np.maximum.at(evidence.request, (rows, best), confidence)
        np.maximum.at(evidence.request, (rows, second), rest)

    def _hear_flow(self, evidence: UserEvidence, said: BoolArray, model: IntArray, draws: FloatArray) -> None:
        rows, position, confused, confidence, u, _ = self._said(3, said, model, draws)
        other = _CONFUSABLE[(u * len(_CONFUSABLE)).astype(np.int64)]
        np.maximum.at(evidence.flow, (rows, np.where(confused, other, position)), confidence)

    def _hear_open(self, evidence: UserEvidence, said: IntArray, model: IntArray, draws: FloatArray) -> None:
        rates = self._by_slot[:, len(self.ontology.slots) :]
        rows, slot, confused, confidence, u, _ = self._said(4, said >= 0, model, draws, rates)
        value, size = said[rows, slot], self._open_values
        other = (value + 1 + (u * (size - 1)).astype(np.int64)) % size
        evidence.open_value[rows, slot] = np.where(confused, other, value)
        evidence.open_confidence[rows, slot] = confidence

    def _hear_venue(self, evidence: UserEvidence, said: IntArray, model: IntArray, draws: FloatArray) -> None:
        rows, _, confused, confidence, u, _ = self._said(5, (said >= 0)[:, None], model, draws)
        other = (u * self.ontology.num_entities).astype(np.int64)
        evidence.venue[rows] = np.where(confused, other, said[rows])
        evidence.venue_confidence[rows] = confidence

    def _invent(self, evidence: UserEvidence, model: IntArray, draws: FloatArray) -> None:
        """With probability ``insertion`` hear one value (60 %), request (25 %) or flow act (15 %) nobody said."""
        rows = np.flatnonzero(draws[:, 0] < self._insertion[model])
        if not len(rows):
            return
        _, kind, which, level = draws[rows].T
        confidence = self._wrong[model[rows], (level * QUANTILES).astype(np.int64)]
        value = kind < 0.6
        slot = (kind[value] / 0.6 * len(self.ontology.slots)).astype(np.intp)
        evidence.inform[rows[value], self._random_value(slot, which[value])] += confidence[value]
        request = ~value & (kind < 0.85) & (evidence.request.shape[1] > 0)
        asked = (which[request] * evidence.request.shape[1]).astype(np.int64)
        evidence.request[rows[request], asked] = np.maximum(evidence.request[rows[request], asked], confidence[request])
        flow = kind >= 0.85
        act = _CONFUSABLE[(which[flow] * len(_CONFUSABLE)).astype(np.int64)]
        evidence.flow[rows[flow], act] = np.maximum(evidence.flow[rows[flow], act], confidence[flow])


def _column(models: Sequence[ErrorModel], name: str) -> FloatArray:
    return np.array([getattr(model, name) for model in models], dtype=np.float32)
