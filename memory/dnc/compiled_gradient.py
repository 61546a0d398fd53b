"""The gradient of ``compiled_access.step``, by hand: gradients of the state after a step become those before it.

Names and layout are those of ``compiled_access``; d marks the gradient of the loss. M and L after the step are made
again from those before it, row by row, where they are used; so neither needs a record of its own.
"""

# ruff: noqa: N803, N806
from __future__ import annotations

from typing import Any

import numpy as np

from memory.dnc.compiled_access import BLOCK, EPSILON, add4, allocation, copied, linked_rows, unpacked, written
from memory.dnc.compiled_elementary import Array, compiled, part, sigmoid


@part
def _through_words(M: Array, dwords: Array, own: Array, dr: Array, W: int) -> None:
    """Add to ``dr`` (R, N) what the words read say: ``sum_k dwords[h W + k] M[k]``; ``own`` (W, padded) is scratch."""
    for h in range(dr.shape[0]):
        for k in range(W):
            own[k] = dwords[h * W + k]
        for k in range(0, M.shape[0], BLOCK):
            add4(M[k], M[k + 1], M[k + 2], M[k + 3], own[k], own[k + 1], own[k + 2], own[k + 3], dr[h])


@part
def _unlink4(
    a: Array, b: Array, c: Array, d: Array, A: Array, B: Array, C: Array, D: Array, p0: Array, w: Array,
    wa: Any, wb: Any, wc: Any, wd: Any, dw: Array, dp0: Array, one: Any,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """Four rows ``a`` ... of dL after the step become those before it; returns what they add to their own ``dw``."""
    zero = one - one
    oa, ob, oc, od = zero, zero, zero, zero
    for j in range(w.shape[0]):
        ja, jb, jc, jd, p, kept = a[j], b[j], c[j], d[j], p0[j], one - w[j]
        la, lb, lc, ld = ja * A[j], jb * B[j], jc * C[j], jd * D[j]
        oa += ja * p - la
        ob += jb * p - lb
        oc += jc * p - lc
        od += jd * p - ld
        dw[j] -= (la + lb) + (lc + ld)
        dp0[j] += (wa * ja + wb * jb) + (wc * jc + wd * jd)
        a[j], b[j], c[j], d[j] = (kept - wa) * ja, (kept - wb) * jb, (kept - wc) * jc, (kept - wd) * jd
    return oa, ob, oc, od


@part
def _unwalk4(
    a: Array, b: Array, c: Array, d: Array, da: Array, db: Array, dc: Array, dd: Array, r: Array, dh: Array, to: Array,
    behind: Any, before: Any, ra: Any, rb: Any, rc: Any, rd: Any, fa: Any, fb: Any, fc: Any, fd: Any, zero: Any,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """Of a head's walk along four rows of links: adds to their gradients ``da`` ... and to ``to`` = L' d; returns those
    of L d. ``ra`` ... and ``fa`` ... are the rows' own reading weights and gradients."""
    ga, gb, gc, gd = behind * ra, behind * rb, behind * rc, behind * rd
    ha, hb, hc, hd = before * fa, before * fb, before * fc, before * fd
    sa, sb, sc, sd = zero, zero, zero, zero
    for j in range(r.shape[0]):
        at, by, ja, jb, jc, jd = dh[j], r[j], a[j], b[j], c[j], d[j]
        da[j] += ga * at + ha * by
        db[j] += gb * at + hb * by
        dc[j] += gc * at + hc * by
        dd[j] += gd * at + hd * by
        sa += ja * at
        sb += jb * at
        sc += jc * at
        sd += jd * at
        to[j] += (fa * ja + fb * jb) + (fc * jc + fd * jd)
    return sa, sb, sc, sd


@part
def _unwalked(
    L0: Array, p0: Array, w: Array, r0: Array, d: Array, modes: Array, dL: Array, dw: Array, dp0: Array,
    lines: Array, along: Array, against: Array, one: Any,
) -> None:  # fmt: skip
    """One pass over the links: ``dL``, ``dw``, ``dp0`` and, of ``d`` (R, N), ``along = L' d``, ``against = L d``."""
    zero = one - one
    along[:] = zero
    for i in range(0, L0.shape[0], BLOCK):
        linked_rows(L0, p0, w, i, lines, one)
        da, db, dc, dd = dL[i], dL[i + 1], dL[i + 2], dL[i + 3]
        for h in range(r0.shape[0]):
            r, dh, to = r0[h], d[h], along[h]
            against[h, i], against[h, i + 1], against[h, i + 2], against[h, i + 3] = _unwalk4(
                lines[0], lines[1], lines[2], lines[3], da, db, dc, dd, r, dh, to, modes[h, 0], modes[h, 2],
                r[i], r[i + 1], r[i + 2], r[i + 3], dh[i], dh[i + 1], dh[i + 2], dh[i + 3], zero,
            )  # fmt: skip
        da[i], db[i + 1], dc[i + 2], dd[i + 3] = zero, zero, zero, zero
        oa, ob, oc, od = _unlink4(
            da,
            db,
            dc,
            dd,
            L0[i],
            L0[i + 1],
            L0[i + 2],
            L0[i + 3],
            p0,
            w,
            w[i],
            w[i + 1],
            w[i + 2],
            w[i + 3],
            dw,
            dp0,
            one,
        )
        dw[i] += oa
        dw[i + 1] += ob
        dw[i + 2] += oc
        dw[i + 3] += od


@part
def _walk_gradient(
    along: Array, against: Array, r0: Array, content: Array, modes: Array, d: Array, dr: Array, dmodes: Array, one: Any
) -> None:
    """Of one head, all (N,) but ``modes`` and ``dmodes`` (3,): ``d`` becomes that of the content weights."""
    behind, by, before = one - one, one - one, one - one
    m0, m1, m2 = modes[0], modes[1], modes[2]
    for n in range(d.shape[0]):
        dr[n] = m0 * against[n] + m2 * along[n]
        behind += r0[n] * against[n]
        by += d[n] * content[n]
        before += r0[n] * along[n]
        d[n] *= m1
    mean = m0 * behind + m1 * by + m2 * before
    dmodes[0], dmodes[1], dmodes[2] = m0 * (behind - mean), m1 * (by - mean), m2 * (before - mean)


@part
def _precedence_gradient(p0: Array, w: Array, dp: Array, dw: Array, one: Any) -> None:
    kept, taken = one, one - one
    for n in range(w.shape[0]):
        kept -= w[n]
        taken += dp[n] * p0[n]
    for n in range(w.shape[0]):
        dw[n] += dp[n] - taken
        dp[n] *= kept


@part
def _look_gradient(
    key: Array, strength: Any, content: Array, cosines: Array, norms: Array, dc: Array, shrink: Array, one: Any
) -> tuple[Any, Any]:
    """Of a look-up: ``dc`` becomes the gradient of each row's product with the key; adds to ``shrink`` (N,) how much
    of itself a row loses. Returns the gradient of the strength, and how much of itself the key loses."""
    length = content.dtype.type(EPSILON)
    for k in range(key.shape[0]):
        length += key[k] * key[k]
    mean, dstrength = one - one, one - one
    for n in range(content.shape[0]):
        mean += content[n] * dc[n]
    for n in range(content.shape[0]):
        d = content[n] * (dc[n] - mean)
        turned = d * cosines[n]
        dstrength += turned
        shrink[n] += strength * turned / norms[n]
        dc[n] = d * strength / np.sqrt(norms[n] * length)
    return dstrength, strength * dstrength / length


@part
def _read4(
    a: Array, b: Array, c: Array, d: Array, da: Array, db: Array, dc: Array, dd: Array, weights: Array, dh: Array,
    ka: Any, kb: Any, kc: Any, kd: Any, ga: Any, gb: Any, gc: Any, gd: Any, zero: Any,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """Of one head, for four lines of M: add to ``da`` ... what key and words say; returns the gradient of the key."""
    sa, sb, sc, sd = zero, zero, zero, zero
    for n in range(dh.shape[0]):
        at, by = dh[n], weights[n]
        da[n] += ka * at + ga * by
        db[n] += kb * at + gb * by
        dc[n] += kc * at + gc * by
        dd[n] += kd * at + gd * by
        sa += at * a[n]
        sb += at * b[n]
        sc += at * c[n]
        sd += at * d[n]
    return sa, sb, sc, sd


@part
def _lose(line: Array, shrink: Array, d: Array) -> None:
    for n in range(d.shape[0]):
        d[n] -= shrink[n] * line[n]


@part
def _written1(old: Array, d: Array, w: Array, e: Any, v: Any, dw: Array, zero: Any) -> tuple[Any, Any]:
    added, lost = zero, zero
    for n in range(w.shape[0]):
        at, of = d[n], old[n]
        through = at * w[n]
        added += through
        lost += through * of
        dw[n] += at * (v - e * of)
        d[n] = at - through * e
    return added, lost


@part
def _written_gradient(
    M0: Array, w: Array, erase: Array, value: Array, dM: Array, dw: Array, dx: Array, W: int, one: Any
) -> None:
    """``dM`` after a write becomes that before it; adds to ``dw``; fills ``dx``: erase vector, then write vector."""
    for k in range(W):
        added, lost = _written1(M0[k], dM[k], w, erase[k], value[k], dw, one - one)
        dx[k] = -lost * erase[k] * (one - erase[k])
        dx[W + k] = added


@part
def _looked1(old: Array, of: Any, d: Array, shrink: Array, to: Array, zero: Any) -> Any:
    total = zero
    for n in range(d.shape[0]):
        to[n] += of * d[n] - shrink[n] * old[n]
        total += d[n] * old[n]
    return total


@part
def _allocation_gradient(u: Array, order: Array, da: Array, du: Array, N: int, one: Any) -> None:
    """Add to ``du`` what ``da`` says of usage, from the fullest row down, without dividing by a usage."""
    eps = u.dtype.type(EPSILON)
    before = np.empty(N, u.dtype)
    product = one
    for k in range(N):
        before[k] = product
        product *= eps + (one - eps) * u[order[k]]
    later = one - one
    for k in range(N - 1, -1, -1):
        n = order[k]
        moved = eps + (one - eps) * u[n]
        du[n] += (one - eps) * before[k] * (later - da[n])
        later = da[n] * (one - moved) + later * moved


@part
def _gate_gradient(r: Array, through: Array, gate: Any, dr: Array, one: Any) -> Any:
    total = one - one
    for n in range(r.shape[0]):
        dr[n] -= gate * through[n]
        total += r[n] * through[n]
    return -total * gate * (one - gate)


@part
def _free(r: Array, gate: Any, kept: Array, one: Any) -> None:
    for n in range(r.shape[0]):
        kept[n] *= one - gate * r[n]


@part
def _usage_gradient(
    free: Array,
    u0: Array,
    w0: Array,
    r0: Array,
    du: Array,
    dw: Array,
    dr: Array,
    dfree: Array,
    through: Array,
    one: Any,
) -> None:
    """``du`` becomes that before the step, ``dw`` is filled, ``dr`` added to; ``dfree`` (R,) of the raw free gates."""
    R = r0.shape[0]
    for h in range(R):
        for n in range(u0.shape[0]):
            through[n] = du[n] * (u0[n] + w0[n] - u0[n] * w0[n])
        for g in range(R):
            if g != h:
                _free(r0[g], free[g], through, one)
        dfree[h] = _gate_gradient(r0[h], through, free[h], dr[h], one)
    for h in range(R):
        _free(r0[h], free[h], du, one)
    for n in range(u0.shape[0]):
        dw[n] = du[n] * (one - u0[n])
        du[n] *= one - w0[n]


@part
def _reads_gradient(
    x: Array, M: Array, keys: Array, gates: Array, content: Array, cosines: Array, norms: Array, r: Array, d: Array,
    dwords: Array, dM: Array, dx: Array, dkeys: Array, own: Array, shrink: Array, W: int, one: Any,
) -> None:  # fmt: skip
    """Of the reads by content, from ``d`` (R, N) of their weights: add to ``dM``, fill ``dx``."""
    R = r.shape[0]
    losses = np.empty(R, M.dtype)
    shrink[:] = one - one
    for h in range(R):
        strength, losses[h] = _look_gradient(
            keys[h], gates[R + 2 + h], content[h], cosines[h], norms, d[h], shrink, one
        )
        dx[R * W + h] = strength * sigmoid(x[R * W + h], one)
    for h in range(R):
        for k in range(W):
            own[h, k] = dwords[h * W + k]
    for k in range(0, M.shape[0], BLOCK):
        for q in range(BLOCK):
            _lose(M[k + q], shrink, dM[k + q])
        for h in range(R):
            key, at = keys[h], own[h]
            dkeys[h, k], dkeys[h, k + 1], dkeys[h, k + 2], dkeys[h, k + 3] = _read4(
                M[k], M[k + 1], M[k + 2], M[k + 3], dM[k], dM[k + 1], dM[k + 2], dM[k + 3], r[h], d[h],
                key[k], key[k + 1], key[k + 2], key[k + 3], at[k], at[k + 1], at[k + 2], at[k + 3], one - one,
            )  # fmt: skip
    for h in range(R):
        for k in range(W):
            dx[h * W + k] = dkeys[h, k] - losses[h] * keys[h, k]


@part
def _gates_gradient(dw: Array, a: Array, content: Array, ga: Any, gw: Any, da: Array, dc: Array, one: Any) -> Any:
    """Of allocation and write gate; fills ``da`` and ``dc``. A part of its own, because that says that the new arrays
    overlap nothing: told at run time by their addresses, the order of the sums would differ from run to run."""
    dga, dgw = one - one, one - one
    for n in range(dw.shape[0]):
        at_row, apart = dw[n], a[n] - content[n]
        dgw += at_row * (ga * apart + content[n])
        dga += at_row * apart
        da[n] = at_row * gw * ga
        dc[n] = at_row * gw * (one - ga)
    return dga, dgw


@part
def _write_gradient(
    x: Array, M0: Array, keys: Array, gates: Array, content: Array, cosines: Array, norms: Array, u: Array,
    order: Array, dM: Array, dw: Array, du: Array, dx: Array, shrink: Array, W: int, N: int, one: Any,
) -> None:  # fmt: skip
    """Of the write weights, from ``dw``: add to ``dM`` and ``du``, fill ``dx`` for write key, strength and gates."""
    R = (gates.shape[0] - 3) // 2
    at, ag = R * W + R, R * W + R + 3 * W + 1 + R
    a, da, dc = np.zeros_like(u), np.empty_like(u), np.empty_like(u)
    allocation(u, order, a, N, one)
    ga, gw = gates[R], gates[R + 1]
    dga, dgw = _gates_gradient(dw, a, content, ga, gw, da, dc, one)
    dx[ag] = dga * gw * ga * (one - ga)
    dx[ag + 1] = dgw * gw * (one - gw)
    _allocation_gradient(u, order, da, du, N, one)
    shrink[:] = one - one
    strength, loss = _look_gradient(keys[R], gates[2 * R + 2], content, cosines, norms, dc, shrink, one)
    dx[at + W] = strength * sigmoid(x[at + W], one)
    for k in range(W):
        dx[at + k] = _looked1(M0[k], keys[R, k], dc, shrink, dM[k], one - one) - loss * keys[R, k]


@compiled
def step_gradient(
    t: int, hidden: int, rows: int, width: int, M0: Array, L0: Array, x: Array, u: Array, p: Array, w: Array, r: Array,
    norms: Array, cosines: Array, content: Array, order: Array, dout: Array, dx: Array, dM: Array, dL: Array, du: Array,
    dp: Array, dw: Array, dr: Array,
) -> None:  # fmt: skip
    """Of step ``t``, from ``dout`` (B, hidden + R width; words last) and the gradients of the state after it.

    These, ``dM`` ... ``dr``, become those of the state before; ``dx`` (T, B, I) is filled at t. ``M0`` and ``L0``
    are before the step, the records ``x`` ... ``order`` those that ``compiled_access.step`` filled.
    """
    B, W, N = M0.shape
    R = r.shape[2]
    one = M0.dtype.type(1)
    keys, erase, value = np.zeros((R + 1, W), M0.dtype), np.zeros(W, M0.dtype), np.zeros(W, M0.dtype)
    gates, modes = np.zeros(2 * R + 3, M0.dtype), np.zeros((R, 3), M0.dtype)
    M, lines, shrink = np.zeros((W, N), M0.dtype), np.zeros((BLOCK, N), M0.dtype), np.zeros(N, M0.dtype)
    d, along, against = np.zeros((R, N), M0.dtype), np.zeros((R, N), M0.dtype), np.zeros((R, N), M0.dtype)
    dkeys, own, through = np.zeros((R, W), M0.dtype), np.zeros((R, W), M0.dtype), np.empty(N, M0.dtype)
    er = R * width + R + width + 1
    fg = er + 2 * width
    for b in range(B):
        to, after, found, near, dwords = dx[t, b], w[t + 1, b], content[t, b], cosines[t, b], dout[b][hidden:]
        unpacked(x[t, b], keys, erase, value, gates, modes, width, one)
        written(M0[b], after, erase, value, M)
        copied(dr[b], d)
        _through_words(M, dwords, own[0], d, width)
        if L0.shape[1]:
            _precedence_gradient(p[t, b], after, dp[b], dw[b], one)
            _unwalked(L0[b], p[t, b], after, r[t, b], d, modes, dL[b], dw[b], dp[b], lines, along, against, one)
            for h in range(R):
                _walk_gradient(
                    along[h], against[h], r[t, b, h], found[h], modes[h], d[h], dr[b, h], to[fg + R + 2 + 3 * h :], one
                )
        else:
            dr[b] = one - one
        _reads_gradient(
            x[t, b], M, keys, gates, found, near, norms[t + 1, b], r[t + 1, b], d, dwords, dM[b], to, dkeys, own,
            shrink, width, one,
        )  # fmt: skip
        _written_gradient(M0[b], after, erase, value, dM[b], dw[b], to[er:], width, one)
        _write_gradient(
            x[t, b], M0[b], keys, gates, found[R], near[R], norms[t, b], u[t + 1, b], order[t, b], dM[b], dw[b], du[b],
            to, shrink, width, rows, one,
        )  # fmt: skip
        _usage_gradient(gates, u[t, b], w[t, b], r[t, b], du[b], dw[b], dr[b], to[fg:], through, one)
