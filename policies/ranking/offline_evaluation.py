"""What another policy would have earned, estimated from what was logged.

Estimators for logged bandit feedback, a row a decision (or a slot of a slate):

* replay (Li et al. 2011): the mean reward where the target would have done the same; honest only if the log was
  uniform, so it refuses every other;
* IPS (Horvitz and Thompson 1952): rewards weighted by target / logged probability;
* SNIPS (Swaminathan and Joachims 2015): the same divided by the sum of weights; a small bias, much less variance;
* doubly robust (Dudik, Langford and Li 2011): a reward model's prediction, corrected by weighted residuals; the model
  is cross-fitted, so no row is predicted by a model that saw it.

Every estimate carries an interval (studentised bootstrap, Efron and Tibshirani 1993, section 12.5), the effective
sample size (sum w)^2 / sum w^2, and what weight clipping did. Slots of slates are rows with their ``positions``: the
probability of each action *at that position* is then what the propensity means (item-position model, Li et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.ranking.reward_models import RewardModel

Array = NDArray[np.float64]


class OfflineEvaluationError(ValueError):
    """A log, or a target, that can't be evaluated; the message names the row (from 1) and the remedy."""


@dataclass(frozen=True, slots=True, eq=False)
class LoggedFeedback:
    """Logged decisions as arrays; OfflineEvaluationError names the first row that is wrong.

    ``actions`` (N,): 0 ... ``action_count`` - 1. ``rewards`` (N,), finite. ``propensities`` (N,): of the logged action,
    above 0 and at most 1. ``positions`` (N,): from 0, None without slates. ``contexts`` (N, F), None without any.
    """

    actions: NDArray[np.intp]
    rewards: Array
    propensities: Array
    action_count: int
    positions: NDArray[np.intp] | None = None
    contexts: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.actions)
        if n == 0:
            raise OfflineEvaluationError("the log has no rows: there is nothing to estimate from")
        for name in ("rewards", "propensities", "positions", "contexts"):
            part = getattr(self, name)
            if part is not None and len(part) != n:
                raise OfflineEvaluationError(f"{name} has {len(part)} rows, actions has {n}: give one a decision")
        inside = np.asarray((self.actions >= 0) & (self.actions < self.action_count))
        _each(inside, f"the action is none of 0 ... {self.action_count - 1}", self.actions)
        _each(np.asarray(np.isfinite(self.rewards)), "the reward is not a finite number", self.rewards)
        possible = np.asarray((self.propensities > 0) & (self.propensities <= 1))  # false for NaN
        _each(possible, "the propensity must be above 0 and at most 1; log it when deciding", self.propensities)
        if self.positions is not None:
            _each(self.positions >= 0, "the position is below 0", self.positions)
        if self.contexts is not None:
            finite = np.asarray(np.isfinite(self.contexts).all(axis=1))
            _each(finite, "a context feature is not a finite number", self.contexts)

    @classmethod
    def of(
        cls,
        actions: ArrayLike,
        rewards: ArrayLike,
        propensities: ArrayLike,
        action_count: int,
        positions: ArrayLike | None = None,
        contexts: ArrayLike | None = None,
    ) -> LoggedFeedback:
        """From anything that NumPy takes for an array."""
        return cls(
            np.asarray(actions, dtype=np.intp),
            np.asarray(rewards, dtype=float),
            np.asarray(propensities, dtype=float),
            action_count,
            None if positions is None else np.asarray(positions, dtype=np.intp),
            None if contexts is None else np.asarray(contexts, dtype=float),
        )

    @property
    def uniform(self) -> bool:
        """Were all actions equally likely, always?"""
        return bool(np.abs(self.propensities * self.action_count - 1).max() < 1e-3)


@dataclass(frozen=True, slots=True)
class Estimate:
    """``value`` with its interval [``low``, ``high``] of the given ``level``.

    ``rows`` that were used; ``effective`` sample size; ``clip``: the largest weight allowed (None: any), and the
    share of rows, ``clipped``, whose weight was larger: above 0 the estimate is biased towards the logged policy.
    """

    estimator: str
    value: float
    low: float
    high: float
    standard_error: float
    rows: int
    effective: float
    clip: float | None = None
    clipped: float = 0.0
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """``clip``: largest weight (None: any). ``level`` of intervals, ``resamples`` of the bootstrap, ``folds`` of
    cross-fitting.
    """

    clip: float | None = None
    level: float = 0.95
    resamples: int = 1000
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clip is not None and not self.clip > 0:
            raise OfflineEvaluationError(f"clip is {self.clip}: it is the largest weight, a number above 0")
        if not 0 < self.level < 1:
            raise OfflineEvaluationError(f"level is {self.level}: it lies between 0 and 1, such as 0.95")
        if self.resamples < 100 or self.folds < 2:
            raise OfflineEvaluationError("the bootstrap needs 100 or more resamples, cross-fitting 2 or more folds")


