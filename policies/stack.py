"""Several policies, each for the states it covers: a partial mapping on top of another, the last one complete.

Rules that must hold (confirm before booking, say goodbye when asked to) stay rules; the learned policy has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from memory.belief import BeliefState
from memory.ontology import BoolArray, IntArray
from memory.turn import SystemTurn
from policies.policy import Policy, PolicyOutput
from policies.rule import RulePolicy

Covers = Callable[[BeliefState], BoolArray]
"""(B,) whether a layer decides in each of B states."""


@dataclass(frozen=True, slots=True)
class Layer:
    """``policy`` decides where ``covers`` says so; ``covers`` None means everywhere."""

    name: str
    policy: Policy
    covers: Covers | None = None


@dataclass(frozen=True, slots=True)
class StackOutput(PolicyOutput):
    """Also who chose: ``layers`` (B,) int32 indices into ``deciders``, the (name, version) of each layer."""

    layers: IntArray
    deciders: tuple[tuple[str, str], ...]


class PolicyStack:
    """The first layer that covers a state decides there; ValueError unless exactly the last one covers everything."""

    name = "stack"

    def __init__(self, layers: Sequence[Layer]) -> None:
        names = [layer.name for layer in layers]
        if not layers or layers[-1].covers is not None:
            raise ValueError(f"layers {names}: the last layer must cover every state, so give it no `covers`")
        for layer in layers[:-1]:
            if layer.covers is None:
                raise ValueError(f"layer {layer.name!r} covers every state: the layers after it would never decide")
        if len(set(names)) < len(names):
            raise ValueError(f"layers {names}: give each layer a name of its own")
        self.layers = tuple(layers)

    @property
    def version(self) -> str:
        """All layers' versions, e.g. ``rules:1+learned:0f3a``."""
        return "+".join(f"{layer.name}:{layer.policy.version}" for layer in self.layers)

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> StackOutput:
        """See ``Policy.act``; a layer is asked only about the states it decides."""
        chosen = self.cover(belief)
        actions = np.zeros(belief.batch, dtype=np.int32)
        values = np.full(masks.shape, np.nan, dtype=np.float32)
        propensity = np.ones(belief.batch, dtype=np.float32)
        for index, layer in enumerate(self.layers):
            rows = np.flatnonzero(chosen == index)
            if not len(rows):
                continue
            part = belief if len(rows) == belief.batch else take(belief, rows)
            output = layer.policy.act(part, masks[rows], rng)
            actions[rows], values[rows], propensity[rows] = output.actions, output.values, output.propensity
        deciders = tuple((f"{self.name}/{layer.name}", layer.policy.version) for layer in self.layers)
        return StackOutput(actions, values, propensity, chosen, deciders)

    def cover(self, belief: BeliefState) -> IntArray:
        """(B,) the layer that decides in each state."""
        chosen = np.full(belief.batch, len(self.layers) - 1, dtype=np.int32)
        for index in range(len(self.layers) - 2, -1, -1):
            covers = self.layers[index].covers
            assert covers is not None
            chosen[covers(belief)] = index
        return chosen


def decider(policy: Policy, output: PolicyOutput, row: int = 0) -> tuple[str, str]:
    """The name and version that chose ``row`` of ``output``: of the layer in a stack, else of ``policy``."""
    if isinstance(output, StackOutput):
        return output.deciders[int(output.layers[row])]
    return policy.name, policy.version


class RuleChoices:
    """Covers the states in which the rules would choose one of ``names``; ValueError for an unknown action."""

    def __init__(self, rule: RulePolicy, names: Collection[str]) -> None:
        unknown = sorted(set(names) - set(rule.space.names))
        if unknown:
            raise ValueError(f"no action is called {unknown[0]!r}: there are {', '.join(rule.space.names)}")
        self._rule = rule
        self._actions = np.array([rule.space.index[name] for name in names], dtype=np.int32)

    def __call__(self, belief: BeliefState) -> BoolArray:
        """(B,) bool."""
        chosen = self._rule.choose(belief, self._rule.space.masks(belief))
        covered: BoolArray = (chosen[:, None] == self._actions).any(axis=1)
        return covered


def rules_first(rule: RulePolicy, names: Collection[str], rest: Policy) -> PolicyStack:
    """The rules wherever they would choose one of the actions ``names``, ``rest`` everywhere else."""
    return PolicyStack([Layer("rules", rule, RuleChoices(rule, names)), Layer(rest.name, rest)])


_Arrays = TypeVar("_Arrays", BeliefState, SystemTurn)


def take(state: _Arrays, rows: np.ndarray[Any, np.dtype[np.integer[Any]]]) -> _Arrays:
    """The ``rows`` of a batch."""
    parts: dict[str, Any] = {}
    for f in fields(state):
        part = getattr(state, f.name)
        parts[f.name] = take(part, rows) if isinstance(part, SystemTurn) else part[rows]
    return type(state)(**parts)
