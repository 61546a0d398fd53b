"""The loops behind ``memory.dnc.compiled``: a DNC memory step and its gradient, one sequence of the batch at a time.

Names follow Graves et al. 2016: M memory, u usage, L link, p precedence, w write weights, r read weights; a 0 marks the
state before the step, d the gradient of the loss. Scalars are of the arrays' type: a stray float64 halves the speed.
"""

# ruff: noqa: N803, N806, PLW3301
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
EPSILON = 1e-6

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    return cast(_Function, numba.njit(cache=True, error_model="numpy", nogil=True, fastmath=True)(function))


@_compiled
def _sigmoid(x: Any, one: Any) -> Any:
    return one / (one + np.exp(-x))


@_compiled
def _oneplus(x: Any, one: Any) -> Any:
    return one + max(x, x - x) + np.log(one + np.exp(-abs(x)))


@_compiled
def _content(M: Array, key: Array, strength: Any, out: Array, one: Any) -> None:
    """``softmax(strength cos(key, M[n]))`` into ``out`` (N,)."""
    key = key.copy()  # a slice has a stride, which keeps the loops from vectorising
    eps = M.dtype.type(EPSILON)
    length = eps
    for k in range(key.shape[0]):
        length += key[k] * key[k]
    largest = -strength - one
    for n in range(M.shape[0]):
        product, norm = one - one, eps
        for k in range(key.shape[0]):
            product += M[n, k] * key[k]
            norm += M[n, k] * M[n, k]
        out[n] = strength * product / (np.sqrt(norm) * np.sqrt(length))
        largest = max(largest, out[n])
    total = one - one
    for n in range(M.shape[0]):
        out[n] = np.exp(out[n] - largest)
        total += out[n]
    for n in range(M.shape[0]):
        out[n] /= total


@_compiled
def _content_gradient(
    M: Array, key: Array, strength: Any, c: Array, dc: Array, dM: Array, dkey: Array, one: Any
) -> Any:
    """Add to ``dM`` and ``dkey``; return the gradient of the strength."""
    key, own = key.copy(), np.zeros_like(M[0])
    eps = M.dtype.type(EPSILON)
    zero = one - one
    length, mean, dstrength, along = eps, zero, zero, zero
    for k in range(key.shape[0]):
        length += key[k] * key[k]
    for n in range(M.shape[0]):
        mean += c[n] * dc[n]
    for n in range(M.shape[0]):
        product, norm = zero, eps
        for k in range(key.shape[0]):
            product += M[n, k] * key[k]
            norm += M[n, k] * M[n, k]
        scale = one / (np.sqrt(norm) * np.sqrt(length))
        dz = c[n] * (dc[n] - mean)
        dstrength += dz * product * scale
        d = dz * strength * scale
        shrink = d * product / norm
        along += d * product / length
        for k in range(key.shape[0]):
            dM[n, k] += d * key[k] - shrink * M[n, k]
            own[k] += d * M[n, k]
    for k in range(key.shape[0]):
        dkey[k] += own[k] - along * key[k]
    return dstrength


@_compiled
def _modes(logits: Array, out: Array, one: Any) -> None:
    largest = max(logits[0], max(logits[1], logits[2]))
    total = one - one
    for k in range(3):
        out[k] = np.exp(logits[k] - largest)
        total += out[k]
    for k in range(3):
        out[k] /= total


@_compiled
def _usage(f: Array, u0: Array, w0: Array, r0: Array, u: Array, one: Any) -> None:
    for n in range(u.shape[0]):
        u[n] = u0[n] + w0[n] - u0[n] * w0[n]
    for h in range(f.shape[0]):
        gate = _sigmoid(f[h], one)
        for n in range(u.shape[0]):
            u[n] *= one - gate * r0[h, n]


@_compiled
def _allocation(u: Array, a: Array, one: Any) -> None:
    eps = u.dtype.type(EPSILON)
    before = one
    for n in np.argsort(u, kind="mergesort"):
        moved = eps + (one - eps) * u[n]
        a[n] = (one - moved) * before
        before *= moved


@_compiled
def _allocation_gradient(u: Array, da: Array, du: Array, one: Any) -> None:
    """Add the gradient of ``_allocation`` to ``du``, from the fullest row down, without dividing by a usage."""
    eps = u.dtype.type(EPSILON)
    order = np.argsort(u, kind="mergesort")
    before = np.empty_like(u)
    product = one
    for j in range(order.shape[0]):
        before[j] = product
        product *= eps + (one - eps) * u[order[j]]
    later = one - one
    for j in range(order.shape[0] - 1, -1, -1):
        n = order[j]
        moved = eps + (one - eps) * u[n]
        du[n] += (one - eps) * before[j] * (later - da[n])
        later = da[n] * (one - moved) + later * moved


@_compiled
def _link(L0: Array, p0: Array, w: Array, L: Array, p: Array, one: Any) -> None:
    total = one - one
    for i in range(w.shape[0]):
        total += w[i]
        for j in range(w.shape[0]):
            L[i, j] = (one - w[i] - w[j]) * L0[i, j] + w[i] * p0[j]
        L[i, i] = one - one
    for i in range(w.shape[0]):
        p[i] = (one - total) * p0[i] + w[i]


