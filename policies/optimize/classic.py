"""Classic models, each fitted and asked in one line: linear, logistic, SVM, trees, boosted trees, multi-label, ALS.

scikit-learn, LightGBM and implicit do the work, with settings that suit a few hundred to a few thousand rows
(training only). Features may be dense (N, F) or sparse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Classic:
    """A model by name: ``make`` gives an unfitted one for a seed; ``labels``: it takes classes, not numbers."""

    name: str
    make: Callable[[int], Any]
    labels: bool = True

    def fit_predict(self, train: Any, targets: ArrayLike, test: Any, seed: int = 0) -> NDArray[Any]:
        """Fit on ``train`` (N, F) with ``targets`` (N,) or (N, L), and predict for ``test`` (M, F): (M,) or (M, L)."""
        model = self.make(seed).fit(with_int32_indices(train), np.asarray(targets))
        return np.asarray(model.predict(with_int32_indices(test)))


def with_int32_indices(features: Any) -> Any:
    """The same matrix; a sparse one as CSR with 32-bit indices, since liblinear and SAGA refuse 64-bit ones."""
    if not scipy.sparse.issparse(features):
        return np.asarray(features)
    matrix = features.tocsr()
    if max(matrix.nnz, *matrix.shape) < 2**31:
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix


def _scaled(model: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(with_mean=False), model)


def _ridge(seed: int) -> Any:
    from sklearn.linear_model import RidgeCV

    return _scaled(RidgeCV(alphas=np.logspace(-2, 4, 13)))


def _linear_labels(seed: int) -> Any:
    from sklearn.linear_model import RidgeClassifierCV

    return _scaled(RidgeClassifierCV(alphas=np.logspace(-2, 4, 13)))


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return _scaled(LogisticRegression(C=0.3, max_iter=500))


def _linear_svm(seed: int) -> Any:
    from sklearn.svm import LinearSVC

    return _scaled(LinearSVC(C=0.03, random_state=seed))


def _svm(seed: int) -> Any:
    from sklearn.svm import SVC

    return _scaled(SVC(C=5.0, gamma="scale"))


def _svr(seed: int) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    return TransformedTargetRegressor(_scaled(SVR(C=0.5)), transformer=StandardScaler())


def _tree(seed: int) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(min_samples_leaf=3, random_state=seed)


def _tree_numbers(seed: int) -> Any:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(min_samples_leaf=20, random_state=seed)


class _Boosted:
    """LightGBM on the columns by number, with one thread and no word."""

    def __init__(self, seed: int, *, labels: bool) -> None:
        import lightgbm

        self.labels = labels
        kind = lightgbm.LGBMClassifier if labels else lightgbm.LGBMRegressor
        self.model = kind(
            n_estimators=80, num_leaves=15, learning_rate=0.08, min_child_samples=10, colsample_bytree=0.5,
            random_state=seed, n_jobs=1, verbosity=-1, deterministic=True, force_row_wise=True,
        )  # fmt: skip

    def fit(self, features: Any, targets: NDArray[Any]) -> _Boosted:
        self.model.fit(_floats(features), targets)
        return self

    def predict(self, features: Any) -> NDArray[Any]:
        said = np.asarray(self.model.booster_.predict(_floats(features), num_threads=1))
        if not self.labels:
            return said
        place = said.argmax(axis=1) if said.ndim == 2 else (said > 0.5).astype(np.int64)
        return np.asarray(self.model.classes_[place])


def _floats(features: Any) -> Any:
    return features.astype(np.float64)


def _multi_label(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import ClassifierChain

    return _scaled(ClassifierChain(LogisticRegression(C=0.3, max_iter=500), order="random", random_state=seed))


def _one_by_one(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    return _scaled(OneVsRestClassifier(LogisticRegression(C=0.3, max_iter=500)))


CLASSIFIERS = (
    Classic("linear (ridge)", _linear_labels),
    Classic("logistic", _logistic),
    Classic("linear SVM", _linear_svm),
    Classic("kernel SVM", _svm),
    Classic("decision tree", _tree),
    Classic("boosted trees", lambda seed: _Boosted(seed, labels=True)),
)
REGRESSORS = (
    Classic("linear (ridge)", _ridge, labels=False),
    Classic("kernel SVM", _svr, labels=False),
    Classic("decision tree", _tree_numbers, labels=False),
    Classic("boosted trees", lambda seed: _Boosted(seed, labels=False), labels=False),
)
MULTI_LABEL = (Classic("one logistic a label", _one_by_one), Classic("chain of logistics", _multi_label))


def als_scores(seen: Any, factors: int = 16, seed: int = 0) -> NDArray[np.float32]:
    """(U, I) scores of every item for every user by implicit ALS (Hu, Koren & Volinsky 2008) on ``seen`` (U, I)."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=factors, regularization=0.05, alpha=5.0, iterations=15, num_threads=1, random_state=seed
    )
    model.fit(scipy.sparse.csr_matrix(seen, dtype=np.float32), show_progress=False)
    return np.asarray(model.user_factors @ model.item_factors.T, dtype=np.float32)
