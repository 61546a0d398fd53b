"""The loops of a DNC memory step, forward (``compiled_gradient`` has the way back), one sequence of a batch at a time.

Names follow Graves et al. 2016: M memory, u usage, L link, p precedence, w write weights, r read weights; a 0 marks the
state before the step. A memory lies transposed, (words' numbers, rows), so that every inner loop runs over rows. Both
axes are padded with zeros to multiples of ``BLOCK``: four lines are worked at once, which keeps sums in registers.
"""

# ruff: noqa: N803, N806
from __future__ import annotations

from typing import Any

import numpy as np

from memory.dnc.compiled_elementary import Array, compiled, oneplus, part, sigmoid, softmax

EPSILON = 1e-6
BLOCK = 4


@part
def unpacked(x: Array, keys: Array, erase: Array, value: Array, gates: Array, modes: Array, W: int, one: Any) -> None:
    """An interface vector (I,) to keys (R + 1, W; write last), erase and value (W,), gates and modes (R, 3).

    ``gates``: R free gates, allocation and write gate, R + 1 strengths. Padding stays zero. Without links (an
    interface without modes) ``modes`` is left alone.
    """
    R = modes.shape[0]
    for h in range(R):
        for k in range(W):
            keys[h, k] = x[h * W + k]
        gates[R + 2 + h] = oneplus(x[R * W + h], one)
    at = R * W + R
    for k in range(W):
        keys[R, k] = x[at + k]
        erase[k] = sigmoid(x[at + W + 1 + k], one)
        value[k] = x[at + 2 * W + 1 + k]
    gates[2 * R + 2] = oneplus(x[at + W], one)
    at += 3 * W + 1
    for h in range(R + 2):
        gates[h] = sigmoid(x[at + h], one)
    at += R + 2
    if at < x.shape[0]:
        for h in range(R):
            softmax(x[at + 3 * h : at + 3 * h + 3], one, modes[h], 3, one)


@part
def _usage(free: Array, u0: Array, w0: Array, r0: Array, u: Array, one: Any) -> None:
    for n in range(u.shape[0]):
        u[n] = u0[n] + w0[n] - u0[n] * w0[n]
    for h in range(r0.shape[0]):
        gate, r = free[h], r0[h]
        for n in range(u.shape[0]):
            u[n] *= one - gate * r[n]


@part
def ranked(u: Array, order: Array, places: Array, N: int, one: Any) -> None:
    """``order[k]`` is the k-th least used of N rows, the earlier one of equals; each row's rank is counted.

    N^2 comparisons, as cheap as one pass over the link matrix and without a branch. NaN gives some order.
    """
    for k in range(N):
        order[k] = 0
    for n in range(N):
        rank, own, place = one - one, u[n], places[n]
        for m in range(N):
            before = (u[m] < own) | ((u[m] == own) & (places[m] < place))
            rank += one if before else one - one
        order[int(rank)] = n


@part
def allocation(u: Array, order: Array, a: Array, N: int, one: Any) -> None:
    """The allocation weights ``a`` (N,) from usage and its order."""
    eps = u.dtype.type(EPSILON)
    before = one
    for k in range(N):
        n = order[k]
        moved = eps + (one - eps) * u[n]
        a[n] = (one - moved) * before
        before *= moved


@part
def _cosines(M: Array, norms: Array, key: Array, out: Array, one: Any) -> None:
    """``out[n] = cos(key, row n)``; ``norms`` are the rows' squared lengths, epsilon included."""
    length = M.dtype.type(EPSILON)
    for k in range(key.shape[0]):
        length += key[k] * key[k]
    for n in range(out.shape[0]):
        out[n] = one - one
    for k in range(0, M.shape[0], BLOCK):
        add4(M[k], M[k + 1], M[k + 2], M[k + 3], key[k], key[k + 1], key[k + 2], key[k + 3], out)
    for n in range(out.shape[0]):
        out[n] *= one / np.sqrt(norms[n] * length)


@part
def written(M0: Array, w: Array, erase: Array, value: Array, M: Array) -> None:
    """``M0 (1 - w e) + w v`` into ``M``; both (W, N)."""
    for k in range(M.shape[0]):
        e, v, old, new = erase[k], value[k], M0[k], M[k]
        for n in range(w.shape[0]):
            new[n] = old[n] + w[n] * (v - e * old[n])


@part
def _write(M: Array, w: Array, erase: Array, value: Array) -> None:
    """``written`` in place."""
    for k in range(M.shape[0]):
        e, v, row = erase[k], value[k], M[k]
        for n in range(w.shape[0]):
            row[n] += w[n] * (v - e * row[n])


@part
def _norms(M: Array, out: Array) -> None:
    for n in range(out.shape[0]):
        out[n] = M.dtype.type(EPSILON)
    for k in range(0, M.shape[0], BLOCK):
        a, b, c, d = M[k], M[k + 1], M[k + 2], M[k + 3]
        for n in range(out.shape[0]):
            out[n] += (a[n] * a[n] + b[n] * b[n]) + (c[n] * c[n] + d[n] * d[n])


