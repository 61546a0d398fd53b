"""Linear models as served: logits, softmax, temperature and calibration in numpy (scikit-learn only fits them)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def product(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Matrix product (N, D) x (D, K), row by row for few rows, so that a row's result never depends on the others."""
    if len(rows) > 8:
        return rows @ matrix
    result: FloatArray = np.empty((len(rows), matrix.shape[1]), dtype=np.float32)
    for i, row in enumerate(rows):
        result[i] = row @ matrix
    return result


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Row-wise softmax of (..., K) logits."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def sigmoid(x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Elementwise logistic function."""
    result: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(x.astype(np.float64), -40, 40)))
    return result


@dataclass(frozen=True)
class Logistic:
    """Binary logistic regression: P(y=1 | x) = sigmoid(w x + b)."""

    weights: tuple[float, ...]
    bias: float

    def __call__(self, rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
        """(N,) probabilities of (N, D) rows."""
        if not len(rows):
            return np.zeros(0)
        return sigmoid(np.asarray(rows, dtype=np.float64) @ np.asarray(self.weights) + self.bias)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"weights": list(self.weights), "bias": self.bias}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Logistic:
        """Back from plain values."""
        return cls(tuple(map(float, value["weights"])), float(value["bias"]))

    @classmethod
    def fit(cls, rows: Sequence[Sequence[float]], labels: Sequence[bool], c: float = 1.0) -> Logistic:
        """Fit by scikit-learn (training only); constant labels give the smoothed base rate."""
        from sklearn.linear_model import LogisticRegression

        width = len(rows[0]) if rows else 1
        if len(set(labels)) < 2:
            rate = (sum(labels) + 1) / (len(labels) + 2)
            return cls((0.0,) * width, float(np.log(rate / (1 - rate))))
        model = LogisticRegression(C=c, max_iter=1000).fit(np.asarray(rows), np.asarray(labels))
        return cls(tuple(float(w) for w in model.coef_[0]), float(model.intercept_[0]))


@dataclass(frozen=True)
class SoftmaxHead:
    """Multinomial logistic regression over dense and hashed sparse features, with a temperature.

    ``dense`` (D, K), ``sparse`` (H, K), ``bias`` (K,); logits are divided by ``temperature``.
    """

    labels: tuple[str, ...]
    dense: FloatArray
    sparse: FloatArray
    bias: FloatArray
    temperature: float

    def logits(self, dense: FloatArray, hashed: Sequence[dict[int, float]]) -> FloatArray:
        """(N, K) calibrated logits of (N, D) dense rows and their hashed features (index -> weight)."""
        result = product(dense, self.dense) + self.bias
        for row, values in enumerate(hashed):
            if values:
                index = np.fromiter(values, dtype=np.int64, count=len(values))
                weight = np.fromiter(values.values(), dtype=np.float32, count=len(values))
                result[row] += weight @ self.sparse[index]
        scaled: FloatArray = (result / self.temperature).astype(np.float32)
        return scaled


def hashed_features(grams: Sequence[str], width: int, scale: float) -> dict[int, float]:
    """Counts of strings hashed into ``width`` buckets (CRC-32: the same everywhere), L2-normalised to ``scale``."""
    counts: dict[int, float] = {}
    for gram in grams:
        index = zlib.crc32(gram.encode("utf-8", "replace")) % width
        counts[index] = counts.get(index, 0.0) + 1.0
    norm = sum(value * value for value in counts.values()) ** 0.5
    return {index: scale * value / norm for index, value in counts.items()} if norm else {}


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> float:
    """Mean |accuracy - confidence| over equal-width bins, weighted by their size (Naeini et al. 2015)."""
    p, y = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if not len(p):
        return 0.0
    which = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [
        abs(p[which == b].mean() - y[which == b].mean()) * (which == b).sum() for b in range(bins) if (which == b).any()
    ]
    return float(sum(gaps) / len(p))


def fit_temperature(logits: NDArray[np.floating[Any]], targets: NDArray[np.int64]) -> float:
    """The temperature that minimises the log loss of held-out logits (Guo et al. 2017), by golden-section search."""
    rows = np.arange(len(targets))

    def loss(log_t: float) -> float:
        return float(-np.log(softmax(logits / np.exp(log_t))[rows, targets] + 1e-12).mean())

    low, high, golden = -3.0, 3.0, (5**0.5 - 1) / 2
    for _ in range(40):
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))
