"""The focus belief tracker of DSTC2 (Henderson et al. 2014) on one n-best list after another."""

from __future__ import annotations

import numpy as np

from simulator.jit import compiled
from simulator.pydial.state import NAME_NONE, NO_VALUE, NOTHING, State
from simulator.pydial.tables import (
    ACK,
    AFFIRM,
    BYE,
    CONFIRM,
    DENY,
    HELLO,
    INFORM,
    NULL,
    REPEAT,
    REQALTS,
    REQUEST,
    S_CONFIRM,
    S_INFORM,
    S_REQUEST,
    THANKYOU,
    Floats,
    Tables,
)

M_NONE, M_CONSTRAINTS, M_NAME, M_FINISHED, M_ALTERNATIVES = 0, 1, 2, 3, 4
D_ACK, D_HELLO, D_NONE, D_REPEAT, D_THANKYOU = 0, 1, 2, 3, 5


@compiled
def forget(t: Tables, s: State, i: int) -> None:
    """The belief before anything was said."""
    s.belief[i] = 0.0
    for k in range(len(t.size)):
        s.belief[i, t.offset[k] + t.size[k]] = 1.0
    s.method[i] = 0.0
    s.method[i, M_NONE] = 1.0
    s.discourse[i] = 0.0
    s.discourse[i, D_NONE] = 1.0
    s.requested[i] = 0.0
    s.none_told[i] = s.offered_now[i] = s.alternatives[i] = False
    s.last_name[i] = NOTHING
    s.offered[i] = False
    for k in range(len(t.system_slot)):
        rank(t, s, i, k)


@compiled
def note_system_act(t: Tables, s: State, i: int) -> None:
    """What the system remembers of its own act."""
    informs = s.system_act[i] == S_INFORM
    s.none_told[i] = informs and s.offer[i] == NAME_NONE
    s.offered_now[i] = informs and s.offer[i] >= 0
    if s.none_told[i]:
        s.offered[i] = False
    if s.offered_now[i]:
        s.last_name[i] = s.offer[i]
        s.offered[i, s.offer[i]] = True


@compiled
def update(t: Tables, s: State, i: int, mass: Floats) -> None:
    """Track the n-best list of dialogue i; ``mass`` is scratch space of the belief's length, all zero."""
    keep_method = 0.0
    method = (0.0, 0.0, 0.0, 0.0)
    s.discourse[i] = 0.0
    if s.offered_now[i]:
        for n in range(s.told[i]):
            if s.told_slot[i, n] < t.requestable:
                s.requested[i, s.told_slot[i, n]] = 0.0
    for h in range(s.hyps[i]):
        score = s.hyp_score[i, h]
        heard = _method(t, s, i, h)
        keep_method += score * (heard == M_NONE)
        method = _added(method, heard, score)
        _add_discourse(s, i, h, score)
        _add_requests(t, s, i, h, score)
        _add_informs(t, s, i, h, score, mass)
    _blend_method(s, i, min(keep_method, 1.0), method)
    _blend_goals(t, s, i, mass)


@compiled
def _added(method: tuple[float, float, float, float], heard: int, score: float) -> tuple[float, float, float, float]:
    by_constraints, by_name, finished, by_alternatives = method
    return (
        by_constraints + score * (heard == M_CONSTRAINTS),
        by_name + score * (heard == M_NAME),
        finished + score * (heard == M_FINISHED),
        by_alternatives + score * (heard == M_ALTERNATIVES),
    )


@compiled
def _is_inform(t: Tables, s: State, i: int, h: int, n: int) -> bool:
    """Whether item n informs a constraint: a listed slot with a value, or "don't care" without slot in an inform."""
    act, slot = s.hyp_act[i, h], s.hyp_slot[i, h, n]
    if s.hyp_value[i, h, n] == NO_VALUE or act == CONFIRM:
        return False
    if slot == NOTHING:
        return bool(act == INFORM)
    if t.inform_of[slot] < 0:
        return False
    return bool(act != DENY or (n == 1 and _proper_denial(t, s, i, h)))


@compiled
def _proper_denial(t: Tables, s: State, i: int, h: int) -> bool:
    """deny(slot=x, slot=y), neither being ``dontcare``: x is wrong, y is right."""
    if s.hyp_items[i, h] != 2 or s.hyp_slot[i, h, 0] != s.hyp_slot[i, h, 1]:
        return False
    x, y = s.hyp_value[i, h, 0], s.hyp_value[i, h, 1]
    dontcare = t.size[t.inform_of[s.hyp_slot[i, h, 0]]]
    return bool(x != y and dontcare not in (np.int64(x), np.int64(y)))


@compiled
def _method(t: Tables, s: State, i: int, h: int) -> int:
    act = s.hyp_act[i, h]
    if act == REQALTS:
        return M_ALTERNATIVES
    if act == BYE:
        return M_FINISHED
    informs = False
    asks = act == REQUEST
    for n in range(s.hyp_items[i, h]):
        if _is_inform(t, s, i, h, n):
            if s.hyp_slot[i, h, n] == t.name_slot:
                return M_NAME
            informs = True
        slot = s.hyp_slot[i, h, n]
        asks = asks or (act == CONFIRM and slot >= 0 and t.inform_of[slot] >= 0)
    if informs:
        return M_CONSTRAINTS
    return M_NAME if asks and s.last_name[i] != NOTHING else M_NONE


