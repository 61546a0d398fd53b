"""TC-Bot's movie task for gymnasium: one dialogue, or thousands as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from simulator.tcbot.actions import NAMES
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.tables import B8, F32, I32
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


class MovieVectorEnv(VectorEnv[F32, I32, NDArray[Any]]):
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

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, num_envs: int = 1, *, world: World = None, settings: MovieSettings | None = None) -> None:
        self.num_envs = num_envs
        self.dialogues = open_world(world, settings, [0] * num_envs)
        self._seeded = False
        self.single_observation_space = _space(self.dialogues)
        self.single_action_space = gymnasium.spaces.Discrete(len(NAMES))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    @property
    def action_names(self) -> tuple[str, ...]:
        """(43,) what each action is called."""
        return NAMES

    def action_masks(self) -> B8:
        """(num_envs, 43) all True."""
        return np.ones((self.num_envs, len(NAMES)), dtype=np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[F32, dict[str, Any]]:
        """Begin new dialogues everywhere; ``seed`` an int (dialogue i gets seed + i) or one int per dialogue."""
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self.dialogues.seed(self.dialogues.all_rows, _spread(seed, self.num_envs))
            self._seeded = True
        self.dialogues.reset(self.dialogues.all_rows)
        return self.dialogues.observe(), {"action_mask": self.action_masks()}

    def step(self, actions: I32) -> tuple[F32, F32, B8, B8, dict[str, Any]]:
        """One action in each dialogue; finished ones begin anew in the same step. ValueError for no such action."""
        actions = np.asarray(actions, dtype=np.int32)
        if actions.shape != (self.num_envs,) or ((actions < 0) | (actions >= len(NAMES))).any():
            raise ValueError(f"actions must be {self.num_envs} integers from 0 to {len(NAMES) - 1}")
        reward = self.dialogues.step(actions)
        over = self.dialogues.state.over.copy()
        done = np.flatnonzero(over)
        infos: dict[str, Any] = {}
        if len(done):
            infos = self._final(over, done)
            self.dialogues.reset(done)
        infos["action_mask"] = self.action_masks()
        return self.dialogues.observe(), reward, over, np.zeros_like(over), infos

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that decides what happens next (``policies.resume.Resumable``)."""
        return {**self.dialogues.snapshot(), "seeded": np.array(self._seeded)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from ``state``; KeyError when it doesn't fit."""
        self.dialogues.restore(state)
        self._seeded = bool(state["seeded"])

    def _final(self, over: B8, done: NDArray[np.intp]) -> dict[str, Any]:
        """Gymnasium's SAME_STEP infos about the dialogues that just ended."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row, last in zip(done, self.dialogues.observe(done), strict=True):
            final_obs[row] = last
        details = {
            "success": self.dialogues.state.success & over,
            "_success": over,
            "turns": np.where(over, self.dialogues.turns(), 0),
            "_turns": over,
        }
        return {"final_obs": final_obs, "_final_obs": over, "final_info": details, "_final_info": over}


def _spread(seed: int | Sequence[int | None], count: int) -> list[int]:
    if isinstance(seed, (int, np.integer)):
        return [int(seed) + i for i in range(count)]
    if len(seed) != count or None in seed:
        raise ValueError(f"seeds {seed!r} for {count} dialogues: give one int or one int per dialogue")
    return [int(one) for one in seed if one is not None]


class MovieEnv(gymnasium.Env[F32, np.int64]):
    """One dialogue of TC-Bot's movie task; see ``MovieVectorEnv`` for spaces, rewards, ends and arguments.

    ``render_mode="ansi"`` shows the transcript.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(
        self, *, world: World = None, settings: MovieSettings | None = None, render_mode: str | None = None
    ) -> None:
        self.render_mode = render_mode
        self.dialogues = open_world(world, settings, [0])
        self.observation_space = _space(self.dialogues)
        self.action_space = gymnasium.spaces.Discrete(len(NAMES))
        self._seeded = False
        self._transcript: list[str] = []

    @property
    def action_names(self) -> tuple[str, ...]:
        """(43,) what each action is called."""
        return NAMES

    def action_masks(self) -> B8:
        """(43,) all True."""
        return np.ones(len(NAMES), dtype=np.bool_)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[F32, dict[str, Any]]:
        """A new user's first sentence; equal seeds give equal dialogues."""
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self.dialogues.seed(self.dialogues.all_rows, [seed])
            self._seeded = True
        self.dialogues.reset(self.dialogues.all_rows)
        self._transcript = [user_line(self.dialogues)]
        return self.dialogues.observe()[0], self._info()

    def step(self, action: np.int64) -> tuple[F32, float, bool, bool, dict[str, Any]]:
        """One action and the user's answer; ValueError for no such action."""
        if not 0 <= int(action) < len(NAMES):
            raise ValueError(f"action {action}: give an integer from 0 to {len(NAMES) - 1}")
        reward = float(self.dialogues.step(np.array([action], dtype=np.int32))[0])
        self._transcript += [system_line(self.dialogues), user_line(self.dialogues)]
        over = bool(self.dialogues.state.over[0])
        info = self._info()
        if over:
            info["success"] = bool(self.dialogues.state.success[0])
        return self.dialogues.observe()[0], reward, over, False, info

    def render(self) -> str | None:
        """The transcript so far in mode ``ansi``, else None."""
        return "\n".join(self._transcript) if self.render_mode == "ansi" else None

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self.action_masks(), "turns": int(self.dialogues.turns()[0])}
