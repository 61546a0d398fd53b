"""Memories for a recurrent policy that address rows: the DNC and the NTM as ``policies.recurrent.RecurrentCore``."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import torch
from torch import nn

from memory.dnc.access import AccessState
from memory.dnc.cell import DNC, DNCSettings, DNCState
from memory.dnc.compiled import compilable, compiled_dnc
from memory.dnc.ntm import NTM, NTMSettings, NTMState
from policies.recurrent import LSTMCore, MakeCore, State

CoreName = Literal["none", "lstm", "ntm", "dnc"]
"""The memories a recurrent policy can have; ``none`` is what to compare with."""


class NoCore(nn.Module):
    """Remembers nothing: a layer of the present inputs, to see what memory is worth."""

    def __init__(self, inputs: int, outputs: int = 64) -> None:
        super().__init__()
        self.outputs = outputs
        self.layer = nn.Linear(inputs, outputs)

    def initial(self, batch: int) -> State:
        """Nothing."""
        return ()

    def forward(self, inputs: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """See ``RecurrentCore``."""
        return torch.tanh(self.layer(inputs)), state


class DNCCore(nn.Module):
    """A DNC of ``outputs`` outputs (also its controller's width) with a small memory; no temporal links by default.

    A dialogue asks what was said about a slot, not in which order: reading by content is what helps, and it is cheap.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int = 64,
        memory_size: int = 16,
        word_size: int = 16,
        num_reads: int = 2,
        **switches: bool,
    ) -> None:
        super().__init__()
        self.outputs = outputs
        switches = {"links": False, "layer_norm": True, **switches}
        self.machine = DNC(DNCSettings(inputs, outputs, outputs, memory_size, word_size, num_reads, **switches))
        self._fast = compilable(self.machine.access)

    def initial(self, batch: int) -> State:
        """Controller, words read, and the memory's parts, flat; see ``RecurrentCore``."""
        hidden, cell, words, access = self.machine.initial(batch)
        return hidden, cell, words, *access

    def forward(self, inputs: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """See ``RecurrentCore``."""
        hidden, cell, words, *access = state
        before = DNCState(hidden, cell, words, AccessState(*access))
        outputs, after = compiled_dnc(self.machine, inputs[None], before, fast=self._fast)
        return torch.tanh(outputs[0]), (after.hidden, after.cell, after.words, *after.access)


class NTMCore(nn.Module):
    """An NTM of ``outputs`` outputs (also its controller's width) with a small memory."""

    def __init__(
        self, inputs: int, outputs: int = 64, memory_size: int = 16, word_size: int = 16, num_reads: int = 2
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.machine = NTM(NTMSettings(inputs, outputs, outputs, memory_size, word_size, num_reads))

    def initial(self, batch: int) -> State:
        """See ``RecurrentCore``."""
        return tuple(self.machine.initial(batch))

    def forward(self, inputs: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """See ``RecurrentCore``."""
        outputs, after = self.machine.step(inputs, NTMState(*state))
        return torch.tanh(outputs), tuple(after)


def core_named(name: CoreName, outputs: int = 64) -> MakeCore:
    """The builder of a memory for ``RecurrentConfig.core``; ValueError for a name that is none of ``CoreName``."""
    match name:
        case "none":
            return partial(NoCore, outputs=outputs)
        case "lstm":
            return partial(LSTMCore, outputs=outputs)
        case "ntm":
            return partial(NTMCore, outputs=outputs)
        case "dnc":
            return partial(DNCCore, outputs=outputs)
        case _:
            raise ValueError(f"there is no memory {name!r}: it is one of {', '.join(get_args(CoreName))}")
