"""The compiled DNC step gives the numbers and gradients of the readable one."""

from __future__ import annotations

import pytest
import torch

from memory.dnc import compiled
from memory.dnc.cell import DNC, DNCSettings


def made(seed: int, **switches: bool) -> tuple[DNC, torch.Tensor]:
    torch.manual_seed(seed)
    module = DNC(DNCSettings(3, 2, hidden=7, memory_size=6, word_size=4, num_reads=2, **switches)).double()
    for parameter in module.parameters():  # far from zero, so that gates and modes differ
        torch.nn.init.normal_(parameter, std=0.6)
    return module, torch.randn(8, 3, 3, dtype=torch.float64, requires_grad=True)


def outcome(module: DNC, sequence: torch.Tensor, fast: bool) -> list[torch.Tensor]:
    """Outputs, final state, and gradients of a loss of all of them."""
    outputs, state = compiled.compiled_dnc(module, sequence, fast=fast)
    parts = [outputs, state.hidden, state.cell, state.words, *state.access]
    torch.manual_seed(99)
    loss = sum((part * torch.randn_like(part)).sum() for part in parts)
    assert isinstance(loss, torch.Tensor)
    return [*parts, *torch.autograd.grad(loss, [sequence, *module.parameters()])]


@pytest.mark.parametrize("seed", range(4))
def test_outputs_state_and_gradients_are_those_of_the_readable_dnc(seed: int) -> None:
    module, sequence = made(seed)
    assert compiled.compilable(module.access)
    for ours, theirs in zip(outcome(module, sequence, True), outcome(module, sequence, False), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_a_wrong_gradient_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    module, sequence = made(0)
    right = compiled.compiled_access.step_gradient

    def broken(*arrays: object) -> None:
        right(*arrays)
        arrays[-4][:] *= 0.99  # type: ignore[index]  # the gradient of the link matrix

    monkeypatch.setattr(compiled.compiled_access, "step_gradient", broken)
    pairs = zip(outcome(module, sequence, True), outcome(module, sequence, False), strict=True)
    assert not all(torch.allclose(ours, theirs, rtol=1e-7, atol=1e-9) for ours, theirs in pairs)


@pytest.mark.parametrize("switch", ["masking", "erase_on_free", "sharpen_links"])
def test_a_switched_dnc_runs_in_torch(switch: str) -> None:
    module, sequence = made(1, **{switch: True})
    assert not compiled.compilable(module.access)
    torch.testing.assert_close(compiled.compiled_dnc(module, sequence)[0], module(sequence)[0])


def test_without_numba_it_runs_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    module, sequence = made(2)
    monkeypatch.setattr(compiled, "compiled_access", None)
    assert not compiled.compilable(module.access)
    torch.testing.assert_close(compiled.compiled_dnc(module, sequence)[0], module(sequence)[0])
