"""Pairwise boosted trees that order candidates: LambdaMART as LightGBM has it (training only: lightgbm, onnx).

A ranker is the mean of a few members that differ by their seed and, on few judged queries, a forest beside them
(``policies.ranking.forest``). The number of boosted trees is chosen where the members' mean curve on judged queries,
smoothed, is highest: the curve of one member on 50 queries is mostly noise.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import lightgbm
import numpy as np
from numpy.typing import NDArray

from policies.ranking.forest import GainForest, spread_within
from policies.ranking.letor import RankingData
from policies.ranking.metrics import ndcg
from policies.ranking.served_ranker import RankerManifest, write_ranker
from policies.ranking.tree_export import tree_ensemble

Objective = Literal["lambdarank", "rank_xendcg"]
Progress = Callable[[int], None]
SMOOTHING = 15
"""Trees over which a curve is averaged before its highest point is sought."""
FOREST_WEIGHT = 2.0
"""How much the forest's opinion counts against the members', both measured by their spread within queries."""


@dataclass(frozen=True, slots=True)
class RankerSettings:
    """How a ranker is trained; the defaults are regularised for a few hundred judged queries.

    ``trees`` the most of each member; ``members`` seeds whose mean is served; ``leaves`` of a tree; ``learning_rate``;
    ``features_per_tree`` share of the features that a tree may use; ``candidates_per_tree`` share of the rows;
    ``min_candidates_per_leaf``, ``min_hessian_per_leaf`` and ``l2`` bound what a leaf may say; ``truncation`` ranks
    whose pairs count; ``at`` the k of the NDCG@k that chooses the number of trees; ``patience`` trees without a
    better one after which a member stops; ``forest`` trees of the forest (0: none) and ``forest_features_per_split``.
    """

    trees: int = field(default=80, metadata={"search": {"low": 20, "high": 200}})
    members: int = 5
    leaves: int = field(default=15, metadata={"search": {"low": 4, "high": 63, "log": True}})
    learning_rate: float = field(default=0.05, metadata={"search": {"low": 0.01, "high": 0.3, "log": True}})
    features_per_tree: float = field(default=0.3, metadata={"search": {"low": 0.1, "high": 1.0}})
    candidates_per_tree: float = field(default=1.0, metadata={"search": {"low": 0.5, "high": 1.0}})
    min_candidates_per_leaf: int = field(default=20, metadata={"search": {"low": 2, "high": 60}})
    min_hessian_per_leaf: float = 1e-3
    l2: float = field(default=0.0, metadata={"search": {"low": 0.0, "high": 10.0}})
    truncation: int = 30
    objective: Objective = "lambdarank"
    at: int = 5
    patience: int = 40
    forest: int = 0
    forest_features_per_split: float = 0.3

    def __post_init__(self) -> None:
        for name in ("trees", "members", "min_candidates_per_leaf", "truncation", "at", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it is a whole number above 0")
        for name in ("learning_rate", "features_per_tree", "candidates_per_tree", "forest_features_per_split"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it is above 0 and at most 1")
        if self.leaves < 2 or min(self.l2, self.min_hessian_per_leaf, self.forest) < 0:
            raise ValueError("leaves is 2 or more; l2, min_hessian_per_leaf and forest are not negative")
        if self.objective not in get_args(Objective):
            raise ValueError(f"objective {self.objective!r}: say one of {', '.join(get_args(Objective))}")

    @classmethod
    def for_rows(cls, rows: int) -> RankerSettings:
        """Settings for that many training rows, within a millisecond for 50 candidates: from 50,000 rows on there is
        more to learn than to guard against, so one member with larger trees takes the place of five and a forest.
        """
        if rows < 50_000:
            return cls(forest=100)
        return cls(trees=200, members=1, leaves=31, learning_rate=0.1, features_per_tree=0.7, candidates_per_tree=0.9)


STOCK = RankerSettings(
    trees=100, members=1, leaves=31, learning_rate=0.1, features_per_tree=1.0, candidates_per_tree=0.9,
    min_candidates_per_leaf=50, min_hessian_per_leaf=5.0,
)  # fmt: skip
"""LightGBM's own example configuration for ranking (``examples/lambdarank/train.conf``): what to be compared with."""


