"""Blending by calibrated scores: each pool's scores become action rates, and candidates are merged by expected utility.

A pool's own score says nothing across pools until it is mapped to what it predicts. Per pool and action type a
calibration is fitted on what was shown: isotonic regression (pool adjacent violators, Zadrozny and Elkan 2002) or
Platt's sigmoid (Platt 1999, with his targets). Candidates are merged by their reward-weighted rates, but a pool's own
order stays: only the heads of the pools compete. It is the alternative to a ratio where there is much feedback and
scores are honest; it doesn't know users apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from policies.ranking.blending import Array, BlendedSlate, Pools, SlateLaw, available_shares, interleaved

Method = Literal["isotonic", "platt"]


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A step function that never falls: rate ``rates[i]`` (K,) at ``scores[i]`` (K,), linear between, flat outside."""

    scores: tuple[float, ...]
    rates: tuple[float, ...]

    @classmethod
    def fit(cls, scores: ArrayLike, taken: ArrayLike) -> Isotonic:
        """Least squares among rising functions of ``scores`` (N,) to ``taken`` (N,) in 0 ... 1; ValueError if empty."""
        x, y = _pairs(scores, taken)
        levels = np.unique(x)
        order = np.argsort(x, kind="stable")
        y = y[order]
        sizes = np.diff(np.append(np.searchsorted(x[order], levels), len(x))).astype(float)
        sums = np.add.reduceat(y, np.searchsorted(x[order], levels))
        blocks: list[list[float]] = []  # [sum, size, number of levels]
        for total, size in zip(sums.tolist(), sizes.tolist(), strict=True):
            blocks.append([total, size, 1])
            while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
                last = blocks.pop()
                blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
        rates = np.repeat([b[0] / b[1] for b in blocks], [int(b[2]) for b in blocks])
        return cls(tuple(levels.tolist()), tuple(rates.tolist()))

    def __call__(self, scores: ArrayLike) -> Array:
        """Rates of ``scores`` (N,)."""
        return np.asarray(np.interp(np.asarray(scores, dtype=float), self.scores, self.rates))


@dataclass(frozen=True, slots=True)
class Platt:
    """``1 / (1 + exp(-(slope score + intercept)))``."""

    slope: float
    intercept: float

    @classmethod
    def fit(cls, scores: ArrayLike, taken: ArrayLike) -> Platt:
        """Maximum likelihood with Platt's smoothed targets, by Newton's method; ValueError if empty."""
        x, y = _pairs(scores, taken)
        center, scale = x.mean(), x.std() or 1.0
        design = np.stack([(x - center) / scale, np.ones_like(x)], axis=1)
        positives = y.sum()
        high, low = (positives + 1) / (positives + 2), 1 / (len(y) - positives + 2)
        target = low + (high - low) * y
        weights = np.zeros(2)
        for _ in range(50):
            rate = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
            curvature = (design * (rate * (1 - rate))[:, None]).T @ design + 1e-6 * np.eye(2)
            step = np.linalg.solve(curvature, design.T @ (target - rate) - 1e-6 * weights)
            weights = weights + np.clip(step, -4, 4)
            if np.abs(step).max() < 1e-9:
                break
        slope = float(weights[0] / scale)
        return cls(slope, float(weights[1] - slope * center))

    def __call__(self, scores: ArrayLike) -> Array:
        """Rates of ``scores`` (N,)."""
        z = self.slope * np.asarray(scores, dtype=float) + self.intercept
        return np.asarray(1 / (1 + np.exp(-np.clip(z, -500, 500))))


Calibration = Callable[[ArrayLike], Array]


@dataclass(frozen=True, slots=True)
class CalibratedBlender:
    """Merges by expected utility: ``calibrations[pool]`` has one for each of ``rewards``.

    A pool without calibrations is worth ``unknown`` utility. ``exploration``: probability of a slate with equal shares
    instead, which keeps every pool's propensity above 0.
    """

    calibrations: Mapping[str, Sequence[Calibration]]
    rewards: tuple[float, ...]
    exploration: float = 0.05
    unknown: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.exploration <= 1:
            raise ValueError(f"exploration: {self.exploration} must be from 0 to 1")
        for name, fitted in self.calibrations.items():
            if len(fitted) != len(self.rewards):
                raise ValueError(f"pool {name!r} has {len(fitted)} calibrations for {len(self.rewards)} rewards")

    def utilities(self, pool: str, scores: Sequence[float]) -> Array:
        """(N,) expected reward of candidates of ``pool`` with ``scores``; a score that isn't finite is ``unknown``."""
        fitted = self.calibrations.get(pool)
        values = np.asarray(scores, dtype=float)
        if fitted is None or not len(values):
            return np.full(len(values), self.unknown)
        known = np.isfinite(values)
        rates = np.stack([calibration(np.where(known, values, 0.0)) for calibration in fitted])
        return np.asarray(np.where(known, np.array(self.rewards) @ rates, self.unknown))

    def law(self, pools: Pools, slots: int) -> SlateLaw:
        """The merged slate, and with probability ``exploration`` one with equal shares."""
        worth = [self.utilities(name, [c.score for c in candidates[:slots]]) for name, candidates in pools.items()]
        heads, merged = [0] * len(worth), []
        for _ in range(min(slots, sum(map(len, worth)))):
            best = max((w[h], -p) for p, (w, h) in enumerate(zip(worth, heads, strict=True)) if h < len(w))
            merged.append(-best[1])
            heads[-best[1]] += 1
        spare = tuple(sorted(range(len(worth)), key=lambda p: -float(worth[p][0]) if len(worth[p]) else np.inf))
        merged += [merged[-1]] * (slots - len(merged))
        certain = SlateLaw(np.array([merged], dtype=np.intp), np.ones(1), spare)
        even = interleaved(available_shares(np.ones(len(worth)), pools), slots)
        return certain.mixed(even, self.exploration)

    def decide(self, pools: Pools, slots: int, rng: np.random.Generator) -> BlendedSlate:
        """A slate of ``slots`` candidates of ``pools``; fewer only when there are fewer different texts."""
        if slots <= 0 or not any(pools.values()):
            return BlendedSlate((), 1.0, ())
        return self.law(pools, slots).draw(pools, rng)


def fit_calibrations(
    method: Method, scores: Mapping[str, ArrayLike], taken: Mapping[str, Any]
) -> dict[str, tuple[Calibration, ...]]:
    """Calibrations of each pool from what was shown: ``scores[pool]`` (N,), ``taken[pool]`` (N, A) of 0 and 1.

    ValueError for an unknown method, or scores and actions of a pool that don't fit together.
    """
    if method not in get_args(Method):
        raise ValueError(f"method {method!r} is none of {', '.join(get_args(Method))}")
    fit: Callable[[ArrayLike, ArrayLike], Calibration] = Isotonic.fit if method == "isotonic" else Platt.fit
    fitted: dict[str, tuple[Calibration, ...]] = {}
    for name, values in scores.items():
        actions = np.asarray(taken[name], dtype=float)
        if actions.ndim != 2 or len(actions) != len(np.asarray(values)):
            raise ValueError(f"pool {name!r}: {len(np.asarray(values))} scores need as many rows of actions")
        fitted[name] = tuple(fit(values, column) for column in actions.T)
    return fitted


def _pairs(scores: ArrayLike, taken: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(scores, dtype=float), np.asarray(taken, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"calibration needs equally many scores and actions, at least one: got {x.shape}, {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("calibration needs finite scores and actions")
    return x, y
