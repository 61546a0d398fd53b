"""The one interface between the belief and what to do next; rule, learned and user-written policies share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from memory.belief import BeliefState
from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray


@dataclass(frozen=True, slots=True)
class PolicyOutput:
    """What a policy chose for each of B dialogues.

    ``actions`` (B,) int32 indices into ``ActionSpace.names``; ``values`` (B, A) the policy's worth of each action
    (expected return for a value-based policy), NaN where masked or where the policy has no such notion;
    ``propensity`` (B,) the probability with which the chosen action was chosen.
    """

    actions: IntArray
    values: FloatArray
    propensity: FloatArray


@runtime_checkable
class Policy(Protocol):
    """Chooses one system action per dialogue; never one whose mask is False."""

    @property
    def name(self) -> str:
        """Who decides, e.g. ``rule`` or ``dqn``."""
        ...

    @property
    def version(self) -> str:
        """Which parameters decide, e.g. a short hash of the model file."""
        ...

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        """Choose for the B dialogues of ``belief`` among the actions that ``masks`` (B, A) allow."""
        ...


class RandomPolicy:
    """Uniform over the allowed actions: the floor every other policy is measured against."""

    name = "random"
    version = "1"

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        """See ``Policy.act``."""
        actions = random_actions(masks, rng)
        values = np.full(masks.shape, np.nan, dtype=np.float32)
        return PolicyOutput(actions, values, (1.0 / masks.sum(axis=1)).astype(np.float32))


def random_actions(masks: BoolArray, rng: np.random.Generator) -> IntArray:
    """(B,) one action per row, uniform among the allowed ones; ValueError when a row allows none."""
    allowed = masks.sum(axis=1)
    if not allowed.all():
        raise ValueError(f"row {int(np.argmin(allowed))} of the action masks allows no action")
    nth = (rng.random(len(masks)) * allowed).astype(np.int64)
    actions: IntArray = np.argmax(masks.cumsum(axis=1) > nth[:, None], axis=1).astype(np.int32)
    return actions


def greedy_output(values: FloatArray, masks: BoolArray) -> PolicyOutput:
    """The allowed action of highest value (B, A) per row, with propensity 1; masked values become NaN."""
    actions = np.argmax(np.where(masks, values, -np.inf), axis=1).astype(np.int32)
    shown = np.where(masks, values, np.nan).astype(np.float32)
    return PolicyOutput(actions, shown, np.ones(len(masks), dtype=np.float32))
