"""Train a deep Q-network in a benchmark environment within a budget of dialogues or of seconds (needs torch).

What published DQNs lack is put in (see docs/results/policies.md): the replay begins with the handcrafted policy's
dialogues, which count towards the budget; the terminal transition is stored; double targets, a dueling slot-shared
network, n-step returns and several updates a turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from policies.dqn import DQN, network_values
from policies.dqn_config import DQNConfig
from policies.networks import DuelingNetwork, HeadedNetwork
from policies.policy import greedy_output
from policies.slot_shared import SlotLayout, SlotSharedNetwork
from simulator.jit import F32, I32
from simulator.pydial.dialogues import BenchmarkDialogues, warm_up
from simulator.pydial.domain import Domain
from simulator.pydial.features import GENERAL, PER_SLOT
from simulator.pydial.settings import BenchmarkSettings

Watch = Callable[[float, nn.Module], None]
"""Called now and then with the share of the budget that is used up, and the network."""


@dataclass(frozen=True, slots=True)
class Budget:
    """So many training dialogues, or so many seconds of wall clock; exactly one of them."""

    dialogues: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.dialogues is None) == (self.seconds is None):
            raise ValueError("a budget is a number of dialogues or of seconds: give one of them")
        if (self.dialogues or self.seconds or 0) <= 0:
            raise ValueError(f"{self}: give more than 0")

    def used(self, dialogues: int, seconds: float) -> float:
        """The share that is used up, 1 and more at the end."""
        return dialogues / self.dialogues if self.dialogues else seconds / (self.seconds or 1.0)


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """How a budget is spent; ``dqn`` holds everything about learning itself.

    ``teacher``: the share of the budget in which the handcrafted policy acts, at most ``teacher_dialogues``.
    ``shared``: the slot-shared network of ``width`` on the view ``slots``; else a plain one on PyDial's belief vector.
    """

    dqn: DQNConfig
    teacher: float = 0.2
    teacher_dialogues: int = 200
    shared: bool = True
    width: int = 64


MANY = 2000
"""From so many dialogues on, more than two updates a turn fit the replay rather than the users, and there is time to
try more out."""


def default_settings(budget: Budget, seed: int, *, shared: bool = True) -> LearnerSettings:
    """What works best at this budget: few dialogues are turned over often, many seldom."""
    few = (budget.dialogues or MANY) < MANY
    learning = DQNConfig(
        num_envs=16, heads=6, head_probability=1.0, n_step=1, batch_size=128, capacity=200_000,
        pretrain_updates=1500, margin=0.1, updates_per_step=4 if few else 2, learning_rate=5e-4,
        learning_rate_end=5e-5, epsilon_start=0.03 if few else 0.08, epsilon_end=0.0, seed=seed,
    )  # fmt: skip
    if budget.seconds is not None:
        learning = replace(learning, num_envs=64, learning_rate_end=1e-5, epsilon_start=0.03, epsilon_end=0.01)
    return LearnerSettings(learning, shared=shared)


class BenchmarkTraining:
    """One training run; reproducible bit for bit from its seed when the budget is in dialogues."""

    def __init__(self, domain: Domain, env: BenchmarkSettings, budget: Budget, settings: LearnerSettings) -> None:
        torch.set_num_threads(1)
        warm_up(domain, env)
        self.config, self.budget, self.settings = settings.dqn, budget, settings
        seeds = [self.config.seed * 1_000_003 + i for i in range(self.config.num_envs)]
        self.dialogues = BenchmarkDialogues(domain, env, seeds)
        self.view = "slots" if settings.shared else "belief"
        self.rng = np.random.default_rng(self.config.seed)
        inputs, actions = self.dialogues.size(self.view), self.dialogues.masks.shape[1]
        self.learner = DQN(inputs, actions, self.config, self._network)
        self.replay = self.config.replay(inputs, actions)
        self.explorer = self.config.explorer()
        self.finished = 0
        self._began = np.ones(self.config.num_envs, dtype=np.bool_)

    def run(self, watch: Watch | None = None) -> HeadedNetwork:
        """Spend the budget; returns the network."""
        pretrained, used, told = False, 0.0, -1.0
        began = time.perf_counter()
        features = self.dialogues.observe(self.view)
        while used < 1.0:
            teaching = self._teaching(used)
            if not teaching and not pretrained:
                pretrained = True
                self._update(self.config.pretrain_updates, 0.0, self.config.margin)
            features = self._turn(features, teaching, used)
            if pretrained:
                self._update(self.config.updates_per_step, used)
            used = self.budget.used(self.finished, time.perf_counter() - began)
            if watch is not None and used - told >= 0.01:
                told = used
                watch(min(used, 1.0), self.learner.network)
        return self.learner.network

    def _network(self) -> HeadedNetwork:
        c = self.config
        slots, actions = self.dialogues.slots, self.dialogues.masks.shape[1]
        if self.settings.shared:
            layout = SlotLayout(GENERAL, PER_SLOT, slots)
            return SlotSharedNetwork(layout, self.settings.width, c.heads)
        return DuelingNetwork(self.dialogues.size(self.view), actions, c.hidden, c.dueling, heads=c.heads)

    def _teaching(self, used: float) -> bool:
        enough = self.finished >= self.settings.teacher_dialogues or used >= self.settings.teacher
        return not enough or len(self.replay) == 0

    def _turn(self, features: F32, teaching: bool, used: float) -> F32:
        """One system act and answer in every dialogue, remembered; finished dialogues begin anew."""
        masks = self.dialogues.masks.copy()
        if teaching:
            actions = self.dialogues.teacher()
        else:
            values = self.learner.values(features)
            actions = self.explorer.act(values, masks, used, self.rng, self._began).actions
        reward = self.dialogues.step(actions)
        over = self.dialogues.state.over.copy()
        heads = None
        if self.config.heads > 1:
            heads = self.rng.random((len(over), self.config.heads)) < self.config.head_probability
        scaled = np.float32(self.config.reward_scale) * reward
        self.replay.add(features, masks, actions, scaled, over, heads)
        self._began = over
        self.finished += int(over.sum())
        self.dialogues.reset(np.flatnonzero(over))
        return self.dialogues.observe(self.view)

    def _update(self, count: int, progress: float, margin: float = 0.0) -> None:
        progress = min(progress, 1.0)
        for _ in range(count):
            batch = self.replay.sample(self.config.batch_size, self.rng, progress)
            self.learner.update(batch, progress, margin)
            self.replay.reprioritise(batch, self.learner.errors)


@dataclass(frozen=True, slots=True)
class Played:
    """Test dialogues, each (n,): success 0 or 1, return, and user turns."""

    success: F32
    reward: F32
    turns: F32


Act = Callable[[BenchmarkDialogues], I32]


def play(domain: Domain, env: BenchmarkSettings, act: Act, count: int, seed: int) -> Played:
    """``count`` dialogues side by side to their ends."""
    dialogues = BenchmarkDialogues(domain, env, [seed * 1_000_003 + 500_000_000 + i for i in range(count)])
    total: F32 = np.zeros(count, dtype=np.float32)
    while not dialogues.state.over.all():
        total += dialogues.step(act(dialogues))
    return Played(dialogues.state.success.astype(np.float32), total, dialogues.turns().astype(np.float32))


def greedy(network: nn.Module, *, shared: bool = True) -> Act:
    """The network's best allowed action."""
    view = "slots" if shared else "belief"

    def act(dialogues: BenchmarkDialogues) -> I32:
        return greedy_output(network_values(network, dialogues.observe(view)), dialogues.masks).actions

    return act
