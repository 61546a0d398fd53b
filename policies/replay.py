"""Replay of n-step transitions: ring arrays over time, one column per parallel environment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray


@dataclass(frozen=True, slots=True)
class Batch:
    """M transitions of up to n steps.

    ``features`` (M, n_in), ``actions`` (M,), ``returns`` (M,) the discounted rewards until the bootstrap state,
    ``discounts`` (M,) gamma^k to weigh that state's value with (0 when the episode ended before),
    ``next_features`` (M, n_in) and ``next_masks`` (M, A) of it.
    """

    features: FloatArray
    actions: IntArray
    returns: FloatArray
    discounts: FloatArray
    next_features: FloatArray
    next_masks: BoolArray


class NStepReplay:
    """The last ``capacity // num_envs`` steps of ``num_envs`` environments, overwritten oldest first.

    An episode's end is stored as ``done``; the environment's next row already belongs to the next episode, and no
    n-step return crosses an end.
    """

    def __init__(self, capacity: int, num_envs: int, inputs: int, actions: int, n_step: int, gamma: float) -> None:
        self._length = max(capacity // num_envs, n_step + 2)
        self._n_step, self._gamma, self._num_envs = n_step, gamma, num_envs
        shape = (self._length, num_envs)
        self._features = np.zeros((*shape, inputs), dtype=np.float32)
        self._masks = np.zeros((*shape, actions), dtype=np.bool_)
        self._actions = np.zeros(shape, dtype=np.int32)
        self._rewards = np.zeros(shape, dtype=np.float32)
        self._done = np.zeros(shape, dtype=np.bool_)
        self._written = 0

    def __len__(self) -> int:
        """How many transitions can be sampled: those with n later steps stored."""
        return max(min(self._written, self._length) - self._n_step, 0) * self._num_envs

    def add(
        self, features: FloatArray, masks: BoolArray, actions: IntArray, rewards: FloatArray, done: BoolArray
    ) -> None:
        """Store one step of all environments: the state before it, the action, the reward and whether it ended."""
        at = self._written % self._length
        self._features[at], self._masks[at], self._actions[at] = features, masks, actions
        self._rewards[at], self._done[at] = rewards, done
        self._written += 1

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Uniformly with replacement; ValueError while nothing can be sampled."""
        if not len(self):
            raise ValueError(f"the replay holds no {self._n_step}-step transition yet: add more steps first")
        age = rng.integers(len(self) // self._num_envs, size=(size,))
        column = rng.integers(self._num_envs, size=(size,))
        return self.transitions(age, column)

    def transitions(self, age: NDArray[np.int64], column: NDArray[np.int64]) -> Batch:
        """The transitions that begin ``age`` (M,) steps after the oldest stored one, in environments ``column``."""
        oldest = max(self._written - self._length, 0)
        start = (oldest + age) % self._length
        returns = np.zeros(len(age), dtype=np.float32)
        alive = np.ones(len(age), dtype=np.float32)
        for k in range(self._n_step):
            at = (start + k) % self._length
            returns += alive * np.float32(self._gamma**k) * self._rewards[at, column]
            alive *= ~self._done[at, column]
        last = (start + self._n_step) % self._length
        return Batch(
            features=self._features[start, column],
            actions=self._actions[start, column],
            returns=returns,
            discounts=alive * np.float32(self._gamma**self._n_step),
            next_features=self._features[last, column],
            next_masks=self._masks[last, column],
        )
