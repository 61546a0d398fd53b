"""Train a deep Q-network on TC-Bot's task within a number of dialogues (needs torch).

The replay begins with dialogues of TC-Bot's rule agent, which count; double targets, a dueling network that shares
weights over slots, n-step returns and several updates a turn do the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from policies.dqn import DQN, network_values
from policies.dqn_config import DQNConfig
from policies.exploration import Greedy
from policies.networks import HeadedNetwork
from policies.policy import greedy_output
from simulator.jit import F32, I32
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.network import MovieNetwork
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import MovieTask

Watch = Callable[[float], None]
"""Called now and then with the share of the dialogues that is over."""
Act = Callable[[MovieDialogues], I32]


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """``dialogues`` in all, of which the rule agent leads the first ``teacher_dialogues``; ``dqn``: all else.

    Exploration ends when the share ``exploit_from`` of the remaining dialogues is over; learning goes on.
    """

    dialogues: int
    dqn: DQNConfig
    teacher_dialogues: int = 16
    exploit_from: float = 0.9
    width: int = 64


def default_settings(dialogues: int, seed: int) -> LearnerSettings:
    """What works for some hundreds of dialogues; found with seeds from 100 on."""
    learning = DQNConfig(
        num_envs=8, pretrain_updates=300, margin=0.0, updates_per_step=14, batch_size=64, capacity=50_000, n_step=5,
        reward_scale=0.0125, learning_rate=1e-3, learning_rate_end=2e-5, exploration="thompson", heads=16,
        head_probability=1.0, seed=seed,
    )  # fmt: skip
    return LearnerSettings(dialogues, learning)


@dataclass(slots=True)
class Outcomes:
    """The training dialogues in the order of their ends: success and both sides' turns."""

    success: list[bool] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)


class MovieTraining:
    """One training run; reproducible bit for bit from its seed."""

    def __init__(self, task: MovieTask, env: MovieSettings, settings: LearnerSettings) -> None:
        torch.set_num_threads(1)
        self.config, self.settings = settings.dqn, settings
        self.dialogues = MovieDialogues(task, env, _seeds(self.config.seed, self.config.num_envs))
        self.rng = np.random.default_rng(self.config.seed)
        self.masks = np.ones((self.config.num_envs, len(self.dialogues.tables.action_act)), dtype=np.bool_)
        self.learner = DQN(self.dialogues.size, self.masks.shape[1], self.config, self._network)
        self.replay = self.config.replay(self.dialogues.size, self.masks.shape[1])
        self.explorer, self._exploiter = self.config.explorer(), Greedy()
        self.outcomes = Outcomes()
        self._began = np.ones(self.config.num_envs, dtype=np.bool_)

    @property
    def finished(self) -> int:
        """Dialogues that are over."""
        return len(self.outcomes.success)

    def run(self, watch: Watch | None = None) -> HeadedNetwork:
        """Hold all dialogues; returns the network."""
        pretrained = False
        while self.finished < self.settings.dialogues:
            before, teaching = self.finished, self.finished < self.settings.teacher_dialogues
            if not teaching and not pretrained:
                self._update(self.config.pretrain_updates, 0.0, self.config.margin)
                pretrained = True
            used = self._progress()
            self._turn(teaching, used)
            if pretrained:
                self._update(self.config.updates_per_step, used)
            if watch is not None and self.finished > before:
                watch(min(self.finished / self.settings.dialogues, 1.0))
        return self.learner.network

    def _network(self) -> HeadedNetwork:
        task = self.dialogues.task
        return MovieNetwork(task.acts, task.slots, self.dialogues.size, self.settings.width, self.config.heads)

    def _progress(self) -> float:
        taught = self.settings.teacher_dialogues
        return max(self.finished - taught, 0) / max(self.settings.dialogues - taught, 1)

    def _turn(self, teaching: bool, used: float) -> None:
        """One system act and answer in every dialogue, remembered; finished dialogues begin anew."""
        features = self.dialogues.observe()
        if teaching:
            actions = self.dialogues.rule()
        else:
            values = self.learner.values(features)
            explorer = self.explorer if used < self.settings.exploit_from else self._exploiter
            actions = explorer.act(values, self.masks, used, self.rng, self._began).actions
        reward = self.dialogues.step(actions)
        over = self.dialogues.state.over.copy()
        heads = None
        if self.config.heads > 1:
            heads = self.rng.random((len(over), self.config.heads)) < self.config.head_probability
        self.replay.add(features, self.masks, actions, np.float32(self.config.reward_scale) * reward, over, heads)
        self._began = over
        done = np.flatnonzero(over)
        self.outcomes.success += self.dialogues.state.success[done].tolist()
        self.outcomes.turns += self.dialogues.turns()[done].tolist()
        self.dialogues.reset(done)

    def _update(self, count: int, progress: float, margin: float = 0.0) -> None:
        for _ in range(count):
            batch = self.replay.sample(self.config.batch_size, self.rng, progress)
            self.learner.update(batch, progress, margin)
            self.replay.reprioritise(batch, self.learner.errors)


def _seeds(seed: int, count: int, test: bool = False) -> list[int]:
    """Seeds of dialogues; those of tests are never those of training."""
    return [seed * 1_000_003 + test * 500_000_000 + i for i in range(count)]


@dataclass(frozen=True, slots=True)
class Played:
    """Test dialogues, each (n,): success 0 or 1, return, and turns of both sides."""

    success: F32
    reward: F32
    turns: F32


def play(task: MovieTask, env: MovieSettings, act: Act, count: int, seed: int) -> Played:
    """``count`` dialogues side by side to their ends."""
    dialogues = MovieDialogues(task, env, _seeds(seed, count, test=True))
    total: F32 = np.zeros(count, dtype=np.float32)
    while not dialogues.state.over.all():
        total += dialogues.step(act(dialogues))
    return Played(dialogues.state.success.astype(np.float32), total, dialogues.turns().astype(np.float32))


def greedy(network: nn.Module) -> Act:
    """The network's best action."""

    def act(dialogues: MovieDialogues) -> I32:
        values = network_values(network, dialogues.observe())
        return greedy_output(values, np.ones(values.shape, dtype=np.bool_)).actions

    return act


def rule(dialogues: MovieDialogues) -> I32:
    """TC-Bot's rule agent."""
    return dialogues.rule()
