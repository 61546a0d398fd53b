"""The DNC's memory step as machine code: what ``DNCAccess.step`` computes, with its gradient written by hand.

One call a step and direction where autograd records some sixty small operations. Only the DNC of Graves et al. 2016
without switches (``compilable``); another one, and any where numba is missing, runs as the readable torch module.
"""

from __future__ import annotations

from typing import Any, cast

import torch

from memory.dnc.access import AccessState, DNCAccess
from memory.dnc.cell import DNC, DNCState, check_sequence

try:
    from memory.dnc import compiled_access
except ModuleNotFoundError as error:
    if error.name != "numba":
        raise
    compiled_access = None  # type: ignore[assignment]


def compilable(access: DNCAccess) -> bool:
    """Whether a compiled step exists for this memory here: the plain DNC with links, and numba is installed."""
    switched = access.masking or access.erase_on_free or access.sharpen_links
    return compiled_access is not None and access.links and not switched


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, interface: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        memory, read_weights = state[0], state[4]
        before = [part.detach().contiguous() for part in (interface, *state)]
        batch, rows, width = memory.shape
        heads = read_weights.shape[1]
        words = memory.new_empty(batch, heads, width)
        after = [torch.empty_like(part) for part in before[1:]]
        by_content = memory.new_empty(batch, heads + 1, rows)
        directed = memory.new_empty(batch, 2 * heads, rows)
        made = (words, *after, by_content, directed)
        compiled_access.step(*(part.numpy() for part in (*before, *made)))
        ctx.save_for_backward(*before, after[0], after[2], after[4], by_content, directed)
        return words.flatten(1), *after

    @staticmethod
    def backward(ctx: Any, *above: torch.Tensor) -> tuple[torch.Tensor, ...]:
        saved = ctx.saved_tensors
        gradients = [torch.zeros_like(part) for part in saved[:7]]
        given = [part.contiguous() for part in above]
        given[0] = given[0].view(given[5].shape[0], given[5].shape[1], -1)
        compiled_access.step_gradient(*(part.detach().numpy() for part in (*saved, *given, *gradients)))
        return tuple(gradients)


def compiled_step(interface: torch.Tensor, state: AccessState) -> tuple[torch.Tensor, AccessState]:
    """``DNCAccess.step`` compiled: (B, I) -> words read (B, R * W) and the state after it; CPU, float32 or float64.

    The memory must be ``compilable``. Derivatives of second order are not available.
    """
    words, *after = _Step.apply(interface, *state)  # type: ignore[no-untyped-call]
    return words, AccessState(*after)


def compiled_dnc(
    module: DNC, sequence: torch.Tensor, state: DNCState | None = None, fast: bool = True
) -> tuple[torch.Tensor, DNCState]:
    """``module(sequence, state)`` with the compiled memory step where there is one, else (or not ``fast``) in torch.

    sequence (T, B, inputs) -> outputs (T, B, outputs), state after the last step; the same numbers and gradients
    either way up to rounding. The machine code is for the CPU, in float32 or float64.
    """
    weight = module.interface.weight
    native = weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.float64)
    if not (fast and native and compilable(module.access)):
        return cast(tuple[torch.Tensor, DNCState], module(sequence, state))
    check_sequence(sequence, module.settings.inputs)
    hidden, cell, words, access = module.initial(sequence.shape[1]) if state is None else state
    steadies, reads = [], []
    for inputs in sequence:
        hidden, cell = module.controller(torch.cat([inputs, words], dim=1), (hidden, cell))
        steadies.append(module.norm(hidden))
        words, access = compiled_step(module.interface(steadies[-1]), access)
        reads.append(words)
    outputs = module.output(torch.cat([torch.stack(steadies), torch.stack(reads)], dim=2))
    if module.settings.clip:
        outputs = outputs.clamp(-module.settings.clip, module.settings.clip)
    return outputs, DNCState(hidden, cell, words, access)
