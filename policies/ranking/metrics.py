"""How good a ranking is: NDCG@k, reciprocal rank and average precision of every query at once.

Candidates are ranked by falling score; equal scores keep the order of the data, as LightGBM's stable sort does. A query
without a relevant candidate has no ranking that is better than another: LightGBM counts its NDCG as 1, and so do we by
default (``empty``), so that figures can be compared; reciprocal rank and average precision count it as 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ndcg(scores: ArrayLike, labels: ArrayLike, groups: ArrayLike, k: int, *, empty: float = 1.0) -> Floats:
    """(Q,) normalised discounted cumulative gain of the first ``k`` (Järvelin & Kekäläinen 2002; Burges et al. 2005).

    DCG@k = sum over ranks r <= k of (2^label - 1) / log2(1 + r), divided by that of the best order. ``scores`` (N,),
    ``labels`` (N,), ``groups`` (Q,) sizes. ValueError for k < 1, other shapes or scores that are not finite.
    """
    if k < 1:
        raise ValueError(f"k is {k}: NDCG looks at the first 1 or more candidates")
    score, label, group = _checked(scores, labels, groups)
    gains = np.exp2(label) - 1.0
    best = _dcg(gains, label, group, k)
    reached = _dcg(gains, score, group, k)
    return np.where(best > 0, reached / np.where(best > 0, best, 1.0), empty)


def reciprocal_rank(scores: ArrayLike, labels: ArrayLike, groups: ArrayLike) -> Floats:
    """(Q,) 1 / rank of the first candidate with a label above 0; 0 where there is none."""
    score, label, group = _checked(scores, labels, groups)
    ranks = ranks_of(score, group)
    first = np.where(label > 0, ranks, np.iinfo(np.int64).max)
    best = np.minimum.reduceat(first, _starts(group))
    return np.where(best < np.iinfo(np.int64).max, 1.0 / best, 0.0)


def average_precision(scores: ArrayLike, labels: ArrayLike, groups: ArrayLike) -> Floats:
    """(Q,) mean over the relevant candidates (label above 0) of the precision at their rank; 0 where there is none."""
    score, label, group = _checked(scores, labels, groups)
    order = _order(score, group)
    relevant = (label[order] > 0).astype(np.float64)
    starts = _starts(group)
    seen = np.cumsum(relevant)
    seen -= np.repeat(seen[starts] - relevant[starts], group)
    rank = np.arange(len(score)) - np.repeat(starts, group) + 1
    total = np.add.reduceat(relevant, starts)
    summed = np.add.reduceat(relevant * seen / rank, starts)
    return np.where(total > 0, summed / np.maximum(total, 1.0), 0.0)


def ranks_of(scores: Floats, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) rank of every candidate within its query, from 1."""
    order = _order(scores, groups)
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[order] = np.arange(len(scores)) - np.repeat(_starts(groups), groups) + 1
    return ranks


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of a - b over the same queries with the ends of its interval."""

    mean: float
    low: float
    high: float


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, level: float = 0.95, draws: int = 5000, seed: int = 0
) -> PairedDifference:
    """Percentile bootstrap interval of the mean difference over queries; ``a``, ``b`` (Q,) or (S, Q) over S seeds.

    Whole queries are drawn: a query's values under all seeds stay together, since they are not independent.
    """
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    by_query = differences.mean(axis=0) if differences.ndim == 2 else differences
    drawn = np.random.default_rng(seed).integers(len(by_query), size=(draws, len(by_query)))
    low, high = np.quantile(by_query[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return PairedDifference(float(by_query.mean()), float(low), float(high))


def _checked(scores: ArrayLike, labels: ArrayLike, groups: ArrayLike) -> tuple[Floats, Floats, NDArray[np.int64]]:
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    group = np.asarray(groups, dtype=np.int64)
    if score.ndim != 1 or score.shape != label.shape or not len(group) or (group < 1).any():
        raise ValueError(f"scores {score.shape} and labels {label.shape} of {len(group)} groups do not fit")
    if int(group.sum()) != len(score):
        raise ValueError(f"groups of {int(group.sum())} candidates, {len(score)} scores")
    if not np.isfinite(score).all():
        raise ValueError("scores that are not finite can't be ranked")
    return score, label, group


def _starts(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(groups)[:-1]]).astype(np.int64)


def _order(scores: Floats, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows sorted by query, then by falling score; lexsort is stable, so equal scores keep their order."""
    return np.lexsort((-scores, np.repeat(np.arange(len(groups)), groups)))


def _dcg(gains: Floats, by: Floats, groups: NDArray[np.int64], k: int) -> Floats:
    ranks = ranks_of(by, groups)
    discounted = np.where(ranks <= k, gains / np.log2(1.0 + ranks), 0.0)
    total: Floats = np.add.reduceat(discounted, _starts(groups))
    return total
