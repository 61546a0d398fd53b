"""Tuners against each other on problems with an answer: one search, and what many searches say (training only)."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from policies.optimize.judging import LEVEL, area, best_seen, better, holm, p_lower, partial_ranking
from policies.optimize.samplers import METHODS, Method, as_array, distributions, sampler
from policies.optimize.space import Dimension
from policies.optimize.surfaces import NOISE, SURFACES, Array, Surface
from policies.optimize.tuned_models import TUNED_MODELS


@dataclass(frozen=True)
class Problem:
    """What is minimised: ``value`` of an array (D,) and a seed, seen with Gaussian noise of deviation ``noise``.

    ``minimum``: what can't be beaten, 0 where nobody knows it. ``repeatable``: the same point has the same value.
    """

    name: str
    space: tuple[Dimension, ...]
    value: Callable[[Array, int], float]
    noise: float = 0.0
    minimum: float = 0.0
    repeatable: bool = True

    @property
    def key(self) -> str:
        """The name, with the noise if there is some."""
        return f"{self.name}, noisy" if self.noise else self.name


@dataclass(frozen=True)
class Found:
    """One search: the values seen, the true values of the same trials, and the CPU seconds it took."""

    observed: tuple[float, ...]
    true: tuple[float, ...]
    seconds: float


def surface_problem(surface: Surface, *, noisy: bool) -> Problem:
    """A test function as a problem; with noise of a tenth of its own deviation where ``noisy``."""
    space = tuple(
        Dimension(f"x{n}", float(low), float(high))
        for n, (low, high) in enumerate(zip(surface.low, surface.high, strict=True))
    )
    noise = NOISE * surface.spread if noisy else 0.0
    return Problem(surface.name, space, lambda point, seed: surface.value(point), noise, surface.minimum)


def problems() -> dict[str, Problem]:
    """All problems by key: the test functions without and with noise, and models on small data."""
    every = [surface_problem(surface, noisy=noisy) for noisy in (False, True) for surface in SURFACES]
    for model in TUNED_MODELS:
        every.append(Problem(model.name, model.space, model.value))
    return {problem.key: problem for problem in every}


def search(problem: Problem, method: Method, seed: int, trials: int) -> Found:
    """Let ``method`` minimise ``problem``; the same noise for all methods, trial by trial."""
    own = zlib.crc32(f"{method} {problem.key} {seed}".encode())
    noise = np.random.default_rng([zlib.crc32(problem.key.encode()), seed]).normal(0, 1, trials) * problem.noise
    study = optuna.create_study(
        sampler=sampler(method, problem.space, trials, own, noisy=problem.noise > 0 or not problem.repeatable)
    )
    ranges, observed, true = distributions(problem.space), [], []
    began = time.process_time()
    for error in noise:
        trial = study.ask(ranges)
        value = problem.value(as_array(problem.space, trial.params), seed)
        study.tell(trial, value + error)
        observed.append(float(value + error))
        true.append(float(value))
    return Found(tuple(observed), tuple(true), round(time.process_time() - began, 3))


def compare(problem: Problem, rows: Mapping[Method, Sequence[Found]]) -> dict[str, Any]:
    """What the searches on one problem say: medians of best found and area above the minimum, p values, a ranking.

    p values are one-sided, of the Gaussian process being lower than random and than the grid.
    """
    traces: dict[str, Array] = {
        method: np.array([best_seen(run.observed, run.true) for run in runs]) - problem.minimum
        for method, runs in rows.items()
    }
    found = {method: table[:, -1] for method, table in traces.items()}
    areas: dict[str, Array] = {method: np.array([area(trace) for trace in table]) for method, table in traces.items()}
    pairs = better(found, areas)
    row: dict[str, Any] = {
        "name": problem.name, "dims": len(problem.space), "noise": round(problem.noise, 6),
        "seeds": min(map(len, rows.values())),
        "best_found": {method: float(np.median(values)) for method, values in found.items()},
        "auc": {method: float(np.median(values)) for method, values in areas.items()},
        "ranking": partial_ranking(list(rows), pairs), "pairs": pairs,
        "seconds": {method: float(np.mean([run.seconds for run in runs])) for method, runs in rows.items()},
    }  # fmt: skip
    for rival, end in (("random", ""), ("grid", "_grid")):
        row[f"p_best_found{end}"] = p_lower(found["bayes"], found[rival])
        row[f"p_auc{end}"] = p_lower(areas["bayes"], areas[rival])
    return row


def corrected(rows: Sequence[dict[str, Any]], level: float = LEVEL) -> dict[str, Any]:
    """Add Holm-corrected p values (over the problems, for each question) to ``rows``; shares of problems won.

    ``won``: p below ``level`` uncorrected, ``won_holm``: corrected.
    """
    totals: dict[str, Any] = {"problems": len(rows), "won": {}, "won_holm": {}}
    for question in ("p_best_found", "p_auc", "p_best_found_grid", "p_auc_grid"):
        raw = [row[question] for row in rows]
        fixed = holm(raw)
        for row, p in zip(rows, fixed, strict=True):
            row[question.replace("p_", "p_holm_", 1)] = p
        name = question.removeprefix("p_")
        totals["won"][name] = float(np.mean([p < level for p in raw]))
        totals["won_holm"][name] = float(np.mean([p < level for p in fixed]))
    firsts = {method: float(np.mean([method in row["ranking"][0] for row in rows])) for method in METHODS}
    return {**totals, "first": firsts}
