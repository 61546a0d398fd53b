"""One set of weights for every slot and every ontology."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from policies.slot_shared import SlotLayout, SlotSharedNetwork


def network(slots: int, heads: int = 1, seed: int = 0) -> SlotSharedNetwork:
    torch.manual_seed(seed)
    return SlotSharedNetwork(SlotLayout(10, 4, slots), width=16, heads=heads)


@pytest.mark.parametrize(("slots", "heads"), [(1, 1), (3, 1), (6, 5)])
def test_shapes(slots: int, heads: int) -> None:
    layout = SlotLayout(10, 4, slots)
    features = torch.rand(7, layout.inputs)
    assert network(slots, heads).heads(features).shape == (7, heads, layout.actions, 1)
    assert network(slots, heads)(features).shape == (7, layout.actions)


def test_exchanging_two_slots_exchanges_their_actions_and_nothing_else() -> None:
    net = network(3, heads=2)
    features = torch.rand(5, net.layout.inputs)
    order = [2, 0, 1]
    blocks = features[:, 10:].view(5, 3, 4)[:, order].reshape(5, -1)
    moved = net(torch.cat([features[:, :10], blocks], dim=1))
    values = net(features)
    about_slots = values[:, :9].view(5, 3, 3)[:, order].reshape(5, -1)
    assert torch.allclose(moved, torch.cat([about_slots, values[:, 9:]], dim=1), atol=1e-6)


def test_the_same_weights_run_on_another_number_of_slots() -> None:
    trained = network(3)
    other = trained.on(slots=6)
    features = torch.rand(4, trained.layout.inputs)
    alike = torch.cat([features[:, :10], *[features[:, 10:14]] * 3], dim=1)
    more = torch.cat([features[:, :10], *[features[:, 10:14]] * 6], dim=1)
    small, large = trained(alike), other(more)
    spread = (small[:, 9:] - small[:, :1]) - (large[:, 18:] - large[:, :1])
    assert torch.allclose(spread, torch.zeros_like(spread), atol=1e-5), "equal slots: how many there are is no matter"


def test_gradients_reach_every_weight() -> None:
    net = network(3, heads=3)
    torch.autograd.backward(net.heads(torch.rand(64, net.layout.inputs)).square().sum())
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert np.isfinite(weight.grad.numpy()).all(), name
        assert weight.grad.abs().sum() > 0, name
