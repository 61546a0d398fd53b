"""The pointwise half of an LSTM step, forward and back; the products with its weights are ``compiled_sequence``'s."""

# ruff: noqa: N806
from __future__ import annotations

from typing import Any

from memory.dnc.compiled_elementary import Array, compiled, part, sigmoid


@part
def _through(x: Array, scale: Any, one: Any) -> None:
    """``scale sigmoid(scale x) + 1 - scale`` in place: the logistic function for 1, tanh for 2."""
    for k in range(x.shape[0]):
        x[k] = scale * sigmoid(scale * x[k], one) + (one - scale)


@part
def _cell(i: Array, f: Array, g: Array, o: Array, old: Array, new: Array, out: Array, two: Any, one: Any) -> None:
    for k in range(old.shape[0]):
        kept = f[k] * old[k] + i[k] * g[k]
        new[k] = kept
        out[k] = o[k] * (two * sigmoid(two * kept, one) - one)


@compiled
def lstm(t: int, gates: Array, cells: Array, recurrent: Array) -> None:
    """Gates (T, B, 4 H: input, forget, new, output; raw) of step ``t`` become their values; fills step t + 1 of
    ``cells`` (T + 1, B, H) and of the first H numbers of ``recurrent`` (T + 1, B, at least H)."""
    H = cells.shape[2]
    one = cells.dtype.type(1)
    two = one + one
    for b in range(cells.shape[1]):
        row = gates[t, b]
        _through(row[: 2 * H], one, one)
        _through(row[2 * H : 3 * H], two, one)
        _through(row[3 * H :], one, one)
        _cell(
            row[:H], row[H : 2 * H], row[2 * H : 3 * H], row[3 * H :], cells[t, b], cells[t + 1, b],
            recurrent[t + 1, b], two, one,
        )  # fmt: skip


@part
def _cell_gradient(
    i: Array, f: Array, g: Array, o: Array, old: Array, new: Array, dh: Array, dc: Array,
    di: Array, df: Array, dg: Array, do: Array, two: Any, one: Any,
) -> None:  # fmt: skip
    for k in range(old.shape[0]):
        shown = two * sigmoid(two * new[k], one) - one
        d = dc[k] + dh[k] * o[k] * (one - shown * shown)
        di[k] = d * g[k] * i[k] * (one - i[k])
        df[k] = d * old[k] * f[k] * (one - f[k])
        dg[k] = d * i[k] * (one - g[k] * g[k])
        do[k] = dh[k] * shown * o[k] * (one - o[k])
        dc[k] = d * f[k]


@compiled
def lstm_gradient(t: int, dhidden: Array, gates: Array, cells: Array, dcell: Array, dgates: Array) -> None:
    """From ``dhidden`` (B, H) and ``dcell`` (B, H), which becomes that before step ``t``, fill ``dgates``, of the raw
    gates, at t."""
    H = cells.shape[2]
    one = cells.dtype.type(1)
    for b in range(cells.shape[1]):
        row, to = gates[t, b], dgates[t, b]
        _cell_gradient(
            row[:H], row[H : 2 * H], row[2 * H : 3 * H], row[3 * H :], cells[t, b], cells[t + 1, b], dhidden[b],
            dcell[b], to[:H], to[H : 2 * H], to[2 * H : 3 * H], to[3 * H :], one + one, one,
        )  # fmt: skip