@_compiled
def _link_gradient(
    L0: Array, p0: Array, w: Array, dL: Array, dp: Array, dL0: Array, dp0: Array, dw: Array, one: Any
) -> None:
    total, taken = one - one, one - one
    for i in range(w.shape[0]):
        total += w[i]
        taken += dp[i] * p0[i]
    for i in range(w.shape[0]):
        dL[i, i] = one - one
        row = one - one
        for j in range(w.shape[0]):
            d = dL[i, j]
            lost = d * L0[i, j]
            dL0[i, j] = (one - w[i] - w[j]) * d
            row += d * p0[j] - lost
            dw[j] -= lost
            dp0[j] += w[i] * d
        dw[i] += row
    for i in range(w.shape[0]):
        dp0[i] += (one - total) * dp[i]
        dw[i] += dp[i] - taken


@_compiled
def step(
    x: Array, M0: Array, u0: Array, L0: Array, p0: Array, r0: Array, w0: Array,
    words: Array, M: Array, u: Array, L: Array, p: Array, r: Array, w: Array, c: Array, directed: Array,
) -> None:  # fmt: skip
    """Fill ``words`` (B, R, W), the state after the step, ``c`` (B, R + 1, N: reads, write) and ``directed``
    (B, 2 R, N: backward, forward) from the interface ``x`` (B, I) and the state before it."""
    B, N, W = M.shape
    R = r.shape[1]
    one = M.dtype.type(1)
    a, e, pi = np.empty(N, M.dtype), np.empty(W, M.dtype), np.empty(3, M.dtype)
    wk = R * W + R
    er, fg = wk + W + 1, wk + 3 * W + 1
    words[:] = 0
    directed[:] = 0
    for b in range(B):
        _usage(x[b, fg : fg + R], u0[b], w0[b], r0[b], u[b], one)
        _allocation(u[b], a, one)
        _content(M0[b], x[b, wk : wk + W], _oneplus(x[b, wk + W], one), c[b, R], one)
        ga, gw = _sigmoid(x[b, fg + R], one), _sigmoid(x[b, fg + R + 1], one)
        for n in range(N):
            w[b, n] = gw * (ga * a[n] + (one - ga) * c[b, R, n])
        for k in range(W):
            e[k] = _sigmoid(x[b, er + k], one)
        for n in range(N):
            for k in range(W):
                M[b, n, k] = M0[b, n, k] * (one - w[b, n] * e[k]) + w[b, n] * x[b, er + W + k]
        _link(L0[b], p0[b], w[b], L[b], p[b], one)
        for h in range(R):
            _content(M[b], x[b, h * W : h * W + W], _oneplus(x[b, R * W + h], one), c[b, h], one)
            _modes(x[b, fg + R + 2 + 3 * h : fg + R + 5 + 3 * h], pi, one)
            for i in range(N):
                total = one - one
                for j in range(N):
                    total += L[b, i, j] * r0[b, h, j]
                    directed[b, h, j] += r0[b, h, i] * L[b, i, j]
                directed[b, R + h, i] = total
            for n in range(N):
                r[b, h, n] = pi[0] * directed[b, h, n] + pi[1] * c[b, h, n] + pi[2] * directed[b, R + h, n]
                for k in range(W):
                    words[b, h, k] += r[b, h, n] * M[b, n, k]


@_compiled
def _read_gradient(
    h: int, x: Array, M: Array, L: Array, r0: Array, r: Array, c: Array, directed: Array, dwords: Array, dr: Array,
    dM: Array, dL: Array, dr0: Array, dx: Array, modes: int, one: Any,
) -> None:  # fmt: skip
    N, W = M.shape
    R = r.shape[0]
    pi, dpi = np.empty(3, M.dtype), np.zeros(3, M.dtype)
    _modes(x[modes : modes + 3], pi, one)
    d, dc = np.empty(N, M.dtype), np.empty(N, M.dtype)
    for n in range(N):
        total = dr[h, n]
        for k in range(W):
            total += dwords[h, k] * M[n, k]
            dM[n, k] += r[h, n] * dwords[h, k]
        d[n] = total
        dc[n] = pi[1] * total
        dpi[0] += total * directed[h, n]
        dpi[1] += total * c[h, n]
        dpi[2] += total * directed[R + h, n]
    mean = pi[0] * dpi[0] + pi[1] * dpi[1] + pi[2] * dpi[2]
    for k in range(3):
        dx[modes + k] = pi[k] * (dpi[k] - mean)
    for i in range(N):
        back, ahead, total = pi[0] * r0[h, i], pi[2] * d[i], one - one
        for j in range(N):
            dL[i, j] += back * d[j] + ahead * r0[h, j]
            total += L[i, j] * d[j]
            dr0[h, j] += ahead * L[i, j]
        dr0[h, i] += pi[0] * total
    strength = x[R * W + h]
    dx[R * W + h] = _sigmoid(strength, one) * _content_gradient(
        M, x[h * W : h * W + W], _oneplus(strength, one), c[h], dc, dM, dx[h * W : h * W + W], one
    )


