"""One random stream per dialogue: what happens in a row of a batch never depends on the other rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from memory.ontology import IntArray
from memory.turn import FloatArray

Words = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S40 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(40)


class RowRandom:
    """B counter-based generators of uniforms: number k of a stream is ``mix(key + k golden)`` (SplitMix64).

    Equal seeds give equal streams whatever the batch size, so a dialogue of a vector environment is bit-equal to
    the same dialogue alone.
    """

    remembered: ClassVar[tuple[str, ...]] = ("_key", "_next")

    def __init__(self, seeds: Sequence[int]) -> None:
        self._key = np.zeros(len(seeds), dtype=np.uint64)
        self._next = np.zeros(len(seeds), dtype=np.uint64)
        self.seed(np.arange(len(seeds), dtype=np.int32), seeds)

    def seed(self, rows: IntArray, seeds: Sequence[int]) -> None:
        """Restart the streams of ``rows`` from ``seeds`` (one each)."""
        words = np.array([seed & 0xFFFFFFFFFFFFFFFF for seed in seeds], dtype=np.uint64)
        self._key[rows] = _mix(_mix(words + _GOLDEN) + _GOLDEN)
        self._next[rows] = 0

    def uniform(self, width: int, rows: IntArray | None = None) -> FloatArray:
        """(B, width), or (len(rows), width), float32 uniforms in [0, 1) with 24 random bits; advances the streams."""
        chosen: IntArray | slice = slice(None) if rows is None else rows
        steps = np.arange(1, width + 1, dtype=np.uint64)
        words = (self._key[chosen] + self._next[chosen] * _GOLDEN)[:, None] + steps * _GOLDEN
        self._next[chosen] += np.uint64(width)
        return (_mix(words) >> _S40).astype(np.float32) * np.float32(2.0**-24)


def _mix(words: Words) -> Words:
    """SplitMix64's finaliser; overflow wraps on purpose."""
    words = words.copy()
    words ^= words >> _S30
    words *= _MIX_1
    words ^= words >> _S27
    words *= _MIX_2
    words ^= words >> _S31
    return words
