"""Random numbers inside the compiled loops: each dialogue has a stream of its own."""

from __future__ import annotations

import numpy as np

from simulator.pydial.compiled import compiled
from simulator.pydial.state import State

_GOLDEN, _ONE = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@compiled
def uniform(s: State, i: int) -> float:
    """The next number of dialogue i's stream, in [0, 1) (SplitMix64 on a counter)."""
    s.counter[i] += _ONE
    word = s.key[i] + s.counter[i] * _GOLDEN
    word = (word ^ (word >> _S30)) * _MIX_1
    word = (word ^ (word >> _S27)) * _MIX_2
    word = word ^ (word >> _S31)
    return float(word >> _S11) * 1.1102230246251565e-16


@compiled
def normal(s: State, i: int) -> float:
    """A standard normal number (Box and Muller 1958)."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(s, i)))
    return float(radius * np.cos(2.0 * np.pi * uniform(s, i)))


@compiled
def pick(s: State, i: int, count: int) -> int:
    """Uniform in 0..count-1."""
    return int(uniform(s, i) * count)
