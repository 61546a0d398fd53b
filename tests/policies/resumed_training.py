"""A small training with every kind of randomness in it, as the tests of resuming start, kill and continue it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from policies.dqn import DQNConfig, NetworkPolicy
from policies.resume import Checkpoints, digest
from policies.train import DQNTraining
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.training import summarise
from simulator.vector_env import DialogueVectorEnv

CONFIG = DQNConfig(
    steps=40, num_envs=8, spike_steps=10, pretrain_updates=10, updates_per_step=2, batch_size=16, capacity=240,
    hidden=(16,), n_step=2, prioritized=True, heads=3, exploration="thompson", evaluate_every=20,
)  # fmt: skip
NOISY = replace(CONFIG, noisy=True, exploration="noisy", prioritized=False, quantiles=4)
SETTINGS = SimulationSettings(small_task(), errors=(ErrorModel.none(), ErrorModel.at(0.3)))


def training(config: DQNConfig, folder: Path) -> DQNTraining:
    """A training that has not begun; its metrics go to ``folder``."""
    env = DialogueVectorEnv(config.num_envs, small_ontology(), settings=SETTINGS)

    def evaluate(network: torch.nn.Module) -> dict[str, float]:
        return summarise(NetworkPolicy(network, env.featurizer), small_ontology(), SETTINGS, 10, 7)

    return DQNTraining(env, config, evaluate, metrics=folder / "metrics.jsonl")


def finish(folder: Path, slow: float = 0.0) -> None:
    """In a process of its own: go on from whatever is in ``folder``, checkpoint every step, leave ``digest.json``.

    ``slow`` seconds of sleep a step give whoever wants to kill it the time to.
    """
    import time

    run = training(CONFIG, folder)
    checkpoints = Checkpoints(folder / "resume", every_steps=1, every_seconds=None)
    state = checkpoints.load({})
    if state is not None:
        run.load_state(state)
    while run.step < CONFIG.steps:
        run.advance()
        checkpoints.save(run.step, {}, run.state())
        time.sleep(slow)
    (folder / "digest.json").write_text(json.dumps(summary(run)))


def summary(run: DQNTraining) -> dict[str, Any]:
    """sha256 of every part of a training: weights, optimiser, replay, generators, environment, record."""
    state = run.state()
    parts = sorted({key.split("/")[0] for key in state})
    return {name: digest({k: v for k, v in state.items() if k.split("/")[0] == name}) for name in parts}


def without(state: dict[str, np.ndarray], key: str, fresh: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``state`` as it would be restored if ``key`` had been forgotten: with the value of a training just begun."""
    assert key in state
    return {**state, key: fresh[key]}
