"""Coordinate descent on one worker's part of the problem: compiled where numba is there, the same steps without.

The subproblem of worker k (Smith et al. 2018, equation 9) around the point a with gradient w = f'(A a):
    min_d  w.(A_k d) + curvature/2 |A_k d|^2 + sum_i g_i(a_i + d_i),   curvature = sigma' times the smoothness of f.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from policies.optimize.columns import Array, Columns, Index
from policies.optimize.losses import Separable

_Function = TypeVar("_Function", bound=Callable[..., Any])

try:
    import numba

    COMPILED = True
except ImportError:  # the plain functions below take the same steps, about fifty times slower
    COMPILED = False


def _compiled(function: _Function) -> _Function:
    return cast(_Function, numba.njit(cache=True, nogil=True)(function)) if COMPILED else function


def plain(function: _Function) -> _Function:
    """The uncompiled function behind a compiled one."""
    return cast(_Function, getattr(function, "py_func", function))


@_compiled
def _logistic_step(start: float, slope: float, curvature: float) -> float:
    """The a in (0, 1) with log(a/(1-a)) + slope + curvature (a - start) = 0: Newton in the logit, kept in a bracket."""
    low, high = -slope - curvature * (1.0 - start), -slope + curvature * start
    t = -slope if low < -slope < high else 0.5 * (low + high)
    for _ in range(60):
        a = 1.0 / (1.0 + np.exp(-t))
        value = t + slope + curvature * (a - start)
        if value > 0:
            high = t
        else:
            low = t
        step = value / (1.0 + curvature * a * (1.0 - a))
        if abs(step) <= 1e-13 * (1.0 + abs(t)):
            break
        t -= step
        if not low <= t <= high:
            t = 0.5 * (low + high)
    return float(1.0 / (1.0 + np.exp(-t)))


@_compiled
def coordinate_passes(
    starts: Index,
    rows: Index,
    values: Array,
    norms: Array,
    linear: Array,
    shape: tuple[float, float, float, float, bool],
    w: Array,
    a: Array,
    moved: Array,
    order: Index,
    curvature: float,
    coupling: float,
) -> None:
    """Minimise over the coordinates of ``order`` in turn; ``a`` (N,) and ``moved`` (M,) = A_k (a - its start) change.

    ``shape``: quadratic, l1, lower, upper, entropy of the Separable. ``coupling`` weighs what this worker's earlier
    steps changed: the same as ``curvature`` for CoCoA, 0 for mini-batch coordinate descent (every step against w).
    """
    quadratic, l1, lower, upper, entropy = shape
    for i in order:
        first, last = starts[i], starts[i + 1]
        slope = 0.0
        for p in range(first, last):
            slope += values[p] * (w[rows[p]] + coupling * moved[rows[p]])
        curve = curvature * norms[i]
        if entropy:
            new = _logistic_step(a[i], slope + linear[i], curve)
        else:
            pull = curve * a[i] - slope - linear[i]
            pull = max(pull - l1, 0.0) if pull > 0 else min(pull + l1, 0.0)
            if curve + quadratic > 0:
                new = min(max(pull / (curve + quadratic), lower), upper)
            elif pull == 0:
                new = min(max(0.0, lower), upper)
            else:
                new = upper if pull > 0 else lower
        change = new - a[i]
        if change != 0:
            a[i] = new
            for p in range(first, last):
                moved[rows[p]] += values[p] * change


def solve_locally(
    columns: Columns, norms: Array, separable: Separable, w: Array, a: Array, start: tuple[Array, Array],
    order: Index, curvature: float, coupling: float, *, compiled: bool = True,
) -> tuple[Array, Array]:  # fmt: skip
    """(a_new, moved): ``order`` (H,) steps from ``start`` = (point, A_k (point - a)); see ``coordinate_passes``.

    The result equals with and without compiling up to the order of additions.
    """
    point, moved = start[0].copy(), start[1].copy()
    shape = (separable.quadratic, separable.l1, separable.lower, separable.upper, separable.entropy)
    run = coordinate_passes if compiled else plain(coordinate_passes)
    run(
        columns.starts, columns.rows, columns.values, norms, separable.linear, shape,
        w, point, moved, order, float(curvature), float(coupling),
    )  # fmt: skip
    return point, moved
