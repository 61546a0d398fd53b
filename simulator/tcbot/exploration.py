"""Which actions are worth trying, and trying out kinds of actions rather than actions.

Most of TC-Bot's 43 actions are the same thing about another slot. A uniformly drawn one nearly always concerns a slot
that nobody has mentioned; asking back or answering just what the user asks comes up in one turn of 43. So a kind is
drawn first, then one of its actions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.exploration import Schedule
from simulator.jit import B8, I32
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.tables import UNSAID

Kinds = NDArray[np.int64]


def useful(dialogues: MovieDialogues) -> B8:
    """(B, A) False for telling what the user does not ask, the offer and the ticket apart, and asking what is known."""
    tables, state = dialogues.tables, dialogues.state
    alone, slot = _alone(dialogues), tables.action_slot.astype(np.int64)
    asked, unknown = state.asked[:, slot], state.known[:, slot] == UNSAID
    allowed: B8 = alone | np.where(tables.action_act == tables.inform, asked, unknown)
    return allowed


def kinds(dialogues: MovieDialogues) -> Kinds:
    """(B, A) the kind of each action: its act, and whether the user asks for its slot and whether the slot is known.

    Both are part of the state vector. Actions about no slot, the offer and the ticket are kinds of their own.
    """
    tables, state = dialogues.tables, dialogues.state
    act, slot = tables.action_act.astype(np.int64), tables.action_slot.astype(np.int64)
    about = state.asked.astype(np.int64) + 2 * (state.known != UNSAID)
    return np.where(_alone(dialogues), 4 * tables.acts + np.arange(len(act)), 4 * act + about[:, slot])


def draw(of: Kinds, weight: NDArray[np.float64], rng: np.random.Generator) -> I32:
    """(B,) one action per row: a kind of ``of`` (B, A) in proportion to its ``weight`` (B, A), then one of its actions.

    Weights are equal within a kind, or 0 for what is not allowed; a row needs one above 0.
    """
    alike = ((of[:, :, None] == of[:, None, :]) & (weight > 0)[:, None, :]).sum(axis=2)
    upto = np.cumsum(weight / np.maximum(alike, 1), axis=1)
    actions: I32 = (upto <= rng.random((len(of), 1)) * upto[:, -1:]).sum(axis=1).astype(np.int32)
    return actions


class Trials:
    """In some dialogues one turn goes to an action of a drawn kind; all other turns are left to the policy.

    A dialogue has such a turn with probability ``share`` (of the progress), uniformly among the first ``turns``. Kinds
    that were seldom taken are drawn more often: in proportion to 1 / sqrt(times taken).
    """

    def __init__(self, dialogues: MovieDialogues, share: Schedule, turns: int) -> None:
        self._dialogues, self._share, self._turns = dialogues, share, turns
        self._when: NDArray[np.int64] = np.full(len(dialogues.all_rows), -1)
        acts, actions = dialogues.tables.acts, len(dialogues.tables.action_act)
        self._taken: NDArray[np.int64] = np.ones(4 * acts + actions, dtype=np.int64)

    def vary(self, actions: I32, masks: B8, progress: float, began: B8, rng: np.random.Generator) -> I32:
        """(B,) ``actions``, some of them replaced by others that ``masks`` (B, A) allow; ``began``: new dialogues."""
        count = len(actions)
        chosen = rng.random(count) < self._share(progress)
        self._when[began] = np.where(chosen, rng.integers(self._turns, size=count), -1)[began]
        of, now = kinds(self._dialogues), self._dialogues.state.turn == self._when
        if now.any():
            drawn = draw(of, masks / np.sqrt(self._taken[of]), rng)
            actions = np.where(now, drawn, actions).astype(np.int32)
        np.add.at(self._taken, of[np.arange(count), actions], 1)
        return actions


def _alone(dialogues: MovieDialogues) -> B8:
    """(A,) actions about no slot of the table: bare acts, the offer, the ticket."""
    tables = dialogues.tables
    alone: B8 = (tables.action_slot < 0) | np.isin(tables.action_slot, (tables.complete, tables.ticket))
    return alone
