"""Decisions that are numbers, tuned by safe contextual Bayesian optimisation.

A setting x in a box is tried in a context c (here: how badly users are heard), and the mean reward f(x, c) comes back
with its standard error. Gaussian processes (scikit-learn's) over (x, c) model reward and success *relative to the
start setting in the same context*, so that what is learned in one context helps in the others (Krause & Ong 2011,
"Contextual Gaussian Process Bandit Optimization"). The next setting maximises an upper confidence bound (GP-UCB,
Srinivas et al. 2010) or a draw from the posterior (Thompson sampling), among the settings that are safe: whose success
is, at the lower confidence bound, no more than ``margin`` below the start's (SafeOpt: Sui et al. 2015, Berkenkamp et
al. 2016). Every fourth proposal is the safe setting whose success is least certain, which widens the safe set.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from memory.ontology import Ontology
from policies.actions import ActionSpace, MaskThresholds
from policies.rule import RulePolicy, RuleThresholds

Acquisition = Literal["ucb", "thompson"]
Points = NDArray[np.float64]

CANDIDATES = 1200
"""Settings compared at each proposal: a third all over the box, the others near settings tried."""
DRAWN_CANDIDATES = 300
"""How many of the safe ones a Thompson draw compares: a joint draw costs their number cubed."""
WIDEN_EVERY = 4


@dataclass(frozen=True, slots=True)
class Box:
    """Where settings may lie: (D,) ``names`` with their lowest and highest values; ValueError when empty."""

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, low, high in zip(self.names, self.low, self.high, strict=True):
            if not low < high:
                raise ValueError(f"{name}: low {low} is not below high {high}")

    def to_unit(self, points: Points) -> Points:
        """(N, D) points as coordinates in [0, 1]."""
        low = np.array(self.low)
        unit: Points = (np.asarray(points, dtype=np.float64) - low) / (np.array(self.high) - low)
        return unit

    def from_unit(self, unit: Points) -> Points:
        """Inverse of ``to_unit``, kept within the box whatever the rounding."""
        low, high = np.array(self.low), np.array(self.high)
        points: Points = np.clip(low + unit * (high - low), low, high)
        return points


RULE_BOX = Box(
    names=("known", "doubtful", "near", "sure_booking", "accept"),
    low=(0.10, 0.05, 0.02, 0.50, 0.20),
    high=(0.97, 0.90, 0.95, 0.999, 0.80),
)
"""The numbers of the rule policy (``RuleThresholds``) and of the masks (``MaskThresholds.accept``)."""


def default_setting() -> tuple[float, ...]:
    """The point of ``RULE_BOX`` that the defaults are."""
    rule, mask = RuleThresholds(), MaskThresholds()
    return tuple(float(getattr(mask if name == "accept" else rule, name)) for name in RULE_BOX.names)


def rule_policy(ontology: Ontology, setting: Mapping[str, float]) -> RulePolicy:
    """The rule policy, with the action space its masks come from, at ``setting`` (by the names of ``RULE_BOX``).

    ValueError for numbers that contradict each other (``MaskThresholds``).
    """
    rules = RuleThresholds(
        known=setting["known"],
        doubtful=setting["doubtful"],
        near=setting["near"],
        sure_booking=setting["sure_booking"],
    )
    return RulePolicy(ontology, ActionSpace(ontology, MaskThresholds(accept=setting["accept"])), rules)


@dataclass(frozen=True, slots=True)
class Trial:
    """What one setting gave in one context; ``*_error`` are standard errors of the means."""

    context: float
    setting: tuple[float, ...]
    reward: float
    reward_error: float
    success: float
    success_error: float

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Trial:
        """Inverse of ``dataclasses.asdict``; TypeError or ValueError for another form."""
        return cls(**{**row, "setting": tuple(float(value) for value in row["setting"])})


class ThresholdTuner:
    """Proposes settings, one at a time; everything it knows is in the trials, so a search can go on at any time.

    ``contexts``: lowest and highest possible context. ``confidence``: standard deviations of both bounds. ``margin``:
    how much success may fall below the start's. Equal trials and ``seed`` give equal proposals.
    """

    def __init__(
        self,
        box: Box,
        start: Sequence[float],
        contexts: tuple[float, float] = (0.0, 1.0),
        *,
        acquisition: Acquisition = "ucb",
        margin: float = 0.02,
        confidence: float = 3.0,
        seed: int = 0,
    ) -> None:
        self.box, self.start = box, tuple(float(value) for value in start)
        unit = box.to_unit(np.array([self.start]))
        if unit.min() < 0 or unit.max() > 1:
            raise ValueError(f"the start {self.start} lies outside the box {box}")
        self._contexts, self._acquisition = contexts, acquisition
        self._margin, self._confidence, self._seed = margin, confidence, seed

    def propose(self, context: float, trials: Sequence[Trial]) -> tuple[float, ...]:
        """The next setting to try in ``context``; the start itself as long as it was not tried there."""
        if not any(self._is_start(trial) and trial.context == context for trial in trials):
            return self.start
        rng = np.random.default_rng([self._seed, len(trials)])
        candidates = self._candidates(context, trials, rng)
        inputs = self._inputs(candidates, context)
        success, success_deviation = self._model(trials, "success").predict(inputs, return_std=True)
        safe = np.flatnonzero(success - self._confidence * success_deviation >= -self._margin)
        if not len(safe):
            return self.start
        tried = sum(trial.context == context for trial in trials)
        if tried % WIDEN_EVERY == 0:
            best = safe[np.argmax(success_deviation[safe])]
        else:
            best = self._most_promising(self._model(trials, "reward"), inputs, safe, rng)
        return tuple(float(value) for value in self.box.from_unit(candidates[best]))

    def best(self, context: float, trials: Sequence[Trial]) -> Trial:
        """The trial of ``context`` with the highest posterior mean reward among those that proved safe.

        The start's trial when none is better by more than a posterior standard deviation.
        """
        here = [trial for trial in trials if trial.context == context]
        inputs = self._inputs(self.box.to_unit(np.array([trial.setting for trial in here])), context)
        reward, deviation = self._model(trials, "reward").predict(inputs, return_std=True)
        success = self._model(trials, "success").predict(inputs)
        better = (success >= -self._margin) & (reward > deviation)
        start = next(i for i, trial in enumerate(here) if self._is_start(trial))
        return here[int(np.argmax(np.where(better, reward, -np.inf)))] if better.any() else here[start]

    def _most_promising(self, model: Any, inputs: Points, safe: NDArray[np.int64], rng: np.random.Generator) -> int:
        if self._acquisition == "thompson":
            few = rng.permutation(safe)[:DRAWN_CANDIDATES]
            draw = model.sample_y(inputs[few], random_state=int(rng.integers(2**31)))[:, 0]
            return int(few[np.argmax(draw)])
        mean, deviation = model.predict(inputs[safe], return_std=True)
        return int(safe[np.argmax(mean + self._confidence * deviation)])

    def _candidates(self, context: float, trials: Sequence[Trial], rng: np.random.Generator) -> Points:
        """(N, D) in [0, 1]: anywhere, and near the settings tried, in few coordinates or in all."""
        dimensions = len(self.box.names)
        anywhere = rng.random((CANDIDATES // 3, dimensions))
        tried = self.box.to_unit(np.array([trial.setting for trial in trials]))
        near = tried[rng.integers(len(tried), size=CANDIDATES - len(anywhere))]
        scale = 10 ** rng.uniform(-2, -0.3, size=(len(near), 1))
        moved = rng.random(near.shape) < rng.choice([0.3, 1.0], size=(len(near), 1))
        near = np.clip(near + moved * scale * rng.standard_normal(near.shape), 0, 1)
        return np.concatenate([anywhere, near])

    def _inputs(self, unit: Points, context: float) -> Points:
        low, high = self._contexts
        column = np.full((len(unit), 1), (context - low) / (high - low))
        return np.hstack([unit, column])

    def _is_start(self, trial: Trial) -> bool:
        return np.allclose(trial.setting, self.start)

    def _model(self, trials: Sequence[Trial], what: Literal["reward", "success"]) -> Any:
        """A Gaussian process over (setting, context) of what was gained against the start in the same context."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern

        base = {t.context: getattr(t, what) for t in reversed(trials) if self._is_start(t)}
        known = [t for t in trials if t.context in base]
        units = [self._inputs(self.box.to_unit(np.array([t.setting])), t.context) for t in known]
        gain = np.array([getattr(t, what) - base[t.context] for t in known])
        error = np.array([0.0 if self._is_start(t) else getattr(t, f"{what}_error") for t in known])
        # amplitude and length scales of the first proposals; afterwards the evidence decides, within these bounds
        amplitude, bounds = (0.05**2, (0.02**2, 0.3**2)) if what == "success" else (1.0, (0.1**2, 10.0**2))
        widths = np.full(units[0].shape[1], 0.5)
        kernel = ConstantKernel(amplitude, bounds) * Matern(widths, (0.15, 2.0), nu=2.5)
        optimizer = "fmin_l_bfgs_b" if len(known) >= 2 * len(widths) else None
        model = GaussianProcessRegressor(kernel, alpha=error**2 + 1e-8, optimizer=optimizer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound is no news
            return model.fit(np.concatenate(units), gain)
