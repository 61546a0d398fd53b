"""Playing whole episodes in a vector environment: for evaluation, for demonstrations and for logs (numpy only)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray

if TYPE_CHECKING:
    from policies.train import TrainingEnv

Act = Callable[[FloatArray, BoolArray], IntArray]
"""Features (B, n_in) and masks (B, A) to actions (B,)."""
SequentialAct = Callable[[FloatArray, BoolArray, BoolArray], IntArray]
"""The same for policies with memory: the third argument (B,) says where a new episode begins."""


@dataclass(frozen=True, slots=True)
class Episodes:
    """One finished episode per environment, each (B,): undiscounted return, length, success (NaN if not told)."""

    returns: FloatArray
    lengths: IntArray
    success: FloatArray


def play_episodes(env: TrainingEnv, act: SequentialAct, seed: int, max_steps: int = 1000) -> Episodes:
    """The first episode of each of the B environments, so that short ones are not over-represented.

    ValueError when one is still running after ``max_steps``.
    """
    features, _ = env.reset(seed=seed)
    began = np.ones(env.num_envs, dtype=np.bool_)
    running = began.copy()
    returns, success = np.zeros(env.num_envs, dtype=np.float32), np.full(env.num_envs, np.nan, dtype=np.float32)
    lengths = np.zeros(env.num_envs, dtype=np.int32)
    for _ in range(max_steps):
        features, reward, terminated, truncated, infos = env.step(act(features, env.action_masks(), began))
        began = np.asarray(terminated | truncated, dtype=np.bool_)
        returns += np.where(running, reward, 0.0)
        lengths += running
        ended = running & began
        if ended.any() and "success" in infos.get("final_info", {}):
            success[ended] = infos["final_info"]["success"][ended]
        running &= ~began
        if not running.any():
            return Episodes(returns, lengths, success)
    raise ValueError(f"{int(running.sum())} episodes have not ended after {max_steps} steps: raise max_steps")


@dataclass(frozen=True)
class Log:
    """Decisions of N steps in whole dialogues, one dialogue after the other in order of time.

    ``features`` (N, n_in), ``masks`` (N, A), ``actions`` (N,), ``rewards`` (N,), ``done`` (N,) whether the dialogue
    ended with this step, ``propensity`` (N,) the probability with which the logging policy chose the action.
    ValueError, naming array and row, for arrays that can't be such a log.
    """

    features: FloatArray
    masks: BoolArray
    actions: IntArray
    rewards: FloatArray
    done: BoolArray
    propensity: FloatArray

    def __post_init__(self) -> None:
        count = len(self.actions)
        for name in ("features", "masks", "rewards", "done", "propensity"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"log: {name} has {len(getattr(self, name))} rows, actions {count}")
        if not count:
            raise ValueError("log: no decisions: at least one whole dialogue is needed")
        for name in ("features", "rewards", "propensity"):
            bad = ~np.isfinite(getattr(self, name).reshape(count, -1)).all(axis=1)
            self._refuse(bad, f"{name} is not finite")
        self._refuse(~self.masks[np.arange(count), self.actions], "the logged action is masked")
        self._refuse((self.propensity <= 0) | (self.propensity > 1 + 1e-6), "the propensity is not in (0, 1]")
        if not self.done[-1]:
            raise ValueError("log: the last dialogue has no end: leave unfinished dialogues out")

    @staticmethod
    def _refuse(bad: BoolArray, problem: str) -> None:
        if bad.any():
            raise ValueError(f"log: row {int(np.argmax(bad))}: {problem}")

    def __len__(self) -> int:
        """N."""
        return len(self.actions)

    @property
    def dialogue(self) -> IntArray:
        """(N,) which dialogue each step belongs to, from 0."""
        return (np.cumsum(self.done) - self.done).astype(np.int32)

    @property
    def starts(self) -> IntArray:
        """(dialogues,) the first step of each."""
        return np.concatenate([[0], np.flatnonzero(self.done)[:-1] + 1]).astype(np.int32)

    def split(self, share: float, rng: np.random.Generator) -> tuple[Log, Log]:
        """Two logs, the first with a random ``share`` of the dialogues; ValueError when one would be empty."""
        count = len(self.starts)
        chosen = round(share * count)
        if not 0 < chosen < count:
            raise ValueError(f"log: {count} dialogues can't be split at {share:g}: record more")
        first = np.isin(self.dialogue, rng.permutation(count)[:chosen])
        return self._rows(first), self._rows(~first)

    def _rows(self, rows: BoolArray) -> Log:
        return Log(*(getattr(self, f.name)[rows] for f in fields(self)))

    def returns(self, gamma: float = 1.0) -> FloatArray:
        """(dialogues,) the logging policy's return of each dialogue."""
        time = np.arange(len(self)) - self.starts[self.dialogue]
        return np.bincount(self.dialogue, weights=self.rewards * gamma**time).astype(np.float32)


def record_log(
    env: TrainingEnv, act: Callable[[FloatArray, BoolArray], tuple[IntArray, FloatArray]], steps: int, seed: int
) -> Log:
    """Let ``act`` (actions and propensities) play ``steps`` steps in all environments; only whole dialogues are kept.

    ValueError when no dialogue ended.
    """
    features, _ = env.reset(seed=seed)
    columns: list[tuple[Any, ...]] = []
    for _ in range(steps):
        masks = env.action_masks()
        actions, propensity = act(features, masks)
        following, reward, terminated, truncated, _ = env.step(actions)
        columns.append((features.copy(), masks, actions, reward, terminated | truncated, propensity))
        features = following
    stacked = [np.stack(column, axis=1) for column in zip(*columns, strict=True)]  # (B, steps, ...)
    done: BoolArray = stacked[4]
    kept = np.cumsum(done[:, ::-1], axis=1)[:, ::-1] > 0  # up to each environment's last end
    x, masks, actions, rewards, done, propensity = (array[kept] for array in stacked)
    return Log(x, masks, actions, rewards.astype(np.float32), done, propensity.astype(np.float32))
