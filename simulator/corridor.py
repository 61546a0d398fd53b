"""A corridor (T-maze, Bakker 2002) whose optimum needs memory: what was seen first decides what is right at its end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray

OPTIMUM, BLIND = 1.0, 0.0
"""The best mean return with memory, and without."""


class CorridorEnv:
    """``length`` steps; the cue (0 or 1) is seen in the first one, and in the last one its action earns 1, else -1.

    Observations (B, 4): cue 0, cue 1, inside, at the end. Actions 0 and 1; inside the corridor action 1 is masked at
    random, and nothing depends on the actions there. With ``shortest`` episodes differ in length,
    from it to ``length`` steps.
    """

    def __init__(self, length: int = 10, num_envs: int = 32, shortest: int | None = None) -> None:
        self.num_envs, self._length, self._shortest = num_envs, length, shortest or length
        self._rng = np.random.default_rng(0)
        self._time = np.zeros(num_envs, dtype=np.int64)
        self._end = np.full(num_envs, length - 1)
        self._cue = np.zeros(num_envs, dtype=np.int64)
        self._masks = np.ones((num_envs, 2), dtype=np.bool_)

    def reset(self, *, seed: int | None = None) -> tuple[FloatArray, dict[str, Any]]:
        """Begin an episode in every environment; observations (B, 4)."""
        self._rng = np.random.default_rng(seed)
        self._begin(np.ones(self.num_envs, dtype=np.bool_))
        return self._observe(), {}

    def action_masks(self) -> BoolArray:
        """(B, 2), what is allowed now."""
        return self._masks.copy()

    def step(self, actions: IntArray, /) -> tuple[FloatArray, FloatArray, NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Gymnasium's step with autoreset in the same step; ValueError for a masked action."""
        if not self._masks[np.arange(self.num_envs), actions].all():
            raise ValueError("an action is masked: choose among action_masks()")
        done = self._time == self._end
        reward = np.where(done, np.where(actions == self._cue, 1.0, -1.0), 0.0).astype(np.float32)
        self._time += 1
        self._begin(done)
        return self._observe(), reward, done, np.zeros(self.num_envs, dtype=np.bool_), {}

    def _begin(self, rows: BoolArray) -> None:
        self._time[rows] = 0
        self._cue[rows] = self._rng.integers(2, size=self.num_envs)[rows]
        self._end[rows] = self._rng.integers(self._shortest - 1, self._length, size=self.num_envs)[rows]

    def _observe(self) -> FloatArray:
        seen = np.where(self._time == 0, self._cue, np.where(self._time == self._end, 3, 2))
        self._masks[:, 1] = (self._time == self._end) | (self._rng.random(self.num_envs) < 0.5)
        return np.eye(4, dtype=np.float32)[seen]
