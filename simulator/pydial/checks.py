"""Whether what the system says fits the user's goal, and how the user contradicts it."""

from __future__ import annotations

import numpy as np

from simulator.jit import compiled, pick, uniform
from simulator.pydial.agenda import add, hang_up, push, reset_requests, say
from simulator.pydial.state import ITEMS, NAME_DONTCARE, NAME_NONE, NOTHING, State
from simulator.pydial.tables import CONFIRM, DENY, INFORM, NEGATE, REQALTS, Tables
from simulator.pydial.traits import P_CONFIRM_RANDOM, P_DENY, P_NEGATE, P_OVERRULE


@compiled
def restate(t: Tables, s: State, i: int, k: int, act: int) -> None:
    """Say constraint k of the goal (-1: the one on the name)."""
    if k != NOTHING:
        say(s, i, act, t.system_slot[k], s.want[i, k])
        return
    value = s.want_name[i]
    if value == NAME_DONTCARE:
        value = t.size[t.name]
    if s.forbidden[i]:
        for name in range(t.size[t.name]):
            if s.not_name[i, name]:
                value = name
    say(s, i, act, t.name_slot, value)


@compiled
def check(t: Tables, s: State, i: int, confirming: bool) -> bool:
    """Compare what the system said with the goal; False when the user reacts to that and to nothing else."""
    random_confirm = False
    if not confirming and s.offer[i] != NOTHING:
        verdict = _check_item(t, s, i, t.name_slot, s.offer[i], False, random_confirm)
        if verdict < 0:
            return False
        random_confirm = verdict > 0
    items = 1 if confirming else s.told[i]
    for n in range(items):
        slot = s.about[i] if confirming else s.told_slot[i, n]
        value = s.first[i] if confirming else s.told_value[i, n]
        verdict = _check_item(t, s, i, slot, value, confirming, random_confirm)
        if verdict < 0:
            return False
        random_confirm = verdict > 0
    if random_confirm:
        _fill_all(t, s, i)
        return False
    return True


@compiled
def _check_item(t: Tables, s: State, i: int, slot: int, value: int, confirming: bool, random_confirm: bool) -> int:
    """-1: the user corrects it, or hangs up; 1: the user asks to confirm another constraint; 0: nothing."""
    k = t.system_of[slot]
    is_name = slot == t.name_slot
    has_name = s.want_name[i] != NOTHING or s.forbidden[i] > 0
    if k < 0 and not (is_name and has_name):
        return 1 if random_confirm else 0
    none_told = s.offer[i] == NAME_NONE and not confirming
    wrong, forbidden, skip = _conflict(t, s, i, slot, value, none_told)
    if skip and not wrong:
        return 1 if random_confirm else 0
    planned = NO_PLAN if none_told else _untold_constraint(t, s, i, confirming)
    if wrong:
        _correct(t, s, i, slot, value, forbidden, planned)
        return -1
    if planned != NO_PLAN and not random_confirm and not confirming:
        if uniform(s, i) < s.traits[i, P_CONFIRM_RANDOM]:
            restate(t, s, i, planned, CONFIRM)
            return 1
    return 1 if random_confirm else 0


NO_PLAN = -9


@compiled
def _conflict(t: Tables, s: State, i: int, slot: int, value: int, none_told: bool) -> tuple[bool, bool, bool]:
    """(the item contradicts the goal, because the name is forbidden, the item is a name taken as it is)."""
    if slot != t.name_slot:
        wanted = s.want[i, t.system_of[slot]]
        dontcare = t.size[t.inform_of[slot]]
        return bool(wanted != NOTHING and wanted != value and wanted != dontcare), False, False
    if value >= 0 and s.not_name[i, value]:
        return True, True, False
    if not _answers_request(t, s, i):
        return False, False, True
    differs = s.want_name[i] >= 0 and s.want_name[i] != value
    return bool(differs and not none_told), False, False


@compiled
def _answers_request(t: Tables, s: State, i: int) -> bool:
    """Whether the act tells a slot that can only be asked for, not constrained."""
    for n in range(s.told[i]):
        slot = s.told_slot[i, n]
        if slot < t.requestable and t.inform_of[slot] < 0:
            return True
    return False


@compiled
def _untold_constraint(t: Tables, s: State, i: int, confirming: bool) -> int:
    """A random constraint that the act doesn't repeat (-1: one on the name), NO_PLAN when it repeats all."""
    plans = np.empty(ITEMS + 1, dtype=np.int64)
    count = 0
    for k in range(len(t.system_slot)):
        wanted = s.want[i, k]
        if wanted == NOTHING or wanted == t.size[t.system_inform[k]] or count >= ITEMS:
            continue
        if not _repeats(s, i, t.system_slot[k], wanted, confirming):
            plans[count] = k
            count += 1
    name = NOTHING if confirming else s.offer[i]
    forbidding = s.forbidden[i] > 0
    if (s.want_name[i] >= 0 and s.want_name[i] != name) or (forbidding and name < 0):
        plans[count] = NOTHING
        count += 1
    if count == 0:
        return NO_PLAN
    return int(plans[pick(s, i, count)])


@compiled
def _repeats(s: State, i: int, slot: int, value: int, confirming: bool) -> bool:
    if confirming:
        return bool(s.about[i] == slot and s.first[i] == value)
    for n in range(s.told[i]):
        if s.told_slot[i, n] == slot and s.told_value[i, n] == value:
            return True
    return False


@compiled
def _correct(t: Tables, s: State, i: int, slot: int, value: int, forbidden: bool, planned: int) -> None:
    """Contradict the item, or hang up with probability 1 - 2p/P + (p/P)^2 (p of P patience left)."""
    used = 1.0 - s.patience[i] / s.max_patience[i]
    if uniform(s, i) < used * used:
        hang_up(s, i)
        return
    if planned != NO_PLAN and uniform(s, i) < s.traits[i, P_OVERRULE]:
        restate(t, s, i, planned, CONFIRM)
    elif forbidden:
        push(s, i, REQALTS)
    else:
        right = s.want_name[i] if slot == t.name_slot else s.want[i, t.system_of[slot]]
        choice = uniform(s, i)
        if choice < s.traits[i, P_NEGATE]:
            say(s, i, NEGATE, slot, right)
        elif choice < s.traits[i, P_NEGATE] + s.traits[i, P_DENY]:
            say(s, i, DENY, slot, value)
            add(s, i, slot, right)
        else:
            say(s, i, INFORM, slot, right)
    reset_requests(t, s, i)


@compiled
def _fill_all(t: Tables, s: State, i: int) -> None:
    """Note everything told as if it had been asked for (it counts as a request from then on, as in the original)."""
    if s.offer[i] >= 0:
        s.filled[i, t.name_slot] = 1
        s.told_name[i] = s.offer[i]
    for n in range(s.told[i]):
        if s.told_slot[i, n] < t.type_slot:
            s.filled[i, s.told_slot[i, n]] = 1
