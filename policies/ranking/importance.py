"""How much a feature matters, without the bias toward features with many values (training only: lightgbm).

A tree picks the best of all cut points, so a continuous feature that says nothing is picked far more often than a
binary one that says nothing. A permuted copy of a feature (a *probe*) has exactly as many cut points and says nothing:
what a feature gains beyond its own probes is what it says (Sandri & Zuccolotto 2008; Kursa & Rudnicki 2010, "Boruta").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.ranking.gbt import PairwiseRanker, RankerSettings
from policies.ranking.letor import RankingData
from policies.ranking.metrics import ndcg

Floats = NDArray[np.float64]
Progress = Callable[[int], None]
FEW_VALUES = 2
"""A feature with at most this many values is binary: one cut point."""


@dataclass(frozen=True)
class ProbedImportance:
    """Mean gains over rounds, each (F,): of the features, of their own permuted copies; and which are binary.

    ``probes`` (R * copies, F) holds the gains of all permuted copies.
    """

    gains: Floats
    probes: Floats
    binary: NDArray[np.bool_]

    @property
    def corrected(self) -> Floats:
        """(F,) gain beyond the mean of the feature's own probes: about 0 for noise of either type."""
        result: Floats = self.gains - self.probes.mean(axis=0)
        return result

    def thresholds(self) -> Floats:
        """(F,) what a feature of this type must gain to be believed: as much as the best probe of the type.

        Probes' gains are averaged over as many rounds as the features' before they are compared.
        """
        result = np.empty(len(self.gains))
        for kind in (self.binary, ~self.binary):
            if kind.any():
                result[kind] = float(self.probes.mean(axis=0)[kind].max())
        return result


def probed_importance(
    data: RankingData,
    settings: RankerSettings,
    *,
    rounds: int = 3,
    seed: int = 0,
    progress: Progress = lambda done: None,
) -> ProbedImportance:
    """Train ``rounds`` rankers on the features beside a permuted copy of each, and collect the gains of both.

    A feature that is constant within every query is permuted between queries, any other between all rows, so that a
    probe differs from its feature in nothing but what it says. Missing values are permuted like others.
    """
    count = len(data.names)
    by_query = query_constant(data)
    gains, probes = np.zeros(count), []
    for turn in range(rounds):
        rng = np.random.default_rng([seed, turn])
        copies = np.stack([_permuted(data, column, by_query[column], rng) for column in range(count)], axis=1)
        names = (*data.names, *(f"probe of {name}" for name in data.names))
        both = RankingData(np.hstack([data.features, copies]), data.labels, data.groups, names, data.weights)
        found = PairwiseRanker.train(both, settings, seed=seed * rounds + turn).gains()
        gains += found[:count] / rounds
        probes.append(found[count:])
        progress(1)
    return ProbedImportance(gains, np.stack(probes), few_values(data))


def permutation_importance(
    ranker: PairwiseRanker, judged: RankingData, k: int, *, rounds: int = 3, seed: int = 0
) -> Floats:
    """(F,) mean loss of NDCG@k on ``judged`` when a feature's values are permuted: unbiased, but redundant features
    cover for each other (Breiman 2001)."""
    rng = np.random.default_rng(seed)
    base = ndcg(ranker.predict(judged.features), judged.labels, judged.groups, k).mean()
    losses = np.zeros(len(judged.names))
    used = np.flatnonzero(ranker.gains() > 0)
    for column in used:
        for _ in range(rounds):
            changed = judged.features.copy()
            changed[:, column] = rng.permutation(changed[:, column])
            losses[column] += base - ndcg(ranker.predict(changed), judged.labels, judged.groups, k).mean()
    return losses / rounds


def few_values(data: RankingData) -> NDArray[np.bool_]:
    """(F,) whether a feature has at most two values, missing ones aside."""
    return np.array([len(np.unique(column[~np.isnan(column)])) <= FEW_VALUES for column in data.features.T])


def query_constant(data: RankingData) -> NDArray[np.bool_]:
    """(F,) whether a feature has one value in every query, and not the same in all."""
    first = np.repeat(data.features[data.starts], data.groups, axis=0)
    same = (data.features == first) | (np.isnan(data.features) & np.isnan(first))
    varies = np.array([len(np.unique(column)) > 1 for column in data.features.T])
    result: NDArray[np.bool_] = same.all(axis=0) & varies
    return result


def _permuted(data: RankingData, column: int, by_query: np.bool_, rng: np.random.Generator) -> NDArray[np.float32]:
    values = data.features[:, column]
    if by_query:
        return np.repeat(rng.permutation(values[data.starts]), data.groups)
    return rng.permutation(values)