PLAIN = EvaluationSettings()


def replay(log: LoggedFeedback, target: Array, settings: EvaluationSettings = PLAIN) -> Estimate:
    """Mean reward of the rows that ``target`` (N, A) agrees with; OfflineEvaluationError unless the log is uniform.

    A row counts with the target's probability of its action.
    """
    if not log.uniform:
        low, high = log.propensities.min(), log.propensities.max()
        raise OfflineEvaluationError(
            "replay needs a log whose actions were drawn uniformly "
            f"(propensity {1 / log.action_count:.4g} everywhere); here it goes from {low:.3g} to {high:.3g}, and the "
            "bias would not shrink with more rows. Use SNIPS or doubly robust"
        )
    weights = _of_logged(log, target)
    if not weights.any():
        raise OfflineEvaluationError("the target policy never agrees with the log: replay has no row to use")
    return _ratio("replay", weights, log.rewards, settings)


def inverse_propensity(log: LoggedFeedback, target: Array, settings: EvaluationSettings = PLAIN) -> Estimate:
    """IPS: mean of weight x reward; unbiased without clipping."""
    weights, clipped = _weights(log, target, settings)
    return _mean("ips", weights * log.rewards, weights, clipped, settings)


def self_normalized(log: LoggedFeedback, target: Array, settings: EvaluationSettings = PLAIN) -> Estimate:
    """SNIPS: sum of weight x reward over sum of weights; OfflineEvaluationError where no logged action is possible."""
    weights, clipped = _weights(log, target, settings)
    if not weights.any():
        raise OfflineEvaluationError("the target policy would take none of the logged actions: SNIPS has no row to use")
    return _ratio("snips", weights, log.rewards, settings, clipped)


def doubly_robust(
    log: LoggedFeedback, target: Array, model: RewardModel, settings: EvaluationSettings = PLAIN
) -> Estimate:
    """Cross-fitted doubly robust: ``model`` predicts each fold from the others."""
    weights, clipped = _weights(log, target, settings)
    predicted = cross_fitted(log, model, settings)
    rows = np.arange(len(weights))
    values = (target * predicted).sum(axis=1) + weights * (log.rewards - predicted[rows, log.actions])
    return _mean("dr", values, weights, clipped, settings)


def cross_fitted(log: LoggedFeedback, model: RewardModel, settings: EvaluationSettings = PLAIN) -> Array:
    """(N, A) predicted rewards, each row by a model that was fitted without it."""
    n = len(log.actions)
    folds = min(settings.folds, n)
    if folds < 2:
        raise OfflineEvaluationError("doubly robust needs at least 2 rows: one to learn from, one to judge")
    fold = np.random.default_rng(settings.seed).permutation(n) % folds
    contexts = np.zeros((n, 0)) if log.contexts is None else log.contexts
    positions = np.zeros(n, dtype=np.intp) if log.positions is None else log.positions
    predicted = np.empty((n, log.action_count))
    for k in range(folds):
        seen, held = fold != k, fold == k
        predict = model.fit(contexts[seen], log.actions[seen], positions[seen], log.rewards[seen], log.action_count)
        predicted[held] = predict(contexts[held], positions[held])
    return predicted


def on_policy(rewards: ArrayLike, settings: EvaluationSettings = PLAIN, name: str = "on policy") -> Estimate:
    """The mean of what was logged, with its interval."""
    values = np.asarray(rewards, dtype=float)
    if not len(values):
        raise OfflineEvaluationError("the log has no rows: there is nothing to estimate from")
    return _ratio(name, np.ones(len(values)), values, settings)


def _each(good: NDArray[np.bool_], what: str, values: NDArray[Any]) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise OfflineEvaluationError(f"row {row + 1}: {what} ({values[row]})")


