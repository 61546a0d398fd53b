"""B dialogues about cinema tickets: the core behind the gymnasium environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.array_env import restore_arrays, snapshot_arrays
from simulator.jit import B8, F32, I32, Rows, compiled
from simulator.tcbot.actions import NAMES, RULE
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.state import State, new_state, seed_rows, state_struct, tables_struct
from simulator.tcbot.tables import UNSAID, Tables, build_tables
from simulator.tcbot.task import MovieTask
from simulator.tcbot.tracker import act, look_up, note_user_act, state_size, state_vector
from simulator.tcbot.user import answer, new_user


@compiled
def _reset(t: Tables, s: State, rows: Rows) -> None:
    """New users in ``rows`` say their first sentence."""
    for i in rows:
        s.turn[i] = 0
        s.over[i] = s.success[i] = False
        s.system_act[i] = s.wanted[i] = -1
        s.told[i] = s.known[i] = UNSAID
        new_user(t, s, i)
        note_user_act(t, s, i)


@compiled
def _step(t: Tables, s: State, actions: I32, reward: F32) -> None:
    """One system act and the user's answer in every dialogue that isn't over."""
    for i in range(len(actions)):
        reward[i] = 0.0
        if s.over[i]:
            continue
        act(t, s, i, actions[i])
        answer(t, s, i)
        if not s.over[i]:
            note_user_act(t, s, i)
            reward[i] = -1.0
        else:
            reward[i] = t.success if s.success[i] else t.failure


@compiled
def _observe(t: Tables, s: State, rows: Rows, out: F32) -> None:
    for n in range(len(rows)):
        state_vector(t, s, rows[n], out[n])


class MovieDialogues:
    """B dialogues as arrays; equal seeds give equal dialogues in any batch."""

    def __init__(self, task: MovieTask, settings: MovieSettings, seeds: Sequence[int]) -> None:
        self.task, self.settings = task, settings
        self.tables, self.words = build_tables(task, settings)
        self.state = new_state(len(seeds), len(task.slots))
        self._tables, self._state = tables_struct(self.tables), state_struct(self.state)
        self.size = state_size(len(task.acts), len(task.slots), settings.system_turns)
        self.all_rows: Rows = np.arange(len(seeds))
        self.names = NAMES
        self.masks: B8 = np.ones((len(seeds), len(NAMES)), dtype=np.bool_)
        self.seed(self.all_rows, seeds)
        self.reset(self.all_rows)

    def seed(self, rows: Rows, seeds: Sequence[int]) -> None:
        """Restart the randomness of ``rows``; takes effect at their next reset."""
        seed_rows(self.state, rows, seeds)

    def reset(self, rows: Rows) -> None:
        """Begin new dialogues in ``rows``."""
        _reset(self._tables, self._state, rows)

    def step(self, actions: I32) -> F32:
        """(B,) rewards of one system act each; dialogues that are over stay as they are."""
        reward: F32 = np.empty(len(self.all_rows), dtype=np.float32)
        _step(self._tables, self._state, actions, reward)
        return reward

    def observe(self, rows: Rows | None = None) -> F32:
        """(len(rows), size) TC-Bot's state vector."""
        rows = self.all_rows if rows is None else rows
        out: F32 = np.empty((len(rows), self.size), dtype=np.float32)
        _observe(self._tables, self._state, rows, out)
        return out

    def look_up(self) -> tuple[B8, I32]:
        """What the table says to all that is known: (B, S) whether a fitting row has a value, (B,) fitting rows."""
        valued = np.empty((len(self.all_rows), len(self.task.slots)), dtype=np.bool_)
        count = np.empty(len(self.all_rows), dtype=np.int32)
        look_up(self._tables, self._state, valued, count)
        return valued, count

    def rule(self) -> I32:
        """(B,) what TC-Bot's rule agent does: six requests, the offer, thanks."""
        actions: I32 = RULE[np.minimum(self.state.turn, len(RULE) - 1)]
        return actions

    def turns(self) -> I32:
        """(B,) turns of both sides as the original counts them, the user's first included, its last not."""
        turns: I32 = 2 * self.state.turn + 1 - self.state.over
        return turns

    def ends(self) -> tuple[B8, B8, B8]:
        """(B,) terminated, truncated (never: the time is part of the observation), and successful."""
        return self.state.over.copy(), np.zeros_like(self.state.over), self.state.success.copy()

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of everything that changes, by name."""
        return snapshot_arrays(self.state._asdict())

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Put back what ``snapshot`` took; KeyError for what is missing or has another shape."""
        restore_arrays(self.state._asdict(), saved)
