"""The differentiable neural computer: an LSTM that reads and writes a memory (Graves et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from memory.dnc.access import AccessState, DNCAccess

Carried = TypeVar("Carried")
"""What a machine carries from step to step."""


def check_sequence(sequence: torch.Tensor, inputs: int) -> None:
    """ValueError where ``sequence`` is not (T, B, ``inputs``) with at least one step."""
    if sequence.ndim != 3 or sequence.shape[2] != inputs or not len(sequence):
        raise ValueError(f"a sequence is (T, B, {inputs}), T > 0; this is {tuple(sequence.shape)}")


def unrolled(
    step: Callable[[torch.Tensor, Carried], tuple[torch.Tensor, Carried]], sequence: torch.Tensor, state: Carried
) -> tuple[torch.Tensor, Carried]:
    """All steps of a sequence (T, B, inputs), one after the other: outputs (T, B, outputs), state after the last."""
    outputs = []
    for inputs in sequence:
        output, state = step(inputs, state)
        outputs.append(output)
    return torch.stack(outputs), state


@dataclass(frozen=True, slots=True)
class DNCSettings:
    """Sizes and switches of a ``DNC``; errors: ValueError for a size below 1 or a negative ``clip``.

    ``masking``, ``erase_on_free``, ``sharpen_links`` and ``links`` are those of ``DNCAccess``. ``layer_norm``
    normalises what the controller gives before the interface is made of it (Franke et al. 2018: steadier training).
    Outputs are clipped to +-``clip``; 0 leaves them alone.
    """

    inputs: int
    outputs: int
    hidden: int = 64
    memory_size: int = 32
    word_size: int = 16
    num_reads: int = 1
    masking: bool = False
    erase_on_free: bool = False
    sharpen_links: bool = False
    links: bool = True
    layer_norm: bool = False
    clip: float = 20.0

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs", "hidden", "memory_size", "word_size", "num_reads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.clip < 0:
            raise ValueError(f"clip is {self.clip}; it must be positive, or 0 for none")


class DNCState(NamedTuple):
    """What a DNC carries from step to step."""

    hidden: torch.Tensor
    """(B, hidden), the controller's output."""
    cell: torch.Tensor
    """(B, hidden), the controller's cell."""
    words: torch.Tensor
    """(B, R * W), the words read last."""
    access: AccessState


class DNC(nn.Module):
    """``h = LSTM([x; r_before])``; the memory, stepped by ``interface(h)``, gives ``r``; ``y = output([h; r])``."""

    def __init__(self, settings: DNCSettings) -> None:
        super().__init__()
        self.settings = settings
        self.access = DNCAccess(
            settings.memory_size,
            settings.word_size,
            settings.num_reads,
            settings.masking,
            settings.erase_on_free,
            settings.sharpen_links,
            settings.links,
        )
        words = settings.num_reads * settings.word_size
        self.controller = nn.LSTMCell(settings.inputs + words, settings.hidden)
        self.norm = nn.LayerNorm(settings.hidden) if settings.layer_norm else nn.Identity()
        self.interface = nn.Linear(settings.hidden, self.access.interface_size)
        self.output = nn.Linear(settings.hidden + words, settings.outputs)

    def initial(self, batch: int) -> DNCState:
        """The state before the first step: everything zero."""
        like = self.interface.weight
        hidden = like.new_zeros(batch, self.settings.hidden)
        words = like.new_zeros(batch, self.settings.num_reads * self.settings.word_size)
        return DNCState(hidden, hidden, words, self.access.initial(batch, like))

    def step(self, inputs: torch.Tensor, state: DNCState) -> tuple[torch.Tensor, DNCState]:
        """One step: (B, inputs) -> (B, outputs) and the state after it."""
        hidden, cell = self.controller(torch.cat([inputs, state.words], dim=1), (state.hidden, state.cell))
        steady = self.norm(hidden)
        words, access = self.access.step(self.interface(steady), state.access)
        outputs = self.output(torch.cat([steady, words], dim=1))
        if self.settings.clip:
            outputs = outputs.clamp(-self.settings.clip, self.settings.clip)
        return outputs, DNCState(hidden, cell, words, access)

    def forward(self, sequence: torch.Tensor, state: DNCState | None = None) -> tuple[torch.Tensor, DNCState]:
        """T steps from ``state`` (default: the initial one): (T, B, inputs) -> (T, B, outputs), state after the last.

        Raises ValueError where the sequence is not of that shape.
        """
        check_sequence(sequence, self.settings.inputs)
        return unrolled(self.step, sequence, self.initial(sequence.shape[1]) if state is None else state)
