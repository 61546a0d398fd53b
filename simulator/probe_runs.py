"""Every variant of the DQN on every probe environment (training only: needs torch)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.dqn import DQNConfig, network_values
from policies.policy import greedy_output
from policies.train import DQNTraining
from simulator.probes import Probe, ProbeEnv, mean_return

PLAIN = DQNConfig(
    steps=120, num_envs=16, spike_steps=20, pretrain_updates=0, updates_per_step=3, batch_size=64, capacity=8000,
    hidden=(32,), dueling=False, double=False, n_step=1, epsilon_start=0.5, epsilon_end=0.05, tau=0.1,
    learning_rate=1e-2, learning_rate_end=1e-3, evaluate_every=60,
)  # fmt: skip
"""Settings for problems as small as the probes."""

VARIANTS: Mapping[str, DQNConfig] = {
    "plain": PLAIN,
    "double+dueling": replace(PLAIN, double=True, dueling=True),
    "prioritized": replace(PLAIN, prioritized=True),
    "noisy": replace(PLAIN, noisy=True, exploration="noisy"),
    "bootstrapped": replace(PLAIN, heads=5, exploration="thompson"),
    "quantile": replace(PLAIN, quantiles=8),
    "everything": replace(PLAIN, double=True, dueling=True, prioritized=True, heads=5, exploration="ucb", quantiles=8),
}
"""Each extension alone, and all at once that explore by comparing heads (one step: see docs/training.md)."""


@dataclass(frozen=True, slots=True)
class ProbeRun:
    """One training: the last and the best evaluation, CPU time, and the network's values of all states (states, A)."""

    reward: float
    best: float
    seconds: float
    values: FloatArray

    def solves(self, probe: Probe) -> bool:
        """Whether the policy after the last step is optimal, not just a lucky one on the way."""
        return bool(np.isclose(self.reward, probe.optimum, atol=1e-4))


def run_probe(probe: Probe, config: DQNConfig, seed: int, training: type[DQNTraining] = DQNTraining) -> ProbeRun:
    """Train on ``probe`` with ``config`` for ``seed``; rewards are scaled so that the optimum is at most 1."""
    config = replace(config, reward_scale=1 / max(probe.optimum, 1.0), gamma=probe.gamma, seed=seed)

    def evaluate(network: nn.Module) -> dict[str, float]:
        def act(features: FloatArray, masks: BoolArray) -> IntArray:
            return greedy_output(network_values(network, features), masks).actions

        return {"reward": mean_return(ProbeEnv(probe), act)}

    began = time.process_time()
    result = training(ProbeEnv(probe, config.num_envs), config, evaluate).run()
    seconds = time.process_time() - began
    values = network_values(result.network, np.eye(probe.states, dtype=np.float32))
    return ProbeRun(result.history[-1]["reward"], result.best["reward"], seconds, values)
