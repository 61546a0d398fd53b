"""Queries on the entity table as operations on sets of bits."""

from __future__ import annotations

import numpy as np

from simulator.jit import compiled, pick
from simulator.pydial.state import State
from simulator.pydial.tables import Bits, Ints, Tables

_ONE = np.uint64(1)
_M1, _M2, _M4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_H01, _S1, _S2, _S4, _S56 = np.uint64(0x0101010101010101), np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@compiled
def population(word: np.uint64) -> int:
    """How many bits are set (Hacker's Delight, figure 5-2)."""
    x = word - ((word >> _S1) & _M1)
    x = (x & _M2) + ((x >> _S2) & _M2)
    x = (x + (x >> _S4)) & _M4
    return np.int64((x * _H01) >> _S56)  # type: ignore[return-value]


@compiled
def count(words: Bits) -> int:
    """How many entities a set holds."""
    total = 0
    for word in words:
        total += population(word)
    return total


@compiled
def has(words: Bits, entity: int) -> bool:
    """Whether ``entity`` is in the set."""
    return bool((words[entity >> 6] >> np.uint64(entity & 63)) & _ONE)


@compiled
def nth(words: Bits, n: int) -> int:
    """The n-th entity of a set in table order, -1 when there are fewer."""
    left = n
    for w in range(len(words)):
        word = words[w]
        while word:
            low = word & (~word + _ONE)
            if left == 0:
                entity = w << 6
                while low > _ONE:
                    low >>= _ONE
                    entity += 1
                return entity
            word ^= low
            left -= 1
    return -1


@compiled
def restrict(t: Tables, words: Bits, inform: int, value: int) -> None:
    """Keep the entities whose informable slot has ``value``; ``dontcare`` keeps all."""
    if value == t.size[inform]:
        return
    row = t.bit_row[inform] + value
    for w in range(len(words)):
        words[w] &= t.bits[row, w]


@compiled
def matches(t: Tables, s: State, i: int) -> Bits:
    """The entities that have all accepted values."""
    words = t.all_bits.copy()
    for k in range(len(t.system_slot)):
        if s.accepted[i, k]:
            restrict(t, words, t.system_inform[k], s.best[i, k, 0])
    return words


@compiled
def constrained(t: Tables, s: State, i: int) -> bool:
    """Whether some accepted value constrains the search."""
    for k in range(len(t.system_slot)):
        if s.accepted[i, k] and s.best[i, k, 0] != t.size[t.system_inform[k]]:
            return True
    return False


@compiled
def any_entity(t: Tables, s: State, i: int, words: Bits, chosen: bool) -> int:
    """The first entity of a set, or any of it when nothing constrained it (``chosen`` False); -1 from an empty one."""
    total = count(words)
    if total == 0:
        return -1
    return nth(words, 0 if chosen else pick(s, i, total))


@compiled
def discriminable(t: Tables, words: Bits, free: Ints) -> bool:
    """Whether the entities of a set differ in an informable slot that ``free`` (I,) doesn't mark as ``dontcare``."""
    if count(words) < 2:
        return False
    entity = nth(words, 0)
    for k in range(len(t.size)):
        if not t.discriminates[k] or free[k]:
            continue
        row = t.bit_row[k] + t.entity_value[entity, k]
        for w in range(len(words)):
            if words[w] & ~t.bits[row, w]:
                return True
    return False


@compiled
def valid_venue(t: Tables, s: State, i: int, name: int) -> bool:
    """Whether an entity of this name satisfies the whole goal of user i."""
    if name < 0 or s.not_name[i, name]:
        return False
    if s.want_name[i] >= 0 and s.want_name[i] != name:
        return False
    words = t.bits[t.bit_row[t.name] + name].copy()
    for k in range(len(t.system_slot)):
        if s.want[i, k] >= 0:
            restrict(t, words, t.system_inform[k], s.want[i, k])
    return count(words) > 0
