"""Prioritised experience replay, proportional variant (Schaul et al. 2016), on a sum tree in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.replay import Batch, NStepReplay
from policies.resume import State

Slots = NDArray[np.int64]
Weights = NDArray[np.float64]

FLOOR = 1e-6
"""Added to every error, so that nothing is never replayed again (the paper's epsilon)."""


class SumTree:
    """``size`` weights >= 0 whose prefix sums are searched in O(log size), many at a time."""

    def __init__(self, size: int) -> None:
        self._leaves = 1 << max(size - 1, 0).bit_length()
        self._levels = self._leaves.bit_length() - 1
        self._tree = np.zeros(2 * self._leaves, dtype=np.float64)  # node i has children 2 i and 2 i + 1; 1 is the root
        self.size = size

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self._tree[1])

    def get(self, slots: Slots) -> Weights:
        """(M,) weights."""
        return self._tree[self._leaves + slots]

    def set(self, slots: Slots, weights: Weights) -> None:
        """Assign (M,) weights; of a slot named twice the last one counts."""
        node = self._leaves + slots
        self._tree[node] = weights
        for _ in range(self._levels):
            node = node >> 1  # a parent met twice is computed twice from the same children: no harm
            self._tree[node] = self._tree[2 * node] + self._tree[2 * node + 1]

    def find(self, prefix: Weights) -> Slots:
        """(M,) the slot in whose interval of the prefix sums each ``prefix`` in [0, total) lies; never one of weight 0.

        Meaningless while ``total`` is 0.
        """
        node, rest = np.ones(len(prefix), dtype=np.int64), prefix.copy()
        for _ in range(self._levels):
            left = self._tree[2 * node]
            right = (rest >= left) & (self._tree[2 * node + 1] > 0)  # rounding must not lead into an empty half
            rest -= np.where(right, left, 0.0)
            node = 2 * node + right
        return node - self._leaves

    def weights(self) -> Weights:
        """(size,) all weights."""
        return self._tree[self._leaves : self._leaves + self.size].copy()


class PrioritizedReplay(NStepReplay):
    """Transition i is drawn with P(i) = p_i^alpha / sum p^alpha, p_i its last temporal-difference error.

    New transitions get the greatest priority so far. Sampling is stratified; importance weights (N P(i))^-beta,
    divided by the batch's greatest, with beta rising linearly from ``beta`` to 1 over training.
    """

    def __init__(
        self, capacity: int, num_envs: int, inputs: int, actions: int, n_step: int, gamma: float, heads: int = 1,
        *, alpha: float = 0.6, beta: float = 0.4,
    ) -> None:  # fmt: skip
        super().__init__(capacity, num_envs, inputs, actions, n_step, gamma, heads)
        self._alpha, self._beta = alpha, beta
        self._tree = SumTree(self._length * num_envs)
        self._greatest = 1.0

    def add(
        self,
        features: FloatArray,
        masks: BoolArray,
        actions: IntArray,
        rewards: FloatArray,
        done: BoolArray,
        heads: BoolArray | None = None,
    ) -> None:
        """See ``NStepReplay.add``; with the step n later the transition becomes drawable."""
        super().add(features, masks, actions, rewards, done, heads)
        newest = self._written - 1
        self._tree.set(self._row(newest), np.zeros(self._num_envs))
        if newest >= self._n_step:
            self._tree.set(self._row(newest - self._n_step), np.full(self._num_envs, self._greatest))

    def sample(self, size: int, rng: np.random.Generator, progress: float = 0.0) -> Batch:
        """By priority; ValueError while nothing can be sampled."""
        self._require_transitions()
        strata = (np.arange(size) + rng.random(size)) / size
        slots = self._tree.find(strata * self._tree.total)
        oldest = max(self._written - self._length, 0)
        age = (slots // self._num_envs - oldest) % self._length
        beta = self._beta + progress * (1.0 - self._beta)
        weights = (len(self) * self._tree.get(slots) / self._tree.total) ** -beta
        batch = self.transitions(age, slots % self._num_envs)
        return replace(batch, slots=slots, weights=(weights / weights.max()).astype(np.float32))

    def reprioritise(self, batch: Batch, errors: FloatArray) -> None:
        """Give the transitions of a sampled ``batch`` the priorities of their new ``errors`` (M,)."""
        assert batch.slots is not None
        priority = (np.abs(errors).astype(np.float64) + FLOOR) ** self._alpha
        self._tree.set(batch.slots, priority)
        self._greatest = max(self._greatest, float(priority.max()))

    def state(self) -> State:
        """See ``NStepReplay.state``; also the priorities."""
        return {**super().state(), "priorities": self._tree.weights(), "greatest": np.array(self._greatest)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Resumable``."""
        super().load_state(state)
        self._tree.set(np.arange(self._tree.size), state["priorities"])
        self._greatest = float(state["greatest"])

    def _row(self, time: int) -> Slots:
        """The slots of all environments at a time."""
        return time % self._length * self._num_envs + np.arange(self._num_envs)
