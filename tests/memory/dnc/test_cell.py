"""The whole machines: gradients, switches, states, errors."""

import dataclasses

import pytest
import torch

from memory.dnc.cell import DNC, DNCSettings
from memory.dnc.ntm import NTM, NTMSettings

SMALL = DNCSettings(inputs=3, outputs=2, hidden=4, memory_size=4, word_size=3, num_reads=2)
ALL = dataclasses.replace(SMALL, masking=True, erase_on_free=True, sharpen_links=True, layer_norm=True)
SMALL_NTM = NTMSettings(inputs=3, outputs=2, hidden=4, memory_size=4, word_size=3, num_reads=2)


def made(settings, seed=0):
    torch.manual_seed(seed)
    return (DNC if isinstance(settings, DNCSettings) else NTM)(settings).double()


def sequence(steps=5, batch=2, seed=1):
    return torch.randn(steps, batch, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("settings", [SMALL, ALL, dataclasses.replace(SMALL, links=False), SMALL_NTM])
def test_gradient_of_a_few_steps(settings):
    machine, inputs = made(settings), sequence(3, 1).requires_grad_()
    names = [name for name, _ in machine.named_parameters() if "bias" in name]
    values = [machine.get_parameter(name).detach().clone().requires_grad_() for name in names]

    def outputs(inputs, *biases):
        return torch.func.functional_call(machine, dict(zip(names, biases, strict=True)), (inputs,))[0]

    assert torch.autograd.gradcheck(outputs, (inputs, *values))


@pytest.mark.parametrize("settings", [SMALL, ALL, SMALL_NTM])
def test_steps_in_pieces_are_the_steps_in_one(settings):
    machine, inputs = made(settings), sequence(6)
    whole, _ = machine(inputs)
    first, state = machine(inputs[:2])
    rest, _ = machine(inputs[2:], state)
    assert torch.allclose(torch.cat([first, rest]), whole)


@pytest.mark.parametrize("settings", [SMALL, ALL, SMALL_NTM])
def test_rows_of_a_batch_do_not_meet(settings):
    machine, inputs = made(settings), sequence(6)
    other = torch.cat([inputs[:, :1], sequence(6, 1, seed=9)], dim=1)
    assert torch.allclose(machine(inputs)[0][:, 0], machine(other)[0][:, 0])
    assert not torch.allclose(machine(inputs)[0][:, 1], machine(other)[0][:, 1])


def test_without_links_there_are_none():
    machine = made(dataclasses.replace(SMALL, links=False))
    state = machine(sequence())[1].access
    assert state.link.shape == (2, 0, 0)
    assert torch.allclose(state.read_weights.sum(2), torch.ones(2, 2, dtype=torch.float64))


def freed(erase_on_free):
    """Row 0's content after a step that frees it: one write head held shut, one read head on row 0."""
    access = made(dataclasses.replace(SMALL, num_reads=1, erase_on_free=erase_on_free)).access
    state = access.initial(1)
    state = state._replace(memory=torch.ones(1, 4, 3), read_weights=torch.eye(4)[None, :1], usage=torch.ones(1, 4))
    parts = {name: torch.zeros(1, size) for name, size in access.sections().items()}
    parts["free_gates"] += 50.0
    parts["write_gate"] -= 50.0
    after = access.step(torch.cat(list(parts.values()), dim=1), state)[1]
    assert after.usage[0, 0] < 1e-6
    return after.memory[0]


def test_erase_on_free_wipes_the_freed_row_and_no_other():
    assert torch.allclose(freed(False), torch.ones(4, 3))
    assert torch.allclose(freed(True), torch.tensor([0.0, 1.0, 1.0, 1.0])[:, None].expand(4, 3), atol=1e-6)


def test_masks_and_sharpness_lengthen_the_interface():
    plain = made(SMALL).access.interface_size
    assert made(dataclasses.replace(SMALL, masking=True)).access.interface_size == plain + 2 * 3 + 3
    assert made(dataclasses.replace(SMALL, sharpen_links=True)).access.interface_size == plain + 2 * 2
    assert made(dataclasses.replace(SMALL, links=False)).access.interface_size == plain - 3 * 2


def test_layer_norm_forgets_the_scale_of_the_controller():
    hidden = torch.randn(2, 4, dtype=torch.float64)
    normed = made(dataclasses.replace(SMALL, layer_norm=True)).norm
    assert torch.allclose(normed(hidden), normed(3 * hidden), atol=1e-3)
    assert not torch.allclose(made(SMALL).norm(hidden), made(SMALL).norm(3 * hidden), atol=1e-3)


def test_clip_bounds_outputs():
    free = made(dataclasses.replace(SMALL, clip=0.0))(sequence())[0]
    assert free.abs().max() > 0.1
    assert made(dataclasses.replace(SMALL, clip=0.1))(sequence())[0].abs().max().item() == pytest.approx(0.1)


def test_initial_memory_is_what_it_says():
    fresh = {
        kind: made(dataclasses.replace(SMALL_NTM, initial_memory=kind)) for kind in ("constant", "learned", "random")
    }
    assert torch.allclose(fresh["constant"].initial(2).memory, torch.tensor(1e-6, dtype=torch.float64))
    assert fresh["random"].initial(2).memory.std() > 0.1
    learned = {kind for kind, machine in fresh.items() if "fresh" in dict(machine.named_parameters())}
    assert learned == {"learned"}
    assert all("fresh" in machine.state_dict() for machine in fresh.values())


@pytest.mark.parametrize(
    ("settings", "change"),
    [
        (SMALL, {"num_reads": 0}),
        (SMALL, {"clip": -1.0}),
        (SMALL_NTM, {"shift_range": 2}),
        (SMALL_NTM, {"initial_memory": "zero"}),
        (SMALL_NTM, {"word_size": 0}),
        (SMALL_NTM, {"clip": -1.0}),
    ],
)
def test_bad_settings_are_named(settings, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(settings, **change)


@pytest.mark.parametrize("settings", [SMALL, SMALL_NTM])
def test_a_sequence_of_another_shape_is_refused(settings):
    with pytest.raises(ValueError, match="sequence is"):
        made(settings)(torch.zeros(2, 1, 4, dtype=torch.float64))
