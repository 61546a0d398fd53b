"""The torch machines and plain NumPy loops say the same."""

import numpy as np
import pytest
import torch

from memory.dnc.cell import DNC, DNCSettings
from memory.dnc.ntm import NTM, NTMSettings
from tests.memory.dnc import reference

STEPS, BATCH, INPUTS, OUTPUTS = 9, 3, 4, 2


def lstm_weights(cell):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(cell, name).detach().numpy() for name in names]


def by_hand(machine, memory, sequence):
    """(T, OUTPUTS) of one sequence (T, INPUTS), all of the machine's layers in NumPy."""
    settings = machine.settings
    hidden, cell = np.zeros(settings.hidden), np.zeros(settings.hidden)
    words, outputs = np.zeros(settings.num_reads * settings.word_size), []
    (of_interface, bias), (of_output, base) = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in (machine.interface, machine.output)
    )
    for x in sequence:
        hidden, cell = reference.lstm(lstm_weights(machine.controller), np.concatenate([x, words]), hidden, cell)
        words = memory.step(of_interface @ hidden + bias)
        outputs.append(of_output @ np.concatenate([hidden, words]) + base)
    return np.stack(outputs)


def strong(machine, seed):
    """Parameters large enough that gates are open and shut, not all at one half."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype) * 0.9)
    return machine


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "switches",
    [{}, {"masking": True}, {"erase_on_free": True}, {"links": False}, {"masking": True, "erase_on_free": True}],
)
def test_dnc_is_its_equations(switches, seed):
    machine = strong(DNC(DNCSettings(INPUTS, OUTPUTS, 7, 6, 5, 2, clip=0.0, **switches)).double(), seed)
    sequence = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    outputs, _ = machine(sequence)
    for row in range(BATCH):
        expected = by_hand(machine, reference.DNCMemory(6, 5, 2, **switches), sequence[:, row].numpy())
        np.testing.assert_allclose(outputs[:, row].detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("readers", "writers", "reach"), [(1, 1, 1), (2, 1, 2), (2, 2, 1)])
@pytest.mark.parametrize("initial", ["constant", "learned", "random"])
def test_ntm_is_its_equations(readers, writers, reach, initial, seed):
    settings = NTMSettings(INPUTS, OUTPUTS, 7, 6, 5, readers, writers, reach, initial_memory=initial, clip=0.0)
    machine = strong(NTM(settings).double(), seed)
    sequence = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    outputs, _ = machine(sequence)
    weights = torch.softmax(machine.focus, dim=1).detach().numpy()
    for row in range(BATCH):
        memory = reference.NTMMemory(machine.fresh.detach().numpy(), weights, writers, reach)
        expected = by_hand(machine, memory, sequence[:, row].numpy())
        np.testing.assert_allclose(outputs[:, row].detach().numpy(), expected, atol=1e-5)
