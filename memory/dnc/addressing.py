"""How a memory is addressed: the equations of the NTM and the DNC as pure functions of tensors.

B is the batch, N the rows of the memory, W their width, H the heads (R read heads). Every weighting over the N rows is
non-negative and sums to at most one. Sources: Graves et al. 2014 (NTM), Graves et al. 2016 (DNC, "Methods"), Csordas &
Schmidhuber 2019 (masking, erasing on de-allocation, sharpening of links).
"""

from __future__ import annotations

import torch
from torch.nn import functional

EPSILON = 1e-6
"""Keeps norms and divisions away from zero; a row of zeros is unlike every key."""


def oneplus(x: torch.Tensor) -> torch.Tensor:
    """``1 + log(1 + e^x)``: any real number to one of at least 1 (DNC)."""
    return 1.0 + functional.softplus(x)


def content_weighting(
    memory: torch.Tensor, keys: torch.Tensor, strengths: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Rows like the key: ``C(M, k, b)[i] = softmax_i(b cos(k, M[i]))`` (DNC; NTM eq. 5-6).

    memory (B, N, W), keys (B, H, W), strengths (B, H) -> (B, H, N). With a ``mask`` (B, H, W) in (0, 1) key and rows
    are both multiplied by it before they are compared (Csordas & Schmidhuber 2019).
    """
    if mask is None:
        products = keys @ memory.transpose(1, 2)
        rows = memory.square().sum(dim=2)[:, None]
        lengths = keys.square().sum(dim=2)
    else:
        seen = mask.square()
        products = (keys * seen) @ memory.transpose(1, 2)
        rows = seen @ memory.square().transpose(1, 2)
        lengths = (keys.square() * seen).sum(dim=2)
    cosines = products * torch.rsqrt(rows + EPSILON) * torch.rsqrt(lengths + EPSILON)[..., None]
    return torch.softmax(strengths[..., None] * cosines, dim=2)


def retention(free_gates: torch.Tensor, read_weights: torch.Tensor) -> torch.Tensor:
    """What is not freed by a read: ``psi = prod_r (1 - f[r] w_read[r])``; (B, R), (B, R, N) -> (B, N) (DNC)."""
    return (1.0 - free_gates[..., None] * read_weights).prod(dim=1)


def updated_usage(usage: torch.Tensor, write_weights: torch.Tensor, retained: torch.Tensor) -> torch.Tensor:
    """``u' = (u + w_write - u w_write) psi``, all (B, N), the write weights those of the step before (DNC)."""
    return (usage + write_weights - usage * write_weights) * retained


def allocation_weighting(usage: torch.Tensor) -> torch.Tensor:
    """Free rows first: ``a[phi_j] = (1 - u[phi_j]) prod_{i<j} u[phi_i]`` with ``phi`` the rows by rising usage (DNC).

    usage (B, N) -> (B, N). Gradients pass through the values and not through the order, as in the paper. Usage is
    moved by ``EPSILON`` away from zero, or no gradient would pass from one unused row to the next.
    """
    usage = EPSILON + (1.0 - EPSILON) * usage
    rising, order = torch.sort(usage, dim=1, stable=True)
    before = torch.cat([torch.ones_like(rising[:, :1]), rising[:, :-1].cumprod(dim=1)], dim=1)
    return torch.zeros_like(usage).scatter(1, order, (1.0 - rising) * before)


def write_weighting(
    content: torch.Tensor, allocation: torch.Tensor, allocation_gate: torch.Tensor, write_gate: torch.Tensor
) -> torch.Tensor:
    """``w = g_w (g_a a + (1 - g_a) c)``: weightings (B, N), gates (B, 1) -> (B, N) (DNC)."""
    return write_gate * (allocation_gate * allocation + (1.0 - allocation_gate) * content)


def written(memory: torch.Tensor, weights: torch.Tensor, erase: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """``M' = M (1 - w e^T) + w v^T``: (B, N, W), (B, N), (B, W), (B, W) -> (B, N, W) (NTM eq. 3-4; DNC)."""
    rows = weights[..., None]
    return memory * (1.0 - rows * erase[:, None]) + rows * vector[:, None]


def updated_link(link: torch.Tensor, precedence: torch.Tensor, write_weights: torch.Tensor) -> torch.Tensor:
    """``L'[i, j] = (1 - w[i] - w[j]) L[i, j] + w[i] p[j]``, ``L'[i, i] = 0``: row i was written after row j (DNC).

    link (B, N, N), precedence of the step before (B, N), write_weights (B, N) -> (B, N, N).
    """
    later, earlier = write_weights[:, :, None], write_weights[:, None, :]
    link = (1.0 - later - earlier) * link + later * precedence[:, None, :]
    return link * (1.0 - torch.eye(link.shape[1], dtype=link.dtype, device=link.device))


def updated_precedence(precedence: torch.Tensor, write_weights: torch.Tensor) -> torch.Tensor:
    """``p' = (1 - sum w) p + w``: how much each row was the last one written; (B, N) (DNC)."""
    return (1.0 - write_weights.sum(dim=1, keepdim=True)) * precedence + write_weights


def directional_weightings(link: torch.Tensor, read_weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """``b = L^T w`` and ``f = L w``: rows written before and after those read last.

    link (B, N, N), read_weights of the step before (B, R, N) -> backward, forward, each (B, R, N) (DNC).
    """
    return read_weights @ link, read_weights @ link.transpose(1, 2)


def sharpened_links(weights: torch.Tensor, sharpness: torch.Tensor) -> torch.Tensor:
    """``w^s / sum w^s`` along the rows: (B, R, N), sharpness (B, R) at least 1 -> (B, R, N).

    After Csordas & Schmidhuber 2019, undoing the blur that repeated steps along links add. Here the weights
    are first scaled to a largest one of 1, so that no power underflows, and where no link is known none is made up.
    """
    scaled = weights / (weights.amax(dim=2, keepdim=True) + EPSILON)
    powers = scaled ** sharpness[..., None]
    return powers / (powers.sum(dim=2, keepdim=True) + EPSILON)


def read_weighting(
    modes: torch.Tensor, backward: torch.Tensor, content: torch.Tensor, forward: torch.Tensor
) -> torch.Tensor:
    """``w = m[0] b + m[1] c + m[2] f``: modes (B, R, 3) on the simplex, weightings (B, R, N) -> (B, R, N) (DNC)."""
    return modes[..., 0:1] * backward + modes[..., 1:2] * content + modes[..., 2:3] * forward


def interpolated(content: torch.Tensor, previous: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
    """``w = g c + (1 - g) w_before``: weightings (B, H, N), gate (B, H) -> (B, H, N) (NTM eq. 7)."""
    return gate[..., None] * content + (1.0 - gate[..., None]) * previous


def shifted(weights: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """``w'[i] = sum_k s[k] w[i - k]``, circular: (B, H, N) and shifts (B, H, 2 S + 1) over -S..S (NTM eq. 8).

    A shift of +1 moves the focus to the following row.
    """
    reach = shifts.shape[2] // 2
    moved = [weights.roll(offset, dims=2) for offset in range(-reach, reach + 1)]
    return (torch.stack(moved, dim=3) * shifts[:, :, None]).sum(dim=3)


def sharpened(weights: torch.Tensor, sharpness: torch.Tensor) -> torch.Tensor:
    """``w^s / sum w^s``: (B, H, N) on the simplex, sharpness (B, H) at least 1 -> (B, H, N) (NTM eq. 9)."""
    powers = (weights + EPSILON) ** sharpness[..., None]
    return powers / powers.sum(dim=2, keepdim=True)
