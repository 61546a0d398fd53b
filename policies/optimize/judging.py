"""Which tuner is better? Best found and area under the best-seen trace, by rank tests over seeds (NumPy, SciPy).

The protocol of Dewancker et al. (arXiv:1603.09441): on each problem methods are compared by Mann-Whitney's U, first on
what they found, and where that does not tell them apart on how fast they found it. All values are minimised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import mannwhitneyu

LEVEL = 0.01
"""Error probability below which a difference counts."""


def best_seen(observed: ArrayLike, true: ArrayLike | None = None) -> NDArray[np.float64]:
    """(T,) ``true`` value of the trial that looks best so far, after each of T trials with ``observed`` values.

    Without noise (``true`` None) that is the least value so far; with noise it may rise. A trial that failed is NaN and
    never best; before the first success the trace is NaN.
    """
    seen = np.asarray(observed, dtype=np.float64)
    real = seen if true is None else np.asarray(true, dtype=np.float64)
    trace = np.full(len(seen), np.nan)
    best = -1
    for trial, value in enumerate(seen):
        if not np.isnan(value) and (best < 0 or value < seen[best]):
            best = trial
        if best >= 0:
            trace[trial] = real[best]
    return trace


def area(trace: ArrayLike) -> float:
    """Area under a best-seen trace, per trial: low for who is good early."""
    return float(np.mean(np.asarray(trace, dtype=np.float64)))


def p_lower(ours: ArrayLike, theirs: ArrayLike) -> float:
    """One-sided Mann-Whitney p of "``ours`` tend to be lower than ``theirs``"; 1 where all values are equal."""
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if np.ptp(np.concatenate([a, b])) == 0:
        return 1.0
    return float(mannwhitneyu(a, b, alternative="less").pvalue)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Holm's correction (1979) of p values for all of them being looked at; never below the uncorrected one."""
    order = np.argsort(probabilities)
    corrected = np.empty(len(probabilities))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        corrected[place] = highest
    return [float(p) for p in corrected]


def better(
    found: Mapping[str, ArrayLike], areas: Mapping[str, ArrayLike], level: float = LEVEL
) -> list[tuple[str, str, str]]:
    """(winner, loser, by) for each pair of methods that can be told apart on a problem.

    ``by`` is "found" where what they found differs (Mann-Whitney, ``level`` for each direction), else "area". Values
    (S,) by method.
    """
    pairs = []
    for a in found:
        for b in found:
            if a == b:
                continue
            if p_lower(found[a], found[b]) < level:
                pairs.append((a, b, "found"))
            elif p_lower(found[b], found[a]) >= level and p_lower(areas[a], areas[b]) < level:
                pairs.append((a, b, "area"))
    return pairs


def partial_ranking(methods: Sequence[str], pairs: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    """Methods in groups, best first: a group's members lose to nobody who is left (none left: all that remain).

    ``pairs`` from ``better``.
    """
    left, groups = list(methods), []
    while left:
        beaten = {loser for winner, loser, _ in pairs if winner in left and loser in left}
        group = [name for name in left if name not in beaten] or list(left)
        groups.append(group)
        left = [name for name in left if name not in group]
    return groups


def median_interval(values: ArrayLike, draws: int = 1000) -> tuple[float, float]:
    """95 % bootstrap interval of the median of values (S,), the same at each call."""
    data = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(0).integers(len(data), size=(draws, len(data)))
    low, high = np.quantile(np.median(data[drawn], axis=1), [0.025, 0.975])
    return float(low), float(high)
