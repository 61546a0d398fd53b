"""Reward models for doubly robust estimates: expected reward of every action, learned from logged rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Prediction = Callable[[Array, Indices], Array]
"""(N, A) expected rewards of every action, from contexts (N, F) and positions (N,)."""


class RewardModel(Protocol):
    """Something that can be fitted on logged rows."""

    def fit(
        self, contexts: Array, actions: Indices, positions: Indices, rewards: Array, action_count: int
    ) -> Prediction:
        """Fit on contexts (N, F), actions, positions and rewards (N,)."""
        ...


@dataclass(frozen=True, slots=True)
class RidgePerAction:
    """A linear model of the contexts for each action, drawn towards the action's mean; NumPy alone.

    Right where many rows were logged for every action. An action that was never logged is predicted the overall mean.
    """

    penalty: float = 1.0

    def fit(
        self, contexts: Array, actions: Indices, positions: Indices, rewards: Array, action_count: int
    ) -> Prediction:
        """See ``RewardModel``; positions are not used."""
        center = contexts.mean(axis=0)
        slopes = np.zeros((contexts.shape[1], action_count))
        levels = np.full(action_count, float(rewards.mean()))
        for action in range(action_count):
            rows = actions == action
            if not rows.any():
                continue
            x, y = contexts[rows] - center, rewards[rows]
            levels[action] = (y.sum() + self.penalty * rewards.mean()) / (len(y) + self.penalty)
            curvature = x.T @ x + self.penalty * np.eye(x.shape[1])
            slopes[:, action] = np.linalg.solve(curvature, x.T @ (y - levels[action]))
        return lambda given, where: np.asarray((given - center) @ slopes + levels)


@dataclass(frozen=True, slots=True)
class AdditiveLogistic:
    """Logistic regression on context + action + position, without interactions; scikit-learn.

    Right where rewards are 0 or 1 and rare, so that actions must share what is known. ``strength``: inverse penalty.
    """

    strength: float = 0.1

    def fit(
        self, contexts: Array, actions: Indices, positions: Indices, rewards: Array, action_count: int
    ) -> Prediction:
        """See ``RewardModel``; ValueError where a reward is neither 0 nor 1."""
        from sklearn.linear_model import LogisticRegression

        if not np.isin(rewards, (0, 1)).all():
            raise ValueError("this reward model needs rewards of 0 and 1; use RidgePerAction")
        if rewards.min() == rewards.max():
            constant = float(rewards.mean())
            return lambda given, where: np.full((len(given), action_count), constant)
        width = int(positions.max()) + 1
        design = np.concatenate([contexts, np.eye(action_count)[actions], np.eye(width)[positions]], axis=1)
        model = LogisticRegression(C=self.strength, max_iter=500).fit(design, rewards)
        weights, bias, features = model.coef_[0], float(model.intercept_[0]), contexts.shape[1]
        of_action = weights[features : features + action_count]
        of_position = np.append(weights[features + action_count :], 0.0)

        def predict(given: Array, where: Indices) -> Array:
            shared = given @ weights[:features] + of_position[np.minimum(where, width)] + bias
            return np.asarray(1 / (1 + np.exp(-(shared[:, None] + of_action))))

        return predict