def _of_logged(log: LoggedFeedback, target: Array) -> Array:
    """(N,) the target's probability of each logged action, after a look at ``target`` (N, A)."""
    if target.shape != (len(log.actions), log.action_count):
        wanted = (len(log.actions), log.action_count)
        raise OfflineEvaluationError(f"target has shape {target.shape}: probabilities of shape {wanted} are needed")
    sound = (target >= 0).all(axis=1) & (np.abs(target.sum(axis=1) - 1) < 1e-6)
    _each(sound, "the target's probabilities must be 0 or more and sum to 1", target.sum(axis=1))
    return np.asarray(target[np.arange(len(log.actions)), log.actions])


def _weights(log: LoggedFeedback, target: Array, settings: EvaluationSettings) -> tuple[Array, float]:
    """(N,) importance weights, clipped, and the share that was."""
    weights = _of_logged(log, target) / log.propensities
    if settings.clip is None:
        return weights, 0.0
    return np.minimum(weights, settings.clip), float((weights > settings.clip).mean())


def _effective(weights: Array) -> float:
    total = float((weights**2).sum())
    return float(weights.sum()) ** 2 / total if total > 0 else 0.0


def _mean(name: str, values: Array, weights: Array, clipped: float, settings: EvaluationSettings) -> Estimate:
    """The mean of ``values`` (N,) with its interval."""
    value, n = float(values.mean()), len(values)
    error = float(values.std() / np.sqrt(n))

    def resampled(counts: Array) -> tuple[Array, Array]:
        means = counts @ values / n
        return means, np.sqrt(np.maximum(counts @ values**2 / n - means**2, 0) / n)

    low, high = _interval(value, error, n, resampled, settings)
    return Estimate(
        name, value, low, high, error, n, _effective(weights), settings.clip, clipped, settings.level
    )  # fmt: skip


def _ratio(name: str, weights: Array, rewards: Array, settings: EvaluationSettings, clipped: float = 0.0) -> Estimate:
    """Weighted mean of ``rewards`` (N,); standard error by the delta method. Never outside the rewards' range."""
    total = float(weights.sum())
    value = float(weights @ rewards) / total
    error = float(np.sqrt((weights**2 * (rewards - value) ** 2).sum()) / total)
    squares, moment = weights**2, weights**2 * rewards

    def resampled(counts: Array) -> tuple[Array, Array]:
        sums = np.maximum(counts @ weights, 1e-300)
        means = counts @ (weights * rewards) / sums
        spread = counts @ (moment * rewards) - 2 * means * (counts @ moment) + means**2 * (counts @ squares)
        return means, np.sqrt(np.maximum(spread, 0)) / sums

    low, high = _interval(value, error, len(rewards), resampled, settings)
    low, high = max(low, float(rewards.min())), min(high, float(rewards.max()))
    clip = settings.clip if name == "snips" else None
    return Estimate(
        name, value, low, high, error, len(rewards), _effective(weights), clip, clipped, settings.level
    )  # fmt: skip


def _interval(
    value: float,
    error: float,
    n: int,
    resampled: Callable[[Array], tuple[Array, Array]],
    settings: EvaluationSettings,
) -> tuple[float, float]:
    """Studentised bootstrap; as wide as the normal interval at least, which it falls back to where nothing varies."""
    tail = (1 - settings.level) / 2
    normal = NormalDist().inv_cdf(1 - tail)
    low, high = value - normal * error, value + normal * error
    rng = np.random.default_rng(settings.seed)
    scores = []
    chunk = max(1, 2_000_000 // n)
    for start in range(0, settings.resamples, chunk):
        size = min(chunk, settings.resamples - start)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=size).astype(float)
        means, errors = resampled(counts)
        usable = errors > 1e-9 * max(error, 1e-300)
        scores.append((means[usable] - value) / errors[usable])
    drawn = np.concatenate(scores)
    if error <= 0 or len(drawn) < settings.resamples // 2:
        return low, high
    first, last = np.quantile(drawn, [tail, 1 - tail])
    return min(low, value - float(last) * error), max(high, value - float(first) * error)


ESTIMATORS: Mapping[str, Callable[[LoggedFeedback, Array, EvaluationSettings], Estimate]] = {
    "replay": replay,
    "ips": inverse_propensity,
    "snips": self_normalized,
}
"""Estimators without a reward model, by name; ``doubly_robust`` needs one."""
