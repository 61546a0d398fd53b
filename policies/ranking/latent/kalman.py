"""The Kalman filter and smoother (Kalman 1960; Rauch, Tung and Striebel 1965) with missing observations, and mood.

    x_1 ~ N(mean, covariance)          x_t = F x_{t-1} + c + w_t,  w_t ~ N(0, Q)
                                       y_t = H x_t + v_t,          v_t ~ N(0, R)

S states, O observations a step, T steps. NaN in an observation means that this part of it is missing. Covariances are
updated in Joseph's form, which stays positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LinearGaussian:
    """``transition`` F (S, S), ``offset`` c (S,), ``process`` Q (S, S), ``observation`` H (O, S), ``noise`` R (O, O),
    ``mean`` (S,) and ``covariance`` (S, S) of the first state. ValueError names what doesn't fit.
    """

    transition: Array
    offset: Array
    process: Array
    observation: Array
    noise: Array
    mean: Array
    covariance: Array

    def __post_init__(self) -> None:
        states, seen = len(self.mean), len(self.observation)
        shapes = {
            "transition": (states, states), "offset": (states,), "process": (states, states),
            "observation": (seen, states), "noise": (seen, seen), "mean": (states,), "covariance": (states, states),
        }  # fmt: skip
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(f"{name} has shape {value.shape}: finite numbers of shape {shape} are needed")
        for name in ("process", "noise", "covariance"):
            value = getattr(self, name)
            if not np.allclose(value, value.T) or np.linalg.eigvalsh(value).min() < -1e-10:
                raise ValueError(f"{name} is no covariance: it must be symmetric without negative eigenvalues")


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """``means`` (T, S) and ``covariances`` (T, S, S) of each state given the observations so far; ``predicted_*`` given
    those before; ``log_likelihood`` of all observations.
    """

    means: Array
    covariances: Array
    predicted_means: Array
    predicted_covariances: Array
    log_likelihood: float


def kalman_filter(model: LinearGaussian, observations: ArrayLike) -> Filtered:
    """Filter ``observations`` (T, O), NaN where missing; ValueError for another shape, infinities, or no step."""
    seen = np.asarray(observations, dtype=float)
    if seen.ndim != 2 or seen.shape[1] != len(model.observation) or not len(seen):
        raise ValueError(f"observations have shape {seen.shape}: (steps, {len(model.observation)}) is needed")
    if np.isinf(seen).any():
        raise ValueError("observations hold an infinity; write NaN where one is missing")
    steps, states = len(seen), len(model.mean)
    means, predicted_means = np.empty((steps, states)), np.empty((steps, states))
    covariances, predicted_covariances = np.empty((steps, states, states)), np.empty((steps, states, states))
    mean, covariance, likelihood = model.mean, model.covariance, 0.0
    for t in range(steps):
        if t:
            mean = model.transition @ mean + model.offset
            covariance = model.transition @ covariance @ model.transition.T + model.process
        predicted_means[t], predicted_covariances[t] = mean, covariance
        mean, covariance, gained = _updated(model, mean, covariance, seen[t])
        means[t], covariances[t] = mean, covariance
        likelihood += gained
    return Filtered(means, covariances, predicted_means, predicted_covariances, likelihood)


def smoothed(model: LinearGaussian, filtered: Filtered) -> tuple[Array, Array]:
    """(means (T, S), covariances (T, S, S)) of each state given all observations, earlier and later."""
    means, covariances = filtered.means.copy(), filtered.covariances.copy()
    for t in range(len(means) - 2, -1, -1):
        ahead = filtered.predicted_covariances[t + 1]
        # solve instead of an inverse; a state without noise has a singular prediction
        gain = np.linalg.lstsq(ahead.T, model.transition @ filtered.covariances[t].T, rcond=None)[0].T
        means[t] += gain @ (means[t + 1] - filtered.predicted_means[t + 1])
        covariances[t] += gain @ (covariances[t + 1] - ahead) @ gain.T
    return means, covariances


def _updated(model: LinearGaussian, mean: Array, covariance: Array, seen: Array) -> tuple[Array, Array, float]:
    """State given one more observation (O,), and its log likelihood."""
    there = ~np.isnan(seen)
    if not there.any():
        return mean, covariance, 0.0
    h, r = model.observation[there], model.noise[np.ix_(there, there)]
    error = seen[there] - h @ mean
    spread = h @ covariance @ h.T + r
    factor = np.linalg.cholesky(spread)
    white = np.linalg.solve(factor, error)
    gain = np.linalg.solve(spread, h @ covariance).T
    kept = np.eye(len(mean)) - gain @ h
    updated = kept @ covariance @ kept.T + gain @ r @ gain.T
    likelihood = -0.5 * (float(white @ white) + 2 * float(np.log(np.diag(factor)).sum()) + len(error) * log(2 * pi))
    return mean + gain @ error, (updated + updated.T) / 2, likelihood


@dataclass(frozen=True, slots=True)
class Mood:
    """Mood, as a level that drifts and returns to what is usual, seen through noisy sentiment scores (-1 to 1).

    x_t = usual + persistence (x_{t-1} - usual) + N(0, drift^2); score_t = x_t + N(0, noise^2). ValueError names a
    setting that makes no sense.
    """

    usual: float = 0.1
    persistence: float = 0.9
    drift: float = 0.15
    noise: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.persistence < 1:
            raise ValueError(f"persistence: {self.persistence} must be from 0 to below 1")
        for name in ("drift", "noise"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} must be above 0")

    @property
    def model(self) -> LinearGaussian:
        """As a linear Gaussian model that has always run."""
        one, variance = np.ones((1, 1)), self.drift**2 / (1 - self.persistence**2)
        offset = np.array([self.usual * (1 - self.persistence)])
        return LinearGaussian(
            self.persistence * one, offset, self.drift**2 * one, one, self.noise**2 * one, np.array([self.usual]),
            variance * one,
        )  # fmt: skip

    def follow(self, scores: Sequence[float | None]) -> tuple[Array, Array]:
        """(mood (T,), its standard deviation (T,)) after each message; None or NaN where a message had no score."""
        if not len(scores):
            return np.zeros(0), np.zeros(0)
        seen = np.array([np.nan if score is None else score for score in scores], dtype=float)[:, None]
        found = kalman_filter(self.model, seen)
        return found.means[:, 0], np.sqrt(found.covariances[:, 0, 0])


def fit_mood(conversations: Sequence[Sequence[float | None]], rounds: int = 6) -> Mood:
    """The most likely ``Mood`` for sentiment scores of many conversations, by coordinate search on a shrinking grid.

    ValueError without any score.
    """
    arrays = [np.array([np.nan if s is None else s for s in c], dtype=float)[:, None] for c in conversations if len(c)]
    scores = np.concatenate([a[:, 0] for a in arrays]) if arrays else np.zeros(0)
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        raise ValueError("there is no sentiment score to fit a mood on")
    spread = max(float(scores.std()), 1e-3)
    best = {"usual": float(scores.mean()), "persistence": 0.8, "drift": spread / 2, "noise": spread / 2}

    def likelihood(values: dict[str, float]) -> float:
        model = Mood(**values).model
        return sum(kalman_filter(model, array).log_likelihood for array in arrays)

    reached, width = likelihood(best), 1.0
    for _ in range(rounds):
        for name in tuple(best):
            for step in (-2, -1, 1, 2):
                tried = {**best, name: _moved(name, best[name], step * width, spread)}
                value = likelihood(tried)
                if value > reached:
                    best, reached = tried, value
        width *= 0.6
    return Mood(**best)


def _moved(name: str, value: float, step: float, spread: float) -> float:
    """``value`` of a setting of Mood moved by ``step``, on a scale on which it can't leave its range."""
    if name == "usual":
        return value + step * spread / 2
    if name == "persistence":
        odds = log(max(value, 1e-6) / (1 - value)) + step
        return float(1 / (1 + np.exp(-odds)))
    return float(value * np.exp(step / 2))
