"""The user's goal and the stack of acts it still wants to say."""

from __future__ import annotations

from simulator.jit import compiled, pick, uniform
from simulator.pydial.database import population
from simulator.pydial.state import DEPTH, ITEMS, NAME_DONTCARE, NOTHING, USED, State
from simulator.pydial.tables import AFFIRM, BYE, CONFIRM, INFORM, PROBABILITIES, REQALTS, Tables
from simulator.pydial.traits import P_RELAX, P_TELL

GOAL_SLOTS, MORE_REQUESTS, TRIES = 3, 3, 2000
FEWEST, MOST = 2, 3
TYPE_VALUE = 0
"""The only value of the slot that says which kind of entity is wanted."""


@compiled
def push(s: State, i: int, act: int) -> None:
    """Put an act without items on top; the act above the final goodbye gives way when the stack is full."""
    if s.top[i] == DEPTH:
        remove(s, i, 1)
    d = s.top[i]
    s.agenda_act[i, d] = act
    s.agenda_items[i, d] = 0
    s.top[i] = d + 1


@compiled
def add(s: State, i: int, slot: int, value: int) -> None:
    """Add an item to the top act."""
    d = s.top[i] - 1
    n = s.agenda_items[i, d]
    if n < ITEMS:
        s.agenda_slot[i, d, n] = slot
        s.agenda_value[i, d, n] = value
        s.agenda_items[i, d] = n + 1


@compiled
def say(s: State, i: int, act: int, slot: int, value: int) -> None:
    """Put an act with one item on top."""
    push(s, i, act)
    add(s, i, slot, value)


@compiled
def remove(s: State, i: int, at: int) -> None:
    """Take the act at position ``at`` out of the stack."""
    for d in range(at, s.top[i] - 1):
        s.agenda_act[i, d] = s.agenda_act[i, d + 1]
        s.agenda_items[i, d] = s.agenda_items[i, d + 1]
        for n in range(s.agenda_items[i, d]):
            s.agenda_slot[i, d, n] = s.agenda_slot[i, d + 1, n]
            s.agenda_value[i, d, n] = s.agenda_value[i, d + 1, n]
    s.top[i] -= 1


@compiled
def mentions(s: State, i: int, at: int, slot: int) -> bool:
    """Whether the act at position ``at`` has an item for ``slot``."""
    for n in range(s.agenda_items[i, at]):
        if s.agenda_slot[i, at, n] == slot:
            return True
    return False


@compiled
def drop_slot(s: State, i: int, slot: int) -> None:
    """Remove every inform, confirm and affirm that mentions ``slot``."""
    for d in range(s.top[i] - 1, -1, -1):
        act = s.agenda_act[i, d]
        if act in (INFORM, CONFIRM, AFFIRM) and mentions(s, i, d, slot):
            remove(s, i, d)


@compiled
def hang_up(s: State, i: int) -> None:
    """Nothing is left to say but goodbye."""
    s.top[i] = 0
    push(s, i, BYE)


@compiled
def remember(s: State, i: int, k: int, value: int) -> None:
    """Note that system-requestable slot k once had ``value``; the oldest of too many is forgotten."""
    for n in range(USED):
        if s.former[i, k, n] == value:
            return
        if s.former[i, k, n] == NOTHING:
            s.former[i, k, n] = value
            return
    for n in range(USED - 1):
        s.former[i, k, n] = s.former[i, k, n + 1]
    s.former[i, k, USED - 1] = value


@compiled
def new_value(t: Tables, s: State, i: int, k: int) -> int:
    """A value that slot k never had in this dialogue, ``dontcare`` when none is left."""
    size = t.size[t.system_inform[k]]
    for _ in range(TRIES):
        value = pick(s, i, size)
        fresh = True
        for n in range(USED):
            fresh = fresh and s.former[i, k, n] != value
        if fresh:
            return value
        if size <= USED and all_used(s, i, k, size):
            return int(size)
    return int(size)


@compiled
def all_used(s: State, i: int, k: int, size: int) -> bool:
    """Whether each of ``size`` values of slot k was used before."""
    for value in range(size):
        found = False
        for n in range(USED):
            found = found or s.former[i, k, n] == value
        if not found:
            return False
    return True


@compiled
def new_goal(t: Tables, s: State, i: int) -> None:
    """Draw constraints that 2 or 3 entities satisfy (2,000 tries), and what to ask for: the name and 0-2 more."""
    slots = len(t.system_slot)
    wanted = min(GOAL_SLOTS, slots)
    for _ in range(TRIES):
        for k in range(slots):
            s.want[i, k] = NOTHING
        chosen = 0
        while chosen < wanted:
            k = pick(s, i, slots) if wanted < slots else chosen
            if s.want[i, k] == NOTHING:
                s.want[i, k] = pick(s, i, t.size[t.system_inform[k]] + 1)
                chosen += 1
        if FEWEST <= _satisfying(t, s, i) <= MOST:
            break
    _new_requests(t, s, i)


@compiled
def _satisfying(t: Tables, s: State, i: int) -> int:
    """How many entities satisfy the constraints."""
    total = 0
    for w in range(len(t.all_bits)):
        word = t.all_bits[w]
        for k in range(len(t.system_slot)):
            inform, value = t.system_inform[k], s.want[i, k]
            if value != NOTHING and value != t.size[inform]:
                word &= t.bits[t.bit_row[inform] + value, w]
        total += population(word)
    return total


