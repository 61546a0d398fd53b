"""Ways to propose settings - a Gaussian process, at random, a grid - behind one function (optuna; training only)."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from policies.optimize.space import Dimension, Value

Method = Literal["bayes", "random", "grid"]
METHODS: tuple[Method, ...] = get_args(Method)
STARTUP = 5
"""Random settings before the Gaussian process proposes: optuna's 10 cost area under the best-seen trace."""

optuna.logging.set_verbosity(optuna.logging.ERROR)


def distributions(space: Sequence[Dimension]) -> dict[str, BaseDistribution]:
    """The dimensions in optuna's terms, by name."""
    found: dict[str, BaseDistribution] = {}
    for d in space:
        if d.choices:
            found[d.name] = CategoricalDistribution(d.choices)
        elif d.whole:
            found[d.name] = IntDistribution(int(d.low), int(d.high), log=d.log)
        else:
            found[d.name] = FloatDistribution(d.low, d.high, log=d.log)
    return found


def grid(space: Sequence[Dimension], trials: int) -> dict[str, list[Value]]:
    """Values by dimension whose product has at least ``trials`` settings, with as equal numbers of levels as can be.

    Smaller only where every dimension is exhausted (whole numbers, choices).
    """
    count = max(2, math.ceil(round(trials ** (1 / len(space)), 6)))
    levels = {d.name: d.levels(count) for d in space}
    while math.prod(map(len, levels.values())) < trials and count < trials:
        count += 1
        levels = {d.name: d.levels(count) for d in space}
    return levels


def grid_points(space: Sequence[Dimension], trials: int, seed: int) -> list[dict[str, Value]]:
    """The settings of the grid in the random order of ``seed``."""
    levels = grid(space, trials)
    points = [dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values())]
    return [points[place] for place in np.random.default_rng(seed).permutation(len(points))]


def sampler(
    method: Method, space: Sequence[Dimension], trials: int, seed: int, *, noisy: bool = True
) -> optuna.samplers.BaseSampler:
    """What proposes settings; the same proposals for the same seed and the same answers.

    ``bayes``: a Gaussian process with expected improvement, after a few random settings; ``noisy`` says that the same
    setting may give different values. ``grid`` goes through its points in random order.
    """
    match method:
        case "random":
            return optuna.samplers.RandomSampler(seed)
        case "grid":
            return _Grid(grid(space, trials), seed)
        case "bayes":
            import torch

            torch.set_num_threads(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return optuna.samplers.GPSampler(
                    seed=seed, n_startup_trials=STARTUP, deterministic_objective=not noisy,
                    warn_independent_sampling=False,
                )  # fmt: skip


class _Grid(optuna.samplers.GridSampler):
    """A grid that does not end the search itself when it is exhausted: whoever asks may ask it so."""

    def after_trial(self, *told: Any, **more: Any) -> None:
        """Nothing."""


def as_array(space: Sequence[Dimension], setting: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(D,) numbers of a setting without choices, in the order of ``space``."""
    return np.array([setting[d.name] for d in space], dtype=np.float64)
