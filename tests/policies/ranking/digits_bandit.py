"""Handwritten digits as a bandit (supervised to bandit): the truth about any policy is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from policies.ranking.offline_evaluation import LoggedFeedback


@dataclass(frozen=True)
class DigitsBandit:
    """Context: an image; action: a digit; reward: is it right? ``logging`` and ``target`` (M, 10) probabilities."""

    contexts: np.ndarray
    labels: np.ndarray
    logging: np.ndarray
    target: np.ndarray

    @classmethod
    def make(cls) -> DigitsBandit:
        """The target is a good classifier and right in nine of ten cases; the log's is a poor one that explores."""
        digits = load_digits()
        images, labels = digits.data / 16, digits.target
        order = np.random.default_rng(0).permutation(len(labels))
        images, labels = images[order], labels[order]
        train, test = slice(0, 600), slice(600, None)
        good = LogisticRegression(max_iter=300).fit(images[train], labels[train])
        poor = LogisticRegression(max_iter=300).fit(images[:40], labels[:40])
        soft = poor.predict_log_proba(images[test]) * 0.7
        soft = np.exp(soft - soft.max(axis=1, keepdims=True))
        logging = 0.9 * soft / soft.sum(axis=1, keepdims=True) + 0.01
        target = 0.05 / 10 + 0.95 * np.eye(10)[good.predict(images[test])]
        return cls(images[test], labels[test], logging, target)

    @property
    def truth(self) -> float:
        """What the target earns."""
        return float(self.target[np.arange(len(self.labels)), self.labels].mean())

    def log(self, rows: int, seed: int, *, uniform: bool = False) -> tuple[LoggedFeedback, np.ndarray]:
        """A log of ``rows`` decisions, and the target's probabilities in each."""
        rng = np.random.default_rng(seed)
        drawn = rng.integers(len(self.labels), size=rows)
        policy = np.full((rows, 10), 0.1) if uniform else self.logging[drawn]
        actions = (rng.random((rows, 1)) < np.cumsum(policy, axis=1)).argmax(axis=1)
        rewards = (actions == self.labels[drawn]).astype(float)
        log = LoggedFeedback.of(
            actions, rewards, policy[np.arange(rows), actions], 10, contexts=self.contexts[drawn]
        )  # fmt: skip
        return log, self.target[drawn]
