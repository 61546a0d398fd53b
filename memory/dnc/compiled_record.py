"""What the compiled DNC keeps of a sequence between the way there and the way back."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from memory.dnc.compiled_access import BLOCK


class Sizes(NamedTuple):
    """What the tensors do not say: padding hides the memory's rows and the words' width."""

    hidden: int
    rows: int
    width: int
    norm: bool
    """Whether layer norm follows the controller, with this ``epsilon``."""
    epsilon: float


class Weights(NamedTuple):
    """Parameters of controller, interface and, where there is one, layer norm."""

    of_inputs: Tensor
    of_hidden: Tensor
    bias: Tensor
    other_bias: Tensor
    interface: Tensor
    interface_bias: Tensor
    norm: Tensor
    norm_bias: Tensor

    def recurrent(self, inputs: int) -> Tensor:
        """(4 H, H + R W): of the hidden state, then of the words read."""
        return torch.cat([self.of_hidden, self.of_inputs[:, inputs:]], dim=1)


class Record(NamedTuple):
    """What the way back needs of the way there; shapes in ``compiled_access.step``."""

    interface: Tensor
    usage: Tensor
    precedence: Tensor
    writes: Tensor
    reads: Tensor
    norms: Tensor
    cosines: Tensor
    content: Tensor
    order: Tensor
    gates: Tensor
    cells: Tensor
    memories: Tensor
    """(T / k, B, W, N), padded: before every k-th step."""
    links: Tensor
    """(T / k, B, N, N), padded, or (T / k, B, 0, 0)."""


def padded(tensor: Tensor, dimensions: int) -> Tensor:
    """``tensor`` with zeros behind its last ``dimensions``, to multiples of ``BLOCK``; always a copy."""
    padding = [amount for size in reversed(tensor.shape[-dimensions:]) for amount in (0, -size % BLOCK)]
    return functional.pad(tensor, padding).clone(memory_format=torch.contiguous_format)


def interval(steps: int) -> int:
    """Steps from one kept memory to the next."""
    return max(1, math.isqrt(steps))


def empty_record(steps: int, interface: int, memory: Tensor, linked: bool, heads: int, hidden: int) -> Record:
    """A record of ``steps`` to fill, for a padded ``memory`` (B, W, N) and an interface of that length."""
    batch, width, rows = memory.shape
    kept = -(-steps // interval(steps))
    at_rows = rows if linked else 0
    new = memory.new_empty
    return Record(
        interface=new(steps, batch, interface),
        usage=new(steps + 1, batch, rows),
        precedence=new(steps + 1, batch, at_rows),
        writes=new(steps + 1, batch, rows),
        reads=new(steps + 1, batch, heads, rows),
        norms=new(steps + 1, batch, rows),
        cosines=new(steps, batch, heads + 1, rows),
        content=new(steps, batch, heads + 1, rows),
        order=torch.empty(steps, batch, rows, dtype=torch.int32),
        gates=new(steps, batch, 4 * hidden),
        cells=new(steps + 1, batch, hidden),
        memories=new(kept, batch, width, rows),
        links=new(kept, batch, at_rows, at_rows),
    )
