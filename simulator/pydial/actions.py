"""Summary actions: which make sense (masks), and the system act that each stands for."""

from __future__ import annotations

import numpy as np

from simulator.jit import B8, compiled, pick
from simulator.pydial.database import any_entity, constrained, discriminable, has, matches, nth
from simulator.pydial.state import ANY_TEXT, ITEMS, NAME_NONE, NOTHING, State
from simulator.pydial.tables import (
    S_BYE,
    S_CONFIRM,
    S_INFORM,
    S_NULL,
    S_REQMORE,
    S_REQUEST,
    S_SELECT,
    Bits,
    Ints,
    Tables,
)
from simulator.pydial.tracker import D_ACK, D_THANKYOU, M_ALTERNATIVES, M_CONSTRAINTS, M_FINISHED, M_NAME, M_NONE

(A_INFORM, A_BYNAME, A_ALTERNATIVES, A_BYE, A_REPEAT, A_REQMORE, A_RESTART, A_FIRST, A_ASKED, A_NULL) = range(10)
"""Actions after those about slots (request, confirm, select of each). The last three are for the handcrafted policy
only: inform the first match, answer what was asked, and say nothing sensible."""
PUBLIC = 7
REQUESTED = 0.5
"""A slot counts as asked for above this belief."""


def action_names(system_requestable: tuple[str, ...]) -> tuple[str, ...]:
    """(A,) request, confirm and select of each slot, then the seven others."""
    about_slots = [f"{kind}_{slot}" for slot in sorted(system_requestable) for kind in ("request", "confirm", "select")]
    others = ("inform", "inform_byname", "inform_alternatives", "bye", "repeat", "reqmore", "restart")
    return (*about_slots, *others)


@compiled
def top_method(s: State, i: int) -> int:
    """The likeliest method other than none; an unlikely goodbye or restart counts as searching by constraints."""
    best = M_CONSTRAINTS
    for m in range(len(s.method[i])):
        if m != M_NONE and s.method[i, m] > s.method[i, best]:
            best = m
    if best in (M_NAME, M_ALTERNATIVES) or (best == M_FINISHED and s.method[i, best] > 0.5):
        return best
    return M_CONSTRAINTS


@compiled
def polite(s: State, i: int) -> bool:
    """Whether the user thanked or acknowledged."""
    return bool(max(s.discourse[i, D_THANKYOU], s.discourse[i, D_ACK]) > 0.5)


@compiled
def accepted_count(t: Tables, s: State, i: int) -> int:
    """How many slots have an accepted value."""
    total = 0
    for k in range(len(t.system_slot)):
        total += s.accepted[i, k]
    return total


@compiled
def dontcare_slots(t: Tables, s: State, i: int) -> Ints:
    """(I,) 1 for informable slots accepted as ``dontcare``."""
    free = np.zeros(len(t.size), dtype=np.int64)
    for k in range(len(t.system_slot)):
        inform = t.system_inform[k]
        if s.accepted[i, k] and s.best[i, k, 0] == t.size[inform]:
            free[inform] = 1
    return free


@compiled
def best_name(t: Tables, s: State, i: int) -> int:
    """The name that the user most probably means (the number of names: any), NOTHING when none is likelier."""
    start, size = t.offset[t.name], t.size[t.name]
    best, score = NOTHING, s.belief[i, start + size]
    for v in range(size + 1):
        p = s.belief[i, start + v + (v == size)]
        if p > score or (p == score and best == NOTHING and p > 0.0):
            best, score = v, p
    return best


@compiled
def fill_masks(t: Tables, s: State, i: int, mask: B8) -> None:
    """(A,) True where the action makes sense now; repeat and restart never do."""
    slots = len(t.system_slot)
    method = top_method(s, i)
    if method == M_ALTERNATIVES and not polite(s, i):
        s.alternatives[i] = True
    mask[:] = True
    mask[3 * slots + A_REPEAT] = mask[3 * slots + A_RESTART] = False
    if not t.masks:
        return
    for k in range(slots):
        mask[3 * k + 1] = s.best_score[i, k, 0] > 0.0
        mask[3 * k + 2] = s.best_score[i, k, 0] > 0.0 and s.best_score[i, k, 1] > 0.0
    venue = s.last_name[i] != NOTHING
    inform = method == M_CONSTRAINTS
    if inform and accepted_count(t, s, i) < t.inform_accepted:
        inform = not discriminable(t, matches(t, s, i), dontcare_slots(t, s, i))
    mask[3 * slots + A_INFORM] = inform
    mask[3 * slots + A_BYNAME] = method == M_NAME and (venue or best_name(t, s, i) != NOTHING)
    mask[3 * slots + A_ALTERNATIVES] = s.alternatives[i] and venue
    mask[3 * slots + A_BYE] = method == M_FINISHED
    mask[3 * slots + A_REQMORE] = venue


