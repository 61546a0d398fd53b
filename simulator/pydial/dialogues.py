"""B dialogues of a benchmark environment: the core behind its gymnasium environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.array_env import restore_arrays, snapshot_arrays
from simulator.jit import B8, F32, I32, compiled, seed_rows
from simulator.pydial.actions import PUBLIC, action_names, execute, fill_masks
from simulator.pydial.agenda import new_user
from simulator.pydial.database import valid_venue
from simulator.pydial.domain import Domain
from simulator.pydial.errors import hear
from simulator.pydial.features import GENERAL, PER_SLOT, belief_vector, nbest_size, nbest_view, slot_view
from simulator.pydial.handcrafted import handcrafted
from simulator.pydial.reactions import receive
from simulator.pydial.reply import respond
from simulator.pydial.settings import BenchmarkSettings
from simulator.pydial.state import NOTHING, State, new_state
from simulator.pydial.structs import state_struct, tables_struct
from simulator.pydial.tables import BYE, S_BYE, S_HELLO, Floats, Tables, build_tables, value_names
from simulator.pydial.tracker import forget, note_system_act, update

VIEWS = ("belief", "slots", "nbest")
"""What a policy may look at: PyDial's belief vector, a description per slot, or what was just heard."""


@compiled
def _user_turn(t: Tables, s: State, i: int, mass: Floats) -> None:
    """The user takes the system's act, answers, and is heard."""
    receive(t, s, i)
    respond(t, s, i)
    s.turn[i] += 1
    if s.user_act[i] != BYE:
        hear(t, s, i)
        update(t, s, i, mass)


@compiled
def _reset(t: Tables, s: State, rows: NDArray[np.intp], masks: B8) -> None:
    """New dialogues in ``rows``: the system says hello, the user answers."""
    mass = np.zeros(s.belief.shape[1])
    for i in rows:
        s.turn[i] = 0
        s.over[i] = s.success[i] = False
        s.signature[i] = np.uint64(0)
        forget(t, s, i)
        new_user(t, s, i)
        s.system_act[i] = S_HELLO
        s.about[i] = s.first[i] = s.second[i] = s.offer[i] = NOTHING
        s.told[i] = 0
        s.exhausted[i] = False
        _user_turn(t, s, i, mass)
        fill_masks(t, s, i, masks[i])


@compiled
def _succeeded(t: Tables, s: State, i: int) -> bool:
    """Every request is answered and the entity in hand satisfies the goal."""
    for slot in range(t.type_slot):
        if s.filled[i, slot] == 0:
            return False
    return valid_venue(t, s, i, s.told_name[i])


@compiled
def _step(t: Tables, s: State, actions: I32, reward: F32, masks: B8) -> None:
    """One system act and the user's answer in every dialogue that isn't over.

    Each user turn costs 1, the goodbye included; beyond the last allowed turn nothing more is charged.
    """
    mass = np.zeros(s.belief.shape[1])
    for i in range(len(actions)):
        reward[i] = 0.0
        if s.over[i]:
            continue
        execute(t, s, i, actions[i])
        reward[i] = -1.0
        if s.system_act[i] == S_BYE:
            s.over[i] = True
        else:
            note_system_act(t, s, i)
            _user_turn(t, s, i, mass)
            s.over[i] = s.user_act[i] == BYE or s.turn[i] > t.max_turns
            if s.user_act[i] == BYE and s.turn[i] <= t.max_turns:
                reward[i] -= 1.0
        if s.over[i]:
            s.success[i] = _succeeded(t, s, i)
            if s.success[i]:
                reward[i] += t.success_reward
        else:
            fill_masks(t, s, i, masks[i])


@compiled
def _observe(t: Tables, s: State, rows: NDArray[np.intp], view: int, out: F32) -> None:
    for n in range(len(rows)):
        if view == 0:
            belief_vector(t, s, rows[n], out[n])
        elif view == 1:
            slot_view(t, s, rows[n], out[n])
        else:
            nbest_view(t, s, rows[n], out[n])


@compiled
def _handcrafted(t: Tables, s: State, out: I32) -> None:
    for i in range(len(out)):
        out[i] = handcrafted(t, s, i)


