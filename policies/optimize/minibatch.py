"""The rivals of CoCoA: mini-batch SGD and mini-batch coordinate descent, tuned; FISTA where the loss is smooth.

All send one vector to each worker and one back a round, as CoCoA does. They prove no bound that is worth much, so
``Stop.bound`` gives them one from elsewhere, which favours them: they stop when the objective itself is near enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from policies.optimize.cocoa import DIVERGED, Run, Scheme, Stop, solve
from policies.optimize.cocoa_workers import SimulatedWorkers
from policies.optimize.columns import Array
from policies.optimize.losses import CURVATURE, Problem, loss_slopes, loss_values


def minibatch_cd(beta: float, problem: Problem, share: float = 1.0) -> Scheme:
    """Mini-batch SDCA (by features: shotgun's safe relative): all steps against the round's w, times beta / (K H)."""
    steps = max(1.0, share * problem.columns.count)
    return Scheme("minibatch-cd", 1.0, beta / steps, coupled=False, passes=share)


def minibatch_sgd(problem: Problem, workers: int, rate: float, share: float, stop: Stop, seed: int = 0) -> Run:
    """Proximal (sub)gradient steps on ``share`` of the examples a round, step rate / (1 + rate l2 t).

    The better of the last iterate and the average that weighs late ones more (Lacoste-Julien et al. 2012) counts.
    """
    began, data = time.perf_counter(), problem.examples
    random, count = np.random.default_rng((seed, 3)), len(data.labels)
    w = average = np.zeros(data.rows.height)
    tracker = _Tracker(problem, Run("minibatch-sgd", w), stop, workers, began)
    for number in range(stop.rounds + 1):
        predictions = data.rows.dot(w)
        if tracker.reached(number, w, predictions, average if number else None):
            break
        if share < 1:
            which = np.sort(random.choice(count, max(1, round(share * count)), replace=False))
            batch, slopes = data.rows.chosen(which), loss_slopes(problem.loss, predictions[which], data.labels[which])
        else:
            batch, slopes = data.rows, loss_slopes(problem.loss, predictions, data.labels)
        step = rate / (1 + rate * problem.l2 * number)
        w = w - step * (batch.combine(slopes) / len(slopes) + problem.l2 * w)
        w = np.sign(w) * np.maximum(np.abs(w) - step * problem.l1, 0)
        average = average + 2 / (number + 2) * (w - average)
    return tracker.run


def fista(problem: Problem, workers: int, stop: Stop) -> Run:
    """Accelerated proximal gradient (Beck and Teboulle 2009) with restarts, step 1 / (largest curvature).

    ValueError where the loss isn't smooth.
    """
    if not np.isfinite(CURVATURE[problem.loss]):
        raise ValueError(f"FISTA needs a smooth loss, not {problem.loss}; take smoothed-hinge")
    began, data = time.perf_counter(), problem.examples
    step = 1 / (CURVATURE[problem.loss] * _largest_eigenvalue(problem) / len(data.labels) + problem.l2)
    w = before = np.zeros(data.rows.height)
    tracker, pace, last = _Tracker(problem, Run("fista", w), stop, workers, began), 1.0, np.inf
    for number in range(stop.rounds + 1):
        if tracker.reached(number, w, data.rows.dot(w)):
            break
        if tracker.run.objectives[-1] > last:
            pace, before = 1.0, w
        last = tracker.run.objectives[-1]
        following = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = w + (pace - 1) / following * (w - before)
        slopes = loss_slopes(problem.loss, data.rows.dot(ahead), data.labels) / len(data.labels)
        new = ahead - step * (data.rows.combine(slopes) + problem.l2 * ahead)
        before, w, pace = w, np.sign(new) * np.maximum(np.abs(new) - step * problem.l1, 0), following
    return tracker.run


def _largest_eigenvalue(problem: Problem) -> float:
    """Of X^T X, by 30 power iterations, 2 % added because they come from below."""
    rows = problem.examples.rows
    direction, size = np.random.default_rng(0).standard_normal(rows.height), 0.0
    for _ in range(30):
        direction = direction / max(float(np.linalg.norm(direction)), 1e-300)
        direction = rows.combine(rows.dot(direction))
        size = float(np.linalg.norm(direction))
    return max(1.02 * size, 1e-12)


class _Tracker:
    """Objective, rounds and bytes of a primal method."""

    def __init__(self, problem: Problem, run: Run, stop: Stop, workers: int, began: float):
        self.run, self._problem, self._stop, self._workers, self._began = run, problem, stop, workers, began

    def reached(self, number: int, w: Array, predictions: Array, other: Array | None = None) -> bool:
        """Note the objective at ``w`` (or at ``other`` where it is lower); True when it is time to stop."""
        run, problem = self.run, self._problem
        penalty = problem.l1 * np.abs(w).sum() + problem.l2 / 2 * (w**2).sum()
        value = float(loss_values(problem.loss, predictions, problem.examples.labels).mean() + penalty)
        best, value_best = w, value
        if other is not None:
            value_other = problem.objective(other)
            if value_other < value_best:
                best, value_best = other, value_other
        if value_best < run.objective:
            run.objective, run.weights = value_best, best
        run.objectives.append(value)
        run.duality_gap = max(0.0, run.objective - self._stop.bound)
        run.gaps.append(run.duality_gap)
        run.rounds, run.seconds = number, time.perf_counter() - self._began
        run.bytes = 2 * 8 * problem.examples.rows.height * self._workers * number
        run.diverged = not value - run.objectives[0] <= DIVERGED * max(1.0, abs(run.objectives[0]))
        if run.duality_gap <= self._stop.gap * max(abs(run.objective), 1e-12):
            run.rounds_to_gap = number
        return run.rounds_to_gap is not None or run.diverged or run.seconds > self._stop.seconds


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """The best run of a search; ``trials``: (setting, share, rounds or None, relative gap); see ``tune``."""

    run: Run
    setting: float
    share: float
    trials: tuple[tuple[float, float, int | None, float], ...]
    on_edge: bool


def tune(
    attempt: Callable[[float, float, int], Run],
    first: float,
    shares: Sequence[float],
    rounds: int,
    *,
    each_trial: Callable[[], None] | None = None,
) -> Tuned:
    """Search ``attempt(setting, share, rounds)`` for the setting that reaches the gap in the fewest rounds.

    A grid of five settings, factor 4, around ``first`` for every share, widened while the best lies at its edge (six
    more settings at most), then both neighbours at factor 2 and at sqrt(2). A trial ends once it needs more rounds than
    the best so far. ``on_edge``: the best is still at an edge, so that the search was too narrow.
    """
    trials: list[tuple[float, float, int | None, float]] = []
    best: list[tuple[tuple[float, float], Run, float, float]] = []

    def score(setting: float, share: float) -> None:
        limit = best[0][1].rounds_to_gap if best and best[0][1].rounds_to_gap is not None else rounds
        run = attempt(setting, share, limit)
        relative = run.duality_gap / max(abs(run.objective), 1e-12)
        relative = relative if np.isfinite(relative) and not run.diverged else np.inf
        trials.append((setting, share, run.rounds_to_gap, float(relative)))
        value = (float(run.rounds_to_gap if run.rounds_to_gap is not None else np.inf), float(relative))
        if not best or value < best[0][0]:
            best[:] = [(value, run, setting, share)]
        if each_trial is not None:
            each_trial()

    for share in shares:
        tried = [first * 4.0**power for power in (0, 1, -1, 2, -2)]
        for setting in tried:
            score(setting, share)
        for _ in range(6):
            if best[0][3] != share or min(tried) < best[0][2] < max(tried):
                break
            tried.append(min(tried) / 4 if best[0][2] == min(tried) else max(tried) * 4)
            score(tried[-1], share)
    for factor in (2.0, 2.0**0.5):
        center, share = best[0][2:]
        for setting in (center * factor, center / factor):
            score(setting, share)
    (_, run, setting, share) = best[0]
    same = [trial[0] for trial in trials if trial[1] == share]
    return Tuned(run, setting, share, tuple(trials), not min(same) < setting < max(same))


def tuned_sgd(
    problem: Problem,
    workers: int,
    stop: Stop,
    shares: Sequence[float] = (1.0, 0.1),
    *,
    each_trial: Callable[[], None] | None = None,
) -> Tuned:
    """Mini-batch SGD at its best rate and batch; the search starts at 1 / (the largest row norm squared)."""
    longest = float(problem.examples.rows.squared_norms().max(initial=1e-12))

    def attempt(rate: float, share: float, rounds: int) -> Run:
        with np.errstate(over="ignore", invalid="ignore"):
            return minibatch_sgd(problem, workers, rate, share, _shorter(stop, rounds))

    return tune(attempt, 10 / max(longest, 1e-12), shares, stop.rounds, each_trial=each_trial)


def tuned_cd(
    problem: Problem,
    workers: int,
    stop: Stop,
    shares: Sequence[float] = (1.0, 0.1),
    *,
    each_trial: Callable[[], None] | None = None,
) -> Tuned:
    """Mini-batch coordinate descent at its best beta and batch; the search starts at a tenth of the batch."""

    def attempt(part: float, share: float, rounds: int) -> Run:
        scheme = minibatch_cd(part * max(1.0, share * problem.columns.count), problem, share)
        with np.errstate(over="ignore", invalid="ignore"):
            return solve(problem, scheme, SimulatedWorkers(problem, workers), _shorter(stop, rounds))

    return tune(attempt, 0.1, shares, stop.rounds, each_trial=each_trial)


def _shorter(stop: Stop, rounds: int) -> Stop:
    return Stop(stop.gap, min(stop.rounds, rounds), stop.seconds, stop.bound)
