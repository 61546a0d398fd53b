"""How a learner tries things out: every explorer chooses among allowed actions and says how probable its choice was.

An explorer gets action values (B, A), or (B, K, A) of K bootstrapped heads, and masks (B, A). Masks come first: no
explorer ever chooses a masked action, whatever its value. ``progress`` in [0, 1] is how far training is;
``new_episode`` (B,) says where an episode has just begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.policy import PolicyOutput, greedy_output, random_actions
from policies.resume import State


class Explorer(Protocol):
    """Chooses one allowed action per row; ValueError, naming the row, when a row allows none."""

    def act(
        self, values: FloatArray, masks: BoolArray, progress: float, rng: np.random.Generator, new_episode: BoolArray
    ) -> PolicyOutput:
        """``propensity`` is the exact probability of the chosen actions; each class says given what."""
        ...

    def figures(self, progress: float) -> dict[str, float]:
        """What to log about exploration at ``progress``."""
        ...

    def state(self) -> State:
        """See ``Resumable``."""
        ...

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Resumable``."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """Falls (or rises) linearly from ``start`` to ``end`` over the first ``fraction`` of training, then stays."""

    start: float
    end: float
    fraction: float = 1.0

    def __call__(self, progress: float) -> float:
        """The value at ``progress``."""
        return self.start + min(progress / self.fraction, 1.0) * (self.end - self.start)


class Memoryless:
    """What explorers without a state have in common."""

    def figures(self, progress: float) -> dict[str, float]:
        """See ``Explorer``: nothing to log."""
        return {}

    def state(self) -> State:
        """See ``Resumable``: nothing to remember."""
        return {}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Resumable``."""


class EpsilonGreedy(Memoryless):
    """The best action of the mean value, or with probability epsilon any allowed one.

    Propensity: epsilon / allowed, plus 1 - epsilon for the greedy action.
    """

    def __init__(self, epsilon: Schedule) -> None:
        self.epsilon = epsilon

    def act(
        self, values: FloatArray, masks: BoolArray, progress: float, rng: np.random.Generator, new_episode: BoolArray
    ) -> PolicyOutput:
        """See ``Explorer``."""
        greedy = _greedy(mean_value(values), masks)
        epsilon = self.epsilon(progress)
        roll = rng.random(len(masks)) < epsilon
        actions: IntArray = np.where(roll, random_actions(masks, rng), greedy.actions).astype(np.int32)
        propensity = epsilon / masks.sum(axis=1) + (1.0 - epsilon) * (actions == greedy.actions)
        return PolicyOutput(actions, greedy.values, propensity.astype(np.float32))

    def figures(self, progress: float) -> dict[str, float]:
        """``epsilon``."""
        return {"epsilon": self.epsilon(progress)}


class Boltzmann(Memoryless):
    """Draws from softmax(Q / temperature) over the allowed actions; propensity: that probability."""

    def __init__(self, temperature: Schedule) -> None:
        self.temperature = temperature

    def act(
        self, values: FloatArray, masks: BoolArray, progress: float, rng: np.random.Generator, new_episode: BoolArray
    ) -> PolicyOutput:
        """See ``Explorer``."""
        greedy = _greedy(mean_value(values), masks)
        logits = np.where(masks, greedy.values.astype(np.float64) / self.temperature(progress), -np.inf)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        actions = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)  # Gumbel-max: a mask stays -inf
        propensity = odds[np.arange(len(odds)), actions] / odds.sum(axis=1)
        return PolicyOutput(actions.astype(np.int32), greedy.values, propensity.astype(np.float32))

    def figures(self, progress: float) -> dict[str, float]:
        """``temperature``."""
        return {"temperature": self.temperature(progress)}


class UpperConfidence(Memoryless):
    """The allowed action of highest mean + ``bonus`` * standard deviation over the heads; propensity 1."""

    def __init__(self, bonus: float) -> None:
        self.bonus = bonus

    def act(
        self, values: FloatArray, masks: BoolArray, progress: float, rng: np.random.Generator, new_episode: BoolArray
    ) -> PolicyOutput:
        """See ``Explorer``; ``values`` (B, K, A)."""
        optimistic = mean_value(values) + np.float32(self.bonus) * values.std(axis=1)
        return PolicyOutput(_greedy(optimistic, masks).actions, _shown(values, masks), _ones(masks))


class Thompson:
    """One uniformly drawn head per row acts greedily for a whole episode (Osband et al. 2016).

    Propensity: the share of heads that would choose the action, i.e. its probability under a uniformly drawn head.
    """

    def __init__(self) -> None:
        self._head: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def act(
        self, values: FloatArray, masks: BoolArray, progress: float, rng: np.random.Generator, new_episode: BoolArray
    ) -> PolicyOutput:
        """See ``Explorer``; ``values`` (B, K, A)."""
        rows, heads = np.arange(len(values)), values.shape[1]
        if len(self._head) != len(rows):
            self._head = rng.integers(heads, size=len(rows))
        else:
            self._head[new_episode] = rng.integers(heads, size=int(new_episode.sum()))
        _require_allowed(masks)
        wishes = np.where(masks[:, None, :], values, -np.inf).argmax(axis=2)
        actions = wishes[rows, self._head]
        propensity = (wishes == actions[:, None]).mean(axis=1)
        return PolicyOutput(actions.astype(np.int32), _shown(values, masks), propensity.astype(np.float32))

    def figures(self, progress: float) -> dict[str, float]:
        """See ``Explorer``: nothing to log."""
        return {}

    def state(self) -> State:
        """Which head each row follows."""
        return {"head": self._head.copy()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Resumable``."""
        self._head = state["head"].copy()


class Greedy(Memoryless):
    """The best allowed action of the mean value: for networks that are noisy themselves.

    Propensity 1 given the weights' noise; over the noise it has no closed form.
    """

    def act(
        self, values: FloatArray, masks: BoolArray, progress: float, rng: np.random.Generator, new_episode: BoolArray
    ) -> PolicyOutput:
        """See ``Explorer``."""
        return _greedy(mean_value(values), masks)


def mean_value(values: FloatArray) -> FloatArray:
    """(B, A) of values (B, A), or the mean over the heads of (B, K, A)."""
    if values.ndim == 2:
        return values
    mean: FloatArray = values[:, 0] if values.shape[1] == 1 else values.mean(axis=1)
    return mean


def _require_allowed(masks: BoolArray) -> None:
    allowed = masks.any(axis=1)
    if not allowed.all():
        raise ValueError(f"row {int(np.argmin(allowed))} of the action masks allows no action")


def _greedy(values: FloatArray, masks: BoolArray) -> PolicyOutput:
    _require_allowed(masks)
    return greedy_output(values, masks)


def _shown(values: FloatArray, masks: BoolArray) -> FloatArray:
    return np.where(masks, mean_value(values), np.nan).astype(np.float32)


def _ones(masks: BoolArray) -> FloatArray:
    return np.ones(len(masks), dtype=np.float32)
