"""Losses of linear models, their conjugates, and the one form in which CoCoA solves all of them.

Every problem here is  min_w (1/n) sum_i loss(x_i.w, y_i) + l1 |w|_1 + l2/2 |w|^2,  solved as
min_a f(A a) + sum_i g_i(a_i)  (Smith et al. 2018, "CoCoA: A General Framework", problems A and B), where the columns
of A are divided among workers. By *examples* (l2 > 0): a is the dual, A's columns are examples; f is n times the
conjugate of the penalty. By *features* (smooth loss): a = w, A's columns are features, f is the mean loss.

Sources: Shalev-Shwartz and Zhang (2013), SDCA, for conjugates and steps; Smith et al., section 3, for the two forms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from policies.optimize.columns import Array, Columns, Index
from policies.optimize.libsvm import Examples

LossName = Literal["hinge", "smoothed-hinge", "logistic", "squared"]
Division = Literal["examples", "features"]
LOSSES: tuple[LossName, ...] = get_args(LossName)
CURVATURE: dict[LossName, float] = {"hinge": np.inf, "smoothed-hinge": 1.0, "logistic": 0.25, "squared": 1.0}
"""The largest second derivative of a loss in the prediction; infinite: not smooth. Smoothed hinge: gamma = 1."""


class ProblemError(ValueError):
    """Data, loss and penalties that don't make a problem; says what to change."""


def loss_values(loss: LossName, predictions: Array, labels: Array) -> Array:
    """(n,): the loss of every prediction; labels -1 and 1 but for ``squared``."""
    if loss == "squared":
        return np.asarray((predictions - labels) ** 2 / 2)
    margins = predictions * labels
    if loss == "logistic":
        return np.logaddexp(0, -margins)
    missing = np.maximum(1 - margins, 0)
    return missing if loss == "hinge" else np.where(missing <= 1, missing**2 / 2, missing - 0.5)


def loss_slopes(loss: LossName, predictions: Array, labels: Array) -> Array:
    """(n,): the derivative (hinge: a subgradient) of every loss in its prediction."""
    if loss == "squared":
        return predictions - labels
    margins = predictions * labels
    if loss == "logistic":
        return -labels * _sigmoid(-margins)
    return -labels * ((margins < 1) * 1.0 if loss == "hinge" else np.clip(1 - margins, 0, 1))


def loss_conjugates(loss: LossName, duals: Array, labels: Array) -> Array:
    """(n,): the convex conjugate of every loss in its prediction, infinite outside its domain."""
    if loss == "squared":
        return np.asarray(duals**2 / 2 + duals * labels)
    share = -duals * labels
    outside = (share < -1e-12) | (share > 1 + 1e-12)
    share = np.clip(share, 0, 1)
    values = _entropy(share) if loss == "logistic" else -share + (share**2 / 2 if loss == "smoothed-hinge" else 0)
    return np.where(outside, np.inf, values)


def _sigmoid(values: Array) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0, -values)))


def _entropy(shares: Array) -> Array:
    """(N,): s log s + (1 - s) log(1 - s), 0 at both ends."""
    inner = np.clip(shares, 1e-300, 1)
    outer = np.clip(1 - shares, 1e-300, 1)
    return np.asarray(shares * np.log(inner) + (1 - shares) * np.log(outer))


@dataclass(frozen=True, slots=True, eq=False)
class Separable:
    """The functions g_i(a) = quadratic/2 a^2 + linear_i a + l1 |a| within [lower, upper], or + entropy of a in [0, 1].

    linear (N,). It covers the conjugates of all losses here and the elastic net.
    """

    linear: Array
    quadratic: float = 0.0
    l1: float = 0.0
    lower: float = -np.inf
    upper: float = np.inf
    entropy: bool = False

    def values(self, a: Array) -> Array:
        """(..., N): g_i(a_i) of one or more a, infinite outside the bounds."""
        inside = self.quadratic / 2 * a**2 + self.linear * a + self.l1 * np.abs(a)
        if self.entropy:
            inside = inside + _entropy(np.clip(a, 0, 1))
        return np.where((a < self.lower - 1e-12) | (a > self.upper + 1e-12), np.inf, inside)

    def best(self, z: Array) -> Array:
        """(N,): where z_i a - g_i(a) is largest; infinite where it grows for ever."""
        if self.entropy:
            return _sigmoid(z - self.linear)
        pull = z - self.linear
        soft = np.sign(pull) * np.maximum(np.abs(pull) - self.l1, 0)
        far = np.where(soft > 0, np.inf, np.where(soft < 0, -np.inf, 0.0))
        return np.clip(soft / self.quadratic if self.quadratic else far, self.lower, self.upper)

    def conjugates(self, z: Array) -> Array:
        """(N,): g_i*(z_i)."""
        best = self.best(z)
        finite = np.where(np.isfinite(best), best, 0.0)
        return np.where(np.isfinite(best), z * finite - self.values(finite), np.inf)

    def chosen(self, which: Index) -> Separable:
        """The functions ``which``."""
        return replace(self, linear=self.linear[which])