@compiled
def _add_discourse(s: State, i: int, h: int, score: float) -> None:
    act = s.hyp_act[i, h]
    if act == REPEAT:
        s.discourse[i, D_REPEAT] += score
    elif act == THANKYOU:
        s.discourse[i, D_THANKYOU] += score
    elif act == ACK:
        s.discourse[i, D_ACK] += score
    elif act == HELLO:
        s.discourse[i, D_HELLO] += score
    elif act != BYE:
        s.discourse[i, D_NONE] += score


@compiled
def _add_requests(t: Tables, s: State, i: int, h: int, score: float) -> None:
    act = s.hyp_act[i, h]
    if act not in (REQUEST, CONFIRM):
        return
    for n in range(s.hyp_items[i, h]):
        slot, value = s.hyp_slot[i, h, n], s.hyp_value[i, h, n]
        if slot < 0 or slot >= t.requestable or (act == REQUEST) != (value == NO_VALUE):
            continue
        if act == REQUEST or t.inform_of[slot] >= 0:
            s.requested[i, slot] = min(s.requested[i, slot] + score, 1.0)


@compiled
def _add_informs(t: Tables, s: State, i: int, h: int, score: float, mass: Floats) -> None:
    """Sum up which values are informed; within one hypothesis the last value of a slot counts."""
    if s.hyp_act[i, h] == NULL:
        return
    if s.hyp_act[i, h] == AFFIRM and s.system_act[i] == S_CONFIRM:
        _add_value(t, s, i, h, s.about[i], s.first[i], score, mass, -1)
    for n in range(s.hyp_items[i, h]):
        if not _is_inform(t, s, i, h, n):
            continue
        slot = s.hyp_slot[i, h, n]
        if slot == NOTHING:
            if s.system_act[i] != S_REQUEST:
                continue
            slot = s.about[i]
            _add_value(t, s, i, h, slot, t.size[t.inform_of[slot]], score, mass, n)
        else:
            _add_value(t, s, i, h, slot, s.hyp_value[i, h, n], score, mass, n)


@compiled
def _add_value(t: Tables, s: State, i: int, h: int, slot: int, value: int, score: float, mass: Floats, at: int) -> None:
    k = t.inform_of[slot]
    for n in range(at + 1, s.hyp_items[i, h]):
        if s.hyp_slot[i, h, n] == slot and _is_inform(t, s, i, h, n):
            return
    mass[t.offset[k] + value + (value == t.size[k])] += score
    mass[t.offset[k] + t.size[k]] += score


@compiled
def _blend_method(s: State, i: int, keep: float, heard: tuple[float, float, float, float]) -> None:
    """m' = m P(none) + what was heard now."""
    total = 0.0
    for m in range(1, len(s.method[i])):
        s.method[i, m] *= keep
    s.method[i, M_CONSTRAINTS] += heard[0]
    s.method[i, M_NAME] += heard[1]
    s.method[i, M_FINISHED] += heard[2]
    s.method[i, M_ALTERNATIVES] += heard[3]
    for m in range(1, len(s.method[i])):
        total += s.method[i, m]
    s.method[i, M_NONE] = max(1.0 - total, 0.0)


@compiled
def _blend_goals(t: Tables, s: State, i: int, mass: Floats) -> None:
    """b' = (1 - u) b + u per slot, u the informed mass; the place of "none" in ``mass`` carries its sum."""
    for k in range(len(t.size)):
        start, none = t.offset[k], t.offset[k] + t.size[k]
        informed = mass[none]
        if informed == 0.0:
            continue
        mass[none] = 0.0
        keep = max(1.0 - informed, 0.0)
        total = 0.0
        for v in range(start, t.offset[k + 1]):
            s.belief[i, v] = keep * s.belief[i, v] + mass[v]
            mass[v] = 0.0
            total += s.belief[i, v] * (v != none)
        if total > 1.0:
            for v in range(start, t.offset[k + 1]):
                s.belief[i, v] /= total
            total = 1.0
        s.belief[i, none] = 1.0 - total
        if t.system_of_inform[k] >= 0:
            rank(t, s, i, t.system_of_inform[k])


@compiled
def rank(t: Tables, s: State, i: int, k: int) -> None:
    """The two best values of system-requestable slot k, and whether the best one counts as said."""
    inform = t.system_inform[k]
    start, size = t.offset[inform], t.size[inform]
    first, second = 0, 1
    best, next_best = s.belief[i, start], -1.0
    for v in range(1, size + 1):
        score = s.belief[i, start + v + (v == size)]
        if score > best:
            first, second, best, next_best = v, first, score, best
        elif score > next_best:
            second, next_best = v, score
    s.best[i, k, 0], s.best[i, k, 1] = first, second
    s.best_score[i, k, 0], s.best_score[i, k, 1] = best, max(next_best, 0.0)
    s.accepted[i, k] = best >= s.belief[i, start + size] and best > t.threshold[k]
