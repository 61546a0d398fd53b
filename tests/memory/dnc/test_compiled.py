"""The compiled DNC gives the numbers and gradients of the readable one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.dnc import compiled
from memory.dnc.access import AccessState
from memory.dnc.cell import DNC, DNCSettings, DNCState

TIGHT = {"rtol": 1e-7, "atol": 1e-9}


def made(seed: int, dtype: torch.dtype = torch.float64, steps: int = 8, **sizes: Any) -> tuple[DNC, torch.Tensor]:
    torch.manual_seed(seed)
    module = DNC(DNCSettings(3, 2, **{"hidden": 7, "memory_size": 6, "word_size": 5, "num_reads": 2, **sizes}))
    for parameter in module.parameters():  # far from zero, so that gates and modes differ
        torch.nn.init.normal_(parameter, std=0.6)
    return module.to(dtype), torch.randn(steps, 3, 3, dtype=dtype, requires_grad=True)


def somewhere(module: DNC, batch: int) -> DNCState:
    """A state as it is in the middle of a sequence, each part a leaf that wants its gradient."""
    torch.manual_seed(5)
    with torch.no_grad():
        state = module(torch.randn(4, batch, 3, dtype=module.output.weight.dtype))[1]
    hidden, cell, words, *access = (part.clone().requires_grad_() for part in (*state[:3], *state.access))
    return DNCState(hidden, cell, words, AccessState(*access))


def outcome(
    module: DNC, sequence: torch.Tensor, fast: bool, start: DNCState | None = None, seed: int = 99
) -> list[torch.Tensor]:
    """Outputs, final state, and gradients of a loss of all of them, that of the ``start`` included."""
    outputs, state = compiled.compiled_dnc(module, sequence, start, fast=fast)
    parts = [outputs, state.hidden, state.cell, state.words, *state.access]
    torch.manual_seed(seed)
    loss = torch.stack([(part * torch.randn_like(part)).sum() for part in parts]).sum()
    leaves = [] if start is None else [part for part in (*start[:3], *start.access) if part.numel()]
    return [*parts, *torch.autograd.grad(loss, [sequence, *module.parameters(), *leaves])]


def assert_same(module: DNC, sequence: torch.Tensor, start: DNCState | None, **tolerance: float) -> None:
    pairs = zip(outcome(module, sequence, True, start), outcome(module, sequence, False, start), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, **tolerance)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 99),
    steps=st.integers(1, 11),
    memory_size=st.integers(1, 10),
    word_size=st.integers(1, 9),
    num_reads=st.integers(1, 4),
    switches=st.fixed_dictionaries({"links": st.booleans(), "layer_norm": st.booleans()}),
    begun=st.booleans(),
)
def test_outputs_state_and_gradients_are_those_of_the_readable_dnc(
    seed: int, steps: int, begun: bool, switches: dict[str, bool], **sizes: int
) -> None:
    module, sequence = made(seed, steps=steps, **sizes, **switches)
    assert compiled.compilable(module.access)
    assert_same(module, sequence, somewhere(module, 3) if begun else None, **TIGHT)


@pytest.mark.parametrize("switches", [{}, {"layer_norm": True, "links": False}])
def test_single_precision_is_near(switches: dict[str, bool]) -> None:
    module, sequence = made(0, torch.float32, **switches)  # short: one day rounding decides which row is freer
    assert_same(module, sequence, None, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("place", range(-6, 0))  # memory, link, usage, precedence, write and read weights
def test_a_wrong_gradient_of_any_part_would_be_seen(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, sequence = made(0)
    gradient = compiled.machine_code.compiled_backward.compiled_gradient
    right = gradient.step_gradient

    def broken(*arguments: Any) -> None:
        right(*arguments)
        arguments[place][:] *= 0.99

    monkeypatch.setattr(gradient, "step_gradient", broken)
    with pytest.raises(AssertionError):
        assert_same(module, sequence, None, **TIGHT)


def test_gradients_are_the_same_bits_wherever_arrays_lie() -> None:
    """Loops that are told apart by addresses would sum in another order now and then."""
    module, sequence = made(3, torch.float32, steps=20, hidden=32, memory_size=16, word_size=12, num_reads=4)
    first = outcome(module, sequence, True)
    kept = []
    for turn in range(12):
        kept.append([torch.empty(size) for size in range(1 + turn, 400, 7 + turn)])  # moves what comes later
        if turn % 3 == 2:
            del kept[0]
        for ours, before in zip(outcome(module, sequence, True), first, strict=True):
            assert torch.equal(ours, before)


def test_a_sequence_in_two_parts_is_one_sequence() -> None:
    module, sequence = made(3, steps=9)
    first, state = compiled.compiled_dnc(module, sequence[:4])
    second, end = compiled.compiled_dnc(module, sequence[4:], state)
    whole, end_of_whole = compiled.compiled_dnc(module, sequence)
    torch.testing.assert_close(torch.cat([first, second]), whole, **TIGHT)
    torch.testing.assert_close(end.access.link, end_of_whole.access.link, **TIGHT)
    in_parts, at_once = (torch.autograd.grad(of.sum(), sequence)[0] for of in (torch.cat([first, second]), whole))
    torch.testing.assert_close(in_parts, at_once, **TIGHT)


def test_the_way_back_can_be_gone_twice_but_not_over_changed_outputs() -> None:
    module, sequence = made(4)
    features, _ = compiled.machine_code.compiled_sequence(module, sequence, module.initial(3))
    loss = features.square().sum()
    once, again = (torch.autograd.grad(loss, sequence, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(once, again, rtol=0, atol=0)
    with torch.no_grad():
        features += 1.0
    with pytest.raises(RuntimeError, match="modified inplace"):
        torch.autograd.grad(loss, sequence)


def test_a_diverged_training_shows() -> None:
    module, sequence = made(5, torch.float32)
    with torch.no_grad():
        module.interface.weight[0, 0] = torch.nan
        outputs, state = compiled.compiled_dnc(module, sequence)
    assert outputs.isnan().all(dim=2).any()
    assert state.access.read_weights.isnan().any()


def kept_bytes(steps: int) -> int:
    """What autograd keeps of a sequence, each storage once."""
    module, sequence = made(6, steps=steps, memory_size=24)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs, _ = compiled.compiled_dnc(module, sequence)
    del outputs
    return sum(kept.values())


def test_memory_is_linear_in_the_sequence() -> None:
    few, more, many = kept_bytes(64), kept_bytes(128), kept_bytes(256)
    assert 1.7 < more / few < 2.1
    assert 1.7 < many / more < 2.1


def test_links_are_kept_for_few_steps_only() -> None:
    """All links and memories of 100 steps alone would be four times what is kept."""
    links = 100 * 3 * 24 * (24 + 8) * 8
    assert kept_bytes(100) < links


@pytest.mark.parametrize("switch", ["masking", "erase_on_free", "sharpen_links"])
def test_a_switch_that_is_not_compiled_is_refused_by_name(switch: str) -> None:
    module, sequence = made(1, **{switch: True})
    assert not compiled.compilable(module.access)
    with pytest.raises(ValueError, match=f"the compiled DNC has no {switch}: call the module itself"):
        compiled.compiled_dnc(module, sequence)
    torch.testing.assert_close(compiled.compiled_dnc(module, sequence, fast=False)[0], module(sequence)[0])


def test_without_numba_it_runs_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    module, sequence = made(2)
    monkeypatch.setattr(compiled, "machine_code", None)
    assert not compiled.compilable(module.access)
    torch.testing.assert_close(compiled.compiled_dnc(module, sequence)[0], module(sequence)[0], rtol=0, atol=0)


def test_a_sequence_of_another_shape_is_refused() -> None:
    module, sequence = made(2)
    with pytest.raises(ValueError, match=r"a sequence is \(T, B, 3\)"):
        compiled.compiled_dnc(module, sequence[0])
