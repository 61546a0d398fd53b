"""The DNC as machine code: ``DNC.forward`` and its gradient, a whole sequence at a time, the gradient by hand.

Where autograd records some sixty small operations a step, this is three calls a step and direction
(``compiled_sequence``). For the DNC with or without links and layer norm; a switch that it has not is refused by name.
Where numba is missing, or not on a CPU, the readable torch module runs instead.
"""

from __future__ import annotations

from typing import cast

import torch

from memory.dnc.access import DNCAccess
from memory.dnc.cell import DNC, DNCState, check_sequence

try:
    from memory.dnc import compiled_sequence as machine_code
except ModuleNotFoundError as error:
    if error.name != "numba":
        raise
    machine_code = None  # type: ignore[assignment]


def uncompiled_switches(access: DNCAccess) -> list[str]:
    """The switches of this memory that the compiled DNC does not have."""
    return [switch for switch in ("masking", "erase_on_free", "sharpen_links") if getattr(access, switch)]


def compilable(access: DNCAccess) -> bool:
    """Whether this memory runs compiled here: it uses no switch that cannot, and numba is installed."""
    return machine_code is not None and not uncompiled_switches(access)


def compiled_dnc(
    module: DNC, sequence: torch.Tensor, state: DNCState | None = None, fast: bool = True
) -> tuple[torch.Tensor, DNCState]:
    """``module(sequence, state)`` compiled; in torch where numba is missing, off the CPU, or if not ``fast``.

    sequence (T, B, inputs) -> outputs (T, B, outputs), state after the last step; the same numbers and gradients
    either way up to rounding (float32 or float64). No second derivatives when compiled. ValueError for a switch that
    is not compiled (``uncompiled_switches``), and for a sequence of another shape.
    """
    if fast and (switches := uncompiled_switches(module.access)):
        raise ValueError(f"the compiled DNC has no {', '.join(switches)}: call the module itself, or pass fast=False")
    weight = module.interface.weight
    native = weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.float64)
    if not fast or machine_code is None or not native:
        return cast(tuple[torch.Tensor, DNCState], module(sequence, state))
    check_sequence(sequence, module.settings.inputs)
    before = module.initial(sequence.shape[1]) if state is None else state
    features, after = machine_code.compiled_sequence(module, sequence, before)
    outputs = module.output(features)
    if module.settings.clip:
        outputs = outputs.clamp(-module.settings.clip, module.settings.clip)
    return outputs, after
