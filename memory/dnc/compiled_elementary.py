"""Elementary functions of the compiled DNC: written so that loops over them become vector instructions.

Scalars are of the arrays' type (``one`` carries it): a stray float64 halves the speed. Sums may be reordered; NaN and
infinity keep their meaning, so that a training that diverges shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.compiler import Compiler
from numba.extending import overload
from numpy.typing import NDArray

Array = NDArray[Any]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_njit: Any = numba.njit
_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
}


def compiled(function: _Function) -> _Function:
    """``function`` as machine code, kept on disk, to be called from Python; arrays in, nothing out."""
    return cast(_Function, _njit(cache=True, **_OPTIONS)(function))


class _Apart(Compiler):
    """Tells LLVM that array arguments do not overlap: else loops over short rows spend their time checking that."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()  # type: ignore[no-untyped-call]


def part(function: _Function) -> _Function:
    """``function`` as a part of ``compiled`` ones, put in their place; **no two of its arrays may overlap** if one is
    written."""
    options = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _Apart}
    return cast(_Function, _njit(**options, **_OPTIONS)(function))


def exponential(x: Any) -> Any:
    """e^x; float32: within 3e-7 of it relatively, and vectorised; below -87 and above 88 as at these bounds."""
    return np.exp(x)


_LARGEST, _SMALLEST = np.float32(88.0), np.float32(-87.0)
# log(2) in two parts, the first short enough for its multiples to be exact
_PER_LOG2, _LOG2, _LOG2_REST = np.float32(1 / math.log(2)), np.float32(355 / 512), np.float32(math.log(2) - 355 / 512)
# of Taylor's series; the next term is below 6e-9 for |r| <= log(2) / 2
_C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(1 / math.factorial(k)) for k in range(2, 8))
_HALF, _UNIT, _BIAS, _MANTISSA = np.float32(0.5), np.float32(1.0), np.int32(127), np.int32(23)


def _exponential32(x: Any) -> Any:
    bounded = _LARGEST if x > _LARGEST else x
    bounded = _SMALLEST if bounded < _SMALLEST else bounded
    power = np.floor(bounded * _PER_LOG2 + _HALF)
    r = (bounded - power * _LOG2) - power * _LOG2_REST
    series = ((((_C7 * r + _C6) * r + _C5) * r + _C4) * r + _C3) * r + _C2
    two_to_power = np.int32((np.int32(power) + _BIAS) << _MANTISSA).view(np.float32)
    return (series * r * r + r + _UNIT) * two_to_power


def _exponential64(x: Any) -> Any:
    return np.exp(x)


def _implementation(x: Any) -> Callable[[Any], Any]:
    return _exponential32 if x == numba.float32 else _exponential64


overload(exponential, inline="never")(_implementation)


@part
def sigmoid(x: Any, one: Any) -> Any:
    """``1 / (1 + e^-x)``."""
    return one / (one + exponential(-x))


@part
def oneplus(x: Any, one: Any) -> Any:
    """``1 + log(1 + e^x)``."""
    return one + max(x, x - x) + np.log(one + np.exp(-abs(x)))


@part
def softmax(scores: Array, scale: Any, out: Array, count: int, one: Any) -> None:
    """``softmax(scale scores)`` of the first ``count`` entries into ``out``, zeros behind them."""
    largest = scale * scores[0]
    for n in range(count):
        largest = max(largest, scale * scores[n])
    total = one - one
    for n in range(count):
        weight = exponential(scale * scores[n] - largest)
        out[n] = weight
        total += weight
    share = one / total
    for n in range(count):
        out[n] *= share
    for n in range(count, out.shape[0]):
        out[n] = one - one
