"""Compiled loops over many dialogues: the compiler, and random numbers of which each dialogue has its own stream."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int8]
I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
U64 = NDArray[np.uint64]
F32 = NDArray[np.float32]
B8 = NDArray[np.bool_]
Rows = NDArray[np.intp]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _cache_folder() -> Path:
    """Where machine code is kept: a folder per version of the sources.

    Numba looks only at a function's own file to see whether its code is stale, but the code contains that of functions
    from other files.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    for base in (os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", tempfile.gettempdir()):
        folder = Path(base) / "rejoinder" / f"numba-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="rejoinder-numba-"))


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]


def compiled(function: _Function) -> _Function:
    """``function`` as machine code, compiled at its first call and cached on disk."""
    return cast(_Function, numba.njit(cache=True, error_model="numpy", nogil=True)(function))


class HasStreams(Protocol):
    """A state with a counter-based random stream per dialogue."""

    @property
    def key(self) -> NDArray[np.uint64]:
        """(B,) what makes streams differ."""
        ...

    @property
    def counter(self) -> NDArray[np.uint64]:
        """(B,) how many numbers were drawn."""
        ...


_GOLDEN, _ONE = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


def seed_rows(state: HasStreams, rows: NDArray[np.intp], seeds: Sequence[int]) -> None:
    """Restart the random streams of ``rows``; equal seeds give equal dialogues in any batch."""
    words = np.array([seed & 0xFFFFFFFFFFFFFFFF for seed in seeds], dtype=np.uint64)
    for _ in range(2):
        words = words + _GOLDEN
        words = (words ^ (words >> _S30)) * _MIX_1
        words = (words ^ (words >> _S27)) * _MIX_2
        words = words ^ (words >> _S31)
    state.key[rows] = words
    state.counter[rows] = 0


@compiled
def uniform(s: HasStreams, i: int) -> float:
    """The next number of dialogue i's stream, in [0, 1) (SplitMix64 on a counter)."""
    s.counter[i] += _ONE
    word = s.key[i] + s.counter[i] * _GOLDEN
    word = (word ^ (word >> _S30)) * _MIX_1
    word = (word ^ (word >> _S27)) * _MIX_2
    word = word ^ (word >> _S31)
    return float(word >> _S11) * 1.1102230246251565e-16


@compiled
def normal(s: HasStreams, i: int) -> float:
    """A standard normal number (Box and Muller 1958)."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(s, i)))
    return float(radius * np.cos(2.0 * np.pi * uniform(s, i)))


@compiled
def pick(s: HasStreams, i: int, count: int) -> int:
    """Uniform in 0..count-1."""
    return int(uniform(s, i) * count)
