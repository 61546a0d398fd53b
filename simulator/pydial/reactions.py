"""How the user takes what the system says: the goal and the agenda change (PyDial's handcrafted simulator)."""

from __future__ import annotations

import numpy as np

from simulator.jit import compiled, pick, uniform
from simulator.pydial.agenda import (
    TYPE_VALUE,
    add,
    add_name,
    any_constraint,
    change_goal,
    clear_names,
    drop_slot,
    first_open,
    hang_up,
    mentions,
    push,
    remember,
    reset_requests,
    say,
)
from simulator.pydial.checks import check, restate
from simulator.pydial.database import has, matches
from simulator.pydial.state import NAME_NONE, NO_VALUE, NOTHING, State
from simulator.pydial.tables import (
    ACK,
    AFFIRM,
    CONFIRM,
    HELLO,
    INFORM,
    NEGATE,
    REQALTS,
    REQUEST,
    S_BYE,
    S_CONFIRM,
    S_HELLO,
    S_INFORM,
    S_NULL,
    S_REQMORE,
    S_REQUEST,
    S_SELECT,
    THANKYOU,
    Tables,
)
from simulator.pydial.traits import (
    P_ACK,
    P_ADD_REQUEST,
    P_AFFIRM_ITEM,
    P_AFFIRM_MORE,
    P_ALTERNATIVES,
    P_CHANGE,
    P_DONTCARE,
    P_GREET,
    P_NO,
    P_PENDING,
    P_REPEAT,
    P_THANK,
    P_TO_CONFIRM,
    P_YES,
)

_PRIME = np.uint64(0x100000001B3)


@compiled
def _mixed(word: np.uint64, part: int) -> np.uint64:
    return (word ^ np.uint64(part + 1000)) * _PRIME


@compiled
def signature(s: State, i: int) -> np.uint64:
    """A number that differs between different system acts (FNV-1a); the order of items doesn't matter."""
    word = _mixed(np.uint64(0xCBF29CE484222325), s.system_act[i])
    word = _mixed(_mixed(_mixed(word, s.about[i]), s.first[i]), s.second[i])
    word = _mixed(_mixed(word, s.offer[i]), int(s.exhausted[i]))
    items = np.uint64(0)
    for n in range(s.told[i]):
        items += _mixed(_mixed(np.uint64(7), s.told_slot[i, n]), s.told_value[i, n])
    return (word ^ items) * _PRIME


@compiled
def receive(t: Tables, s: State, i: int) -> None:
    """Change goal and agenda of user i by the system's act; an exact repetition costs patience."""
    act = s.system_act[i]
    said = signature(s, i)
    if act == S_NULL or said == s.signature[i]:
        s.patience[i] -= 1
    if s.patience[i] < 1:
        hang_up(s, i)
        return
    s.signature[i] = said
    if act == S_INFORM:
        _hear_inform(t, s, i)
    elif act == S_REQUEST:
        _hear_request(t, s, i)
    elif act == S_CONFIRM:
        _hear_confirm(t, s, i)
    elif act == S_SELECT:
        _hear_select(t, s, i)
    elif act == S_REQMORE:
        _hear_reqmore(t, s, i)
    elif act == S_BYE:
        hang_up(s, i)
    elif act == S_HELLO:
        if uniform(s, i) < s.traits[i, P_GREET]:
            push(s, i, HELLO)
    else:
        _say_again(s, i)


@compiled
def _say_again(s: State, i: int) -> None:
    push(s, i, s.user_act[i])
    for n in range(s.user_items[i]):
        add(s, i, s.user_slot[i, n], s.user_value[i, n])


@compiled
def _open_request(t: Tables, s: State, i: int) -> int:
    return first_open(t, s, i, NOTHING)


