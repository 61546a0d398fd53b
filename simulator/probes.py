"""Environments so small that the optimum is known: a learner that fails one of them has a bug.

Each is a vector environment with the training loop's interface and SAME_STEP autoreset. ``Probe.optimum`` is the
best mean return of an episode. The idea is that of probe environments (Andy Jones 2021) and bsuite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.resume import State, pack_rng, restore_rng


@dataclass(frozen=True, slots=True)
class Probe:
    """``states`` one-hot observations, ``actions``, episode ``length``, the best mean return and the discount."""

    name: str
    states: int
    actions: int
    length: int
    optimum: float
    gamma: float = 0.99


CONSTANT = Probe("constant", states=1, actions=1, length=1, optimum=1.0)
"""One action, reward 1: the value must become 1."""
ACTION = Probe("action", states=1, actions=2, length=1, optimum=1.0)
"""Reward 1 for action 1, else -1."""
OBSERVATION = Probe("observation", states=2, actions=2, length=1, optimum=1.0)
"""Reward 1 when the action equals the observed bit, else -1."""
DELAY = Probe("delay", states=5, actions=2, length=3, optimum=1.0, gamma=0.5)
"""Reward only at the third step, for the first step's action: values must be 1, .5, .25."""
SLOT = Probe("slot", states=8, actions=6, length=2, optimum=18.0)
"""Two turns: ask for the slot (action 0) and then answer what was heard (actions 3-5): 20 - 2; a blind answer
succeeds once in three and ends at once; actions 1 and 2 waste the turn."""
MASKED = Probe("masked", states=2, actions=3, length=1, optimum=0.5)
"""The best action 0 (reward 1) is always masked; action 2 gives .5."""

PROBES = (CONSTANT, ACTION, OBSERVATION, DELAY, SLOT, MASKED)


class ProbeEnv:
    """``num_envs`` copies of one probe."""

    def __init__(self, probe: Probe, num_envs: int = 16) -> None:
        self.probe, self.num_envs = probe, num_envs
        self._rng = np.random.default_rng(0)
        self._time = np.zeros(num_envs, dtype=np.int64)
        self._secret = np.zeros(num_envs, dtype=np.int64)
        self._asked = np.zeros(num_envs, dtype=np.bool_)

    def reset(self, *, seed: int | None = None) -> tuple[FloatArray, dict[str, Any]]:
        """Begin everywhere."""
        self._rng = np.random.default_rng(seed)
        self._begin(np.ones(self.num_envs, dtype=np.bool_))
        return self._observe(), {}

    def action_masks(self) -> BoolArray:
        """(num_envs, A); everything is allowed except action 0 of ``masked``."""
        masks = np.ones((self.num_envs, self.probe.actions), dtype=np.bool_)
        masks[:, 0] = self.probe is not MASKED
        return masks

    def step(self, actions: IntArray, /) -> tuple[FloatArray, FloatArray, NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One step everywhere; ValueError for a masked action."""
        if not self.action_masks()[np.arange(self.num_envs), actions].all():
            raise ValueError(f"probe {self.probe.name!r}: a masked action was chosen")
        reward, early = self._reward(actions)
        self._time += 1
        done = early | (self._time >= self.probe.length)
        self._begin(done)
        return self._observe(), reward, done, np.zeros(self.num_envs, dtype=np.bool_), {}

    def state(self) -> State:
        """See ``policies.resume.Resumable``."""
        arrays = {name: getattr(self, f"_{name}").copy() for name in ("time", "secret", "asked")}
        return {**arrays, "rng": pack_rng(self._rng)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``policies.resume.Resumable``."""
        self._time, self._secret, self._asked = (state[name].copy() for name in ("time", "secret", "asked"))
        restore_rng(self._rng, state["rng"])

    def _begin(self, rows: BoolArray) -> None:
        self._time[rows] = 0
        self._asked[rows] = False
        self._secret[rows] = self._rng.integers(3, size=(self.num_envs,))[rows]

    def _reward(self, actions: IntArray) -> tuple[FloatArray, BoolArray]:
        """(num_envs,) reward and whether the episode ends before its length."""
        early = np.zeros(self.num_envs, dtype=np.bool_)
        match self.probe.name:
            case "constant":
                reward = np.ones(self.num_envs)
            case "action":
                reward = np.where(actions == 1, 1.0, -1.0)
            case "observation":
                reward = np.where(actions == self._secret % 2, 1.0, -1.0)
            case "delay":
                self._secret = np.where(self._time == 0, actions, self._secret)
                reward = np.where(self._time == 2, self._secret, 0.0)
            case "slot":
                right = (actions >= 3) & (actions - 3 == self._secret)
                reward = np.where(right, 19.0, -1.0)
                early = actions >= 3
                self._asked |= actions == 0
            case _:
                reward = np.array([1.0, 0.0, 0.5])[actions]
        return reward.astype(np.float32), early

    def _observe(self) -> FloatArray:
        """(num_envs, states) one-hot of what is visible."""
        match self.probe.name:
            case "observation":
                state = self._secret % 2
            case "delay":
                state = np.where(self._time == 0, 0, 2 * self._time - 1 + (self._secret > 0))
            case "slot":
                state = np.where(self._asked, 2 + self._secret, np.minimum(self._time, 1))
            case "masked":
                state = self._secret % 2
            case _:
                state = np.zeros(self.num_envs, dtype=np.int64)
        return np.eye(self.probe.states, dtype=np.float32)[state]


def mean_return(
    env: ProbeEnv, act: Callable[[FloatArray, BoolArray], IntArray], steps: int = 60, seed: int = 12345
) -> float:
    """Mean undiscounted return of the episodes that ``act(observations, masks)`` finishes within ``steps``."""
    observations, _ = env.reset(seed=seed)
    total, episodes = 0.0, 0
    pending = np.zeros(env.num_envs)
    for _ in range(steps):
        observations, reward, done, _, _ = env.step(act(observations, env.action_masks()))
        pending += reward
        total += float(pending[done].sum())
        episodes += int(done.sum())
        pending[done] = 0.0
    return total / max(episodes, 1)
