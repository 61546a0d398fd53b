"""Playing probe environments: a network greedily, and an expert who knows the optimum but slips at times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import nn

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.dqn import network_values
from policies.policy import greedy_output, random_actions
from simulator.probes import MASKED, OBSERVATION, SLOT, Probe, ProbeEnv, mean_return


def greedy_return(probe: Probe, network: nn.Module) -> float:
    """Mean return of a network's best actions."""

    def act(features: FloatArray, masks: BoolArray) -> IntArray:
        return greedy_output(network_values(network, features), masks).actions

    return mean_return(ProbeEnv(probe), act)


def best_actions(probe: Probe, features: FloatArray) -> IntArray:
    """(B,) what earns ``probe.optimum``."""
    state = features.argmax(axis=1).astype(np.int32)
    if probe is SLOT:
        return np.where(state >= 2, state + 1, 0).astype(np.int32)
    if probe is OBSERVATION:
        return state
    return np.full(len(state), {1: 0, 2: 1}.get(probe.actions, 2) if probe is not MASKED else 2, dtype=np.int32)


def slipping_expert(
    probe: Probe, slips: float, seed: int
) -> Callable[[FloatArray, BoolArray], tuple[IntArray, FloatArray]]:
    """The best action, or with probability ``slips`` any allowed one, with its propensity."""
    rng = np.random.default_rng(seed)

    def act(features: FloatArray, masks: BoolArray) -> tuple[IntArray, FloatArray]:
        best = best_actions(probe, features)
        actions = np.where(rng.random(len(best)) < slips, random_actions(masks, rng), best).astype(np.int32)
        propensity = (1 - slips) * (actions == best) + slips / masks.sum(axis=1)
        return actions, propensity.astype(np.float32)

    return act
