"""The neural Turing machine: an LSTM that moves heads over a memory by content and by location (Graves et al. 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from memory.dnc import addressing
from memory.dnc.cell import check_sequence, unrolled

INITIAL = 1e-6
"""Content of a fresh memory that is constant: learning begins much faster than from other values (Collier & Beel)."""


@dataclass(frozen=True, slots=True)
class NTMSettings:
    """Sizes of an ``NTM``; errors: ValueError for a size below 1, shifts longer than the memory, a negative ``clip``.

    Heads move by at most ``shift_range`` rows a step. ``initial_memory`` is the content before the first step: a small
    ``constant`` (Collier & Beel 2018), ``learned``, or ``random`` (drawn once, with the parameters). Outputs are
    clipped to +-``clip``; 0 leaves them alone.
    """

    inputs: int
    outputs: int
    hidden: int = 64
    memory_size: int = 32
    word_size: int = 16
    num_reads: int = 1
    num_writes: int = 1
    shift_range: int = 1
    initial_memory: Literal["constant", "learned", "random"] = "constant"
    clip: float = 20.0

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs", "hidden", "memory_size", "word_size", "num_reads", "num_writes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 <= self.shift_range <= (self.memory_size - 1) // 2:
            raise ValueError(f"shift_range is {self.shift_range}; for {self.memory_size} rows, 0 to half of them")
        if self.initial_memory not in {"constant", "learned", "random"}:
            raise ValueError(f"initial_memory is {self.initial_memory!r}; it is constant, learned or random")
        if self.clip < 0:
            raise ValueError(f"clip is {self.clip}; it must be positive, or 0 for none")


class NTMState(NamedTuple):
    """What an NTM carries from step to step; H counts the write heads, then the read heads."""

    hidden: torch.Tensor
    """(B, hidden), the controller's output."""
    cell: torch.Tensor
    """(B, hidden), the controller's cell."""
    words: torch.Tensor
    """(B, R * W), the words read last."""
    memory: torch.Tensor
    """(B, N, W)."""
    weights: torch.Tensor
    """(B, H, N), where the heads are."""


class NTM(nn.Module):
    """``h = LSTM([x; r_before])``, the heads move, write, then read words ``r``, ``y = output([h; r])``.

    Each head's part of the interface is key (tanh), strength (softplus), gate (sigmoid), shifts (softmax over
    -S..S), sharpness (oneplus); after all heads come, per write head, erase (sigmoid) and add (tanh).
    """

    fresh: torch.Tensor

    def __init__(self, settings: NTMSettings) -> None:
        super().__init__()
        self.settings = settings
        n, w, words = settings.memory_size, settings.word_size, settings.num_reads * settings.word_size
        self.heads = settings.num_writes + settings.num_reads
        self.per_head = [w, 1, 1, 2 * settings.shift_range + 1, 1]
        self.controller = nn.LSTMCell(settings.inputs + words, settings.hidden)
        self.interface = nn.Linear(settings.hidden, self.heads * sum(self.per_head) + settings.num_writes * 2 * w)
        self.output = nn.Linear(settings.hidden + words, settings.outputs)
        self.focus = nn.Parameter(0.1 * torch.randn(self.heads, n))
        match settings.initial_memory:
            case "constant":
                self.register_buffer("fresh", torch.full((n, w), INITIAL))
            case "random":
                self.register_buffer("fresh", 0.5 * torch.randn(n, w))
            case "learned":
                self.fresh = nn.Parameter(torch.randn(n, w) * w**-0.5)

    def initial(self, batch: int) -> NTMState:
        """The state before the first step: a fresh memory and the learned places of the heads."""
        hidden = self.focus.new_zeros(batch, self.settings.hidden)
        words = self.focus.new_zeros(batch, self.settings.num_reads * self.settings.word_size)
        weights = torch.softmax(self.focus, dim=1).expand(batch, -1, -1)
        return NTMState(hidden, hidden, words, self.fresh.expand(batch, -1, -1), weights)

    def _moved(self, heads: torch.Tensor, memory: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The heads' next weights (B, H, N) by their interfaces (B, H, ...): content, then location (NTM fig. 2)."""
        keys, strengths, gates, shifts, sharpness = torch.split(heads, self.per_head, dim=2)
        content = addressing.content_weighting(memory, torch.tanh(keys), functional.softplus(strengths[..., 0]))
        between = addressing.interpolated(content, weights, torch.sigmoid(gates[..., 0]))
        moved = addressing.shifted(between, torch.softmax(shifts, dim=2))
        return addressing.sharpened(moved, addressing.oneplus(sharpness[..., 0]))

    def step(self, inputs: torch.Tensor, state: NTMState) -> tuple[torch.Tensor, NTMState]:
        """One step: (B, inputs) -> (B, outputs) and the state after it. Readers look at what is written in it."""
        hidden, cell = self.controller(torch.cat([inputs, state.words], dim=1), (state.hidden, state.cell))
        writers, per_head = self.settings.num_writes, self.heads * sum(self.per_head)
        interface = self.interface(hidden)
        heads = interface[:, :per_head].unflatten(1, (self.heads, -1))
        vectors = interface[:, per_head:].unflatten(1, (writers, 2, self.settings.word_size))
        write_weights = self._moved(heads[:, :writers], state.memory, state.weights[:, :writers])
        memory = state.memory
        for writer in range(writers):
            erase, add = torch.sigmoid(vectors[:, writer, 0]), torch.tanh(vectors[:, writer, 1])
            memory = addressing.written(memory, write_weights[:, writer], erase, add)
        read_weights = self._moved(heads[:, writers:], memory, state.weights[:, writers:])
        words = (read_weights @ memory).flatten(1)
        outputs = self.output(torch.cat([hidden, words], dim=1))
        if self.settings.clip:
            outputs = outputs.clamp(-self.settings.clip, self.settings.clip)
        return outputs, NTMState(hidden, cell, words, memory, torch.cat([write_weights, read_weights], dim=1))

    def forward(self, sequence: torch.Tensor, state: NTMState | None = None) -> tuple[torch.Tensor, NTMState]:
        """T steps from ``state`` (default: the initial one): (T, B, inputs) -> (T, B, outputs), state after the last.

        Raises ValueError where the sequence is not of that shape.
        """
        check_sequence(sequence, self.settings.inputs)
        return unrolled(self.step, sequence, self.initial(sequence.shape[1]) if state is None else state)