@part
def _linked4(
    A: Array, B: Array, C: Array, D: Array, p0: Array, w: Array, wa: Any, wb: Any, wc: Any, wd: Any,
    a: Array, b: Array, c: Array, d: Array, one: Any,
) -> None:  # fmt: skip
    for j in range(w.shape[0]):
        kept, p = one - w[j], p0[j]
        a[j] = (kept - wa) * A[j] + wa * p
        b[j] = (kept - wb) * B[j] + wb * p
        c[j] = (kept - wc) * C[j] + wc * p
        d[j] = (kept - wd) * D[j] + wd * p


@part
def linked_rows(L0: Array, p0: Array, w: Array, i: int, out: Array, one: Any) -> None:
    """Rows i ... i + 3 of the link matrix after a write: ``(1 - w_i - w_j) L0 + w_i p0_j``, nothing on the diagonal."""
    _linked4(
        L0[i], L0[i + 1], L0[i + 2], L0[i + 3], p0, w, w[i], w[i + 1], w[i + 2], w[i + 3],
        out[0], out[1], out[2], out[3], one,
    )  # fmt: skip
    for q in range(BLOCK):
        out[q, i + q] = one - one


@part
def _relink4(
    a: Array, b: Array, c: Array, d: Array, p0: Array, w: Array, wa: Any, wb: Any, wc: Any, wd: Any, one: Any
) -> None:
    """``_linked4`` in place."""
    for j in range(w.shape[0]):
        kept, p = one - w[j], p0[j]
        a[j] = (kept - wa) * a[j] + wa * p
        b[j] = (kept - wb) * b[j] + wb * p
        c[j] = (kept - wc) * c[j] + wc * p
        d[j] = (kept - wd) * d[j] + wd * p


@part
def _precedence(p0: Array, w: Array, p: Array, one: Any) -> None:
    kept = one
    for n in range(w.shape[0]):
        kept -= w[n]
    for n in range(w.shape[0]):
        p[n] = kept * p0[n] + w[n]


@part
def _walk4(
    a: Array, b: Array, c: Array, d: Array, r: Array, ra: Any, rb: Any, rc: Any, rd: Any, back: Array, zero: Any
) -> tuple[Any, Any, Any, Any]:
    """Four rows' products with ``r``; adds to ``back`` the rows times their own ``ra`` ... ``rd``."""
    sa, sb, sc, sd = zero, zero, zero, zero
    for j in range(r.shape[0]):
        sa += a[j] * r[j]
        sb += b[j] * r[j]
        sc += c[j] * r[j]
        sd += d[j] * r[j]
        back[j] += (ra * a[j] + rb * b[j]) + (rc * c[j] + rd * d[j])
    return sa, sb, sc, sd


@part
def _walked(L: Array, p0: Array, w: Array, r0: Array, back: Array, ahead: Array, one: Any) -> None:
    """Renew the link matrix and walk along it from ``r0`` (R, N), in one pass: ``back = L' r0``, ``ahead = L r0``."""
    back[:] = one - one
    for i in range(0, L.shape[0], BLOCK):
        a, b, c, d = L[i], L[i + 1], L[i + 2], L[i + 3]
        _relink4(a, b, c, d, p0, w, w[i], w[i + 1], w[i + 2], w[i + 3], one)
        a[i], b[i + 1], c[i + 2], d[i + 3] = one - one, one - one, one - one, one - one
        for h in range(r0.shape[0]):
            r = r0[h]
            ahead[h, i], ahead[h, i + 1], ahead[h, i + 2], ahead[h, i + 3] = _walk4(
                a, b, c, d, r, r[i], r[i + 1], r[i + 2], r[i + 3], back[h], one - one
            )


@part
def dots4(a: Array, b: Array, c: Array, d: Array, r: Array, zero: Any) -> tuple[Any, Any, Any, Any]:
    """Four rows' products with ``r``."""
    sa, sb, sc, sd = zero, zero, zero, zero
    for n in range(r.shape[0]):
        sa += a[n] * r[n]
        sb += b[n] * r[n]
        sc += c[n] * r[n]
        sd += d[n] * r[n]
    return sa, sb, sc, sd


@part
def add4(a: Array, b: Array, c: Array, d: Array, ka: Any, kb: Any, kc: Any, kd: Any, out: Array) -> None:
    """Add to ``out`` four rows, each times a number."""
    for n in range(out.shape[0]):
        out[n] += (ka * a[n] + kb * b[n]) + (kc * c[n] + kd * d[n])


@part
def _words(M: Array, r: Array, sums: Array, out: Array, W: int, one: Any) -> None:
    """``out[h W + k] = sum_n r[h, n] M[k, n]``; ``sums`` (W, padded) is scratch."""
    for h in range(r.shape[0]):
        for k in range(0, M.shape[0], BLOCK):
            sums[k], sums[k + 1], sums[k + 2], sums[k + 3] = dots4(M[k], M[k + 1], M[k + 2], M[k + 3], r[h], one - one)
        for k in range(W):
            out[h * W + k] = sums[k]


