"""What a policy sees of a dialogue: PyDial's flat belief vector, one description per slot, or the raw n-best list."""

from __future__ import annotations

import numpy as np

from simulator.jit import F32, compiled
from simulator.pydial.actions import accepted_count, polite, top_method
from simulator.pydial.database import count, discriminable, has, matches, restrict
from simulator.pydial.state import HYPOTHESES, NOTHING, State
from simulator.pydial.tables import Ints, Tables

PARTS = 5
"""The table is searched with the 1, 2, ... 5 most probable accepted values."""
PER_PART = 5
SYSTEM_ACTS = 8
GENERAL = 6 + 6 + 2 + PER_PART * PARTS + SYSTEM_ACTS + 10
"""Features of the slot view that concern no slot in particular."""
PER_SLOT = 15


@compiled
def by_belief(t: Tables, s: State, i: int) -> Ints:
    """System-requestable slots with an accepted value, the most probable first; then -1."""
    order = np.full(len(t.system_slot), -1, dtype=np.int64)
    n = 0
    for k in range(len(t.system_slot)):
        if not s.accepted[i, k]:
            continue
        at = n
        while at > 0 and s.best_score[i, order[at - 1], 0] < s.best_score[i, k, 0]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = k
        n += 1
    return order


@compiled
def inform_info(t: Tables, s: State, i: int, out: F32) -> None:
    """(25,) for k = 1..5: 0, 1, 2-4 or more entities match the k most probable values, and can they be told apart."""
    order = by_belief(t, s, i)
    words = t.all_bits.copy()
    free = np.zeros(len(t.size), dtype=np.int64)
    for part in range(PARTS):
        at = part * PER_PART
        if part < len(order) and order[part] >= 0:
            k = order[part]
            inform = t.system_inform[k]
            restrict(t, words, inform, s.best[i, k, 0])
            free[inform] = s.best[i, k, 0] == t.size[inform]
        elif part > 0:
            for f in range(PER_PART):
                out[at + f] = out[at + f - PER_PART]
            continue
        found = count(words)
        out[at] = found == 0
        out[at + 1] = found == 1
        out[at + 2] = 2 <= found <= 4
        out[at + 3] = found > 4
        out[at + 4] = discriminable(t, words, free)


@compiled
def belief_vector(t: Tables, s: State, i: int, out: F32) -> None:
    """(n_in,) full, method, discourse act, requested, last act informed none, offer happened, inform info."""
    at = 0
    for part in (s.belief[i], s.method[i], s.discourse[i], s.requested[i]):
        out[at : at + len(part)] = part
        at += len(part)
    out[at] = s.none_told[i]
    out[at + 1] = s.offered_now[i]
    inform_info(t, s, i, out[at + 2 :])


@compiled
def slot_view(t: Tables, s: State, i: int, out: F32) -> None:
    """(GENERAL + S * PER_SLOT,) the same numbers for every domain: general ones, then each slot described alike."""
    out[:] = 0.0
    out[0:6] = s.method[i]
    out[6:12] = s.discourse[i]
    out[12] = s.none_told[i]
    out[13] = s.offered_now[i]
    at = 14 + PER_PART * PARTS
    inform_info(t, s, i, out[14:at])
    out[at + s.system_act[i]] = 1.0
    at += SYSTEM_ACTS
    slots = len(t.system_slot)
    best_request, requests = 0.0, 0.0
    for slot in range(t.requestable):
        if slot != t.name_slot and t.system_of[slot] < 0:
            best_request = max(best_request, s.requested[i, slot])
        requests += s.requested[i, slot] > 0.5
    out[at] = best_request
    out[at + 1] = min(requests / 3.0, 1.0)
    out[at + 2] = s.last_name[i] != NOTHING
    out[at + 3] = min(s.turn[i] / t.max_turns, 1.0)
    out[at + 4] = accepted_count(t, s, i) / slots
    out[at + 5] = s.alternatives[i]
    out[at + 6] = 1.0 - s.belief[i, t.offset[t.name] + t.size[t.name]]
    out[at + 7] = top_method(s, i) == 1 and not polite(s, i)
    out[at + 8], out[at + 9] = _venues(t, s, i)
    for k in range(slots):
        _describe(t, s, i, k, out[GENERAL + k * PER_SLOT : GENERAL + (k + 1) * PER_SLOT])


