"""``rejoinder evaluate users``: policies trained with one kind of simulated user, tested with all others."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.assistant import Assistant, load_assistant
from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from bot.users import UserModel, user_models
from policies.files import write_atomically
from policies.policy import Policy
from policies.rule import RulePolicy
from simulator.evaluate import METRICS, bootstrap, play
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings
from simulator.users.factory import AGENDA

DONE, MATRIX, PICTURE = "trained.json", "matrix.json", "matrix.png"
TEST_SEED = 30_000


@dataclass(frozen=True, slots=True)
class Experiment:
    """How long policies are trained, with how many seeds, and how they are tested."""

    steps: int
    training_seeds: int
    dialogues: int
    error_rate: float


def evaluate_users(
    config: Config, folders: Sequence[Path], experiment: Experiment, out: Path, *, as_json: bool
) -> None:
    """Train ``training_seeds`` policies with each kind of user, test each with all, print and draw the matrix.

    A trained policy is kept in ``out`` and not trained again with the same settings, so that an interrupted run
    goes on where it was. The rule policy is a row for comparison.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise CommandError("training needs torch: run `make setup`, or install rejoinder[train]") from None
    assistant = load_assistant(config.assistant)
    models = user_models(assistant, folders)
    seeds = range(experiment.training_seeds)
    samples: dict[tuple[str, str], dict[str, list[np.ndarray[Any, Any]]]] = {}
    with _progress(len(models) * len(seeds), hidden=as_json) as advance:
        for seed in seeds:
            rule: Policy = RulePolicy(assistant.ontology)
            _test(samples, "rule", rule, models, assistant, config, experiment, seed)
        for model in models:
            for seed in seeds:
                advance(f"{model.name}, seed {seed}", 0)
                trained = _trained(config, assistant, model, experiment, seed, out)
                _test(samples, model.name, trained, models, assistant, config, experiment, seed)
                advance(model.name, 1)
    rows = ["rule", *(model.name for model in models)]
    columns = [model.name for model in models]
    cells = {row: {column: _estimates(samples[row, column]) for column in columns} for row in rows}
    report = {**asdict(experiment), "trained_with": rows, "tested_with": columns, "cells": cells}
    from simulator.users.plots import plot_matrix

    success = [[cells[row][column]["success"]["mean"] for column in columns] for row in rows]
    plot_matrix(success, rows, columns, out / PICTURE)
    write_atomically(out / MATRIX, (json.dumps(report, indent=1) + "\n").encode())
    if as_json:
        print_json(report)
        return
    for metric, scale in zip(METRICS, (100, 1, 1), strict=True):
        table = [[row, *(_cell(cells[row][column][metric], scale) for column in columns)] for row in rows]
        print_table(f"{metric}{' %' if scale == 100 else ''}: trained with (row), tested with", ["", *columns], table)
    console.print(f"written to {out}", markup=False)


def _trained(
    config: Config, assistant: Assistant, model: UserModel, experiment: Experiment, seed: int, out: Path
) -> Policy:
    from policies.dqn import DQNConfig
    from policies.export import ModelError, OnnxPolicy
    from simulator.training import mixed_errors, train_policy

    folder = out / f"{re.sub('[^a-z0-9]+', '-', model.name.lower())}-{seed}"
    learner = DQNConfig(steps=experiment.steps, num_envs=config.training.num_envs, seed=seed)
    settings = model.settings(mixed_errors(None, config.training.error_rates), config.training.max_turns)
    key = {"settings": _digest(settings), "learner": asdict(learner), "assistant": assistant.ontology.fingerprint}
    done = folder / DONE
    if done.is_file() and json.loads(done.read_text(encoding="utf-8")) == json.loads(json.dumps(key)):
        try:
            return OnnxPolicy.load(folder, assistant.ontology)
        except ModelError:
            pass  # damaged since: train it again
    report = train_policy(assistant.ontology, settings, folder, learner, dialogues=200)
    if report["interrupted"]:
        raise KeyboardInterrupt
    write_atomically(done, json.dumps(key).encode())
    return OnnxPolicy.load(folder, assistant.ontology)


def _digest(settings: SimulationSettings) -> str:
    """What the users of ``settings`` are, the network's content included."""
    network = b"" if settings.user == AGENDA else (Path(settings.user) / "manifest.json").read_bytes()
    return hashlib.sha256(repr((settings.task, settings.users, settings.max_turns)).encode() + network).hexdigest()


def _test(
    samples: dict[tuple[str, str], dict[str, list[np.ndarray[Any, Any]]]], row: str, policy: Policy,
    models: Sequence[UserModel], assistant: Assistant, config: Config, experiment: Experiment, seed: int,
) -> None:  # fmt: skip
    errors = [ErrorModel.at(experiment.error_rate)]
    for model in models:
        settings = model.settings(errors, config.training.max_turns)
        played = play(policy, assistant.ontology, settings, experiment.dialogues, TEST_SEED + seed)
        kept = samples.setdefault((row, model.name), {name: [] for name in METRICS})
        for name in METRICS:
            kept[name].append(getattr(played, name))


def _estimates(parts: Mapping[str, Sequence[np.ndarray[Any, Any]]]) -> dict[str, dict[str, float]]:
    """Means with 95 % intervals (bootstrap over training seeds and, within them, dialogues)."""
    return {name: asdict(bootstrap(np.concatenate(list(part)))) for name, part in parts.items()}


def _cell(estimate: Mapping[str, float], scale: int) -> str:
    mean, low, high = (scale * estimate[name] for name in ("mean", "low", "high"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


@contextmanager
def _progress(total: int, *, hidden: bool) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=hidden, console=console) as progress:
        task = progress.add_task("training policies", total=total)
        yield lambda what, steps: progress.update(task, description=what, advance=steps)
