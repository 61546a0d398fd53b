"""TC-Bot's movie task for gymnasium: one dialogue, or thousands as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gymnasium
import numpy as np

from simulator.array_env import ArrayEnv, ArrayVectorEnv
from simulator.jit import F32
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import MovieTask, find_task, load_task
from simulator.tcbot.tracker import SCALE
from simulator.tcbot.transcript import system_line, user_line

World = MovieTask | str | Path | None
"""A loaded task, its folder, or None for the folder that REJOINDER_DATA holds."""


def open_world(world: World, settings: MovieSettings | None, seeds: Sequence[int]) -> MovieDialogues:
    """The dialogues of a task; TaskError for files that can't be used."""
    task = world if isinstance(world, MovieTask) else load_task(world or find_task())
    return MovieDialogues(task, settings or MovieSettings(), seeds)


def _space(dialogues: MovieDialogues) -> gymnasium.Space[F32]:
    """From 0 to the largest of its numbers: 1, the rows of the table in hundreds, or the turns in tens."""
    high = max(1.0, len(dialogues.task.table) / SCALE, (2 * dialogues.settings.system_turns + 3) / 10)
    return gymnasium.spaces.Box(0.0, high, (dialogues.size,), np.float32)


class MovieVectorEnv(ArrayVectorEnv):
    """``num_envs`` dialogues of TC-Bot's movie-ticket task (Li et al. 2016, 2017), act level.

    ## Description
    A user wants cinema tickets under constraints and may ask for theater, start time and date. The user tells the film
    and another constraint first and asks a question. Each step is one system act and the user's answer.

    ## Action space
    ``MultiDiscrete``: the 43 of ``action_names``. All are always allowed, so ``action_masks()`` is all True.

    ## Observation space
    ``Box`` per dialogue: TC-Bot's 272 numbers (``simulator.tcbot.tracker.state_vector``).

    ## Rewards
    -1 a system turn; in the last one 80 for success or -40 for failure instead (with ``max_turn`` 40).

    ## Episode end
    Terminated by the system's thanks, or by the user after ``max_turn`` turns of both sides (a failure; the time is
    part of the observation, so this is no truncation). Autoreset mode is SAME_STEP: the returned observation belongs
    to the next dialogue, the last one is in ``infos["final_obs"]``, ``infos["final_info"]`` holds ``success`` and
    ``turns``.

    ## Arguments
    ``world``: a ``MovieTask``, its folder, or None; ``settings``: ``MovieSettings``. ``reset(seed=s)`` seeds dialogue
    i with s + i.
    """

    def __init__(self, num_envs: int = 1, *, world: World = None, settings: MovieSettings | None = None) -> None:
        self.dialogues = open_world(world, settings, [0] * num_envs)
        super().__init__(self.dialogues, self.dialogues.observe, _space(self.dialogues))


class MovieEnv(ArrayEnv):
    """One dialogue of TC-Bot's movie task; see ``MovieVectorEnv`` for spaces, rewards, ends and arguments.

    ``render_mode="ansi"`` shows the transcript.
    """

    def __init__(
        self, *, world: World = None, settings: MovieSettings | None = None, render_mode: str | None = None
    ) -> None:
        self.dialogues = open_world(world, settings, [0])
        super().__init__(self.dialogues, self.dialogues.observe, _space(self.dialogues), render_mode)

    def opening(self) -> list[str]:
        """The user's first sentence."""
        return [user_line(self.dialogues)]

    def exchange(self) -> list[str]:
        """The last act of the system and the user's answer."""
        return [system_line(self.dialogues), user_line(self.dialogues)]
