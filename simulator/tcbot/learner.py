"""Train a deep Q-network on TC-Bot's task within a number of dialogues (needs torch).

The replay begins with dialogues of TC-Bot's rule agent, which count. The learner sees what was said before, leaves
alone what can't be of use, tries out kinds of actions, and has double targets and a dueling network that shares weights
over slots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from policies.dqn import DQN
from policies.dqn_config import DQNConfig
from policies.exploration import Greedy, Schedule
from policies.networks import HeadedNetwork
from simulator.jit import B8, F32, I32
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.exploration import Trials, useful
from simulator.tcbot.history import History
from simulator.tcbot.network import MovieNetwork
from simulator.tcbot.playing import dialogue_seeds
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import MovieTask

Watch = Callable[[float], None]
"""Called now and then with the share of the dialogues that is over."""


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """``dialogues`` in all, of which the rule agent leads the first ``teacher_dialogues``; ``dqn``: all else.

    Exploration ends when the share ``exploit_from`` of the remaining dialogues is over; learning goes on. ``masked``:
    only useful actions are allowed. At first every dialogue has a trial among its first ``trial_turns`` turns, from the
    share ``trials_until`` of the dialogues on none has (see ``Trials``).
    """

    dialogues: int
    dqn: DQNConfig
    teacher_dialogues: int = 48
    exploit_from: float = 0.9
    masked: bool = True
    trials_until: float = 0.7
    trial_turns: int = 6
    width: int = 64


def default_settings(dialogues: int, seed: int) -> LearnerSettings:
    """What works for some hundreds of dialogues; found with seeds from 100 on."""
    learning = DQNConfig(
        num_envs=8, pretrain_updates=600, margin=0.05, updates_per_step=3, batch_size=64, capacity=50_000, n_step=1,
        reward_scale=0.0125, learning_rate=7e-4, learning_rate_end=2e-5, exploration="thompson", heads=16,
        head_probability=1.0, tau=0.03, seed=seed,
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
        self.dialogues = MovieDialogues(task, env, dialogue_seeds(self.config.seed, self.config.num_envs))
        self.history = History(self.dialogues)
        self.rng = np.random.default_rng(self.config.seed)
        actions = len(self.dialogues.names)
        self.learner = DQN(self.history.size, actions, self.config, self._network)
        self.replay = self.config.replay(self.history.size, actions)
        self.explorer, self._exploiter = self.config.explorer(), Greedy()
        self.trials = Trials(self.dialogues, Schedule(1.0, 0.0, settings.trials_until), settings.trial_turns)
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
        features = self.history.observe()
        masks = useful(self.dialogues) if self.settings.masked else self.dialogues.masks.copy()
        if teaching:
            actions = self.dialogues.rule()
            masks[np.arange(len(actions)), actions] = True
        else:
            actions = self._choose(features, masks, used)
        reward = self.dialogues.step(actions)
        over = self.dialogues.state.over.copy()
        heads = None
        if self.config.heads > 1:
            heads = self.rng.random((len(over), self.config.heads)) < self.config.head_probability
        self.replay.add(features, masks, actions, np.float32(self.config.reward_scale) * reward, over, heads)
        self._began = over
        done = np.flatnonzero(over)
        self.outcomes.success += self.dialogues.state.success[done].tolist()
        self.outcomes.turns += self.dialogues.turns()[done].tolist()
        self.dialogues.reset(done)

    def _choose(self, features: F32, masks: B8, used: float) -> I32:
        values = self.learner.values(features)
        if used >= self.settings.exploit_from:
            return self._exploiter.act(values, masks, used, self.rng, self._began).actions
        actions = self.explorer.act(values, masks, used, self.rng, self._began).actions
        return self.trials.vary(actions, masks, used, self._began, self.rng)

    def _update(self, count: int, progress: float, margin: float = 0.0) -> None:
        for _ in range(count):
            batch = self.replay.sample(self.config.batch_size, self.rng, progress)
            self.learner.update(batch, progress, margin)
            self.replay.reprioritise(batch, self.learner.errors)
