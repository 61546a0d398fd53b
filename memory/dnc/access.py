"""The DNC's memory with its read heads and its write head: one step from an interface vector (Graves et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from memory.dnc import addressing


class AccessState(NamedTuple):
    """What a memory holds between steps; ``link`` is (B, 0, 0) and ``precedence`` (B, 0) where there are no links."""

    memory: torch.Tensor
    """(B, N, W)."""
    usage: torch.Tensor
    """(B, N), from 0 (free) to 1."""
    link: torch.Tensor
    """(B, N, N): [i, j] is how much row i was written right after row j."""
    precedence: torch.Tensor
    """(B, N): how much a row was the last one written."""
    read_weights: torch.Tensor
    """(B, R, N)."""
    write_weights: torch.Tensor
    """(B, N)."""


@dataclass(frozen=True, slots=True)
class DNCAccess:
    """A memory of ``memory_size`` rows (N) of ``word_size`` (W), ``num_reads`` read heads (R), one write head.

    The switches are those of Csordas & Schmidhuber 2019: ``masking`` lets a look-up attend to part of a row,
    ``erase_on_free`` wipes a row's content as it is freed, ``sharpen_links`` undoes the blur of links. Without
    ``links`` the heads read by content only.
    """

    memory_size: int
    word_size: int
    num_reads: int = 1
    masking: bool = False
    erase_on_free: bool = False
    sharpen_links: bool = False
    links: bool = True

    def sections(self) -> dict[str, int]:
        """The parts of the interface vector, in order, and their lengths."""
        r, w = self.num_reads, self.word_size
        sections = {
            "read_keys": r * w,
            "read_strengths": r,
            "write_key": w,
            "write_strength": 1,
            "erase": w,
            "write_vector": w,
            "free_gates": r,
            "allocation_gate": 1,
            "write_gate": 1,
        }
        if self.links:
            sections["read_modes"] = 3 * r
        if self.masking:
            sections |= {"read_masks": r * w, "write_mask": w}
        if self.links and self.sharpen_links:
            sections["sharpness"] = 2 * r
        return sections

    @property
    def interface_size(self) -> int:
        """Length of the interface vector."""
        return sum(self.sections().values())

    def initial(self, batch: int, like: torch.Tensor | None = None) -> AccessState:
        """An empty memory, of the type and on the device of ``like`` (default: float32, CPU)."""
        like = torch.zeros(()) if like is None else like
        n, linked = self.memory_size, self.memory_size if self.links else 0
        return AccessState(
            memory=like.new_zeros(batch, n, self.word_size),
            usage=like.new_zeros(batch, n),
            link=like.new_zeros(batch, linked, linked),
            precedence=like.new_zeros(batch, linked),
            read_weights=like.new_zeros(batch, self.num_reads, n),
            write_weights=like.new_zeros(batch, n),
        )

    def step(self, interface: torch.Tensor, state: AccessState) -> tuple[torch.Tensor, AccessState]:
        """Free, write, then read: (B, ``interface_size``) -> words read (B, R * W), and the state after it."""
        sections = self.sections()
        parts = dict(zip(sections, torch.split(interface, list(sections.values()), dim=1), strict=True))
        retained = addressing.retention(torch.sigmoid(parts["free_gates"]), state.read_weights)
        usage = addressing.updated_usage(state.usage, state.write_weights, retained)
        write_weights = self._write_weights(parts, state.memory, usage)
        memory = state.memory * retained[..., None] if self.erase_on_free else state.memory
        memory = addressing.written(memory, write_weights, torch.sigmoid(parts["erase"]), parts["write_vector"])
        link, precedence = state.link, state.precedence
        if self.links:
            link = addressing.updated_link(link, precedence, write_weights)
            precedence = addressing.updated_precedence(precedence, write_weights)
        read_weights = self._read_weights(parts, memory, link, state.read_weights)
        words = (read_weights @ memory).flatten(1)
        return words, AccessState(memory, usage, link, precedence, read_weights, write_weights)

    def _write_weights(self, parts: dict[str, torch.Tensor], memory: torch.Tensor, usage: torch.Tensor) -> torch.Tensor:
        mask = torch.sigmoid(parts["write_mask"])[:, None] if self.masking else None
        strength = addressing.oneplus(parts["write_strength"])
        content = addressing.content_weighting(memory, parts["write_key"][:, None], strength, mask)[:, 0]
        return addressing.write_weighting(
            content,
            addressing.allocation_weighting(usage),
            torch.sigmoid(parts["allocation_gate"]),
            torch.sigmoid(parts["write_gate"]),
        )

    def _read_weights(
        self, parts: dict[str, torch.Tensor], memory: torch.Tensor, link: torch.Tensor, before: torch.Tensor
    ) -> torch.Tensor:
        by_head = (self.num_reads, self.word_size)
        mask = torch.unflatten(torch.sigmoid(parts["read_masks"]), 1, by_head) if self.masking else None
        keys, strengths = torch.unflatten(parts["read_keys"], 1, by_head), addressing.oneplus(parts["read_strengths"])
        content = addressing.content_weighting(memory, keys, strengths, mask)
        if not self.links:
            return content
        backward, forward = addressing.directional_weightings(link, before)
        if self.sharpen_links:
            of_backward, of_forward = addressing.oneplus(parts["sharpness"]).chunk(2, dim=1)
            backward = addressing.sharpened_links(backward, of_backward)
            forward = addressing.sharpened_links(forward, of_forward)
        modes = torch.softmax(torch.unflatten(parts["read_modes"], 1, (self.num_reads, 3)), dim=2)
        return addressing.read_weighting(modes, backward, content, forward)
