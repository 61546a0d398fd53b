"""Test dialogues side by side, by a network or TC-Bot's rule agent (needs torch)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from policies.dqn import network_values
from policies.policy import greedy_output
from simulator.jit import F32, I32
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.exploration import useful
from simulator.tcbot.history import History
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import MovieTask

Act = Callable[[MovieDialogues], I32]
"""The actions (B,) of one turn; called once a turn."""


@dataclass(frozen=True, slots=True)
class Played:
    """Test dialogues, each (n,): success 0 or 1, return, and turns of both sides."""

    success: F32
    reward: F32
    turns: F32


def play(task: MovieTask, env: MovieSettings, act: Act, count: int, seed: int) -> Played:
    """``count`` dialogues side by side to their ends."""
    dialogues = MovieDialogues(task, env, dialogue_seeds(seed, count, test=True))
    total: F32 = np.zeros(count, dtype=np.float32)
    while not dialogues.state.over.all():
        total += dialogues.step(act(dialogues))
    return Played(dialogues.state.success.astype(np.float32), total, dialogues.turns().astype(np.float32))


def dialogue_seeds(seed: int, count: int, test: bool = False) -> list[int]:
    """Seeds of dialogues; those of tests are never those of training."""
    return [seed * 1_000_003 + test * 500_000_000 + i for i in range(count)]


class GreedyAgent:
    """A network's best action; ``masked``: among the useful ones. An ``Act`` for dialogues played from their start."""

    def __init__(self, network: nn.Module, masked: bool) -> None:
        self._network, self._masked = network, masked
        self._history: History | None = None

    def __call__(self, dialogues: MovieDialogues) -> I32:
        """See ``Act``."""
        if self._history is None or self._history.dialogues is not dialogues:
            self._history = History(dialogues)
        values = network_values(self._network, self._history.observe())
        masks = useful(dialogues) if self._masked else dialogues.masks
        return greedy_output(values, masks).actions


def rule(dialogues: MovieDialogues) -> I32:
    """TC-Bot's rule agent."""
    return dialogues.rule()