@dataclass(frozen=True, slots=True, eq=False)
class Penalty:
    """f(u) = n l2/2 |soft(u/n, l1)/l2|^2: n times the conjugate of l1 |w|_1 + l2/2 |w|^2 at u/n; smooth as l2 > 0."""

    examples: int
    l1: float
    l2: float

    @property
    def smoothness(self) -> float:
        """The Lipschitz constant of the gradient."""
        return 1 / (self.l2 * self.examples)

    def gradient(self, u: Array) -> Array:
        """The weights w that belong to u = sum_i a_i x_i."""
        mean = u / self.examples
        return np.asarray(np.sign(mean) * np.maximum(np.abs(mean) - self.l1, 0) / self.l2)

    def value(self, u: Array) -> float:
        """f(u)."""
        return float(self.examples * self.l2 / 2 * (self.gradient(u) ** 2).sum())

    def conjugate(self, w: Array) -> float:
        """f*(w) = n (l1 |w|_1 + l2/2 |w|^2)."""
        return float(self.examples * (self.l1 * np.abs(w).sum() + self.l2 / 2 * (w**2).sum()))


@dataclass(frozen=True, slots=True, eq=False)
class MeanLoss:
    """f(u) = (1/n) sum_i loss(u_i, y_i) of a smooth loss."""

    loss: LossName
    labels: Array

    @property
    def smoothness(self) -> float:
        """The Lipschitz constant of the gradient."""
        return CURVATURE[self.loss] / len(self.labels)

    def gradient(self, u: Array) -> Array:
        """(n,): the slope of the mean in each prediction."""
        return loss_slopes(self.loss, u, self.labels) / len(self.labels)

    def value(self, u: Array) -> float:
        """f(u)."""
        return float(loss_values(self.loss, u, self.labels).mean())

    def conjugate(self, w: Array) -> float:
        """f*(w)."""
        return float(loss_conjugates(self.loss, w * len(self.labels), self.labels).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is solved: f(A a) + sum g(a), ``scale`` times the objective; ``division``: what A's columns are."""

    examples: Examples
    loss: LossName
    l1: float
    l2: float
    division: Division
    columns: Columns
    separable: Separable
    smooth: Penalty | MeanLoss
    scale: float

    def objective(self, w: Array) -> float:
        """The objective at weights ``w`` (d,)."""
        mean = loss_values(self.loss, self.examples.rows.dot(w), self.examples.labels).mean()
        return float(mean + self.l1 * np.abs(w).sum() + self.l2 / 2 * (w**2).sum())


def problem(examples: Examples, loss: LossName, l1: float, l2: float, division: Division | None = None) -> Problem:
    """The form to solve: by examples where l1 = 0 or the loss isn't smooth, else by features, unless ``division`` says.

    Two labels of any value become -1 and 1 for classification; one alone stays what its sign says. ProblemError for
    penalties below 0 or both 0, a division that the mathematics doesn't allow, more than two classes, numbers that
    aren't finite.
    """
    if loss not in LOSSES:
        raise ProblemError(f"loss {loss!r}: choose one of {', '.join(LOSSES)}")
    if not (np.isfinite([l1, l2]).all() and min(l1, l2) >= 0 and max(l1, l2) > 0):
        raise ProblemError(f"l1 {l1}, l2 {l2}: both at least 0 and finite, and one of them above 0")
    if not (np.isfinite(examples.rows.values).all() and np.isfinite(examples.labels).all()):
        raise ProblemError("the data hold a number that isn't finite (NaN or infinity); remove or fill in")
    smooth = np.isfinite(CURVATURE[loss])
    chosen = division or ("examples" if l1 == 0 or not smooth else "features")
    if chosen == "examples" and l2 == 0:
        remedy = "set l2 above 0" + ("" if smooth else ", or take smoothed-hinge")
        raise ProblemError(f"loss {loss} with l1 {l1} and l2 0 can't be divided by examples; {remedy}")
    if chosen == "features" and not smooth:
        raise ProblemError(f"loss {loss} isn't smooth, so it can't be divided by features; take smoothed-hinge")
    data = examples if loss == "squared" else Examples(examples.rows, _signs(examples.labels))
    form = _by_examples if chosen == "examples" else _by_features
    return form(data, loss, l1, l2)


def _signs(labels: Array) -> Array:
    classes = np.unique(labels)
    if len(classes) > 2:
        shown = ", ".join(f"{value:g}" for value in classes[:5])
        raise ProblemError(f"{len(classes)} different labels ({shown}, ...): classification needs two, or take squared")
    above = labels == classes[-1] if len(classes) == 2 else labels > 0
    return np.where(above, 1.0, -1.0)


def _by_examples(data: Examples, loss: LossName, l1: float, l2: float) -> Problem:
    """Columns y_i x_i and a_i in [0, 1] for classification, x_i and a_i free for regression."""
    count = len(data.labels)
    if loss == "squared":
        columns, separable = data.rows, Separable(-data.labels, quadratic=1.0)
    else:
        linear = np.zeros(count) if loss == "logistic" else -np.ones(count)
        curved = 1.0 if loss == "smoothed-hinge" else 0.0
        columns = data.rows.scaled(data.labels)
        separable = Separable(linear, curved, lower=0.0, upper=1.0, entropy=loss == "logistic")
    return Problem(data, loss, l1, l2, "examples", columns, separable, Penalty(count, l1, l2), float(count))


def _by_features(data: Examples, loss: LossName, l1: float, l2: float) -> Problem:
    columns = data.rows.transposed()
    separable = Separable(np.zeros(columns.count), quadratic=l2, l1=l1)
    return Problem(data, loss, l1, l2, "features", columns, separable, MeanLoss(loss, data.labels), 1.0)