@compiled
def _hear_request(t: Tables, s: State, i: int) -> None:
    slot = s.about[i]
    k = t.system_of[slot]
    dontcare = t.size[t.system_inform[k]]
    asked = _open_request(t, s, i)
    if s.told_name[i] != NOTHING and asked != NOTHING:
        say(s, i, REQUEST, t.name_slot, s.told_name[i])
        add(s, i, asked, NO_VALUE)
    elif not _raise_inform(s, i, slot):
        if s.want[i, k] != NOTHING:
            say(s, i, INFORM, slot, s.want[i, k])
            return
        choice = uniform(s, i)
        if choice < s.traits[i, P_REPEAT]:
            restate(t, s, i, any_constraint(t, s, i), INFORM)
        elif choice < s.traits[i, P_REPEAT] + s.traits[i, P_DONTCARE]:
            say(s, i, INFORM, NOTHING, dontcare)
            remember(s, i, k, dontcare)
        else:
            s.want[i, k] = dontcare
            remember(s, i, k, dontcare)
            say(s, i, INFORM, slot, dontcare)


@compiled
def _raise_inform(s: State, i: int, slot: int) -> bool:
    """Move an inform about ``slot`` to the top of the agenda; False when there is none."""
    for d in range(s.top[i]):
        if s.agenda_act[i, d] == INFORM and mentions(s, i, d, slot):
            count = s.agenda_items[i, d]
            slots = s.agenda_slot[i, d].copy()
            values = s.agenda_value[i, d].copy()
            for e in range(d, s.top[i] - 1):
                s.agenda_act[i, e] = s.agenda_act[i, e + 1]
                s.agenda_items[i, e] = s.agenda_items[i, e + 1]
                s.agenda_slot[i, e] = s.agenda_slot[i, e + 1]
                s.agenda_value[i, e] = s.agenda_value[i, e + 1]
            last = s.top[i] - 1
            s.agenda_act[i, last] = INFORM
            s.agenda_items[i, last] = count
            s.agenda_slot[i, last] = slots
            s.agenda_value[i, last] = values
            return True
    return False


@compiled
def _hear_confirm(t: Tables, s: State, i: int) -> None:
    slot = s.about[i]
    k = t.system_of[slot]
    dontcare = t.size[t.system_inform[k]]
    if not check(t, s, i, True):
        return
    if s.want[i, k] == NOTHING and s.first[i] != dontcare:
        say(s, i, NEGATE, slot, dontcare)
        return
    d = s.top[i] - 1
    if d >= 0 and s.agenda_act[i, d] == INFORM and uniform(s, i) < s.traits[i, P_AFFIRM_MORE]:
        s.agenda_act[i, d] = AFFIRM
    else:
        push(s, i, AFFIRM)


@compiled
def _hear_select(t: Tables, s: State, i: int) -> None:
    k = t.system_of[s.about[i]]
    if s.want[i, k] == NOTHING:
        s.want[i, k] = t.size[t.system_inform[k]]
    say(s, i, INFORM, s.about[i], s.want[i, k])


@compiled
def _hear_reqmore(t: Tables, s: State, i: int) -> None:
    d = s.top[i] - 1
    if d >= 1:
        wants_type = mentions(s, i, d, t.type_slot)
        if not wants_type and uniform(s, i) < s.traits[i, P_AFFIRM_ITEM] and s.agenda_act[i, d] == INFORM:
            s.agenda_act[i, d] = AFFIRM
        return
    asked = _open_request(t, s, i)
    if asked == NOTHING:
        if uniform(s, i) < s.traits[i, P_NO]:
            push(s, i, NEGATE)
        else:
            hang_up(s, i)
    elif s.told_name[i] != NOTHING:
        while asked != NOTHING:
            say(s, i, REQUEST, asked, NO_VALUE)
            asked = first_open(t, s, i, asked)
    elif uniform(s, i) < s.traits[i, P_YES]:
        push(s, i, AFFIRM)
    else:
        say(s, i, INFORM, t.type_slot, TYPE_VALUE)
        for k in range(len(t.system_slot)):
            if s.want[i, k] != NOTHING and s.want[i, k] != t.size[t.system_inform[k]]:
                add(s, i, t.system_slot[k], s.want[i, k])
        if s.want_name[i] >= 0:
            add(s, i, t.name_slot, s.want_name[i])


