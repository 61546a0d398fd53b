"""CoCoA: communication-efficient distributed coordinate descent with a certificate of how far it is from the optimum.

* ``averaging``: CoCoA v1 (Jaggi et al. 2014): each worker applies its dual updates at once to its own copy of w
  (sigma' = 1), the copies are averaged (gamma = 1/K).
* ``adding``: CoCoA+ (Ma et al. 2015) and, divided by features, ProxCoCoA+ (Smith et al. 2015): sigma' = K, gamma = 1.
* ``safeguarded``: ours. sigma' starts at 1 and follows the measured |sum_k d_k|^2 / sum_k |d_k|^2 of the workers'
  steps d_k, which is all that sigma' has to bound; the subproblems are solved around an extrapolated point (FISTA's,
  restarted when it doesn't help); a line search over numbers that come along with the step keeps the objective from
  rising; and where the certified gap doesn't get better, the least sigma' is raised, up to K, where the theory holds.

Every method sends one vector to each worker and one back a round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from policies.optimize.cocoa_workers import Ask, Reply, Workers
from policies.optimize.columns import Array
from policies.optimize.losses import Penalty, Problem

FRACTIONS = (
    0.0, 1 / 64, 1 / 32, 1 / 16, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875,
    1.0, 1.125, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0,
)  # fmt: skip
"""Lengths that the line search chooses from, 0 and 1 among them."""
PATIENCE = 10
"""Rounds without a better certified gap after which the least sigma' is doubled, up to K."""
DIVERGED = 1e3
"""An objective this many times the one at the start, or one that isn't finite, is divergence."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How workers' steps become one: ``sigma`` (None: adaptive) and ``gamma`` (None: line search), both as in CoCoA+.

    ``coupled``: local steps see those before them (not in mini-batch coordinate descent). ``momentum``: solve around
    an extrapolated point. ``passes`` of each worker over its columns a round.
    """

    name: str
    sigma: float | None
    gamma: float | None
    coupled: bool = True
    momentum: bool = False
    passes: float = 1.0


def averaging(workers: int, passes: float = 1.0) -> Scheme:
    """CoCoA v1."""
    return Scheme("cocoa", 1.0, 1 / workers, passes=passes)


def adding(workers: int, passes: float = 1.0) -> Scheme:
    """CoCoA+ (by features: ProxCoCoA+)."""
    return Scheme("cocoa+", float(workers), 1.0, passes=passes)


def safeguarded(passes: float = 5.0) -> Scheme:
    """Adaptive sigma', momentum with restarts and a line search; falls back on CoCoA+'s safe sigma'."""
    return Scheme("cocoa-safeguarded", None, None, momentum=True, passes=passes)


@dataclass(frozen=True, slots=True)
class Stop:
    """When to stop: at a certified relative ``gap`` (gap over objective), or after ``rounds`` or ``seconds``.

    ``bound``: a lower bound of the objective known from elsewhere, for methods that prove none of their own.
    """

    gap: float = 1e-3
    rounds: int = 1000
    seconds: float = np.inf
    bound: float = -np.inf


@dataclass(slots=True)
class Run:
    """What a method reached. ``rounds_to_gap``: None where it didn't; histories have an entry for every round.

    ``objective``: of ``weights`` (d,); ``duality_gap``: objective minus a proven lower bound, so never below the true
    distance; ``objectives`` of the form that is minimised (``Problem``), ``sigmas`` and ``fractions`` as used.
    """

    method: str
    weights: Array
    objective: float = np.inf
    duality_gap: float = np.inf
    rounds_to_gap: int | None = None
    rounds: int = 0
    seconds: float = 0.0
    bytes: int = 0
    diverged: bool = False
    gaps: list[float] = field(default_factory=list)
    objectives: list[float] = field(default_factory=list)
    sigmas: list[float] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)


class Certificate:
    """The best objective and the best lower bound seen so far; their difference bounds the distance to the optimum."""

    def __init__(self, problem: Problem, bound: float = -np.inf):
        self._problem = problem
        self.upper, self.lower = np.inf, bound
        self.weights: Array | None = None

    def update(self, u: Array, w: Array, replies: Sequence[Reply]) -> float:
        """Take in a round: u = A a, w = the gradient that was sent; returns the objective of the solved form at u."""
        smooth, separable = self._problem.smooth, self._problem.separable
        inner = smooth.value(u) + sum(reply.own for reply in replies)
        bounded = separable.quadratic > 0 or separable.entropy or np.isfinite([separable.lower, separable.upper]).all()
        if bounded:
            outer = smooth.conjugate(w) + sum(reply.conjugate for reply in replies)
        else:  # only l1: the dual point is shrunk until it is feasible
            steepest = max(reply.slope for reply in replies)
            outer = smooth.conjugate(w * min(1.0, separable.l1 / steepest) if steepest > 0 else w)
        scale = self._problem.scale
        if isinstance(smooth, Penalty):
            self.lower = max(self.lower, -inner / scale)
            if outer / scale < self.upper:
                self.upper, self.weights = outer / scale, w
        else:
            self.upper = inner
            self.lower = max(self.lower, -outer)
        return inner

    @property
    def gap(self) -> float:
        """Objective minus lower bound, at least 0 (rounding apart, which is cut off)."""
        return max(0.0, self.upper - self.lower)

    def relative(self) -> float:
        """The gap as a share of the objective."""
        return self.gap / max(abs(self.upper), 1e-12)


