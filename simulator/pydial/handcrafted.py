"""PyDial's handcrafted policy, the baseline of every published table."""

from __future__ import annotations

import numpy as np

from simulator.jit import compiled
from simulator.pydial.actions import (
    A_ALTERNATIVES,
    A_ASKED,
    A_BYE,
    A_FIRST,
    A_NULL,
    A_REQMORE,
    REQUESTED,
    accepted_count,
    best_name,
    dontcare_slots,
    polite,
    top_method,
)
from simulator.pydial.database import count, discriminable, matches
from simulator.pydial.state import NOTHING, State
from simulator.pydial.tables import Tables
from simulator.pydial.tracker import M_ALTERNATIVES, M_CONSTRAINTS, M_FINISHED, M_NAME

ACCEPT, DOUBT, IGNORE, CLOSE = 0.8, 0.6, 0.3, 0.2
"""No question about a slot above the first; confirm above the second; above the third select if so close, else
confirm."""


@compiled
def handcrafted(t: Tables, s: State, i: int) -> int:
    """The action of the first rule that applies: what the user does now, doubtful slots, informing, asking."""
    slots = len(t.system_slot)
    action = _by_method(t, s, i)
    if action != NOTHING:
        return 3 * slots + action
    for k in range(slots):
        first, second = s.best_score[i, k, 0], s.best_score[i, k, 1]
        if IGNORE < first < ACCEPT:
            return 3 * k + (2 if first <= DOUBT and first - second < CLOSE else 1)
    action = _inform_rule(t, s, i)
    if action != NOTHING:
        return 3 * slots + action
    for k in range(slots):
        if s.best_score[i, k, 0] < ACCEPT:
            return 3 * k
    return 3 * slots + A_REQMORE


@compiled
def _answerable(t: Tables, s: State, i: int) -> bool:
    """Whether it is known which entity the user asks about."""
    name = best_name(t, s, i)
    sure = name != NOTHING and name != t.size[t.name] and s.belief[i, t.offset[t.name] + name] >= ACCEPT
    return bool((sure and t.first_entity[name] >= 0) or (not sure and s.last_name[i] != NOTHING))


@compiled
def _by_method(t: Tables, s: State, i: int) -> int:
    method = top_method(s, i)
    if method == M_CONSTRAINTS and accepted_count(t, s, i) > 3:
        return A_FIRST
    if method == M_ALTERNATIVES:
        return A_ALTERNATIVES
    if method == M_NAME:
        return A_ASKED if _answerable(t, s, i) else NOTHING
    if method == M_FINISHED:
        return A_BYE
    if polite(s, i) and s.last_name[i] != NOTHING:
        return A_REQMORE
    return NOTHING


@compiled
def _inform_rule(t: Tables, s: State, i: int) -> int:
    """Inform once 0 or 1 entity matches, nothing tells the matches apart, or every slot is known."""
    words = matches(t, s, i)
    found = count(words)
    if found > 1 and discriminable(t, words, dontcare_slots(t, s, i)) and accepted_count(t, s, i) < len(t.system_slot):
        return NOTHING
    asked = np.any(s.requested[i] > REQUESTED)
    if asked and s.offered_now[i]:
        return A_ASKED if _answerable(t, s, i) else A_NULL
    return A_FIRST
