"""Cells of the policy benchmark: train within a budget, test greedily, and sum up over seeds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from policies.policy import random_actions
from simulator.evaluate import bootstrap
from simulator.jit import I32
from simulator.pydial.baselines import gp_sarsa, imitate
from simulator.pydial.dialogues import BenchmarkDialogues
from simulator.pydial.domain import load_domain
from simulator.pydial.learner import (
    Act,
    BenchmarkTraining,
    Budget,
    LearnerSettings,
    Watch,
    default_settings,
    greedy,
    play,
)
from simulator.pydial.settings import environment

POLICIES = ("dqn", "dqn-belief", "imitation", "gp-sarsa", "handcrafted", "random")
"""``dqn``: slot-shared network; ``dqn-belief``: the same learner with a plain network on PyDial's belief vector;
``imitation`` and ``gp-sarsa``: see ``simulator.pydial.baselines``."""
TEST_SEED = 900_000


@dataclass(frozen=True, slots=True)
class Job:
    """One training run and its test dialogues."""

    domain: str
    ontology: str
    table: str
    env: int
    policy: str
    seed: int
    dialogues: int | None
    seconds: float | None
    test_dialogues: int = 500

    @property
    def trains(self) -> bool:
        """Whether there is anything to learn."""
        return self.policy not in ("handcrafted", "random")


def run_job(job: Job, watch: Watch | None = None) -> dict[str, Any]:
    """Train and test; returns the job's fields, the outcome of each test dialogue, and what training took."""
    domain, env = load_domain(job.ontology, job.table), environment(job.env)
    spent, trained, updates = 0.0, 0, 0
    if not job.trains:
        act = _act(job)
    else:
        budget = Budget(job.dialogues, job.seconds)
        settings = settings_of(job)
        if settings is not None:
            training = BenchmarkTraining(domain, env, budget, settings)
            began = time.perf_counter()
            act = greedy(training.run(watch), shared=settings.shared)
            trained, updates = training.finished, training.learner.updates
        else:
            began = time.perf_counter()
            act, trained = (imitate if job.policy == "imitation" else gp_sarsa)(domain, env, budget, job.seed)
        spent = time.perf_counter() - began
    played = play(domain, env, act, job.test_dialogues, TEST_SEED + job.seed)
    return {
        **asdict(job), "trained_dialogues": trained, "trained_seconds": round(spent, 2), "updates": updates,
        "success": played.success.astype(int).tolist(), "reward": played.reward.astype(int).tolist(),
        "turns": played.turns.astype(int).tolist(),
    }  # fmt: skip


def settings_of(job: Job) -> LearnerSettings | None:
    """What a DQN's run is made with, beside the job itself."""
    if not job.policy.startswith("dqn"):
        return None
    return default_settings(Budget(job.dialogues, job.seconds), job.seed, shared=job.policy == "dqn")


def _act(job: Job) -> Act:
    """The policies that don't learn."""
    rng = np.random.default_rng(job.seed)

    def handcrafted(dialogues: BenchmarkDialogues) -> I32:
        return dialogues.handcrafted()

    def at_random(dialogues: BenchmarkDialogues) -> I32:
        return random_actions(dialogues.masks, rng)

    return at_random if job.policy == "random" else handcrafted


def cells(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line per domain, environment and policy: means over seeds with 95 % intervals (success in 0..1).

    Intervals: two-level bootstrap, seeds first, then dialogues. ``by_seed`` keeps each seed's success and reward.
    """
    groups: dict[tuple[str, int, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["domain"], row["env"], row["policy"]), []).append(row)
    return [_cell(key, sorted(group, key=lambda row: row["seed"])) for key, group in sorted(groups.items())]


def _cell(key: tuple[str, int, str], rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    samples = {name: np.array([row[name] for row in rows], dtype=np.float32) for name in ("success", "reward", "turns")}
    success, reward = bootstrap(samples["success"]), bootstrap(samples["reward"])
    by_seed = [
        {"seed": row["seed"], "success": float(np.mean(row["success"])), "reward": float(np.mean(row["reward"]))}
        for row in rows
    ]
    return {
        "domain": key[0], "env": key[1], "policy": key[2],
        "dialogues": round(float(np.mean([row["trained_dialogues"] for row in rows]))),
        "seconds": round(float(np.mean([row["trained_seconds"] for row in rows])), 1),
        "seeds": len(rows), "test_dialogues": samples["success"].shape[1],
        "success": round(success.mean, 4), "success_ci": [round(success.low, 4), round(success.high, 4)],
        "reward": round(reward.mean, 3), "reward_ci": [round(reward.low, 3), round(reward.high, 3)],
        "turns": round(float(samples["turns"].mean()), 2), "by_seed": by_seed,
    }  # fmt: skip
