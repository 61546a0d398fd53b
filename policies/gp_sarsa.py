"""GP-SARSA, the sample-efficient baseline of the literature on summary features (Gašić & Young 2014); numpy only.

Q is a Gaussian process with kernel k((s, a), (s', a')) = [a = a'] k(s, s'). Engel et al. 2005 model rewards as
r = H Q + n with H the temporal differences of an episode and n ~ N(0, sigma^2 H H^T). For finished episodes H is
invertible, and the model is exactly that of returns, H^-1 r = Q + white noise of variance sigma^2: so a finished
episode is learned from by its discounted returns, and with the delta kernel each action has a process of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.policy import greedy_output

if TYPE_CHECKING:
    from policies.train import Progress, TrainingEnv

Floats = NDArray[np.float64]


class SparseGP:
    """Online Gaussian process regression on a dictionary of inputs (Csató & Opper 2002; Engel et al. 2004).

    Kernel ``variance`` exp(-|x - x'|^2 / (2 ``length_scale``^2)), noise variance ``noise``. An input joins the
    dictionary when the share of its prior variance that the dictionary can't explain exceeds ``nu``, until
    ``capacity`` is reached; every other is projected onto it. With all inputs in the dictionary the posterior is
    that of the batch Gaussian process.
    """

    def __init__(
        self, inputs: int, variance: float, length_scale: float, noise: float, nu: float, capacity: int
    ) -> None:
        self._variance, self._scale, self._noise = variance, length_scale, noise
        self._nu, self.capacity, self.size = nu, capacity, 0
        self._points = np.zeros((capacity, inputs))
        self._inverse = np.zeros((capacity, capacity))  # of the dictionary's kernel matrix
        self._mean = np.zeros(capacity)  # E[f(x)] = k(x)^T mean
        self._reduction = np.zeros((capacity, capacity))  # V[f(x)] = k(x, x) - k(x)^T reduction k(x)

    def kernel(self, inputs: Floats) -> Floats:
        """(B, size) kernel between ``inputs`` (B, n_in) and the dictionary."""
        points = self._points[: self.size]
        squares = (inputs**2).sum(axis=1)[:, None] + (points**2).sum(axis=1) - 2.0 * inputs @ points.T
        kernel: Floats = self._variance * np.exp(np.maximum(squares, 0.0) / (-2.0 * self._scale**2))
        return kernel

    def predict(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Posterior mean and variance of the function, each (B,)."""
        k, m = self.kernel(inputs), self.size
        variance = self._variance - ((k @ self._reduction[:m, :m]) * k).sum(axis=1)
        return k @ self._mean[:m], np.maximum(variance, 0.0)

    def add(self, x: Floats, target: float) -> None:
        """Condition on a noisy value ``target`` at ``x`` (n_in,)."""
        k = self.kernel(x[None])[0]
        weights = self._inverse[: self.size, : self.size] @ k
        unexplained = self._variance - k @ weights
        if unexplained > self._nu * self._variance and self.size < self.capacity:
            self._extend(x, weights, unexplained)
            k = np.append(k, self._variance)
            weights = np.append(np.zeros(self.size - 1), 1.0)
        m = self.size
        gain = weights - self._reduction[:m, :m] @ k
        spread = self._noise + k @ gain
        self._mean[:m] += gain * ((target - k @ self._mean[:m]) / spread)
        self._reduction[:m, :m] += np.outer(gain, gain) / spread

    def _extend(self, x: Floats, weights: Floats, unexplained: float) -> None:
        """The inverse of the grown kernel matrix, by its Schur complement ``unexplained``."""
        m = self.size
        self._points[m] = x
        self._inverse[:m, :m] += np.outer(weights, weights) / unexplained
        self._inverse[:m, m] = self._inverse[m, :m] = -weights / unexplained
        self._inverse[m, m] = 1.0 / unexplained
        self.size = m + 1


@dataclass(frozen=True, slots=True)
class GPSarsaConfig:
    """Everything a run depends on; rewards are in their own unit.

    ``variance`` is Q's prior variance, ``noise`` the variance of returns around it, ``length_scale`` how far apart
    similar features lie, ``nu`` and ``capacity`` (per action) limit the dictionaries. ``exploration`` scales the
    standard deviation of posterior samples. The greedy policy is evaluated every ``evaluate_every`` steps.
    """

    steps: int = 1000
    variance: float = 100.0
    noise: float = 50.0
    length_scale: float = 6.0
    nu: float = 0.003
    capacity: int = 250
    gamma: float = 0.99
    exploration: float = 0.6
    evaluate_every: int = 100
    seed: int = 0


class GPValues:
    """Action values with their uncertainty: one sparse process per action."""

    def __init__(self, inputs: int, actions: int, config: GPSarsaConfig) -> None:
        c = config
        self.processes = [
            SparseGP(inputs, c.variance, c.length_scale, c.noise, c.nu, c.capacity) for _ in range(actions)
        ]

    def predict(self, features: FloatArray) -> tuple[Floats, Floats]:
        """(B, A) posterior means and variances."""
        x = features.astype(np.float64)
        means, variances = zip(*(process.predict(x) for process in self.processes), strict=True)
        return np.stack(means, axis=1), np.stack(variances, axis=1)

    def greedy(self, features: FloatArray, masks: BoolArray) -> IntArray:
        """(B,) the allowed action of highest mean."""
        return greedy_output(self.predict(features)[0].astype(np.float32), masks).actions

    def sample(self, features: FloatArray, masks: BoolArray, scale: float, rng: np.random.Generator) -> IntArray:
        """(B,) the best action under values drawn from the posterior, its deviations scaled (Thompson 1933)."""
        mean, variance = self.predict(features)
        drawn = mean + scale * np.sqrt(variance) * rng.standard_normal(mean.shape)
        return greedy_output(drawn.astype(np.float32), masks).actions

    def learn(self, features: FloatArray, actions: IntArray, returns: Floats) -> None:
        """Condition on (T,) returns of the actions taken in ``features`` (T, n_in)."""
        for x, action, value in zip(features.astype(np.float64), actions, returns, strict=True):
            self.processes[int(action)].add(x, float(value))

    @property
    def points(self) -> int:
        """Size of all dictionaries together."""
        return sum(process.size for process in self.processes)


@dataclass
class GPResult:
    """The values of the best evaluation reward, that evaluation, and all of them in order."""

    values: GPValues
    best: Mapping[str, float]
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False


def train_gp_sarsa(
    env: TrainingEnv,
    config: GPSarsaConfig,
    evaluate: Callable[[GPValues], Mapping[str, float]],
    *,
    progress: Progress | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> GPResult:
    """Train by posterior sampling; deterministic for a configuration. Ctrl-C returns the best values so far.

    ``evaluate`` must contain ``reward``. ``enough`` may end training before ``config.steps``. FloatingPointError when a
    reward or feature is not finite.
    """
    rng = np.random.default_rng(config.seed)
    features, _ = env.reset(seed=config.seed)
    masks = env.action_masks()
    values = GPValues(features.shape[1], masks.shape[1], config)
    result = GPResult(copy.deepcopy(values), {"reward": -np.inf})
    open_episodes: list[list[tuple[FloatArray, int, float]]] = [[] for _ in range(env.num_envs)]
    try:
        for step in range(config.steps):
            if enough():
                break
            actions = values.sample(features, masks, config.exploration, rng)
            following, reward, terminated, truncated, _ = env.step(actions)
            if not (np.isfinite(reward).all() and np.isfinite(following).all()):
                raise FloatingPointError(f"a reward or feature is not finite at step {step}")
            for row, episode in enumerate(open_episodes):
                episode.append((features[row].copy(), int(actions[row]), float(reward[row])))
            for ended in np.flatnonzero(terminated | truncated):
                _learn(values, open_episodes[ended], config.gamma)
                open_episodes[ended].clear()
            features, masks = following, env.action_masks()
            if (step + 1) % config.evaluate_every == 0:
                _evaluate(result, values, step + 1, evaluate)
                if progress is not None:
                    progress(step + 1, config.steps, result.history[-1])
    except KeyboardInterrupt:
        result.interrupted = True
    if not result.history:
        _evaluate(result, values, config.steps, evaluate)
    return result


def _learn(values: GPValues, episode: list[tuple[FloatArray, int, float]], gamma: float) -> None:
    """Condition on the discounted returns of one finished episode."""
    features, actions, rewards = zip(*episode, strict=True)
    returns = np.zeros(len(rewards))
    ahead = 0.0
    for t in range(len(rewards) - 1, -1, -1):
        returns[t] = ahead = rewards[t] + gamma * ahead
    values.learn(np.stack(features), np.array(actions, dtype=np.int32), returns)


def _evaluate(
    result: GPResult, values: GPValues, step: int, evaluate: Callable[[GPValues], Mapping[str, float]]
) -> None:
    row = {"step": float(step), "points": float(values.points)}
    row.update({name: float(value) for name, value in evaluate(values).items()})
    result.history.append(row)
    if row["reward"] >= result.best["reward"]:
        result.best, result.values = row, copy.deepcopy(values)
