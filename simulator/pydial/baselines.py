"""Baselines of the benchmark that learn within a budget of dialogues: cloning the handcrafted policy, and GP-SARSA."""

from __future__ import annotations

import time

import numpy as np
import torch

from policies.gp_sarsa import GPSarsaConfig, GPValues, train_gp_sarsa
from policies.imitation import Demonstrations, ImitationConfig, clone_behaviour
from policies.policy import greedy_output
from simulator.jit import F32, I32
from simulator.pydial.dialogues import BenchmarkDialogues, warm_up
from simulator.pydial.domain import Domain
from simulator.pydial.env import BenchmarkVectorEnv
from simulator.pydial.learner import Act, Budget
from simulator.pydial.settings import BenchmarkSettings

VIEW, PARALLEL = "slots", 16
MOST_TURNS = 26


def imitate(domain: Domain, env: BenchmarkSettings, budget: Budget, seed: int) -> tuple[Act, int]:
    """Behaviour cloning from ``budget.dialogues`` dialogues of the handcrafted policy; also how many they were.

    ValueError for a budget in seconds: cloning takes as long as it takes.
    """
    if budget.dialogues is None:
        raise ValueError("imitation needs a number of dialogues: give --dialogues")
    dialogues = BenchmarkDialogues(domain, env, [seed * 1_000_003 + i for i in range(budget.dialogues)])
    rows: list[tuple[F32, np.ndarray, I32, np.ndarray]] = []
    while not dialogues.state.over.all():
        live = np.flatnonzero(~dialogues.state.over)
        actions = dialogues.teacher()
        rows.append((dialogues.observe(VIEW, live), dialogues.masks[live], actions[live], live))
        dialogues.step(actions)
    data = Demonstrations(*(np.concatenate(column) for column in zip(*rows, strict=True)))
    actor = clone_behaviour(data, ImitationConfig(seed=seed)).network.actor

    @torch.no_grad()
    def act(dialogues: BenchmarkDialogues) -> I32:
        logits = actor(torch.from_numpy(dialogues.observe(VIEW))).numpy()
        return greedy_output(logits, dialogues.masks).actions

    return act, budget.dialogues


class _CountingEnv(BenchmarkVectorEnv):
    """Counts finished dialogues."""

    finished = 0

    def step(self, actions: I32) -> tuple[F32, F32, np.ndarray, np.ndarray, dict[str, object]]:
        """See ``BenchmarkVectorEnv``."""
        result = super().step(actions)
        self.finished += int((result[2] | result[3]).sum())
        return result


def gp_sarsa(domain: Domain, env: BenchmarkSettings, budget: Budget, seed: int) -> tuple[Act, int]:
    """GP-SARSA on the summary of each slot (no teacher, posterior sampling); also how many dialogues it had."""
    warm_up(domain, env)
    began = time.perf_counter()
    world = _CountingEnv(PARALLEL, world=domain, env=env, view=VIEW)
    steps = MOST_TURNS * (budget.dialogues // PARALLEL + 1) if budget.dialogues else 10**9
    config = GPSarsaConfig(steps=steps, evaluate_every=10**9, seed=seed)

    def enough() -> bool:
        return budget.used(world.finished, time.perf_counter() - began) >= 1.0

    values: GPValues = train_gp_sarsa(world, config, lambda values: {"reward": 0.0}, enough=enough).values

    def act(dialogues: BenchmarkDialogues) -> I32:
        return values.greedy(dialogues.observe(VIEW), dialogues.masks)

    return act, world.finished