@part
def _reads(content: Array, modes: Array, back: Array, ahead: Array, r: Array) -> None:
    for h in range(r.shape[0]):
        to, of, behind, before, m0, m1, m2 = r[h], content[h], back[h], ahead[h], modes[h, 0], modes[h, 1], modes[h, 2]
        for n in range(to.shape[0]):
            to[n] = m0 * behind[n] + m1 * of[n] + m2 * before[n]


@part
def copied(given: Array, out: Array) -> None:
    """``out`` (R, N) becomes the first R lines of ``given``; numba's own assignment takes seconds more to compile."""
    for h in range(out.shape[0]):
        for n in range(out.shape[1]):
            out[h, n] = given[h, n]


@part
def _write_weights(content: Array, a: Array, ga: Any, gw: Any, w: Array, one: Any) -> None:
    for n in range(w.shape[0]):
        w[n] = gw * (ga * a[n] + (one - ga) * content[n])


@compiled
def step(
    t: int, hidden: int, rows: int, width: int, M: Array, L: Array, x: Array, u: Array, p: Array, w: Array, r: Array,
    norms: Array, cosines: Array, content: Array, order: Array, recurrent: Array,
) -> None:  # fmt: skip
    """Step ``t`` of a batch: ``M`` (B, W, N) and ``L`` (B, N, N; (B, 0, 0) without links) in place, all else on record.

    Each record has a leading time axis: ``x`` (T, B, I); ``u``, ``p``, ``w``, ``norms`` (T + 1, B, N) and ``r``
    (T + 1, B, R, N), entry t read and t + 1 filled; ``cosines`` and ``content`` (T, B, R + 1, N; the write head
    last) and ``order`` (T, B, N) filled at t. The words read go to ``recurrent`` (T + 1, B, hidden + R width) at
    t + 1, behind the first ``hidden`` numbers. ``rows``, ``width``: N, W unpadded.
    """
    B, W, N = M.shape
    R = r.shape[2]
    one = M.dtype.type(1)
    keys, erase, value = np.zeros((R + 1, W), M.dtype), np.zeros(W, M.dtype), np.zeros(W, M.dtype)
    gates, modes = np.zeros(2 * R + 3, M.dtype), np.zeros((R, 3), M.dtype)
    a, back, ahead = np.zeros(N, M.dtype), np.zeros((R, N), M.dtype), np.zeros((R, N), M.dtype)
    sums = np.empty(W, M.dtype)
    places = np.arange(N).astype(M.dtype)
    for b in range(B):
        unpacked(x[t, b], keys, erase, value, gates, modes, width, one)
        after, found, near, reading = w[t + 1, b], content[t, b], cosines[t, b], r[t + 1, b]
        _usage(gates, u[t, b], w[t, b], r[t, b], u[t + 1, b], one)
        ranked(u[t + 1, b], order[t, b], places, rows, one)
        allocation(u[t + 1, b], order[t, b], a, rows, one)
        _cosines(M[b], norms[t, b], keys[R], near[R], one)
        softmax(near[R], gates[2 * R + 2], found[R], rows, one)
        _write_weights(found[R], a, gates[R], gates[R + 1], after, one)
        _write(M[b], after, erase, value)
        _norms(M[b], norms[t + 1, b])
        for h in range(R):
            _cosines(M[b], norms[t + 1, b], keys[h], near[h], one)
            softmax(near[h], gates[R + 2 + h], found[h], rows, one)
        if L.shape[1]:
            _walked(L[b], p[t, b], after, r[t, b], back, ahead, one)
            _precedence(p[t, b], after, p[t + 1, b], one)
            _reads(found, modes, back, ahead, reading)
        else:
            copied(found, reading)
        _words(M[b], reading, sums, recurrent[t + 1, b][hidden:], width, one)


@compiled
def replay(t: int, M0: Array, L0: Array, x: Array, p: Array, w: Array, M: Array, L: Array, R: int, width: int) -> None:
    """What step ``t`` made of ``M0`` and ``L0``, by its records alone, into ``M`` and ``L``."""
    B, W, _ = M0.shape
    one = M0.dtype.type(1)
    keys, erase, value = np.zeros((R + 1, W), M0.dtype), np.zeros(W, M0.dtype), np.zeros(W, M0.dtype)
    gates, modes = np.zeros(2 * R + 3, M0.dtype), np.zeros((R, 3), M0.dtype)
    for b in range(B):
        unpacked(x[t, b], keys, erase, value, gates, modes, width, one)
        written(M0[b], w[t + 1, b], erase, value, M[b])
        for i in range(0, L0.shape[1], BLOCK):
            linked_rows(L0[b], p[t, b], w[t + 1, b], i, L[b, i : i + BLOCK], one)
