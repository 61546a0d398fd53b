"""Replay of n-step transitions: ring arrays over time, one column per parallel environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.resume import State


@dataclass(frozen=True, slots=True)
class Batch:
    """M transitions of up to n steps.

    ``features`` (M, n_in), ``actions`` (M,), ``returns`` (M,) the discounted rewards until the bootstrap state,
    ``discounts`` (M,) gamma^k to weigh that state's value with (0 when the episode ended before),
    ``next_features`` (M, n_in) and ``next_masks`` (M, A) of it. ``heads`` (M, K): which bootstrapped heads learn
    from it (None: all). ``weights`` (M,) importance weights and ``slots`` (M,) where it is stored, from a
    prioritised replay.
    """

    features: FloatArray
    actions: IntArray
    returns: FloatArray
    discounts: FloatArray
    next_features: FloatArray
    next_masks: BoolArray
    heads: BoolArray | None = None
    weights: FloatArray | None = None
    slots: NDArray[np.int64] | None = None


class NStepReplay:
    """The last ``capacity // num_envs`` steps of ``num_envs`` environments, overwritten oldest first.

    An episode's end is stored as ``done``; the environment's next row already belongs to the next episode, and no
    n-step return crosses an end. ``heads`` K > 1 stores with each transition which of K heads learn from it.
    """

    def __init__(
        self, capacity: int, num_envs: int, inputs: int, actions: int, n_step: int, gamma: float, heads: int = 1
    ) -> None:
        self._length = max(capacity // num_envs, n_step + 2)
        self._n_step, self._gamma, self._num_envs, self._num_heads = n_step, gamma, num_envs, heads
        shape = (self._length, num_envs)
        self._features = np.zeros((*shape, inputs), dtype=np.float32)
        self._masks = np.zeros((*shape, actions), dtype=np.bool_)
        self._actions = np.zeros(shape, dtype=np.int32)
        self._rewards = np.zeros(shape, dtype=np.float32)
        self._done = np.zeros(shape, dtype=np.bool_)
        self._heads = np.zeros((*shape, heads if heads > 1 else 0), dtype=np.bool_)
        self._written = 0

    def __len__(self) -> int:
        """How many transitions can be sampled: those with n later steps stored."""
        return max(min(self._written, self._length) - self._n_step, 0) * self._num_envs

    def add(
        self,
        features: FloatArray,
        masks: BoolArray,
        actions: IntArray,
        rewards: FloatArray,
        done: BoolArray,
        heads: BoolArray | None = None,
    ) -> None:
        """Store one step of all environments: the state before it, the action, the reward and whether it ended.

        ``heads`` (num_envs, K) which heads learn from it; needed exactly when there are several.
        """
        at = self._written % self._length
        self._features[at], self._masks[at], self._actions[at] = features, masks, actions
        self._rewards[at], self._done[at] = rewards, done
        if heads is not None:
            self._heads[at] = heads
        self._written += 1

    def sample(self, size: int, rng: np.random.Generator, progress: float = 0.0) -> Batch:
        """Uniformly with replacement; ValueError while nothing can be sampled. ``progress`` changes nothing here."""
        self._require_transitions()
        age = rng.integers(len(self) // self._num_envs, size=(size,))
        column = rng.integers(self._num_envs, size=(size,))
        return self.transitions(age, column)

    def reprioritise(self, batch: Batch, errors: FloatArray) -> None:
        """Told the temporal-difference ``errors`` (M,) of a sampled batch; uniform replay does not mind."""

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
            heads=self._heads[start, column] if self._num_heads > 1 else None,
        )

    def state(self) -> State:
        """Everything stored, without the unused rest of the ring."""
        used = min(self._written, self._length)
        arrays = {name: getattr(self, f"_{name}")[:used].copy() for name in _ARRAYS}
        return {**arrays, "written": np.array(self._written)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Resumable``."""
        self._written = int(state["written"])
        for name in _ARRAYS:
            getattr(self, f"_{name}")[: len(state[name])] = state[name]

    def _require_transitions(self) -> None:
        if not len(self):
            raise ValueError(f"the replay holds no {self._n_step}-step transition yet: add more steps first")


_ARRAYS = ("features", "masks", "actions", "rewards", "done", "heads")
