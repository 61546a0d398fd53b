"""A forest of extremely random trees beside the boosted ones (training only: scikit-learn).

It predicts the gain 2^label - 1 of each candidate by itself (Geurts et al. 2006). On few judged queries boosting and
such a forest err differently, and their sum ranks better than either (Mohan et al. 2011 start one from the other).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from policies.ranking.letor import RankingData

LEAF, MOST_LEAVES = 3, 1000
"""Candidates of the smallest leaf, and about the most leaves of a tree: what 50 candidates a millisecond allow."""


class GainForest:
    """Extremely random trees on gains; one thread, the same trees from the same arguments."""

    def __init__(self, data: RankingData, trees: int, features_per_split: float, seed: int) -> None:
        self._forest = ExtraTreesRegressor(
            trees,
            min_samples_leaf=max(LEAF, len(data.labels) // MOST_LEAVES),
            max_features=features_per_split,
            random_state=seed,
        )
        self._forest.fit(data.features, np.exp2(data.labels.astype(np.float64)) - 1.0, sample_weight=data.weights)

    def predict(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(N,) expected gains of (N, F) features."""
        return np.asarray(self._forest.predict(features), dtype=np.float64)

    def dump(self) -> dict[str, Any]:
        """The trees in the form of LightGBM's ``Booster.dump_model()``, their sum being the prediction."""
        count = len(self._forest.estimators_)
        structures = [{"tree_structure": _nested(estimator.tree_, count)} for estimator in self._forest.estimators_]
        return {"num_class": 1, "tree_info": structures}


def _nested(tree: Any, count: int) -> dict[str, Any]:
    """One scikit-learn tree as nested nodes, its leaves divided by the number of trees."""
    nodes = [_node(tree, number, count) for number in range(tree.node_count)]
    for number, node in enumerate(nodes):
        if "split_feature" in node:
            node["left_child"] = nodes[tree.children_left[number]]
            node["right_child"] = nodes[tree.children_right[number]]
    return nodes[0]


def _node(tree: Any, number: int, count: int) -> dict[str, Any]:
    if tree.children_left[number] < 0:
        return {"leaf_value": float(tree.value[number, 0, 0]) / count}
    return {
        "split_feature": int(tree.feature[number]),
        "threshold": float(tree.threshold[number]),
        "decision_type": "<=",
        "missing_type": "NaN",
        "default_left": bool(tree.missing_go_to_left[number]),
    }


def spread_within(scores: NDArray[np.float64], data: RankingData) -> float:
    """The mean over the queries of the standard deviation of their candidates' scores."""
    return float(np.mean([np.std(part) for part in np.split(scores, data.starts[1:])]))
