"""Temporal links of which each row keeps only its strongest (the sparse DNC's, Rae et al. 2016, supplement).

B batch, N rows, L links kept per row, R read heads, S rows of a head's reading, K rows to be found. Links carry no
gradient: what is learned through them is when to follow them and from where.
"""

from __future__ import annotations

from typing import NamedTuple

import torch


class SparseLinks(NamedTuple):
    """For each row the rows written right before it; entries of weight 0 are empty."""

    rows: torch.Tensor
    """(B, N, L), int64."""
    weights: torch.Tensor
    """(B, N, L): the dense link matrix at [i, rows[i, k]]."""
    last_rows: torch.Tensor
    """(B, L), int64: rows written last."""
    last_weights: torch.Tensor
    """(B, L), the precedence weighting at those rows."""


def empty_links(batch: int, memory_size: int, links: int, like: torch.Tensor) -> SparseLinks:
    """No links yet, ``links`` places per row."""
    weights, last = like.new_zeros(batch, memory_size, links), like.new_zeros(batch, links)
    return SparseLinks(weights.long(), weights, last.long(), last)


@torch.no_grad()
def updated_links(links: SparseLinks, rows: torch.Tensor, weights: torch.Tensor) -> SparseLinks:
    """The links after a write to ``rows`` (B, S), int64 and possibly repeated, with ``weights`` (B, S).

    ``addressing.updated_link`` and ``updated_precedence``, the L largest of each row kept: with L = N the same.
    """
    batch, memory_size, kept = links.weights.shape
    written = weights.new_zeros(batch, memory_size).scatter_add(1, rows, weights)
    by_row = written.gather(1, links.rows.flatten(1)).reshape(links.rows.shape)
    decayed = links.weights * (1.0 - written[..., None] - by_row)
    of_row = rows[..., None].expand(-1, -1, kept)
    old_rows, old = links.rows.gather(1, of_row), decayed.gather(1, of_row)
    new_rows = links.last_rows[:, None].expand_as(of_row)
    new = written.gather(1, rows)[..., None] * links.last_weights[:, None]
    new = torch.where(new_rows == rows[..., None], torch.zeros_like(new), new)
    merged_rows, merged = _largest(old_rows, old, new_rows, new)
    first = ~(rows[:, :, None] == rows[:, None]).tril(-1).any(dim=2)
    before = (1.0 - weights.sum(dim=1, keepdim=True)) * links.last_weights
    now = written.gather(1, rows) * first
    last_rows, last = _largest(links.last_rows, before, rows, now)
    return SparseLinks(links.rows.scatter(1, of_row, merged_rows), decayed.scatter(1, of_row, merged), last_rows, last)


def _largest(
    old_rows: torch.Tensor, old: torch.Tensor, new_rows: torch.Tensor, new: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The L largest entries of the sum of sparse vectors (..., L), (..., S); rows of positive weight are unique."""
    same = (old_rows[..., :, None] == new_rows[..., None, :]) & (old[..., :, None] > 0) & (new[..., None, :] > 0)
    total = old + (same * new[..., None, :]).sum(dim=-1)
    alone = torch.where(same.any(dim=-2), torch.zeros_like(new), new)
    weights, places = torch.cat([total, alone], dim=-1).topk(old.shape[-1], dim=-1)
    return torch.cat([old_rows, new_rows], dim=-1).gather(-1, places), weights


def neighbours(
    links: SparseLinks, read_rows: torch.Tensor, read_weights: torch.Tensor, rows: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The rows, ``rows`` of them, most written before those read (B, R, S), their weights, and the same for after.

    Each (B, R, K); the weights are ``addressing.directional_weightings`` at those rows, differentiable in read_weights.
    """
    batch, memory_size, kept = links.weights.shape
    heads = read_rows.shape[1]
    with torch.no_grad():
        read = read_weights.new_zeros(batch, heads, memory_size).scatter_add(2, read_rows, read_weights)
        flat = links.rows.flatten(1)[:, None].expand(-1, heads, -1)
        onward = (read.gather(2, flat).reshape(-1, heads, memory_size, kept) * links.weights[:, None]).sum(dim=3)
        later = onward.topk(rows, dim=2).indices
    linked, strength = _of(links, read_rows)
    reaching = (read_weights[..., None] * strength).flatten(2)
    linked = linked.flatten(2)
    with torch.no_grad():
        earlier = torch.zeros_like(read).scatter_add(2, linked, reaching).topk(rows, dim=2).indices
    backward = ((earlier[..., None] == linked[:, :, None]) * reaching[:, :, None]).sum(dim=3)
    linked, strength = _of(links, later)
    from_read = (linked[..., None] == read_rows[:, :, None, None]) * read_weights[:, :, None, None]
    return earlier, backward, later, (strength[..., None] * from_read).sum(dim=(3, 4))


def _of(links: SparseLinks, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The links of ``rows`` (B, R, S): rows and weights, each (B, R, S, L)."""
    kept = links.rows.shape[2]
    flat = rows.flatten(1)[..., None].expand(-1, -1, kept)
    shape = (*rows.shape, kept)
    return links.rows.gather(1, flat).reshape(shape), links.weights.gather(1, flat).reshape(shape)
