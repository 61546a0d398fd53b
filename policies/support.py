"""Acting within the support of what was logged: actions that nobody has tried here are not taken.

A policy learned from logged dialogues alone overrates actions that the log never shows (extrapolation error). As in
discrete BCQ (Fujimoto et al. 2019, "Benchmarking Batch Deep Reinforcement Learning Algorithms", equation 8) an
action is allowed only where P_behaviour(a|s) / max_a' P_behaviour(a'|s) >= ``threshold``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from memory.belief import METHOD, BeliefState
from memory.ontology import BoolArray, IntArray
from memory.turn import SYSTEM_KINDS, FloatArray
from policies.actions import ActionSpace
from policies.featurizer import Featurizer
from policies.policy import Policy, PolicyOutput


class BehaviourModel(Protocol):
    """Estimates how whoever wrote the log would act."""

    def __call__(self, belief: BeliefState, masks: BoolArray) -> FloatArray:
        """(B, A) probabilities; 0 where masked. A row of zeros: no allowed action was ever seen."""
        ...


class ClonedBehaviour:
    """A network cloned from the log: softmax over the allowed logits.

    ``logits`` maps features (B, n_in) to (B, A), e.g. ``OnnxPolicy.values`` or ``network_values`` of a network
    trained with cross-entropy on (features, action).
    """

    def __init__(self, logits: Callable[[FloatArray], FloatArray], featurizer: Featurizer) -> None:
        self._logits, self._featurizer = logits, featurizer

    def __call__(self, belief: BeliefState, masks: BoolArray) -> FloatArray:
        """See ``BehaviourModel``."""
        logits = np.where(masks, self._logits(self._featurizer(belief)), -np.inf)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: FloatArray = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
        return probabilities


class CountedBehaviour:
    """Counts per situation, backed off to the counts over all situations with the weight of ``prior`` dialogues' turns.

    A situation is what most of a policy depends on: the last system turn, what the user is after, how many slots are
    filled, whether a venue is known, something was asked, an open slot is missing. It has no parameters to fit.
    """

    def __init__(self, space: ActionSpace, counts: Mapping[int, FloatArray], prior: float = 2.0) -> None:
        self._space, self._counts, self._prior = space, counts, prior
        total = np.sum(list(counts.values()), axis=0) if counts else np.zeros(space.size, dtype=np.float32)
        self._marginal: FloatArray = (total / max(float(total.sum()), 1.0)).astype(np.float32)

    @classmethod
    def fit(cls, space: ActionSpace, belief: BeliefState, actions: IntArray, prior: float = 2.0) -> CountedBehaviour:
        """Count the logged ``actions`` (N,) in the states ``belief`` (N rows)."""
        keys = situations(space, belief)
        counts = {int(key): np.zeros(space.size, dtype=np.float32) for key in np.unique(keys)}
        for key, action in zip(keys, actions, strict=True):
            counts[int(key)][action] += 1
        return cls(space, counts, prior)

    def __call__(self, belief: BeliefState, masks: BoolArray) -> FloatArray:
        """See ``BehaviourModel``."""
        nothing = np.zeros(self._space.size, dtype=np.float32)
        seen = np.stack([self._counts.get(int(key), nothing) for key in situations(self._space, belief)])
        weight = np.where(masks, seen + np.float32(self._prior) * self._marginal, 0)
        total = weight.sum(axis=1, keepdims=True)
        probabilities: FloatArray = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
        return probabilities


def situations(space: ActionSpace, belief: BeliefState) -> IntArray:
    """(B,) an integer for the situation of each state, see ``CountedBehaviour``."""
    accept = space.thresholds.accept
    accepted = (space.matcher.accepted(belief, accept) >= 0).sum(axis=1)
    asked = (belief.requested > accept).any(axis=1)
    missing = (belief.open_confidence <= accept).sum(axis=1)
    parts = (
        (belief.last.kind, len(SYSTEM_KINDS)),
        (belief.last.slot + 1, max(len(space.ontology.slots), len(space.ontology.open_slots)) + 1),
        (np.argmax(belief.method, axis=1), len(METHOD)),
        (accepted, len(space.ontology.slots) + 1),
        (missing, len(space.ontology.open_slots) + 1),
        (belief.venue >= 0, 2),
        (asked, 2),
        (belief.booked, 2),
    )
    key = np.zeros(belief.batch, dtype=np.int64)
    for part, size in parts:
        key = key * size + part
    return key.astype(np.int32)


class SupportedPolicy:
    """``policy`` among the allowed actions that the log supports; the most supported one always is.

    Masks come first. Where no allowed action was ever seen, the masks alone decide. The propensity is ``policy``'s
    own given the narrower choice, so it stays exact.
    """

    def __init__(self, policy: Policy, behaviour: BehaviourModel, threshold: float = 0.3) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold}: it is a share of the most probable action's, from 0 to 1")
        self._policy, self._behaviour, self.threshold = policy, behaviour, threshold
        self.name = f"{policy.name}+support"

    @property
    def version(self) -> str:
        """The wrapped policy's, and the threshold."""
        return f"{self._policy.version}@{self.threshold:g}"

    def supported(self, belief: BeliefState, masks: BoolArray) -> BoolArray:
        """(B, A) the allowed actions within support; no row is all False where ``masks``' isn't."""
        probability = self._behaviour(belief, masks)
        best = probability.max(axis=1, keepdims=True)
        within: BoolArray = masks & (probability >= np.float32(self.threshold) * best)
        # with threshold 0 everything allowed is supported; otherwise never seen means never taken
        return within & ((probability > 0) | (best == 0)) if self.threshold > 0 else within

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        """See ``Policy.act``."""
        return self._policy.act(belief, self.supported(belief, masks), rng)
