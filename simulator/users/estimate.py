"""Small estimators behind a fitted user: smoothed proportions, how people differ, and a hazard with censoring."""

from __future__ import annotations

from math import lgamma, log, sqrt

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from simulator.users.fitted import Count, Share

Counts = NDArray[np.int64]

PRIOR_STRENGTH = 4.0
"""A hand-set value counts as much as this many observations."""
HAZARD_STRENGTH = 20.0
"""The overall hazard counts as much as this many dialogues at each turn."""
CONCENTRATIONS = np.geomspace(0.5, 200.0, 25)
"""How alike people are: the a + b of the Beta distributions that are tried."""
FEWEST_PEOPLE = 20
"""With fewer dialogues of two or more observations, how people differ is taken from the hand-set range."""


def share(flags: BoolArray) -> Share:
    """A proportion with half a success and half a failure added (Jeffreys)."""
    successes, trials = int(flags.sum()), len(flags)
    return Share(successes, trials, round((successes + 0.5) / (trials + 1.0), 4))


def count(successes: Counts, trials: Counts, prior: tuple[float, float]) -> Count:
    """One probability from (dialogues,) successes and trials; ``prior`` is the hand-set range it is smoothed with.

    The mean leans on the middle of ``prior``; the concentration of the Beta between people maximises the
    beta-binomial likelihood over CONCENTRATIONS. Without a single trial ``prior`` stays, and the Beta is (0, 0).
    """
    middle = round(sum(prior) / 2, 4)
    if not trials.any():
        return Count(0, 0, 0, middle, (0.0, 0.0), *prior, middle)
    total, hits = int(trials.sum()), int(successes.sum())
    mean = (hits + PRIOR_STRENGTH * middle) / (total + PRIOR_STRENGTH)
    mean = min(max(mean, 1e-3), 1 - 1e-3)
    repeated = trials >= 2
    if int(repeated.sum()) >= FEWEST_PEOPLE:
        kept_s, kept_n = successes[repeated], trials[repeated]
        concentration = max(
            map(float, CONCENTRATIONS), key=lambda c: beta_binomial(kept_s, kept_n, mean * c, (1 - mean) * c)
        )
    else:
        spread = max((prior[1] - prior[0]) ** 2 / 12, 1e-6)
        concentration = max(mean * (1 - mean) / spread - 1, float(CONCENTRATIONS[0]))
    half = min(sqrt(3 * mean * (1 - mean) / (concentration + 1)), mean, 1 - mean)
    beta = (round(mean * concentration, 4), round((1 - mean) * concentration, 4))
    low, high = round(mean - half, 4), round(mean + half, 4)
    people = int((trials > 0).sum())
    return Count(hits, total, people, round(mean, 4), beta, max(low, 0.0), min(high, 1.0), middle)


def beta_binomial(successes: Counts, trials: Counts, a: float, b: float) -> float:
    """Log-likelihood of (n,) counts when each person's probability comes from Beta(a, b), orders of trials given."""
    pairs, often = np.unique(np.stack([successes, trials]), axis=1, return_counts=True)
    whole = lgamma(a) + lgamma(b) - lgamma(a + b)
    terms = [lgamma(a + s) + lgamma(b + n - s) - lgamma(a + b + n) - whole for s, n in pairs.T]
    return float(np.dot(terms, often))


def uniform_binomial(successes: Counts, trials: Counts, low: float, high: float, points: int = 64) -> float:
    """The same when each person's probability is uniform in [low, high] (midpoint rule)."""
    grid = np.clip(low + (np.arange(points) + 0.5) / points * (high - low), 1e-6, 1 - 1e-6)
    logs = successes[:, None] * np.log(grid) + (trials - successes)[:, None] * np.log1p(-grid)
    return float((np.logaddexp.reduce(logs, axis=1) - log(points)).sum())


def hazard(turns: IntArray, left: BoolArray) -> tuple[tuple[int, int, float], ...]:
    """Per turn t = 0, 1, ...: (left unserved at t, still there at t, smoothed hazard), dialogues censored at success.

    ``turns`` (n,) user turns of each dialogue; ``left`` (n,) whether its last turn was a giving up. The estimator is
    the discrete-time life table, (d + s h) / (r + s) with the overall hazard h and s = HAZARD_STRENGTH; nobody is
    counted before the first answer (t = 0), and after the longest dialogue the last value goes on.
    """
    exposure = int((turns - 1).clip(min=0).sum())
    overall = (int((left & (turns > 1)).sum()) + 0.5) / (exposure + 1.0)
    rows: list[tuple[int, int, float]] = [(0, len(turns), 0.0)]
    for t in range(1, int(turns.max(initial=1))):
        there, gone = int((turns > t).sum()), int((left & (turns == t + 1)).sum())
        rows.append((gone, there, round((gone + HAZARD_STRENGTH * overall) / (there + HAZARD_STRENGTH), 5)))
    return tuple(rows)