@compiled
def _hear_inform(t: Tables, s: State, i: int) -> None:
    name = s.offer[i]
    none_fits = name == NAME_NONE and not s.exhausted[i]
    if name >= 0 and s.told_name[i] != name:
        reset_requests(t, s, i)
    if not check(t, s, i, False):
        return
    chosen = NOTHING
    if none_fits:
        change_goal(t, s, i, True)
        return
    if s.first_offer[i]:
        s.first_offer[i] = False
        choice = uniform(s, i)
        if choice < s.traits[i, P_ALTERNATIVES]:
            add_name(s, i, name, True)
            push(s, i, REQALTS)
            return
        if choice < s.traits[i, P_ALTERNATIVES] + s.traits[i, P_CHANGE]:
            change_goal(t, s, i, False)
            return
    add_name(s, i, name, False)
    if s.exhausted[i]:
        chosen = _choose_among_offered(t, s, i)
        _give_up_untold(t, s, i)
    _note_answers(t, s, i, chosen)
    _go_on(t, s, i, chosen)


@compiled
def _choose_among_offered(t: Tables, s: State, i: int) -> int:
    """One of the entities that the system says are the only ones; forbidden ones only when nothing else is left."""
    words = matches(t, s, i)
    for attempt in range(2):
        total = 0
        for pass_ in range(2):
            left = pick(s, i, total) if pass_ else 0
            if pass_ and total == 0:
                break
            for e in range(len(t.entity_value)):
                name = t.entity_value[e, t.name]
                if not has(words, e) or s.not_name[i, name] or (s.want_name[i] >= 0 and s.want_name[i] != name):
                    continue
                if pass_ == 0:
                    total += 1
                elif left == 0:
                    return int(name)
                else:
                    left -= 1
        if attempt == 0:
            clear_names(s, i)
    return NOTHING


@compiled
def _give_up_untold(t: Tables, s: State, i: int) -> None:
    """Constraints that the system left out don't matter any more."""
    for k in range(len(t.system_slot)):
        if s.want[i, k] != NOTHING and not _tells(s, i, t.system_slot[k]):
            s.want[i, k] = t.size[t.system_inform[k]]
            drop_slot(s, i, t.system_slot[k])


@compiled
def _tells(s: State, i: int, slot: int) -> bool:
    for n in range(s.told[i]):
        if s.told_slot[i, n] == slot:
            return True
    return False


@compiled
def _note_answers(t: Tables, s: State, i: int, chosen: int) -> None:
    name = chosen if chosen != NOTHING else s.offer[i]
    if s.filled[i, t.name_slot] >= 0:
        s.filled[i, t.name_slot] = 1
        s.told_name[i] = name
    for n in range(s.told[i]):
        slot = s.told_slot[i, n]
        if slot != t.name_slot and s.filled[i, slot] >= 0:
            s.filled[i, slot] = 1


@compiled
def _go_on(t: Tables, s: State, i: int, chosen: int) -> None:
    """Thank, acknowledge, go on with the agenda, or ask for what is still open."""
    if uniform(s, i) < s.traits[i, P_TO_CONFIRM]:
        for d in range(s.top[i]):
            if s.agenda_act[i, d] == INFORM and not _dontcare(t, s.agenda_slot[i, d, 0], s.agenda_value[i, d, 0]):
                s.agenda_act[i, d] = CONFIRM
    choice = uniform(s, i)
    if choice < s.traits[i, P_THANK]:
        push(s, i, THANKYOU)
        return
    if choice < s.traits[i, P_THANK] + s.traits[i, P_ACK]:
        push(s, i, ACK)
        return
    if s.top[i] > 1 and uniform(s, i) < s.traits[i, P_PENDING]:
        return
    asked = _open_request(t, s, i)
    if asked == NOTHING:
        return
    push(s, i, REQUEST)
    if chosen != NOTHING:
        add(s, i, t.name_slot, chosen)
    add(s, i, asked, NO_VALUE)
    asked = first_open(t, s, i, asked)
    while asked != NOTHING and uniform(s, i) < s.traits[i, P_ADD_REQUEST]:
        add(s, i, asked, NO_VALUE)
        asked = first_open(t, s, i, asked)


@compiled
def _dontcare(t: Tables, slot: int, value: int) -> bool:
    return bool(slot >= 0 and t.inform_of[slot] >= 0 and value == t.size[t.inform_of[slot]])
