"""A memory that touches few of its rows each step: sparse access memory and the sparse DNC (Rae et al. 2016).

Each read head reads the K rows most like its key; a write goes to the rows read before and to the row that was accessed
least recently. What is kept for the gradient per step is O(K), whatever the number of rows N: finding rows (a scan,
linear in N) is not differentiated, and only the rows found are compared again with gradients. B batch, W row width, R
read heads, S rows in a head's reading (K, with links 3 K), L links kept per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from memory.dnc.addressing import EPSILON, oneplus
from memory.dnc.cell import check_sequence, unrolled
from memory.dnc.sparse_links import SparseLinks, empty_links, neighbours, updated_links

ACCESSED = 0.005
"""A row counts as accessed where its read or write weight is above this (the paper's delta)."""


class SparseState(NamedTuple):
    """What a sparse memory holds between steps."""

    memory: torch.Tensor
    """(B, N, W)."""
    age: torch.Tensor
    """(B, N), steps since a row was accessed; fresh rows are oldest, the first of them first."""
    read_rows: torch.Tensor
    """(B, R, S), int64."""
    read_weights: torch.Tensor
    """(B, R, S), the weights of those rows."""
    links: SparseLinks


def content_reads(
    memory: torch.Tensor, keys: torch.Tensor, strengths: torch.Tensor, rows: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``rows`` rows most like each key, and a softmax of strength times cosine over only them.

    memory (B, N, W), keys (B, R, W), strengths (B, R) -> rows (B, R, K) int64 and weights (B, R, K). With K = N these
    are ``addressing.content_weighting``'s.
    """
    with torch.no_grad():
        lengths = memory.square().sum(dim=2) + EPSILON
        found = (keys @ memory.transpose(1, 2) * lengths.rsqrt()[:, None]).topk(rows, dim=2).indices
    words = gathered(memory, found)
    products = (words * keys[:, :, None]).sum(dim=3)
    lengths = (words.square().sum(dim=3) + EPSILON) * (keys.square().sum(dim=2, keepdim=True) + EPSILON)
    return found, torch.softmax(strengths[..., None] * products * lengths.rsqrt(), dim=2)


def gathered(memory: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Words of ``rows`` (B, R, S): (B, R, S, W)."""
    # indexed, not torch.gather: that one keeps the whole memory for the gradient
    batch = torch.arange(len(memory), device=memory.device)[:, None, None]
    return memory[batch, rows]


@dataclass(frozen=True, slots=True)
class SparseAccess:
    """A memory of ``memory_size`` rows whose ``num_reads`` heads read ``rows`` rows each by content.

    With ``links`` (kept per row; 0: none, the paper's SAM) each head also reads ``rows`` rows before and after those
    read last (the paper's SDNC). Raises ValueError where ``rows`` is not between 1 and ``memory_size``.
    """

    memory_size: int
    word_size: int
    num_reads: int = 1
    rows: int = 4
    links: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= self.memory_size:
            raise ValueError(f"rows is {self.rows}; it must be 1 to memory_size, {self.memory_size}")

    def sections(self) -> dict[str, int]:
        """The parts of the interface vector, in order, and their lengths."""
        r, w = self.num_reads, self.word_size
        sections = {"read_keys": r * w, "read_strengths": r, "write_vector": w, "write_gate": 1, "reuse_gate": 1}
        return sections | ({"read_modes": 3 * r} if self.links else {})

    @property
    def interface_size(self) -> int:
        """Length of the interface vector."""
        return sum(self.sections().values())

    def initial(self, batch: int, like: torch.Tensor) -> SparseState:
        """An empty memory, of the type and on the device of ``like``."""
        n, read = self.memory_size, self.rows * (3 if self.links else 1)
        return SparseState(
            memory=like.new_zeros(batch, n, self.word_size),
            age=torch.arange(n, 0, -1, dtype=like.dtype, device=like.device).repeat(batch, 1),
            read_rows=torch.zeros(batch, self.num_reads, read, dtype=torch.int64, device=like.device),
            read_weights=like.new_zeros(batch, self.num_reads, read),
            links=empty_links(batch, n, self.links, like),
        )

    def step(self, interface: torch.Tensor, state: SparseState) -> tuple[torch.Tensor, SparseState]:
        """Write, then read: (B, ``interface_size``) -> words read (B, R * W), and the state after it.

        ``w_write = a (g w_read_before + (1 - g) 1_oldest)``, the oldest row being wiped before.
        """
        sections = self.sections()
        parts = dict(zip(sections, torch.split(interface, list(sections.values()), dim=1), strict=True))
        write, reuse = torch.sigmoid(parts["write_gate"]), torch.sigmoid(parts["reuse_gate"])
        oldest = state.age.argmax(dim=1, keepdim=True)
        rows = torch.cat([state.read_rows.flatten(1), oldest], dim=1)
        read_before = state.read_weights.flatten(1) / self.num_reads
        weights = write * torch.cat([reuse * read_before, 1.0 - reuse], dim=1)
        memory = state.memory.scatter(1, oldest[..., None].expand(-1, -1, self.word_size), 0.0)
        added = weights[..., None] * parts["write_vector"][:, None]
        memory = memory.scatter_add(1, rows[..., None].expand_as(added), added)
        links = updated_links(state.links, rows, weights.detach()) if self.links else state.links
        read_rows, read_weights = self._read(parts, memory, links, state)
        words = (gathered(memory, read_rows) * read_weights[..., None]).sum(dim=2).flatten(1)
        age = self._aged(
            state.age, torch.cat([rows, read_rows.flatten(1)], 1), torch.cat([weights, read_weights.flatten(1)], 1)
        )
        return words, SparseState(memory, age, read_rows, read_weights, links)

    def _read(
        self, parts: dict[str, torch.Tensor], memory: torch.Tensor, links: SparseLinks, state: SparseState
    ) -> tuple[torch.Tensor, torch.Tensor]:
        keys = torch.unflatten(parts["read_keys"], 1, (self.num_reads, self.word_size))
        rows, content = content_reads(memory, keys, oneplus(parts["read_strengths"]), self.rows)
        if not self.links:
            return rows, content
        earlier, backward, later, forward = neighbours(links, state.read_rows, state.read_weights, self.rows)
        modes = torch.softmax(torch.unflatten(parts["read_modes"], 1, (self.num_reads, 3)), dim=2)
        weights = torch.cat([modes[..., 0:1] * backward, modes[..., 1:2] * content, modes[..., 2:3] * forward], dim=2)
        return torch.cat([earlier, rows, later], dim=2), weights

    @staticmethod
    @torch.no_grad()
    def _aged(age: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        touched = torch.zeros_like(age).scatter_add(1, rows, (weights > ACCESSED).to(age.dtype))
        return torch.where(touched > 0, torch.zeros_like(age), age + 1)


@dataclass(frozen=True, slots=True)
class SparseSettings:
    """Sizes of a ``SparseDNC``; see ``SparseAccess`` for the memory's."""

    inputs: int
    outputs: int
    hidden: int = 64
    memory_size: int = 1024
    word_size: int = 16
    num_reads: int = 1
    rows: int = 4
    links: int = 0


class SparseDNCState(NamedTuple):
    """What a sparse DNC carries from step to step; the first three as in ``DNCState``."""

    hidden: torch.Tensor
    cell: torch.Tensor
    words: torch.Tensor
    access: SparseState


class SparseDNC(nn.Module):
    """``h = LSTM([x; r_before])``; the memory, stepped by ``interface(h)``, gives ``r``; ``y = output([h; r])``."""

    def __init__(self, settings: SparseSettings) -> None:
        super().__init__()
        self.settings = settings
        self.access = SparseAccess(
            settings.memory_size, settings.word_size, settings.num_reads, settings.rows, settings.links
        )
        self.read_size = settings.num_reads * settings.word_size
        self.controller = nn.LSTMCell(settings.inputs + self.read_size, settings.hidden)
        self.interface = nn.Linear(settings.hidden, self.access.interface_size)
        self.output = nn.Linear(settings.hidden + self.read_size, settings.outputs)

    def initial(self, batch: int) -> SparseDNCState:
        """The state before the first step: everything zero."""
        like = self.interface.weight
        hidden = like.new_zeros(batch, self.settings.hidden)
        return SparseDNCState(hidden, hidden, like.new_zeros(batch, self.read_size), self.access.initial(batch, like))

    def step(self, inputs: torch.Tensor, state: SparseDNCState) -> tuple[torch.Tensor, SparseDNCState]:
        """One step: (B, inputs) -> (B, outputs) and the state after it."""
        hidden, cell = self.controller(torch.cat([inputs, state.words], dim=1), (state.hidden, state.cell))
        words, access = self.access.step(self.interface(hidden), state.access)
        return self.output(torch.cat([hidden, words], dim=1)), SparseDNCState(hidden, cell, words, access)

    def forward(
        self, sequence: torch.Tensor, state: SparseDNCState | None = None
    ) -> tuple[torch.Tensor, SparseDNCState]:
        """T steps from ``state`` (default: the initial one): (T, B, inputs) -> (T, B, outputs), state after the last.

        Raises ValueError where the sequence is not of that shape.
        """
        check_sequence(sequence, self.settings.inputs)
        return unrolled(self.step, sequence, self.initial(sequence.shape[1]) if state is None else state)
