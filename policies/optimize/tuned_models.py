"""Real models on small bundled data whose settings are tuned: problems for comparing tuners (scikit-learn)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.optimize.space import Dimension
from policies.optimize.surfaces import Array

FOLDS = 3


@dataclass(frozen=True)
class TunedModel:
    """A model's log loss or error in cross-validation over its settings ``space``; ``value`` takes (D,) and a seed.

    The seed divides the data (and draws what the model draws), so all methods of one seed meet the same problem.
    """

    name: str
    space: tuple[Dimension, ...]
    value: Callable[[Array, int], float]


@functools.cache
def _data(name: str, rows: int) -> tuple[Any, Any]:
    from sklearn import datasets

    features, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(labels))[:rows]
    spread = features[chosen].std(axis=0)
    return (features[chosen] - features[chosen].mean(axis=0)) / np.where(spread > 0, spread, 1), labels[chosen]


def _error(model: Any, name: str, rows: int, seed: int, scoring: str) -> float:
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    features, labels = _data(name, rows)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return -float(np.mean(cross_val_score(model, features, labels, cv=folds, scoring=scoring)))


def _svm_digits(point: Array, seed: int) -> float:
    from sklearn.svm import SVC

    return 1 + _error(SVC(C=point[0], gamma=point[1]), "digits", 300, seed, "accuracy")


def _trees_cancer(point: Array, seed: int) -> float:
    from sklearn.ensemble import GradientBoostingClassifier

    rate, depth, share, leaf = point
    model = GradientBoostingClassifier(
        n_estimators=15, learning_rate=rate, max_depth=int(depth), subsample=share, min_samples_leaf=int(leaf),
        max_features=6, random_state=seed,
    )  # fmt: skip
    return _error(model, "breast_cancer", 250, seed, "neg_log_loss")


TUNED_MODELS: tuple[TunedModel, ...] = (
    TunedModel(
        "SVM on digits (error)",
        (Dimension("c", 1e-3, 1e3, log=True), Dimension("gamma", 1e-6, 1.0, log=True)),
        _svm_digits,
    ),
    TunedModel(
        "boosted trees on breast cancer (log loss)",
        (
            Dimension("rate", 1e-3, 1.0, log=True), Dimension("depth", 1, 6, whole=True),
            Dimension("share", 0.2, 1.0), Dimension("leaf", 1, 50, log=True, whole=True),
        ),
        _trees_cancer,
    ),
)  # fmt: skip