@compiled
def _new_requests(t: Tables, s: State, i: int) -> None:
    possible = 0
    for slot in range(t.type_slot + 1):
        s.filled[i, slot] = NOTHING
        if slot < t.requestable and t.system_of[slot] < 0:
            possible += 1
    s.filled[i, t.name_slot] = 0
    wanted = pick(s, i, MORE_REQUESTS)
    drawn = 0
    taken = 0
    while drawn < wanted and possible >= wanted:
        slot = pick(s, i, t.requestable)
        if t.system_of[slot] >= 0 or (taken >> slot) & 1:
            continue
        taken |= 1 << slot
        s.filled[i, slot] = 0
        drawn += 1


@compiled
def new_user(t: Tables, s: State, i: int) -> None:
    """A new person with a new goal; the agenda says the kind of entity, then the constraints, then goodbye."""
    new_goal(t, s, i)
    clear_names(s, i)
    s.told_name[i] = NOTHING
    s.former[i] = NOTHING
    s.first_offer[i] = True
    s.patience[i] = t.patience[0] + pick(s, i, t.patience[1] - t.patience[0] + 1)
    s.max_patience[i] = s.patience[i]
    for p in range(len(PROBABILITIES)):
        s.traits[i, p] = t.low[p] + uniform(s, i) * (t.high[p] - t.low[p])
    hang_up(s, i)
    _plan_constraints(t, s, i)
    say(s, i, INFORM, t.type_slot, TYPE_VALUE)


@compiled
def _plan_constraints(t: Tables, s: State, i: int) -> None:
    """Put the constraints on the agenda in a random order."""
    left = 0
    for k in range(len(t.system_slot)):
        left += s.want[i, k] != NOTHING
    planned = 0
    while left > 0:
        nth = pick(s, i, left)
        for k in range(len(t.system_slot)):
            if s.want[i, k] == NOTHING or (planned >> k) & 1:
                continue
            if nth == 0:
                planned |= 1 << k
                remember(s, i, k, s.want[i, k])
                say(s, i, INFORM, t.system_slot[k], s.want[i, k])
                break
            nth -= 1
        left -= 1


@compiled
def clear_names(s: State, i: int) -> None:
    """Drop every constraint on the name."""
    s.want_name[i] = NOTHING
    if s.forbidden[i]:
        s.not_name[i] = False
        s.forbidden[i] = 0


@compiled
def add_name(s: State, i: int, name: int, forbid: bool) -> None:
    """Constrain the goal to ``name``, or forbid it; a name once accepted makes forbidding pointless."""
    if name < 0:
        return
    if forbid:
        if s.want_name[i] == NOTHING and not s.not_name[i, name]:
            s.not_name[i, name] = True
            s.forbidden[i] += 1
    elif not s.not_name[i, name]:
        clear_names(s, i)
        s.want_name[i] = name


@compiled
def reset_requests(t: Tables, s: State, i: int) -> None:
    """Everything asked for is open again."""
    s.told_name[i] = NOTHING
    for slot in range(t.type_slot):
        if s.filled[i, slot] == 1:
            s.filled[i, slot] = 0


@compiled
def first_open(t: Tables, s: State, i: int, after: int) -> int:
    """The first open request behind slot ``after`` in the order name, then slots; -1 when there is none."""
    if after == NOTHING and s.filled[i, t.name_slot] == 0:
        return t.name_slot
    start = 0 if after in (NOTHING, t.name_slot) else after + 1
    for slot in range(start, t.type_slot):
        if slot != t.name_slot and s.filled[i, slot] == 0:
            return slot
    return NOTHING


@compiled
def change_goal(t: Tables, s: State, i: int, none_fits: bool) -> None:
    """Relax or replace a constraint that the system mentioned (or any), and say so or only ask for alternatives."""
    k = _to_relax(t, s, i)
    clear_names(s, i)
    if k == NOTHING:
        s.want_name[i] = NAME_DONTCARE
        slot, value, dontcare = t.name_slot, t.size[t.name], True
    else:
        slot = t.system_slot[k]
        dontcare = uniform(s, i) < s.traits[i, P_RELAX] or s.former[i, k, 0] == NOTHING
        value = t.size[t.system_inform[k]] if dontcare else new_value(t, s, i, k)
        dontcare = value == t.size[t.system_inform[k]]
        if not dontcare or s.former[i, k, 0] == NOTHING:
            remember(s, i, k, value)
        s.want[i, k] = value
    if none_fits or uniform(s, i) < s.traits[i, P_TELL]:
        say(s, i, REQALTS, slot, value)
        return
    push(s, i, REQALTS)
    if dontcare:
        add_name(s, i, s.offer[i], True)
    elif slot < t.requestable:
        s.filled[i, slot] = 0


@compiled
def _to_relax(t: Tables, s: State, i: int) -> int:
    """A system-requestable slot that the system told a value of; else of any constraint (-1: one on the name)."""
    candidates = 0
    for n in range(s.told[i]):
        k = t.system_of[s.told_slot[i, n]]
        candidates += k >= 0 and s.told_value[i, n] != t.size[t.inform_of[s.told_slot[i, n]]]
    if candidates:
        left = pick(s, i, candidates)
        for n in range(s.told[i]):
            k = t.system_of[s.told_slot[i, n]]
            if k >= 0 and s.told_value[i, n] != t.size[t.inform_of[s.told_slot[i, n]]]:
                if left == 0:
                    return int(k)
                left -= 1
    return any_constraint(t, s, i)


@compiled
def any_constraint(t: Tables, s: State, i: int) -> int:
    """A random constraint of the goal: a system-requestable slot, or -1 for one on the name."""
    total = 0
    for k in range(len(t.system_slot)):
        total += s.want[i, k] != NOTHING
    left = pick(s, i, total + int(s.want_name[i] != NOTHING) + s.forbidden[i])
    for k in range(len(t.system_slot)):
        if s.want[i, k] != NOTHING:
            if left == 0:
                return k
            left -= 1
    return NOTHING