@compiled
def _venues(t: Tables, s: State, i: int) -> tuple[float, float]:
    """Whether the entity offered last has the accepted values, and whether another one that wasn't offered has."""
    words = matches(t, s, i)
    fits, left = 0.0, 0.0
    for e in range(len(t.entity_value)):
        if has(words, e):
            name = t.entity_value[e, t.name]
            if name == s.last_name[i]:
                fits = 1.0
            elif not s.offered[i, name]:
                left = 1.0
    return fits, left


@compiled
def _describe(t: Tables, s: State, i: int, k: int, out: F32) -> None:
    """(PER_SLOT,) how sure slot k's best values are, what was just done about it, and what asking could bring."""
    inform, slot = t.system_inform[k], t.system_slot[k]
    start, size = t.offset[inform], t.size[inform]
    first, second = s.best_score[i, k, 0], s.best_score[i, k, 1]
    none = s.belief[i, start + size]
    out[0], out[1], out[2], out[3] = first, second, first - second, none
    out[4] = s.belief[i, start + size + 1]
    out[5] = max(1.0 - first - second - none, 0.0)
    out[6] = s.accepted[i, k]
    out[7] = s.best[i, k, 0] == size and s.accepted[i, k]
    out[8] = s.requested[i, slot] if slot < t.requestable else 0.0
    about = s.about[i] == slot
    out[9] = about and s.system_act[i] == 1
    out[10] = about and s.system_act[i] == 2
    out[11] = about and s.system_act[i] == 3
    out[12] = _still_open(t, s, i, k)
    out[13] = min(np.log(size + 1.0) / 6.0, 1.0)
    out[14] = 1.0


@compiled
def _still_open(t: Tables, s: State, i: int, k: int) -> float:
    """1 when the entities that match the other accepted values differ in slot k, else 0."""
    words = t.all_bits.copy()
    for other in range(len(t.system_slot)):
        if other != k and s.accepted[i, other]:
            restrict(t, words, t.system_inform[other], s.best[i, other, 0])
    seen = -1
    for w in range(len(words)):
        if words[w] == 0:
            continue
        for e in range(w * 64, min(w * 64 + 64, len(t.entity_value))):
            if (words[w] >> np.uint64(e & 63)) & np.uint64(1):
                value = t.entity_value[e, t.system_inform[k]]
                if seen >= 0 and value != seen:
                    return 1.0
                seen = value
    return 0.0


HASHES = 16
"""Values are told apart by the remainder of their number only."""
USER_ACT_TYPES = 14


@compiled
def nbest_size(t: Tables) -> int:
    """Features of the n-best view."""
    return HYPOTHESES * (1 + USER_ACT_TYPES + t.type_slot + 2 + HASHES) + SYSTEM_ACTS + t.type_slot + 1


@compiled
def nbest_view(t: Tables, s: State, i: int, out: F32) -> None:
    """What was heard this turn, untracked: each hypothesis' score, act, slots (none last) and hashed values, weighted
    by its score; then the system's act and its slot."""
    out[:] = 0.0
    slots = t.type_slot + 2
    width = 1 + USER_ACT_TYPES + slots + HASHES
    for h in range(s.hyps[i]):
        score, at = s.hyp_score[i, h], h * width
        out[at] = score
        out[at + 1 + s.hyp_act[i, h]] = score
        for n in range(s.hyp_items[i, h]):
            slot, value = s.hyp_slot[i, h, n], s.hyp_value[i, h, n]
            out[at + 1 + USER_ACT_TYPES + (slot if slot >= 0 else slots - 1)] = score
            if value >= 0:
                out[at + 1 + USER_ACT_TYPES + slots + value % HASHES] = score
    at = HYPOTHESES * width
    out[at + s.system_act[i]] = 1.0
    if s.about[i] >= 0:
        out[at + SYSTEM_ACTS + s.about[i]] = 1.0
