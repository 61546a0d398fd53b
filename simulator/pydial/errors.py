"""What a speech recogniser and parser make of the user's act: an n-best list with scores in the manner of DSTC2."""

from __future__ import annotations

from simulator.jit import compiled, normal, pick, uniform
from simulator.pydial.settings import NBEST
from simulator.pydial.state import NO_VALUE, NOTHING, State
from simulator.pydial.tables import ARGUMENTS, BYE, CONFUSIONS, NULL, Floats, Tables

BY_TYPE, BY_SLOT = 0.2, 0.3
"""Shares of confusions of the act's type and of its slots; the rest confuses a value."""
ATTEMPTS, REDRAWS = 25, 50
_LOW, _HIGH, _LEAST_DEVIATION = 0.01, 0.99, 0.0001


@compiled
def hear(t: Tables, s: State, i: int) -> None:
    """Fill the n-best list of dialogue i from the user's act; the scores sum to 1."""
    s.hyps[i] = 0
    if not t.noisy:
        _keep_truth(s, i)
        s.hyp_score[i, 0] = 1.0
        return
    wrong = uniform(s, i) < t.error_rate
    length = min(_draw(s, i, t.length[int(wrong)]) + 1, NBEST)
    true_at = _draw(s, i, t.position) if wrong else 0
    for _ in range(length):
        if s.hyps[i] == true_at:
            _keep_truth(s, i)
        else:
            _add_confusion(t, s, i)
    # a list without the true act is scored like a right one: the original takes its first entry for the true one
    _score(t, s, i, 1 if 0 < true_at < length else 0)


@compiled
def _draw(s: State, i: int, cumulative: Floats) -> int:
    u = uniform(s, i)
    for n in range(len(cumulative)):
        if u < cumulative[n]:
            return n
    return len(cumulative) - 1


@compiled
def _keep_truth(s: State, i: int) -> None:
    h = s.hyps[i]
    s.hyp_act[i, h], s.hyp_items[i, h] = s.user_act[i], s.user_items[i]
    s.hyp_slot[i, h], s.hyp_value[i, h] = s.user_slot[i], s.user_value[i]
    s.hyps[i] = h + 1


@compiled
def _add_confusion(t: Tables, s: State, i: int) -> None:
    """Add a hypothesis that differs from the truth and from all others; give up after many tries."""
    h = s.hyps[i]
    for _ in range(REDRAWS):
        _confuse_until_new(t, s, i, h)
        fresh = not _is_truth(s, i, h)
        for other in range(h):
            fresh = fresh and not _same(s, i, h, other)
        if fresh:
            s.hyps[i] = h + 1
            return
    s.hyp_act[i, h], s.hyp_items[i, h] = NULL, 0
    s.hyps[i] = h + 1


@compiled
def _confuse_until_new(t: Tables, s: State, i: int, h: int) -> None:
    """A confusion that isn't the truth and never a goodbye; the truth itself after too many tries."""
    for _ in range(ATTEMPTS):
        s.hyp_act[i, h], s.hyp_items[i, h] = s.user_act[i], s.user_items[i]
        s.hyp_slot[i, h], s.hyp_value[i, h] = s.user_slot[i], s.user_value[i]
        _confuse(t, s, i, h)
        if s.hyp_act[i, h] != BYE and not _is_truth(s, i, h):
            return
    s.hyp_act[i, h], s.hyp_items[i, h] = s.user_act[i], s.user_items[i]
    s.hyp_slot[i, h], s.hyp_value[i, h] = s.user_slot[i], s.user_value[i]


