"""Runs of the TC-Bot benchmark: train within a number of dialogues, test greedily, and sum up over seeds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.evaluate import bootstrap
from simulator.tcbot.learner import MovieTraining, Watch, default_settings
from simulator.tcbot.playing import GreedyAgent, play
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import load_task

WINDOW = 50
"""TC-Bot reports success over its last 50 dialogues."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training run on the task in ``folder``, and its test dialogues."""

    folder: str
    seed: int
    dialogues: int
    test_dialogues: int = 500


def run_job(job: Job, watch: Watch | None = None) -> dict[str, Any]:
    """Train and test; returns the job's fields, the outcome of each dialogue, and what training took."""
    task, env = load_task(job.folder), MovieSettings()
    settings = default_settings(job.dialogues, job.seed)
    training = MovieTraining(task, env, settings)
    began = time.perf_counter()
    network = training.run(watch)
    spent = time.perf_counter() - began
    played = play(task, env, GreedyAgent(network, settings.masked), job.test_dialogues, job.seed)
    return {
        **asdict(job), "trained_seconds": round(spent, 2), "updates": training.learner.updates,
        "training": [int(won) for won in training.outcomes.success[: job.dialogues]],
        "success": played.success.astype(int).tolist(), "reward": played.reward.astype(int).tolist(),
        "turns": played.turns.astype(int).tolist(),
    }  # fmt: skip


def last(training: Sequence[int]) -> float:
    """Share of success in the last ``WINDOW`` training dialogues."""
    return float(np.mean(training[-WINDOW:]))


def best(training: Sequence[int]) -> float:
    """The best share of success in ``WINDOW`` training dialogues in a row: a record, so above what to expect."""
    width = min(WINDOW, len(training))
    return float(np.convolve(training, np.ones(width) / width, mode="valid").max())


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds with 95 % intervals (two-level bootstrap: seeds, then dialogues), and each seed's figures."""
    rows = sorted(rows, key=lambda row: row["seed"])
    by_seed = [
        {"seed": row["seed"], "last50": last(row["training"]), "best50": best(row["training"]),
         "success": float(np.mean(row["success"])), "reward": float(np.mean(row["reward"])),
         "turns": float(np.mean(row["turns"])), "seconds": row["trained_seconds"]}
        for row in rows
    ]  # fmt: skip
    samples = {
        "last50": [row["training"][-WINDOW:] for row in rows],
        **{name: [row[name] for row in rows] for name in ("success", "reward", "turns")},
    }
    report: dict[str, Any] = {"seeds": len(rows), "dialogues": rows[0]["dialogues"]}
    for name, values in samples.items():
        report |= _estimate(name, np.array(values, dtype=np.float32))
    return {**report, "best50": round(float(np.mean([one["best50"] for one in by_seed])), 4), "by_seed": by_seed}


def _estimate(name: str, samples: NDArray[np.float32]) -> dict[str, Any]:
    found = bootstrap(samples)
    return {name: round(found.mean, 4), f"{name}_ci": [round(found.low, 4), round(found.high, 4)]}