class BenchmarkDialogues:
    """B dialogues of one domain and environment as arrays; equal seeds give equal dialogues in any batch."""

    def __init__(self, domain: Domain, settings: BenchmarkSettings, seeds: Sequence[int]) -> None:
        self.domain = domain
        self.settings = settings
        self.tables = build_tables(domain, settings)
        self.state = new_state(self.tables, len(seeds))
        self._tables, self._state = tables_struct(self.tables), state_struct(self.state)
        self.values = value_names(domain)
        self.names = action_names(domain.system_requestable)
        self.masks: B8 = np.ones((len(seeds), len(self.names)), dtype=np.bool_)
        self.all_rows = np.arange(len(seeds))
        self.seed(self.all_rows, seeds)
        self.reset(self.all_rows)

    @property
    def slots(self) -> int:
        """S, the system-requestable slots."""
        return len(self.tables.system_slot)

    def size(self, view: str) -> int:
        """How many numbers a view of ``VIEWS`` has; ``belief``: PyDial's n_in."""
        if view == "slots":
            return GENERAL + self.slots * PER_SLOT
        if view == "nbest":
            return nbest_size(self._tables)
        state = self.state
        parts = (state.belief, state.method, state.discourse, state.requested)
        return int(sum(part.shape[1] for part in parts)) + 2 + 25

    def seed(self, rows: NDArray[np.intp], seeds: Sequence[int]) -> None:
        """Restart the randomness of ``rows``; takes effect at their next reset."""
        seed_rows(self.state, rows, seeds)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Begin new dialogues in ``rows``."""
        _reset(self._tables, self._state, rows, self.masks)

    def step(self, actions: I32) -> F32:
        """(B,) rewards of one system act each; dialogues that are over stay as they are."""
        reward: F32 = np.empty(len(self.all_rows), dtype=np.float32)
        _step(self._tables, self._state, actions, reward, self.masks)
        return reward

    def observe(self, view: str, rows: NDArray[np.intp] | None = None) -> F32:
        """(len(rows), size) what the policy may look at."""
        rows = self.all_rows if rows is None else rows
        out: F32 = np.empty((len(rows), self.size(view)), dtype=np.float32)
        _observe(self._tables, self._state, rows, VIEWS.index(view), out)
        return out

    def ends(self) -> tuple[B8, B8, B8]:
        """(B,) terminated, truncated after the last allowed turn, and successful."""
        truncated = self.state.over & (self.state.turn > self.settings.max_turns)
        return self.state.over & ~truncated, truncated, self.state.success.copy()

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of everything that changes, by name."""
        return snapshot_arrays(self._arrays())

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Put back what ``snapshot`` took; KeyError for what is missing or has another shape."""
        restore_arrays(self._arrays(), saved)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {**self.state._asdict(), "masks": self.masks}

    def turns(self) -> I32:
        """(B,) the user turns that count so far."""
        return np.minimum(self.state.turn, self.settings.max_turns).astype(np.int32)

    def value_name(self, inform: int, value: int) -> str:
        """The value of informable slot number ``inform`` as the domain writes it."""
        return self.values[inform][value]

    def handcrafted(self) -> I32:
        """(B,) the handcrafted policy's actions; three of them have numbers beyond the public ones."""
        out: I32 = np.empty(len(self.all_rows), dtype=np.int32)
        _handcrafted(self._tables, self._state, out)
        return out

    def teacher(self) -> I32:
        """(B,) the handcrafted policy's actions as public ones that the masks allow (else the first allowed)."""
        actions = self.handcrafted()
        first = 3 * self.slots
        substitute = {7: 0, 8: 1, 9: 5}
        for private, public in substitute.items():
            actions[actions == first + private] = first + public
        rows = np.arange(len(actions))
        allowed = self.masks[rows, actions]
        return np.where(allowed, actions, np.argmax(self.masks, axis=1)).astype(np.int32)


def public_actions(slots: int) -> int:
    """A: request, confirm, select of each slot and seven others."""
    return 3 * slots + PUBLIC


def warm_up(domain: Domain, settings: BenchmarkSettings) -> None:
    """Have everything compiled, so that a clock that starts now measures work only."""
    dialogues = BenchmarkDialogues(domain, settings, [0])
    for view in VIEWS:
        dialogues.observe(view)
    dialogues.step(dialogues.teacher())