@compiled
def _confuse(t: Tables, s: State, i: int, h: int) -> None:
    u = uniform(s, i)
    bare = s.hyp_items[i, h] == 0 or s.hyp_slot[i, h, 0] == NOTHING
    if bare or u < BY_TYPE:
        _confuse_type(t, s, i, h)
    elif u < BY_TYPE + BY_SLOT:
        for n in range(s.hyp_items[i, h]):
            slot = s.hyp_slot[i, h, n]
            if slot in (NOTHING, t.type_slot) or slot >= t.requestable:
                break
            s.hyp_slot[i, h, n] = t.slot_near[slot, _near(s, i, t.slot_share[slot])]
            if s.hyp_value[i, h, n] != NO_VALUE:
                s.hyp_value[i, h, n] = _any_value(t, s, i, s.hyp_slot[i, h, n])
    else:
        n = pick(s, i, s.hyp_items[i, h])
        slot, value = s.hyp_slot[i, h, n], s.hyp_value[i, h, n]
        if slot not in (NOTHING, t.type_slot) and value != NO_VALUE:
            s.hyp_value[i, h, n] = _other_value(t, s, i, slot, value)


@compiled
def _near(s: State, i: int, share: Floats) -> int:
    u = uniform(s, i)
    for n in range(CONFUSIONS):
        if u < share[n]:
            return n
    return CONFUSIONS - 1


@compiled
def _confuse_type(t: Tables, s: State, i: int, h: int) -> None:
    act = t.act_near[s.hyp_act[i, h], _near(s, i, t.act_share[s.hyp_act[i, h]])]
    s.hyp_act[i, h], s.hyp_items[i, h] = act, 0
    if ARGUMENTS[act] in (1, 2):
        slot = pick(s, i, t.requestable)
        s.hyp_slot[i, h, 0] = slot
        s.hyp_value[i, h, 0] = _any_value(t, s, i, slot) if ARGUMENTS[act] == 2 else NO_VALUE
        s.hyp_items[i, h] = 1


@compiled
def _any_value(t: Tables, s: State, i: int, slot: int) -> int:
    """A value of ``slot``, ``dontcare`` among them; NO_VALUE when its values aren't listed."""
    k = t.inform_of[slot]
    return NO_VALUE if k < 0 else pick(s, i, t.size[k] + 1)


@compiled
def _other_value(t: Tables, s: State, i: int, slot: int, value: int) -> int:
    """A value that ``value`` is easily taken for; any other one for slots without confusion table."""
    k = t.inform_of[slot]
    if k < 0:
        return value
    row = t.value_row[k]
    if row < 0 or value > t.size[k]:
        return int((value + 1 + pick(s, i, t.size[k])) % (t.size[k] + 1))
    return int(t.value_near[row + value, _near(s, i, t.value_share[row + value])])


@compiled
def _is_truth(s: State, i: int, h: int) -> bool:
    if s.hyp_act[i, h] != s.user_act[i] or s.hyp_items[i, h] != s.user_items[i]:
        return False
    for n in range(s.user_items[i]):
        if s.hyp_slot[i, h, n] != s.user_slot[i, n] or s.hyp_value[i, h, n] != s.user_value[i, n]:
            return False
    return True


@compiled
def _same(s: State, i: int, h: int, other: int) -> bool:
    if s.hyp_act[i, h] != s.hyp_act[i, other] or s.hyp_items[i, h] != s.hyp_items[i, other]:
        return False
    for n in range(s.hyp_items[i, h]):
        if s.hyp_slot[i, h, n] != s.hyp_slot[i, other, n] or s.hyp_value[i, h, n] != s.hyp_value[i, other, n]:
            return False
    return True


@compiled
def _clipped(t: Tables, s: State, i: int, profile: int, position: int) -> float:
    deviation = max(t.deviation[profile, position], _LEAST_DEVIATION)
    return float(min(max(t.mean[profile, position] + deviation * normal(s, i), _LOW), _HIGH))


@compiled
def _score(t: Tables, s: State, i: int, profile: int) -> None:
    """Draw scores by position; those of the positions that are not there become the score of "nothing was said"."""
    count = s.hyps[i]
    total = 0.0
    for h in range(count):
        s.hyp_score[i, h] = _clipped(t, s, i, profile, h)
        total += s.hyp_score[i, h]
    rest = 0.0
    for position in range(count, NBEST + 1):
        rest += _clipped(t, s, i, profile, position)
    s.hyp_act[i, count], s.hyp_items[i, count], s.hyp_score[i, count] = NULL, 0, rest
    s.hyps[i] = count + 1
    for h in range(count + 1):
        s.hyp_score[i, h] /= total + rest