@compiled
def execute(t: Tables, s: State, i: int, action: int) -> None:
    """Turn an action into the system act it stands for."""
    slots = len(t.system_slot)
    s.about[i] = s.first[i] = s.second[i] = s.offer[i] = NOTHING
    s.told[i] = 0
    s.exhausted[i] = False
    if action < 3 * slots:
        k, kind = action // 3, action % 3
        s.about[i] = t.system_slot[k]
        s.system_act[i] = S_REQUEST if kind == 0 else S_CONFIRM if kind == 1 else S_SELECT
        if kind:
            s.first[i] = s.best[i, k, 0]
        if kind == 2:
            s.second[i] = s.best[i, k, 1]
        return
    act = action - 3 * slots
    s.system_act[i] = S_INFORM
    if act in (A_INFORM, A_FIRST):
        _inform(t, s, i, act == A_INFORM)
    elif act in (A_BYNAME, A_ASKED):
        _inform_asked(t, s, i, act == A_ASKED)
    elif act == A_ALTERNATIVES:
        s.alternatives[i] = False
        _inform_alternative(t, s, i)
    elif act == A_BYE:
        s.system_act[i] = S_BYE
    elif act == A_REQMORE:
        s.system_act[i] = S_REQMORE
    else:
        s.system_act[i] = S_NULL


@compiled
def _tell(s: State, i: int, slot: int, value: int) -> None:
    if s.told[i] < ITEMS:
        s.told_slot[i, s.told[i]] = slot
        s.told_value[i, s.told[i]] = value
        s.told[i] += 1


@compiled
def _tell_constraints(t: Tables, s: State, i: int, entity: int) -> None:
    """Tell the accepted slots as the entity (-1: the user) has them, a random choice of too many."""
    count = accepted_count(t, s, i)
    drop = max(count - t.max_inform_slots, 0)
    for k in range(len(t.system_slot)):
        if not s.accepted[i, k]:
            continue
        if drop and pick(s, i, count) < drop:
            drop -= 1
            count -= 1
            continue
        count -= 1
        inform = t.system_inform[k]
        value = s.best[i, k, 0] if entity < 0 else t.entity_value[entity, inform]
        if value != t.unavailable[inform] and (entity >= 0 or value != t.size[inform]):
            _tell(s, i, t.system_slot[k], value)


@compiled
def _inform(t: Tables, s: State, i: int, prefer_last: bool) -> None:
    """Offer the entity offered last if it matches, else the first match; say so when nothing matches."""
    words = matches(t, s, i)
    entity = any_entity(t, s, i, words, constrained(t, s, i))
    if prefer_last and entity >= 0 and s.last_name[i] != NOTHING:
        last = _entity_named(t, words, s.last_name[i])
        entity = last if last >= 0 else entity
    s.offer[i] = NAME_NONE if entity < 0 else t.entity_value[entity, t.name]
    _tell_constraints(t, s, i, entity)


@compiled
def _entity_named(t: Tables, words: Bits, name: int) -> int:
    for e in range(len(t.entity_value)):
        if t.entity_value[e, t.name] == name and has(words, e):
            return e
    return NOTHING


@compiled
def _inform_alternative(t: Tables, s: State, i: int) -> None:
    """Offer a match that wasn't offered yet; else say that there are no others."""
    words = matches(t, s, i)
    entity = any_entity(t, s, i, words, constrained(t, s, i))
    if entity >= 0 and s.offered[i, t.entity_value[entity, t.name]]:
        entity = NOTHING
        for e in range(len(t.entity_value)):
            if has(words, e) and not s.offered[i, t.entity_value[e, t.name]]:
                entity = e
                break
        s.exhausted[i] = entity == NOTHING
    s.offer[i] = NAME_NONE if entity < 0 else t.entity_value[entity, t.name]
    _tell_constraints(t, s, i, entity)


@compiled
def _inform_asked(t: Tables, s: State, i: int, cautious: bool) -> None:
    """Answer what was asked about the entity the user means; ``cautious``: the last offered unless quite sure."""
    name = best_name(t, s, i)
    if cautious:
        sure = name != NOTHING and name != t.size[t.name]
        sure = sure and s.belief[i, t.offset[t.name] + name] >= 0.8
        name = name if sure else s.last_name[i]
        if name == NOTHING:
            s.system_act[i] = S_NULL
            return
    elif name == NOTHING:
        name = s.last_name[i]
    if name == NOTHING or name == t.size[t.name]:
        entity = nth(t.all_bits, pick(s, i, len(t.entity_value)))
    else:
        entity = t.first_entity[name]
    if entity < 0:
        s.offer[i] = NAME_NONE
        return
    s.offer[i] = t.entity_value[entity, t.name]
    _tell_asked(t, s, i, entity)


@compiled
def _tell_asked(t: Tables, s: State, i: int, entity: int) -> None:
    asked = 0
    for slot in range(t.requestable):
        asked += s.requested[i, slot] > REQUESTED
    if asked == 0:
        _tell(s, i, t.type_slot, 0)
    drop = max(asked - t.max_inform_slots, 0)
    for slot in range(t.requestable):
        if s.requested[i, slot] <= REQUESTED:
            continue
        if drop and pick(s, i, asked) < drop:
            drop -= 1
            asked -= 1
            continue
        asked -= 1
        if slot != t.name_slot:
            inform = t.inform_of[slot]
            _tell(s, i, slot, ANY_TEXT if inform < 0 else t.entity_value[entity, inform])