@dataclass(frozen=True)
class PairwiseRanker:
    """A trained ranker: its members' boosters, how many trees of each are used, and the features they know; the
    ``forest``, where there is one, is added with ``forest_weight``."""

    boosters: tuple[Any, ...]
    trees: int
    names: tuple[str, ...]
    settings: RankerSettings
    seed: int
    curve: tuple[float, ...] = ()
    forest: GainForest | None = None
    forest_weight: float = 0.0

    @classmethod
    def train(
        cls,
        data: RankingData,
        settings: RankerSettings | None = None,
        *,
        valid: RankingData | None = None,
        trees: int | None = None,
        seed: int = 0,
        progress: Progress = lambda trees: None,
    ) -> PairwiseRanker:
        """Train on ``data``; one thread, and the same ranker from the same arguments.

        ``settings``: by default what suits that many rows. ``valid`` chooses the number of trees; without it there
        are ``trees`` of them (default: the settings'; see ``cross_validated_trees``). ``progress`` hears of every
        tree. ValueError for an infinite feature, by name, or when ``valid`` has other features. A feature may be NaN
        (missing) or constant.
        """
        settings = settings or RankerSettings.for_rows(len(data.labels))
        _check_features(data)
        if valid is not None:
            _check_features(valid)
            if valid.names != data.names:
                raise ValueError(f"training data has {len(data.names)} features, validation data {len(valid.names)}")
        rounds = settings.trees if trees is None else trees
        members = [
            _boost(data, settings, valid, rounds, seed * 1000 + member, progress) for member in range(settings.members)
        ]
        curve = mean_curve([curve for _, curve in members])
        used = rounds if valid is None else stopping_point(curve)
        boosters = tuple(booster for booster, _ in members)
        ranker = cls(boosters, used, data.names, settings, seed, tuple(curve))
        return ranker._with_forest(data) if settings.forest else ranker

    def _with_forest(self, data: RankingData) -> PairwiseRanker:
        forest = GainForest(data, self.settings.forest, self.settings.forest_features_per_split, self.seed)
        spread = spread_within(forest.predict(data.features), data)
        weight = FOREST_WEIGHT * spread_within(self.predict(data.features), data) / spread if spread > 0 else 0.0
        return replace(self, forest=forest, forest_weight=weight)

    def predict(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(N,) scores of (N, F) features, by the libraries themselves: the members' mean plus the forest's part."""
        scores = [b.predict(features, num_iteration=self.trees, num_threads=1) for b in self.boosters]
        mean = np.asarray(np.mean(scores, axis=0), dtype=np.float64)
        return mean if self.forest is None else mean + self.forest_weight * self.forest.predict(features)

    def gains(self) -> NDArray[np.float64]:
        """(F,) total gain of the splits on each feature over all boosted trees that are used."""
        each = [b.feature_importance("gain", iteration=self.trees) for b in self.boosters]
        return np.asarray(np.sum(each, axis=0), dtype=np.float64)

    def export(self, directory: Path, training: dict[str, Any] | None = None) -> RankerManifest:
        """Write the ranker to ``directory`` as ONNX with its manifest; see ``ServedRanker.load``."""
        share = 1.0 / len(self.boosters)
        dumps = [(b.dump_model(num_iteration=self.trees), share) for b in self.boosters]
        if self.forest is not None:
            dumps.append((self.forest.dump(), self.forest_weight))
        said = {"settings": asdict(self.settings), "seed": self.seed, "trees": self.trees, **(training or {})}
        return write_ranker(directory, tree_ensemble(dumps, len(self.names)), self.names, said)


def cross_validated_trees(
    data: RankingData, settings: RankerSettings, *, folds: int = 5, members: int = 2, seed: int = 0,
    progress: Progress = lambda trees: None,
) -> int:  # fmt: skip
    """The number of trees with the highest smoothed NDCG over ``folds`` parts of the queries, each judged once.

    ``members`` seeds train on each part's rest; ``progress`` hears of ``folds * members * settings.trees`` trees.
    ValueError with fewer queries than folds.
    """
    queries = len(data.groups)
    if queries < folds:
        raise ValueError(f"{queries} queries can't be divided into {folds} parts: give a validation file")
    shuffled = np.random.default_rng(seed).permutation(queries)
    curves = []
    for fold in range(folds):
        held = np.sort(shuffled[fold::folds])
        rest = np.setdiff1d(np.arange(queries), held)
        part, judged = data.queries(rest), data.queries(held)
        for member in range(members):
            member_seed = (seed * folds + fold) * 1000 + member
            _, curve = _boost(part, settings, judged, settings.trees, member_seed, progress, stop_early=False)
            curves.append(curve)
    return stopping_point(mean_curve(curves))


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean over the curves, as far as the shortest goes."""
    shortest = min(map(len, curves))
    return [float(np.mean([curve[tree] for curve in curves])) for tree in range(shortest)]


def stopping_point(curve: Sequence[float]) -> int:
    """The number of trees at which ``curve``, smoothed over 15 trees, is highest; 1 for an empty curve."""
    if not curve:
        return 1
    half = SMOOTHING // 2
    smooth = [np.mean(curve[max(0, t - half) : t + half + 1]) for t in range(len(curve))]
    return int(np.argmax(smooth)) + 1


def _check_features(data: RankingData) -> None:
    if np.isinf(data.features).any():
        column = int(np.flatnonzero(np.isinf(data.features).any(axis=0))[0])
        raise ValueError(f"feature {data.names[column]} is infinite somewhere: bound it, or NaN where it is missing")


def _boost(
    data: RankingData, settings: RankerSettings, valid: RankingData | None, rounds: int, seed: int,
    progress: Progress, *, stop_early: bool = True,
) -> tuple[Any, list[float]]:  # fmt: skip
    """One member's booster, and its NDCG on ``valid`` after each tree."""
    parameters = _parameters(settings, seed)
    train = lightgbm.Dataset(data.features, data.labels, group=data.groups, weight=data.weights, params=parameters)
    curve: list[float] = []
    callbacks: list[Any] = [lambda env: progress(1)]
    sets = []
    if valid is not None:
        sets = [train.create_valid(valid.features, valid.labels, group=valid.groups)]
        callbacks.append(lambda env: curve.append(float(env.evaluation_result_list[0][2])))
        if stop_early:
            callbacks.append(lightgbm.early_stopping(settings.patience, verbose=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it tells of every split it did not find
        booster = lightgbm.train(parameters, train, rounds, valid_sets=sets, callbacks=callbacks)
    booster.best_iteration = 0  # the ranker says how many trees are used
    return booster, curve


def _parameters(settings: RankerSettings, seed: int) -> dict[str, Any]:
    return {
        "objective": settings.objective,
        "metric": "ndcg",
        "eval_at": [settings.at],
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "feature_fraction": settings.features_per_tree,
        "bagging_fraction": settings.candidates_per_tree,
        "bagging_freq": int(settings.candidates_per_tree < 1),
        "min_data_in_leaf": settings.min_candidates_per_leaf,
        "min_sum_hessian_in_leaf": settings.min_hessian_per_leaf,
        "lambda_l2": settings.l2,
        "lambdarank_truncation_level": settings.truncation,
        "feature_pre_filter": False,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "seed": seed,
    }


def mean_ndcg(scores: NDArray[np.floating[Any]], data: RankingData, k: int) -> float:
    """Mean NDCG@k of ``scores`` (N,) over the queries of ``data``."""
    return float(ndcg(scores, data.labels, data.groups, k).mean())