def solve(
    problem: Problem,
    scheme: Scheme,
    workers: Workers,
    stop: Stop | None = None,
    *,
    each_round: Callable[[int, float], None] | None = None,
) -> Run:
    """Run ``scheme`` on fresh ``workers`` until ``stop``; ``each_round`` is told the round and its relative gap."""
    until, began = stop or Stop(), time.perf_counter()
    run, certificate = Run(scheme.name, np.zeros(0)), Certificate(problem, until.bound)
    control = _Control(problem, scheme, len(workers.parts))
    for number in range(until.rounds + 1):
        ask = control.ask(number)
        replies = workers.exchange(ask)
        objective = certificate.update(control.u, ask.w, replies)
        run.objectives.append(objective)
        run.gaps.append(certificate.gap)
        run.sigmas.append(control.sigma)
        run.rounds, run.seconds = number, time.perf_counter() - began
        if each_round is not None:
            each_round(number, certificate.relative())
        run.diverged = not objective - run.objectives[0] <= DIVERGED * max(1.0, abs(run.objectives[0]))
        if certificate.relative() <= until.gap:
            run.rounds_to_gap = number
            break
        if run.diverged or run.seconds > until.seconds:
            break
        control.combine(objective, replies, certificate.gap)
        run.fractions.append(control.accept)
    run.objective, run.duality_gap = certificate.upper, certificate.gap
    run.bytes = 2 * 8 * problem.columns.height * len(workers.parts) * run.rounds
    if problem.division == "features":
        run.weights = workers.coefficients()
    else:
        run.weights = certificate.weights if certificate.weights is not None else problem.smooth.gradient(control.u)
    return run


class _Control:
    """The driver's state: u = A a, the step before, sigma', the momentum's counter."""

    def __init__(self, problem: Problem, scheme: Scheme, workers: int):
        self.smooth, self.scheme, self.workers = problem.smooth, scheme, workers
        start = 0.5 if problem.separable.entropy else 0.0
        self.u = problem.columns.combine(np.full(problem.columns.count, start))
        self.drift = np.zeros_like(self.u)
        self.sigma = 1.0 if scheme.sigma is None else scheme.sigma
        self.accept, self.momentum, self.count = 0.0, 0.0, 1.0
        self.best_gap, self.patience, self.floor = np.inf, 0, 1.0

    def ask(self, number: int) -> Ask:
        """The message of round ``number``."""
        curvature = self.sigma * self.smooth.smoothness
        return Ask(
            number, self.smooth.gradient(self.u + self.momentum * self.drift), self.accept, self.momentum, curvature,
            curvature if self.scheme.coupled else 0.0, self.scheme.passes,
            FRACTIONS if self.scheme.gamma is None else (),
        )  # fmt: skip

    def combine(self, objective: float, replies: Sequence[Reply], gap: float) -> None:
        """Move u by the workers' steps, and choose sigma' and momentum of the next round."""
        step = np.sum([reply.step for reply in replies], axis=0)
        if self.scheme.gamma is not None:
            self.accept = self.scheme.gamma
        else:
            self.accept = self._line_search(objective, step, replies)
        if self.scheme.sigma is None:
            self._adapt(step - self.momentum * self.drift, replies, gap)
        self.drift = self.accept * step
        self.u = self.u + self.drift
        if self.scheme.momentum:
            following = (1 + np.sqrt(1 + 4 * self.count**2)) / 2
            self.momentum, self.count = (self.count - 1) / following, following

    def _line_search(self, objective: float, step: Array, replies: Sequence[Reply]) -> float:
        """The fraction of FRACTIONS with the lowest objective; starts the momentum anew where 1 doesn't lower it."""
        values = np.sum([reply.values for reply in replies], axis=0)
        for place, fraction in enumerate(FRACTIONS):
            if np.isfinite(values[place]):
                values[place] += self.smooth.value(self.u + fraction * step)
        if not values[FRACTIONS.index(1.0)] < objective:
            self.count = 1.0
        return FRACTIONS[int(np.nanargmin(values))]

    def _adapt(self, moved: Array, replies: Sequence[Reply], gap: float) -> None:
        """sigma' towards what this round needed; to CoCoA+'s K where the gap got no better in many rounds."""
        apart = sum(reply.solved for reply in replies)
        needed = float(np.clip(moved @ moved / apart, 1.0, self.workers)) if apart > 0 else 1.0
        self.patience = 0 if gap < self.best_gap else self.patience + 1
        self.best_gap = min(gap, self.best_gap)
        if self.patience >= PATIENCE:
            self.floor, self.patience = min(2 * max(self.floor, needed), float(self.workers)), 0
        self.sigma = max(self.floor, needed)
