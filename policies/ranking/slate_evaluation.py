"""What another way of selecting would have earned on logged slates: replay, IPS, SNIPS and doubly robust.

A decision is one slate: which of its candidates was said, with which probability. Candidates differ from slate to
slate, so an action is a place in the slate, and the reward model of doubly robust sees the candidates' features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.slates import OfferedSlate
from policies.ranking.blending import Array
from policies.ranking.logged_slates import LoggedSlate, features_of, pool_orders, rewards_of
from policies.ranking.offline_evaluation import (
    PLAIN,
    Estimate,
    EvaluationSettings,
    LoggedFeedback,
    OfflineEvaluationError,
    doubly_robust,
    inverse_propensity,
    on_policy,
    replay,
    self_normalized,
)
from policies.ranking.reward_models import Indices, Prediction
from policies.ranking.selection import SPREAD, probabilities, ranked
from policies.ranking.served_ranker import ServedRanker

Target = Callable[[OfferedSlate], Array]
"""A slate -> (n,) the probability with which each of its candidates would be said."""


def evenly(slate: OfferedSlate) -> Array:
    """Every candidate alike."""
    return np.full(len(slate.candidates), 1 / len(slate.candidates))


def editors(slate: OfferedSlate) -> Array:
    """The first candidate of the first pool that has one; any wording."""
    order = pool_orders(slate)
    first = next((name for name, numbers in order.items() if numbers), "")
    return probabilities(order, {first: 1.0}, len(slate.candidates), 0.0, spread=slate.kind in SPREAD)


@dataclass(frozen=True, slots=True)
class RankedTarget:
    """The logged ratio between pools, with each pool in the order of ``ranker`` (None: its own order)."""

    ranker: ServedRanker | None
    temperature: float = 1.0

    def __call__(self, slate: OfferedSlate) -> Array:
        """See ``Target``."""
        scores = None
        if self.ranker is not None:
            scores = self.ranker.score(self.ranker.aligned(features_of(slate), slate.features)).astype(np.float64)
        order, spread = ranked(pool_orders(slate), scores), slate.kind in SPREAD
        ratio = dict.fromkeys(order, 1.0) if not any(slate.ratio.values()) else slate.ratio
        return probabilities(order, ratio, len(slate.candidates), slate.exploration, scores, spread, self.temperature)


@dataclass(frozen=True, slots=True)
class CandidateRidge:
    """Ridge regression of the reward on a candidate's features, with one set of weights for all places; NumPy alone.

    ``contexts`` hold the features of all ``places`` of a slate side by side.
    """

    places: int
    penalty: float = 1.0

    def fit(
        self, contexts: Array, actions: Indices, positions: Indices, rewards: Array, action_count: int
    ) -> Prediction:
        """See ``policies.ranking.reward_models.RewardModel``; positions are not used."""
        chosen = self._features(contexts)[np.arange(len(actions)), actions]
        center, scale = chosen.mean(axis=0), chosen.std(axis=0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        x, level = (chosen - center) / scale, float(rewards.mean())
        weights = np.linalg.solve(x.T @ x + self.penalty * np.eye(x.shape[1]), x.T @ (rewards - level))
        low, high = float(rewards.min()), float(rewards.max())

        def predict(given: Array, where: Indices) -> Array:
            return np.asarray(np.clip((self._features(given) - center) / scale @ weights + level, low, high))

        return predict

    def _features(self, contexts: Array) -> NDArray[np.float64]:
        return contexts.reshape(len(contexts), self.places, -1)


@dataclass(frozen=True, slots=True, eq=False)
class SlateLog:
    """Logged slates of one content type as decisions; OfflineEvaluationError when there are none."""

    slates: tuple[LoggedSlate, ...]
    feedback: LoggedFeedback

    @classmethod
    def of(cls, slates: Sequence[LoggedSlate], worth: Mapping[str, float]) -> SlateLog:
        """``worth`` of each kind of feedback; features that a slate lacks are 0."""
        if not slates:
            raise OfflineEvaluationError("there is no slate: nothing to estimate from")
        places = max(len(logged.slate.candidates) for logged in slates)
        names = tuple(dict.fromkeys(name for logged in slates for name in logged.slate.features))
        column = {name: f for f, name in enumerate(names)}
        contexts = np.zeros((len(slates), places, len(names)))
        for row, logged in zip(contexts, slates, strict=True):
            found = np.nan_to_num(features_of(logged.slate), nan=0.0, posinf=0.0, neginf=0.0)
            row[: len(found), [column[name] for name in logged.slate.features]] = found
        said = [logged.said for logged in slates]
        chances = [logged.slate.candidates[i].propensity for logged, i in zip(slates, said, strict=True)]
        flat = contexts.reshape(len(slates), -1)
        return cls(tuple(slates), LoggedFeedback.of(said, rewards_of(slates, worth), chances, places, contexts=flat))

    @property
    def uniform(self) -> bool:
        """Was every candidate of a slate equally likely, always?"""
        sizes = np.array([len(logged.slate.candidates) for logged in self.slates])
        return bool(np.abs(self.feedback.propensities * sizes - 1).max() < 1e-3)

    def target(self, policy: Target) -> Array:
        """(N, A) what ``policy`` does in each slate."""
        found = np.zeros((len(self.slates), self.feedback.action_count))
        for row, logged in zip(found, self.slates, strict=True):
            chance = policy(logged.slate)
            row[: len(chance)] = chance / chance.sum()
        return found

    def earned(self, settings: EvaluationSettings = PLAIN) -> Estimate:
        """What was earned while it was logged."""
        return on_policy(self.feedback.rewards, settings)

    def estimates(self, policy: Target, settings: EvaluationSettings = PLAIN) -> list[dict[str, Any]]:
        """Every estimator's estimate of ``policy``, as JSON has it, or why it refuses."""
        target = self.target(policy)
        runs: dict[str, Callable[[], Estimate]] = {
            "replay": lambda: self._replay(target, settings),
            "ips": lambda: inverse_propensity(self.feedback, target, settings),
            "snips": lambda: self_normalized(self.feedback, target, settings),
            "dr": lambda: self.doubly_robust(target, settings),
        }
        rows: list[dict[str, Any]] = []
        for name, run in runs.items():
            try:
                rows.append(asdict(run()))
            except OfflineEvaluationError as error:
                rows.append({"estimator": name, "refused": str(error)})
        return rows

    def doubly_robust(self, target: Array, settings: EvaluationSettings = PLAIN) -> Estimate:
        """Of the policy with probabilities ``target`` (N, A)."""
        return doubly_robust(self.feedback, target, CandidateRidge(self.feedback.action_count), settings)

    def _replay(self, target: Array, settings: EvaluationSettings) -> Estimate:
        if not self.uniform:
            return replay(self.feedback, target, settings)  # says why it refuses
        # slates differ in size: a large one agrees less often, and counts for more where it does
        return replace(self_normalized(self.feedback, target, settings), estimator="replay")
