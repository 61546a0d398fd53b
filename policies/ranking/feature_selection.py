"""Fewer features at the same quality, in two stages (training only: lightgbm).

1. *Does it say anything?* A feature stays if it gains more than the best permuted copy of a feature of its type
   (``importance``). This removes noise, and keeps copies of what is there already.
2. *Does it say anything that the others don't?* Backward elimination by cross-validated NDCG from the least important
   feature on, in batches that are halved when they cost something; then features that were removed may come back.

The stop rule looks at paired differences by query: a removal is accepted when its cost is below ``standard_errors`` of
that difference and the whole set is still within ``tolerance`` of the best set that was seen. A redundant noisy copy
costs nothing in truth, so it goes; the rule is Breiman's (1984) with half his standard error, since many removals are
tried and the luckiest are accepted; the way back is Pudil's (1994).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from policies.ranking.gbt import PairwiseRanker, RankerSettings
from policies.ranking.importance import ProbedImportance, probed_importance
from policies.ranking.letor import RankingData
from policies.ranking.metrics import ndcg

Floats = NDArray[np.float64]
Progress = Callable[[str], None]


def _quick() -> RankerSettings:
    return RankerSettings(trees=60, members=1, leaves=15, learning_rate=0.1, features_per_tree=0.5)


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """``rounds`` of probes; ``folds`` of the cross-validation; ``at`` the k of its NDCG@k; the two parts of the stop
    rule; ``batch`` features tried together at first; and the rankers that are trained on the way.
    """

    rounds: int = 3
    folds: int = 3
    at: int = 10
    standard_errors: float = 0.5
    tolerance: float = 0.002
    batch: int = 8
    ranker: RankerSettings = field(default_factory=_quick)

    def __post_init__(self) -> None:
        if min(self.rounds, self.at, self.batch) < 1 or self.folds < 2:
            raise ValueError("rounds, at and batch are 1 or more, folds 2 or more")
        if self.standard_errors < 0 or self.tolerance < 0:
            raise ValueError("standard_errors and tolerance are not negative")


@dataclass(frozen=True, slots=True)
class Step:
    """One accepted change: features left, cross-validated NDCG with them, and what was removed or came back."""

    features: int
    ndcg: float
    removed: tuple[int, ...] = ()
    returned: tuple[int, ...] = ()


@dataclass(frozen=True)
class Selection:
    """What is left after each stage (column numbers, rising), and how it went."""

    informative: tuple[int, ...]
    kept: tuple[int, ...]
    importance: ProbedImportance
    steps: tuple[Step, ...]
    trainings: int


def select_features(
    data: RankingData,
    settings: SelectionSettings | None = None,
    *,
    seed: int = 0,
    progress: Progress = lambda step: None,
) -> Selection:
    """Select features of ``data`` in two stages; the same arguments give the same selection.

    ``progress`` hears of every ranker trained. ValueError with fewer queries than folds, for an infinite feature, or
    when no feature says anything.
    """
    settings = settings or SelectionSettings()
    if len(data.groups) < settings.folds:
        raise ValueError(f"{len(data.groups)} queries can't be divided into {settings.folds} parts")
    importance = probed_importance(
        data, settings.ranker, rounds=settings.rounds, seed=seed, progress=lambda done: progress("probes")
    )
    believed = np.flatnonzero(importance.gains > importance.thresholds())
    if not len(believed):
        raise ValueError("no feature says more than its permuted copies: there is nothing to rank by")
    judge = _Judge(data, settings, seed, lambda: progress("subsets"))
    order = [int(f) for f in believed[np.argsort(importance.corrected[believed], kind="stable")]]
    kept, steps = _backward(judge, order, settings)
    kept, back = _forward(judge, kept, order, settings)
    return Selection(
        tuple(map(int, believed)), tuple(sorted(kept)), importance, (*steps, *back), settings.rounds + judge.trainings
    )


class _Judge:
    """Cross-validated NDCG by query of a set of features, trained once for each set."""

    def __init__(self, data: RankingData, settings: SelectionSettings, seed: int, trained: Callable[[], None]) -> None:
        self._data, self._settings, self._seed, self._trained = data, settings, seed, trained
        shuffled = np.random.default_rng([seed, 7]).permutation(len(data.groups))
        self._folds = [np.sort(shuffled[fold :: settings.folds]) for fold in range(settings.folds)]
        self._known: dict[frozenset[int], Floats] = {}
        self.trainings = 0

    def __call__(self, features: Sequence[int]) -> Floats:
        """(Q,) NDCG of every query by a ranker that didn't train on it."""
        key = frozenset(features)
        if key not in self._known:
            self._known[key] = self._judged(sorted(key))
        return self._known[key]

    def _judged(self, features: list[int]) -> Floats:
        narrow = self._data.columns(features)
        result = np.empty(len(narrow.groups))
        for held in self._folds:
            rest = np.setdiff1d(np.arange(len(narrow.groups)), held)
            ranker = PairwiseRanker.train(narrow.queries(rest), self._settings.ranker, seed=self._seed)
            judged = narrow.queries(held)
            scores = ranker.predict(judged.features)
            result[held] = ndcg(scores, judged.labels, judged.groups, self._settings.at)
            self.trainings += 1
            self._trained()
        return result


def _cost(before: Floats, after: Floats) -> tuple[float, float]:
    """Mean loss by query and its standard error."""
    difference = before - after
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def _backward(judge: _Judge, order: Sequence[int], settings: SelectionSettings) -> tuple[list[int], list[Step]]:
    """Remove features of ``order`` (least important first), in batches that are halved until they cost nothing."""
    kept, waiting = list(order), list(order)
    current = judge(kept)
    best = float(current.mean())
    steps = [Step(len(kept), best)]
    size = settings.batch
    while waiting:
        batch = waiting[: min(size, len(kept) - 1)]
        if not batch:
            break  # a single feature is left
        rest = [feature for feature in kept if feature not in batch]
        after = judge(rest)
        cost, error = _cost(current, after)
        if cost <= settings.standard_errors * error and best - float(after.mean()) <= settings.tolerance:
            kept, current, waiting = rest, after, waiting[len(batch) :]
            best = max(best, float(after.mean()))
            steps.append(Step(len(kept), float(after.mean()), removed=tuple(batch)))
        elif len(batch) > 1:
            size = len(batch) // 2
            continue
        else:
            waiting = waiting[1:]  # needed
        size = max(size, 1)
    return kept, steps


def _forward(
    judge: _Judge, kept: Sequence[int], order: Sequence[int], settings: SelectionSettings
) -> tuple[list[int], list[Step]]:
    """Let removed features come back, the most important first, where that gains two standard errors."""
    chosen, steps = list(kept), []
    current = judge(chosen)
    for feature in reversed([f for f in order if f not in chosen]):
        after = judge([*chosen, feature])
        cost, error = _cost(current, after)
        if -cost > 2 * error:
            chosen, current = [*chosen, feature], after
            steps.append(Step(len(chosen), float(after.mean()), returned=(feature,)))
    return chosen, steps
