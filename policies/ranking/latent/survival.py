"""Time until something happens (a user returns), when some were not waited for long enough: measures, and Cox's model.

``times`` (N,) above 0; ``happened`` (N,): True where the time ended with the event, False where it was cut off
(censored).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class SurvivalDataError(ValueError):
    """A file or table of times that can't be used; names file, line and column."""


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalTable:
    """``features`` (N, F) named ``names``, ``times`` (N,), ``happened`` (N,)."""

    names: tuple[str, ...]
    features: Array
    times: Array
    happened: Flags


def read_survival(path: Path, time: str, event: str, without: Sequence[str] = ()) -> SurvivalTable:
    """A CSV file with a column of times, one of events (0 or 1), and numeric features; ``without`` are left out.

    A feature that is missing takes its mean, and a column ``NAME missing`` says so. SurvivalDataError names what is
    wrong.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        for needed in (time, event):
            if needed not in columns:
                raise SurvivalDataError(f"{path}, line 1: column {needed!r} is missing; there are {', '.join(columns)}")
        rows = [
            [_number(row[name], path, reader.line_num, name) for name in columns] for row in reader
        ]  # fmt: skip
    if not rows:
        raise SurvivalDataError(f"{path}: there is no row below the header")
    table = np.array(rows)
    times, events = table[:, columns.index(time)], table[:, columns.index(event)]
    for n, (t, e) in enumerate(zip(times.tolist(), events.tolist(), strict=True)):
        if not t > 0:
            raise SurvivalDataError(f"{path}, line {n + 2}, {time}: {t} must be above 0")
        if e not in (0, 1):
            raise SurvivalDataError(f"{path}, line {n + 2}, {event}: {e} must be 0 or 1")
    kept = [c for c, name in enumerate(columns) if name not in (time, event, *without)]
    features, names = table[:, kept], [columns[c] for c in kept]
    holes = np.isnan(features)
    features = np.where(holes, np.nanmean(features, axis=0), features)
    some = holes.any(axis=0)
    names += [f"{name} missing" for name, hole in zip(names, some, strict=True) if hole]
    return SurvivalTable(tuple(names), np.concatenate([features, holes[:, some]], axis=1), times, events == 1)


def _number(text: str | None, path: Path, line: int, column: str) -> float:
    if text is None or text.strip() in ("", "NA"):
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise SurvivalDataError(f"{path}, line {line}, {column}: {text!r} is not a number") from None


def concordance(times: ArrayLike, happened: ArrayLike, risk: ArrayLike) -> float:
    """Harrell's C (1982): of all pairs in which it is known who was first, the share in which the first had more risk.

    Equal risks count half. ValueError where no pair is comparable.
    """
    t, e, r = np.asarray(times, dtype=float), np.asarray(happened, dtype=bool), np.asarray(risk, dtype=float)
    first = e[:, None] & ((t[:, None] < t) | ((t[:, None] == t) & ~e))
    if not first.any():
        raise ValueError("no pair of times can be compared: nothing happened, or everything at once")
    right = (r[:, None] > r) + 0.5 * (r[:, None] == r)
    return float(right[first].mean())


def kaplan_meier(times: ArrayLike, happened: ArrayLike, at: float) -> float:
    """P(time > ``at``) by the product-limit estimate (Kaplan and Meier 1958)."""
    t, e = np.asarray(times, dtype=float), np.asarray(happened, dtype=bool)
    survival = 1.0
    for moment in np.unique(t[e & (t <= at)]):
        survival *= 1 - float((e & (t == moment)).sum()) / float((t >= moment).sum())
    return survival


def calibration_error(times: ArrayLike, happened: ArrayLike, survival: ArrayLike, at: float, groups: int = 4) -> float:
    """Mean gap between predicted P(time > ``at``), ``survival`` (N,), and Kaplan-Meier in quantile groups of it."""
    t, e, s = np.asarray(times, dtype=float), np.asarray(happened, dtype=bool), np.asarray(survival, dtype=float)
    order = np.array_split(np.argsort(s, kind="stable"), groups)
    gaps = [abs(float(s[rows].mean()) - kaplan_meier(t[rows], e[rows], at)) * len(rows) for rows in order if len(rows)]
    return sum(gaps) / len(t)


@dataclass(frozen=True, slots=True, eq=False)
class CoxModel:
    """Cox's proportional hazards (1972), ties as Efron (1977); ``baseline``: (event times, cumulative hazard there)."""

    coefficients: Array
    center: Array
    baseline: tuple[Array, Array]

    @classmethod
    def fit(cls, features: Array, times: Array, happened: Flags, penalty: float = 0.0) -> CoxModel:
        """Maximum partial likelihood by Newton's method, less ``penalty`` / 2 x |coefficients|^2."""
        center = features.mean(axis=0)
        x = features - center
        weights = np.zeros(x.shape[1])
        value, slope, curvature = _partial(x, times, happened, weights, penalty)
        for _ in range(50):
            step = np.linalg.lstsq(curvature, slope, rcond=None)[0]
            size = 1.0
            while size > 1e-6:
                found = _partial(x, times, happened, weights + size * step, penalty)
                if found[0] >= value:
                    break
                size /= 2
            weights = weights + size * step
            gained, (value, slope, curvature) = found[0] - value, found
            if gained < 1e-10:
                break
        moments = np.unique(times[happened])
        odds = np.exp(x @ weights)
        order = np.argsort(-times, kind="stable")
        at_risk = np.cumsum(odds[order])[np.searchsorted(-times[order], -moments, side="right") - 1]
        hazard = np.unique(times[happened], return_counts=True)[1] / at_risk
        return cls(weights, center, (moments, np.cumsum(hazard)))

    def risk(self, features: Array) -> Array:
        """(N,) log relative hazard."""
        return np.asarray((features - self.center) @ self.coefficients)

    def survival(self, features: Array, at: float) -> Array:
        """(N,) P(time > ``at``), with Breslow's baseline."""
        moments, cumulative = self.baseline
        passed = int(np.searchsorted(moments, at, side="right"))
        hazard = float(cumulative[passed - 1]) if passed else 0.0
        return np.asarray(np.exp(-hazard * np.exp(self.risk(features))))


