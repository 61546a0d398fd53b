"""Train a dialogue policy against simulated users and write what serving needs (training only: needs torch)."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.ontology import Ontology
from policies.policy import Policy
from policies.resume import Checkpoints
from policies.rule import RulePolicy
from simulator.evaluate import play
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings
from simulator.vector_env import DialogueVectorEnv

if TYPE_CHECKING:
    from torch import nn

    from policies.dqn import DQNConfig
    from policies.record import TrainingResult
    from policies.train import Progress

VALIDATION_SEED, TEST_SEED = 101, 202
"""Seeds of the dialogues that choose the best network, and of those that are reported."""

CHECKPOINT_SECONDS = 30.0
"""How much of a training a crash may cost."""

TRAINING_RATES = (0.0, 0.15, 0.3)
"""Semantic error rates mixed into training beside the measured one, so that the policy stays robust."""


def mixed_errors(measured: ErrorModel | None = None, rates: Sequence[float] = TRAINING_RATES) -> tuple[ErrorModel, ...]:
    """The error models dialogues are drawn from in training; the measured one counts as often as all others."""
    return (*(ErrorModel.at(rate) for rate in rates), *([measured] * len(rates) if measured is not None else []))


def train_policy(
    ontology: Ontology,
    settings: SimulationSettings,
    directory: str | Path,
    config: DQNConfig | None = None,
    *,
    progress: Progress | None = None,
    dialogues: int = 500,
    resume: bool = False,
) -> dict[str, Any]:
    """Train a DQN in ``settings`` and write it to ``directory``; returns the report.

    Files: ``policy.onnx`` + ``manifest.json`` (serving), ``weights.safetensors`` + ``checkpoint.json``,
    ``metrics.jsonl``, ``tensorboard/`` and ``learning_curve.png``. Until they are all written ``resume/`` holds the
    state of the training, renewed every 30 s; with ``resume`` it goes on from there, if there is one. An interrupted
    training keeps it. The report compares rule and learned policy on the same ``dialogues`` users (a seed never used
    in training) and names the wall time and step count.
    """
    from policies.dqn import DQNConfig, NetworkPolicy
    from policies.train import train_dqn

    config, directory = config or DQNConfig(), Path(directory)
    began = time.perf_counter()
    env = DialogueVectorEnv(config.num_envs, ontology, settings=settings)
    rule = RulePolicy(ontology, env.simulation.space)

    checkpoints = Checkpoints(
        directory / "resume", every_seconds=CHECKPOINT_SECONDS, about=described(ontology, settings)
    )
    if not resume:
        shutil.rmtree(directory / "tensorboard", ignore_errors=True)

    def evaluate(network: nn.Module) -> Mapping[str, float]:
        return summarise(NetworkPolicy(network, env.featurizer), ontology, settings, dialogues, VALIDATION_SEED)

    result = train_dqn(
        env,
        config,
        evaluate,
        teacher=lambda: rule.choose(env.simulation.belief, env.action_masks()),
        progress=progress,
        metrics=directory / "metrics.jsonl",
        tensorboard=directory / "tensorboard",
        checkpoints=checkpoints,
        resume=resume,
    )
    report = publish(result, env, directory, config, dialogues)
    if not result.interrupted:
        checkpoints.clear()
    return {**report, "seconds": time.perf_counter() - began}


def publish(
    result: TrainingResult, env: DialogueVectorEnv, directory: Path, config: DQNConfig, dialogues: int
) -> dict[str, Any]:
    """Write the best network of a training in ``env`` to ``directory`` as described in ``train_policy``; the report."""
    from policies.checkpoint import save_checkpoint
    from policies.curves import plot_learning_curve
    from policies.export import OnnxPolicy, export_onnx

    simulation, settings = env.simulation, env.settings
    ontology, rule = simulation.ontology, RulePolicy(simulation.ontology, simulation.space)
    baseline = summarise(rule, ontology, settings, dialogues, VALIDATION_SEED)
    details = {"config": asdict(config), "best": dict(result.best), "rule": dict(baseline)}
    save_checkpoint(directory, result.network, details)
    export_onnx(
        result.network, directory, simulation.space, env.featurizer, max_turns=settings.max_turns, training=details
    )
    plot_learning_curve(result.history, directory / "learning_curve.png", baseline["reward"])
    learned = OnnxPolicy.load(directory, ontology)
    return {
        "rule": summarise(rule, ontology, settings, dialogues, TEST_SEED),
        "learned": summarise(learned, ontology, settings, dialogues, TEST_SEED),
        "env_steps": config.steps * config.num_envs,
        "interrupted": result.interrupted,
        "version": learned.version,
    }


def described(ontology: Ontology, settings: SimulationSettings) -> dict[str, str]:
    """What a resumed training must share with its beginning beside the learner's settings."""
    text = json.dumps(asdict(settings), sort_keys=True, default=lambda array: array.tolist())
    return {"ontology": ontology.fingerprint, "simulation": hashlib.sha256(text.encode()).hexdigest()[:16]}


def summarise(
    policy: Policy, ontology: Ontology, settings: SimulationSettings, dialogues: int, seed: int
) -> dict[str, float]:
    """Mean success, turns and reward over ``dialogues`` users."""
    played = play(policy, ontology, settings, dialogues, seed)
    return {name: float(np.mean(getattr(played, name))) for name in ("success", "turns", "reward")}