@_compiled
def _write_gradient(
    x: Array, M0: Array, u: Array, w: Array, c: Array, dM: Array, dw: Array, du: Array, dM0: Array, dx: Array,
    wk: int, ag: int, one: Any,
) -> None:  # fmt: skip
    N, W = M0.shape
    er = wk + W + 1
    e, v, de, dv = np.empty_like(M0[0]), x[er + W : er + 2 * W], dx[er : er + W], dx[er + W : er + 2 * W]
    for k in range(W):
        e[k] = _sigmoid(x[er + k], one)
    for n in range(N):
        total = one - one
        for k in range(W):
            d = dM[n, k]
            dM0[n, k] = d * (one - w[n] * e[k])
            total += d * (v[k] - M0[n, k] * e[k])
            de[k] -= d * M0[n, k] * w[n]
            dv[k] += d * w[n]
        dw[n] += total
    for k in range(W):
        de[k] *= e[k] * (one - e[k])
    a, da, dc = np.empty_like(u), np.empty_like(u), np.empty_like(u)
    _allocation(u, a, one)
    ga, gw = _sigmoid(x[ag], one), _sigmoid(x[ag + 1], one)
    dga, dgw = one - one, one - one
    for n in range(N):
        dgw += dw[n] * (ga * a[n] + (one - ga) * c[n])
        dga += dw[n] * gw * (a[n] - c[n])
        da[n], dc[n] = dw[n] * gw * ga, dw[n] * gw * (one - ga)
    dx[ag], dx[ag + 1] = dga * ga * (one - ga), dgw * gw * (one - gw)
    _allocation_gradient(u, da, du, one)
    strength = x[wk + W]
    dx[wk + W] = _sigmoid(strength, one) * _content_gradient(
        M0, x[wk : wk + W], _oneplus(strength, one), c, dc, dM0, dx[wk : wk + W], one
    )


@_compiled
def _usage_gradient(
    f: Array, u0: Array, w0: Array, r0: Array, du: Array, du0: Array, dw0: Array, dr0: Array, df: Array, one: Any
) -> None:
    R = f.shape[0]
    gates = np.empty(R, u0.dtype)
    for h in range(R):
        gates[h] = _sigmoid(f[h], one)
    for n in range(u0.shape[0]):
        raised, kept = u0[n] + w0[n] - u0[n] * w0[n], one
        for h in range(R):
            gate, others = gates[h], one
            kept *= one - gate * r0[h, n]
            for g in range(R):
                if g != h:
                    others *= one - gates[g] * r0[g, n]
            d = du[n] * raised * others
            dr0[h, n] -= gate * d
            df[h] -= r0[h, n] * d * gate * (one - gate)
        du0[n] = du[n] * kept * (one - w0[n])
        dw0[n] = du[n] * kept * (one - u0[n])


@_compiled
def step_gradient(
    x: Array, M0: Array, u0: Array, L0: Array, p0: Array, r0: Array, w0: Array,
    M: Array, L: Array, r: Array, c: Array, directed: Array,
    gwords: Array, gM: Array, gu: Array, gL: Array, gp: Array, gr: Array, gw: Array,
    dx: Array, dM0: Array, du0: Array, dL0: Array, dp0: Array, dr0: Array, dw0: Array,
) -> None:  # fmt: skip
    """Fill ``dx`` ... ``dw0`` (zeros before) from the gradients ``gwords`` ... ``gw`` of what ``step`` computed."""
    B, N, W = M.shape
    R = r.shape[1]
    one = M.dtype.type(1)
    u, w, a = np.empty(N, M.dtype), np.empty(N, M.dtype), np.empty(N, M.dtype)
    wk = R * W + R
    fg = wk + 3 * W + 1
    for b in range(B):
        dM, dL, du, dw = gM[b].copy(), gL[b].copy(), gu[b].copy(), gw[b].copy()
        _usage(x[b, fg : fg + R], u0[b], w0[b], r0[b], u, one)
        _allocation(u, a, one)
        ga, gate = _sigmoid(x[b, fg + R], one), _sigmoid(x[b, fg + R + 1], one)
        for n in range(N):
            w[n] = gate * (ga * a[n] + (one - ga) * c[b, R, n])
        for h in range(R):
            _read_gradient(
                h, x[b], M[b], L[b], r0[b], r[b], c[b], directed[b], gwords[b], gr[b],
                dM, dL, dr0[b], dx[b], fg + R + 2 + 3 * h, one,
            )  # fmt: skip
        _link_gradient(L0[b], p0[b], w, dL, gp[b], dL0[b], dp0[b], dw, one)
        _write_gradient(x[b], M0[b], u, w, c[b, R], dM, dw, du, dM0[b], dx[b], wk, fg + R, one)
        _usage_gradient(x[b, fg : fg + R], u0[b], w0[b], r0[b], du, du0[b], dw0[b], dr0[b], dx[b, fg : fg + R], one)