def _partial(x: Array, times: Array, happened: Flags, weights: Array, penalty: float) -> tuple[float, Array, Array]:
    """Penalised log partial likelihood, its slope (F,) and minus its curvature (F, F)."""
    order = np.argsort(-times, kind="stable")
    x, times, happened = x[order], times[order], happened[order]
    odds = np.exp(np.clip(x @ weights, -50, 50))
    terms = (odds, odds[:, None] * x, odds[:, None, None] * x[:, :, None] * x[:, None, :])
    moments, counts = np.unique(times[happened], return_counts=True)
    last = np.searchsorted(-times, -moments, side="right") - 1  # of those at risk, in descending time
    # Efron: of d tied events, the k-th sees the others at (1 - k / d) of their weight
    share = np.concatenate([np.arange(count) / count for count in counts])
    group = np.repeat(np.arange(len(moments)), counts)
    sums = []
    for term in terms:
        tied = np.zeros((len(moments), *term.shape[1:]))
        np.add.at(tied, np.searchsorted(moments, times[happened]), term[happened])
        at_risk = np.cumsum(term, axis=0)[last]
        weight = share.reshape(-1, *[1] * (term.ndim - 1))
        sums.append(at_risk[group] - weight * tied[group])
    total, first, second = sums
    mean = first / total[:, None]
    value = float((x[happened] @ weights).sum() - np.log(total).sum()) - penalty / 2 * float(weights @ weights)
    slope = x[happened].sum(axis=0) - mean.sum(axis=0) - penalty * weights
    curvature = (second / total[:, None, None] - mean[:, :, None] * mean[:, None, :]).sum(axis=0)
    return value, slope, curvature + penalty * np.eye(len(weights))
