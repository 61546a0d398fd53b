"""A recurrent policy with each memory, where memory is needed (training only: needs torch)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from policies.episodes import play_episodes
from policies.recurrent import RecurrentConfig, RecurrentPlayer, train_recurrent
from policies.recurrent_cores import CoreName, core_named
from policies.train import TrainingEnv
from simulator.corridor import CorridorEnv
from simulator.evidence import evidence_env
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task

TEST_SEED = 99
"""The test episodes are the same for every run."""


@dataclass(frozen=True, slots=True)
class MemoryTask:
    """An environment whose observations are no state, and how long to practise there."""

    make_env: Callable[[int], TrainingEnv]
    """From a number of episodes side by side."""
    config: RecurrentConfig
    practising: int
    """Episodes side by side in training."""
    tested: int
    """Test episodes."""


def _dialogues(num_envs: int) -> TrainingEnv:
    errors = tuple(ErrorModel.at(rate) for rate in (0.0, 0.15, 0.3))
    return evidence_env(num_envs, small_ontology(), settings=SimulationSettings(small_task(), errors=errors))


TASKS: Mapping[str, MemoryTask] = {
    "corridor": MemoryTask(
        lambda num_envs: CorridorEnv(20, num_envs),
        RecurrentConfig(
            steps=1600, rollout=40, minibatches=2, encoded=16, learning_rate=1e-2, target_kl=0.1, reward_scale=1.0,
            evaluate_every=400,
        ),
        practising=32,
        tested=256,
    ),
    "dialogues": MemoryTask(_dialogues, RecurrentConfig(steps=1920), practising=32, tested=1000),
}  # fmt: skip
"""A corridor of 20 steps (see ``CorridorEnv``), and the built-in dialogues without a belief tracker."""


@dataclass(frozen=True, slots=True)
class MemoryRun:
    """One training, tested greedily: mean return, share of successes (corridor: of right ends), CPU seconds."""

    reward: float
    success: float
    seconds: float


def run_memory(task: MemoryTask, core: CoreName, seed: int, steps: int | None = None, width: int = 32) -> MemoryRun:
    """Train with that memory of ``width`` outputs for ``seed``; ``steps`` per environment (default: the task's).

    What is tested is the best network by 256 other episodes during training.
    """
    config = RecurrentConfig(**{
        **{name: getattr(task.config, name) for name in RecurrentConfig.__slots__},
        "steps": steps or task.config.steps, "core": core_named(core, width), "seed": seed,
    })  # fmt: skip

    def played(network: nn.Module, episodes: int, test_seed: int) -> tuple[float, float]:
        result = play_episodes(task.make_env(episodes), RecurrentPlayer(network, episodes), test_seed)
        told = not np.isnan(result.success).any()
        return float(result.returns.mean()), float((result.success if told else result.returns > 0).mean())

    began = time.process_time()
    result = train_recurrent(
        task.make_env(task.practising), config, lambda network: {"reward": played(network, 256, TEST_SEED + 1)[0]}
    )
    seconds = time.process_time() - began
    return MemoryRun(*played(result.network, task.tested, TEST_SEED), seconds)
