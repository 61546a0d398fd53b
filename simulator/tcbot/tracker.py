"""The system's side: what is known, what the table says to it, the values of its answers, and TC-Bot's state vector."""

from __future__ import annotations

import numpy as np

from simulator.jit import B8, F32, I32, compiled
from simulator.tcbot.state import State
from simulator.tcbot.tables import ANY, AVAILABLE, NO_MATCH, UNSAID, Tables

SCALE = 100.0
"""Rows of the table are counted in hundreds."""


@compiled
def note_user_act(t: Tables, s: State, i: int) -> None:
    """What the user told is known."""
    for slot in range(t.goal.shape[1]):
        if s.said[i, slot] != UNSAID:
            s.known[i, slot] = s.said[i, slot]


@compiled
def act(t: Tables, s: State, i: int, action: int) -> None:
    """Carry out action number ``action``: an inform gets its value from the table, and is known from then on."""
    s.system_act[i] = t.action_act[action]
    slot = t.action_slot[action]
    s.told[i] = UNSAID
    s.wanted[i] = -1
    if s.system_act[i] == t.request:
        s.wanted[i] = slot
    elif s.system_act[i] == t.inform:
        fits = fitting_rows(t, s, i)
        if slot == t.complete:
            s.told[i] = s.known[i]
        if slot in (t.complete, t.ticket):
            s.told[i, slot] = AVAILABLE if fits.any() else NO_MATCH
        else:
            s.told[i, slot] = commonest(t, fits, slot)
        for other in range(t.goal.shape[1]):
            if s.told[i, other] != UNSAID:
                s.known[i, other] = s.told[i, other]


@compiled
def fitting_rows(t: Tables, s: State, i: int) -> B8:
    """(R,) the rows that agree with all that is known, apart from what isn't in the table or doesn't matter."""
    fits = np.ones(len(t.row), dtype=np.bool_)
    for slot in range(t.goal.shape[1]):
        known = s.known[i, slot]
        if known == UNSAID or known == ANY or t.no_query[slot]:
            continue
        for r in range(len(fits)):
            if fits[r]:
                word = t.row[r, slot]
                fits[r] = known >= 0 and word >= 0 and t.folded[word] == t.folded[known]
    return fits


@compiled
def look_up(t: Tables, s: State, valued: B8, count: I32) -> None:
    """Into ``count`` (B,) how many rows fit in each dialogue, into ``valued`` (B, S) whether one has a value there."""
    valued[:] = False
    for i in range(len(count)):
        fits = fitting_rows(t, s, i)
        count[i] = fits.sum()
        for r in range(len(fits)):
            if fits[r]:
                for slot in range(valued.shape[1]):
                    valued[i, slot] |= t.row[r, slot] >= 0


@compiled
def commonest(t: Tables, fits: B8, slot: int) -> int:
    """The most frequent word of the fitting rows in ``slot``, the earliest of equals; NO_MATCH when there is none."""
    counts = np.zeros(len(t.folded), dtype=np.int32)
    for r in range(len(fits)):
        if fits[r] and t.row[r, slot] >= 0:
            counts[t.row[r, slot]] += 1
    best, most = NO_MATCH, 0
    for r in range(len(fits)):
        if fits[r] and t.row[r, slot] >= 0 and counts[t.row[r, slot]] > most:
            best, most = t.row[r, slot], counts[t.row[r, slot]]
    return best


@compiled
def matching_all(t: Tables, s: State, i: int) -> int:
    """Rows that agree with everything known but the ticket.

    Unlike ``fitting_rows`` this looks for the number of people and the offer in the table too, where they never are:
    0 as soon as one of them is known, as in the original.
    """
    columns = np.empty(t.goal.shape[1], dtype=np.int64)
    constrained = 0
    for slot in range(t.goal.shape[1]):
        known = s.known[i, slot]
        if known == UNSAID or known == ANY or slot == t.ticket:
            continue
        if known < 0 or t.rows_with[slot, t.folded[known]] == 0:
            return 0
        columns[constrained] = slot
        constrained += 1
    count = 0
    for r in range(len(t.row)):
        same = True
        for c in range(constrained):
            word = t.row[r, columns[c]]
            if word < 0 or t.folded[word] != t.folded[s.known[i, columns[c]]]:
                same = False
                break
        count += int(same)
    return count


def state_size(acts: int, slots: int, system_turns: int) -> int:
    """Numbers in the state vector; 272 for 11 acts, 29 slots and 20 turns."""
    return 2 * acts + 7 * slots + 3 + 2 * system_turns + 4


@compiled
def state_vector(t: Tables, s: State, i: int, out: F32) -> None:
    """TC-Bot's state vector of dialogue i (A acts, S slots).

    User's act (A), what it told (S), asked (S); system's act (A), what it told (S), asked (S); known slots (S); the
    number of turns of both sides over 10, and one-hot; per slot and once over all: whether rows match (S+1), how many
    hundreds (S+1). A slot's rows are those that agree in it; a slot not known has the number over all.
    """
    slots, acts = t.goal.shape[1], t.acts
    out[:] = 0.0
    out[s.user_act[i]] = 1.0
    at = acts
    said, asked, told = at, at + slots, at + 2 * slots + acts
    wanted, known = told + slots, told + 2 * slots
    turns = 2 * s.turn[i] + 1
    clock = known + slots
    any_row = clock + 1 + 2 * t.max_turns + 4
    rows = any_row + slots + 1
    out[clock] = turns / 10.0
    out[min(clock + 1 + turns, any_row - 1)] = 1.0
    if s.system_act[i] >= 0:
        out[at + 2 * slots + s.system_act[i]] = 1.0
    if s.wanted[i] >= 0:
        out[wanted + s.wanted[i]] = 1.0
    everything = matching_all(t, s, i)
    out[any_row + slots], out[rows + slots] = int(everything > 0), everything / SCALE
    for slot in range(slots):
        out[said + slot] = int(s.said[i, slot] != UNSAID)
        out[asked + slot] = int(s.asked[i, slot])
        out[told + slot] = int(s.told[i, slot] != UNSAID)
        value, count = s.known[i, slot], everything
        if value != UNSAID:
            out[known + slot] = 1.0
            count = t.rows_with[slot, t.folded[value]] if value >= 0 else 0
        out[any_row + slot], out[rows + slot] = int(count > 0), count / SCALE
