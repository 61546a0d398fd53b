"""What the user says: the top of the agenda, perhaps combined with what lies below it."""

from __future__ import annotations

from simulator.jit import compiled, uniform
from simulator.pydial.agenda import drop_slot
from simulator.pydial.state import ITEMS, NO_VALUE, NOTHING, State
from simulator.pydial.tables import (
    ACK,
    AFFIRM,
    BYE,
    CONFIRM,
    DENY,
    HELLO,
    INFORM,
    NEGATE,
    REQUEST,
    S_REQMORE,
    S_REQUEST,
    S_SELECT,
    THANKYOU,
    Tables,
)
from simulator.pydial.traits import P_BARE, P_MORE, P_NAME


@compiled
def respond(t: Tables, s: State, i: int) -> None:
    """Say the top act of the agenda; with an empty agenda, goodbye."""
    if s.top[i] == 0:
        s.user_act[i], s.user_items[i] = BYE, 0
        return
    _pop(s, i)
    act = s.user_act[i]
    if act in (INFORM, CONFIRM, AFFIRM, NEGATE):
        for n in range(s.user_items[i]):
            drop_slot(s, i, s.user_slot[i, n])
    if act in (THANKYOU, ACK, DENY, CONFIRM) or s.system_act[i] == S_REQMORE:
        return
    if act == INFORM and s.system_act[i] in (S_REQUEST, S_SELECT) and s.user_items[i]:
        _perhaps_bare(t, s, i)
    if act == REQUEST:
        _finish_request(t, s, i)
    elif act in (INFORM, NEGATE, HELLO, AFFIRM):
        while s.top[i] > 0 and s.agenda_act[i, s.top[i] - 1] == INFORM and uniform(s, i) < s.traits[i, P_MORE]:
            _append_top(s, i)


@compiled
def _pop(s: State, i: int) -> None:
    s.user_act[i], s.user_items[i] = s.agenda_act[i, s.top[i] - 1], 0
    _append_top(s, i)


@compiled
def _append_top(s: State, i: int) -> None:
    """Move the items of the top act into what is said."""
    d = s.top[i] - 1
    for n in range(s.agenda_items[i, d]):
        _append(s, i, s.agenda_slot[i, d, n], s.agenda_value[i, d, n])
    s.top[i] = d


@compiled
def _append(s: State, i: int, slot: int, value: int) -> None:
    m = s.user_items[i]
    if m < ITEMS:
        s.user_slot[i, m], s.user_value[i, m] = slot, value
        s.user_items[i] = m + 1


@compiled
def _perhaps_bare(t: Tables, s: State, i: int) -> None:
    """Asked about a slot, people often say only that they don't mind."""
    slot = s.user_slot[i, 0]
    bare = slot == NOTHING or (t.inform_of[slot] >= 0 and s.user_value[i, 0] == t.size[t.inform_of[slot]])
    if bare and uniform(s, i) < s.traits[i, P_BARE]:
        s.user_slot[i, 0] = NOTHING


@compiled
def _finish_request(t: Tables, s: State, i: int) -> None:
    """Name the entity asked about; asking for a constrained "near" is asking to confirm it (as in the original)."""
    if s.user_items[i] == 1 and s.told_name[i] >= 0 and uniform(s, i) < s.traits[i, P_NAME]:
        _append(s, i, t.name_slot, s.told_name[i])
    if t.near_slot < 0:
        return
    k = t.system_of[t.near_slot]
    for n in range(s.user_items[i]):
        if s.user_slot[i, n] == t.near_slot and s.user_value[i, n] == NO_VALUE:
            if s.want[i, k] != NOTHING and s.want[i, k] != t.size[t.system_inform[k]]:
                s.user_act[i] = CONFIRM
                s.user_value[i, 0] = s.want[i, k]
