"""Algorithmic tasks that need a memory: copy, repeat copy and associative recall, as random batches.

A. Graves, G. Wayne and I. Danihelka, "Neural Turing machines" (2014), sections 4.1 to 4.3. NumPy only; lengths are
given per example, so that a curriculum can choose them, and shorter examples of a batch end in steps that don't count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Lengths = NDArray[np.int64]


class TaskBatch(NamedTuple):
    """A batch of B examples of at most T steps.

    ``inputs`` (T, B, inputs); ``targets`` (T, B, outputs) of zeros and ones; ``mask`` (T, B), 1 where the targets
    count, 0 elsewhere.
    """

    inputs: Floats
    targets: Floats
    mask: Floats


class AlgorithmicTask(Protocol):
    """A task: how wide its steps are, which lengths it has, and its batches."""

    @property
    def inputs(self) -> int:
        """Channels of an input step."""

    @property
    def outputs(self) -> int:
        """Bits of an output step."""

    @property
    def shortest(self) -> int:
        """The shortest sensible length."""

    def batch(self, lengths: Lengths, rng: np.random.Generator) -> TaskBatch:
        """One example for each of ``lengths`` (B,); ValueError for a length below ``shortest``."""


@dataclass(frozen=True)
class CopyTask:
    """Repeat a sequence of random bits after its end.

    Input: ``length`` steps of ``bits``, then one step whose last channel is 1; after it come ``length`` empty steps in
    which the bits are to be given back.
    """

    bits: int = 8

    @property
    def inputs(self) -> int:
        """The bits and the end of the sequence."""
        return self.bits + 1

    @property
    def outputs(self) -> int:
        """The bits."""
        return self.bits

    @property
    def shortest(self) -> int:
        """One step."""
        return 1

    def batch(self, lengths: Lengths, rng: np.random.Generator) -> TaskBatch:
        """T = 2 longest + 1."""
        _check(lengths, self.shortest)
        longest, rows = int(lengths.max()), np.arange(len(lengths))
        inputs, targets, mask = _empty(2 * longest + 1, len(lengths), self)
        told = _told(longest, lengths, self.bits, rng)
        inputs[:longest, :, : self.bits] = told
        inputs[lengths, rows, self.bits] = 1
        step, row = np.nonzero(np.arange(longest)[:, None] < lengths)
        at = step + lengths[row] + 1
        targets[at, row] = told[step, row]
        mask[at, row] = 1
        return TaskBatch(inputs, targets, mask)


@dataclass(frozen=True)
class RepeatCopyTask:
    """Give a sequence back as often as asked, then say that it is over.

    The step after the sequence carries a 1 and, in a channel of its own, the number of repetitions (uniform from 1 to
    ``repeats``), shifted and scaled to mean 0 and variance 1. The output has one channel more than the bits: it is 1 in
    the step after the last repetition.
    """

    bits: int = 8
    repeats: int = 3

    @property
    def inputs(self) -> int:
        """The bits, the end of the sequence, and how often."""
        return self.bits + 2

    @property
    def outputs(self) -> int:
        """The bits and the end of the answer."""
        return self.bits + 1

    @property
    def shortest(self) -> int:
        """One step."""
        return 1

    def batch(self, lengths: Lengths, rng: np.random.Generator) -> TaskBatch:
        """T = longest + 1 + longest answer + 1."""
        _check(lengths, self.shortest)
        longest, rows = int(lengths.max()), np.arange(len(lengths))
        times = rng.integers(1, self.repeats, len(lengths), endpoint=True)
        answer = lengths * times
        inputs, targets, mask = _empty(int((lengths + answer).max()) + 2, len(lengths), self)
        told = _told(longest, lengths, self.bits, rng)
        inputs[:longest, :, : self.bits] = told
        inputs[lengths, rows, self.bits] = 1
        spread = np.sqrt((self.repeats**2 - 1) / 12) or 1.0
        inputs[lengths, rows, self.bits + 1] = (times - (self.repeats + 1) / 2) / spread
        step, row = np.nonzero(np.arange(int(answer.max()) + 1)[:, None] <= answer)
        at, goes_on = step + lengths[row] + 1, step < answer[row]
        targets[at, row, : self.bits] = told[step % lengths[row], row] * goes_on[:, None]
        targets[at, row, self.bits] = ~goes_on
        mask[at, row] = 1
        return TaskBatch(inputs, targets, mask)


@dataclass(frozen=True)
class AssociativeRecallTask:
    """Shown a list of items and then one of them, give back the item that followed it.

    An item is ``item_length`` steps of ``bits`` after a step that opens it; a length counts items. The question stands
    between two steps of its own channel; the answer is the next item. Items of a list differ from each other, so that
    the answer is always unique.
    """

    bits: int = 6
    item_length: int = 3

    @property
    def inputs(self) -> int:
        """The bits, what opens an item, and what encloses the question."""
        return self.bits + 2

    @property
    def outputs(self) -> int:
        """The bits."""
        return self.bits

    @property
    def shortest(self) -> int:
        """Two items: one asked about and the one after it."""
        return 2

    def batch(self, lengths: Lengths, rng: np.random.Generator) -> TaskBatch:
        """T = most items (item_length + 1) + 2 item_length + 2; ValueError when there are too few different items."""
        _check(lengths, self.shortest)
        most, rows, size = int(lengths.max()), np.arange(len(lengths)), self.item_length
        items = self._items(most, len(lengths), rng)
        inputs, targets, mask = _empty(most * (size + 1) + 2 * size + 2, len(lengths), self)
        item, row = np.nonzero(np.arange(most)[:, None] < lengths)
        inputs[item * (size + 1), row, self.bits] = 1
        for place in range(size):
            inputs[item * (size + 1) + 1 + place, row, : self.bits] = items[item, place, row]
        asked = rng.integers(0, lengths - 1)
        start = lengths * (size + 1)
        inputs[start, rows, self.bits + 1] = inputs[start + size + 1, rows, self.bits + 1] = 1
        for place in range(size):
            inputs[start + 1 + place, rows, : self.bits] = items[asked, place, rows]
            answer = start + size + 2 + place
            targets[answer, rows] = items[asked + 1, place, rows]
            mask[answer, rows] = 1
        return TaskBatch(inputs, targets, mask)

    def _items(self, most: int, count: int, rng: np.random.Generator) -> Floats:
        """(items, item_length, B, bits), the items of an example all different."""
        if 2 ** min(self.bits * self.item_length, 62) < 4 * most:
            raise ValueError(
                f"{self.item_length} steps of {self.bits} bits make too few different items for lists of {most}: "
                "give more bits, longer items or shorter lists"
            )
        codes = rng.integers(0, 2, (count, most, self.item_length * self.bits), dtype=np.int8)
        while (same := _repeated(codes)).any():
            codes[same] = rng.integers(0, 2, (int(same.sum()), codes.shape[2]), dtype=np.int8)
        return codes.reshape(count, most, self.item_length, self.bits).transpose(1, 2, 0, 3).astype(np.float32)


def bit_errors(outputs: Floats, batch: TaskBatch) -> Floats:
    """(B,) share of the bits that count that are wrong; ``outputs`` (T, B, outputs) are logits, above 0 means 1.

    NaN is wrong whatever the target is.
    """
    wrong = ~np.where(batch.targets > 0.5, outputs > 0, outputs <= 0)
    counted = batch.mask.sum(axis=0) * batch.targets.shape[2]
    share: Floats = ((wrong * batch.mask[:, :, None]).sum(axis=(0, 2)) / counted).astype(np.float32)
    return share


def _repeated(codes: NDArray[np.int8]) -> NDArray[np.bool_]:
    """(B, items) whether an item is the same as an earlier one of its list; ``codes`` (B, items, bits)."""
    same = (codes[:, :, None] == codes[:, None, :]).all(axis=3)
    return np.asarray(np.tril(same, -1).any(axis=2))


def _told(longest: int, lengths: Lengths, bits: int, rng: np.random.Generator) -> Floats:
    """(longest, B, bits) random bits, zero after the end of each example."""
    drawn = rng.integers(0, 2, (longest, len(lengths), bits)).astype(np.float32)
    return drawn * (np.arange(longest)[:, None] < lengths)[:, :, None].astype(np.float32)


def _empty(steps: int, count: int, task: AlgorithmicTask) -> tuple[Floats, Floats, Floats]:
    inputs = np.zeros((steps, count, task.inputs), np.float32)
    return inputs, np.zeros((steps, count, task.outputs), np.float32), np.zeros((steps, count), np.float32)


def _check(lengths: Lengths, shortest: int) -> None:
    if len(lengths) == 0 or lengths.min() < shortest:
        raise ValueError(f"lengths {lengths.tolist()}: give at least one, each {shortest} or more")
