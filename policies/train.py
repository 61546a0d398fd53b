"""The training loop: act in a vector environment, remember, learn, evaluate, keep the best."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.dqn import DQN, DQNConfig
from policies.replay import NStepReplay


class TrainingEnv(Protocol):
    """What the loop needs of a (SAME_STEP autoreset) gymnasium vector environment with action masks."""

    num_envs: int

    def reset(self, *, seed: int | None = None) -> tuple[FloatArray, dict[str, Any]]:
        """Begin everywhere."""
        ...

    def step(self, actions: IntArray, /) -> tuple[FloatArray, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One step everywhere."""
        ...

    def action_masks(self) -> BoolArray:
        """(num_envs, A)."""
        ...


Evaluate = Callable[[nn.Module], Mapping[str, float]]
"""Plays a network greedily; must contain ``reward``, by which the best network is chosen."""

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called with (step, steps, metrics of the latest evaluation)."""


@dataclass
class TrainingResult:
    """The best network by mean evaluation reward, its evaluation, and all of them in order."""

    network: nn.Module
    best: Mapping[str, float]
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False


def train_dqn(
    env: TrainingEnv,
    config: DQNConfig,
    evaluate: Evaluate,
    *,
    teacher: Callable[[], IntArray] | None = None,
    progress: Progress | None = None,
    metrics: Path | None = None,
) -> TrainingResult:
    """Train from scratch; deterministic for a configuration, an environment and a torch version.

    ``teacher`` gives the environments' actions during spiking (default: random allowed ones). Truncation counts as an
    end, so values are those of the game with its turn limit. Each evaluation is
    appended to ``metrics`` as a JSON line and reported to ``progress``. Ctrl-C ends training early and returns the
    best network so far.
    """
    torch.set_num_threads(config.threads)
    rng, scale = np.random.default_rng(config.seed), np.float32(config.reward_scale)
    features, _ = env.reset(seed=config.seed)
    masks = env.action_masks()
    learner = DQN(features.shape[1], masks.shape[1], config)
    replay = NStepReplay(config.capacity, env.num_envs, features.shape[1], masks.shape[1], config.n_step, config.gamma)
    record = _Record(learner, evaluate, progress, metrics)
    try:
        for step in range(config.steps):
            spiking = step < config.spike_steps
            if spiking and teacher is not None:
                actions = teacher()
            else:
                actions = learner.explore(features, masks, 1.0 if spiking else config.epsilon(step), rng)
            following, reward, terminated, truncated, _ = env.step(actions)
            replay.add(features, masks, actions, scale * reward, terminated | truncated)
            features, masks = following, env.action_masks()
            if step == _first_update(config):
                margin = config.margin if teacher is not None else 0.0
                for _ in range(config.pretrain_updates):
                    learner.update(replay.sample(config.batch_size, rng), 0.0, margin)
            for _ in range(config.updates_per_step if step >= _first_update(config) else 0):
                record.losses.append(learner.update(replay.sample(config.batch_size, rng), config.progress(step)))
            if not spiking and (step + 1) % config.evaluate_every == 0:
                record.take(step + 1)
    except KeyboardInterrupt:
        record.result.interrupted = True
    if not record.result.history:
        record.take(config.steps)
    return record.result


def _first_update(config: DQNConfig) -> int:
    """The environment step after which learning begins: spiking is over and the replay can be sampled."""
    return max(config.spike_steps, config.n_step + 1)


class _Record:
    """Evaluations so far and the best network among them."""

    def __init__(self, learner: DQN, evaluate: Evaluate, progress: Progress | None, metrics: Path | None) -> None:
        self._learner, self._evaluate, self._progress, self._metrics = learner, evaluate, progress, metrics
        self.losses: list[float] = []
        self.result = TrainingResult(copy.deepcopy(learner.network), {"reward": -np.inf})
        if metrics is not None:
            metrics.parent.mkdir(parents=True, exist_ok=True)
            metrics.write_text("", encoding="utf-8")

    def take(self, step: int) -> None:
        """Evaluate the present network and keep it if none was better."""
        loss = float(np.mean(self.losses)) if self.losses else 0.0
        config = self._learner.config
        row = {"step": float(step), "loss": loss, "epsilon": config.epsilon(step)}
        row.update({name: float(value) for name, value in self._evaluate(self._learner.network).items()})
        self.losses.clear()
        self.result.history.append(row)
        if row["reward"] >= self.result.best["reward"]:
            self.result.best = row
            self.result.network = copy.deepcopy(self._learner.network)
        if self._metrics is not None:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if self._progress is not None:
            self._progress(step, config.steps, row)


def plot_learning_curve(history: list[dict[str, float]], path: Path, baseline: float | None = None) -> None:
    """Draw evaluation reward over steps as PNG, with the rule policy's reward as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="environment steps", ylabel="mean reward")
    axes.plot([row["step"] for row in history], [row["reward"] for row in history], label="learned policy")
    if baseline is not None:
        axes.axhline(baseline, linestyle="--", color="grey", label="rule policy")
    axes.legend()
    figure.savefig(path, dpi=120)
