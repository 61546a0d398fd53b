"""The memory's training runs where its network is, and learns the same there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memory.dnc.story_model import StoryModel
from memory.dnc.training import StoryTraining, evaluate
from memory.dnc.training_state import restore_training, training_state
from policies.devices import is_available
from tests.memory.dnc.resumed_training import training

DEVICES = [
    pytest.param(name, marks=pytest.mark.skipif(not is_available(name), reason=f"no {name} on this machine"))
    for name in ("cpu", "cuda")
]


def on(device: str) -> StoryTraining:
    """The small training of the other tests, begun on a device."""
    here = training()
    model: StoryModel = here.model.to(device)
    return StoryTraining(model, here.stories, here.settings)


@pytest.mark.parametrize("device", DEVICES)
def test_it_learns_the_same_on_every_device(device: str) -> None:
    here, there = training(), on(device)
    for _ in range(5):
        here.advance()
        there.advance()
    assert {weight.device.type for weight in there.model.parameters()} == {device}
    assert there.progress.loss == pytest.approx(here.progress.loss, rel=1e-3)
    judging = [story for stories in here.stories.values() for story in stories]
    assert evaluate(there.model, judging).keys() == evaluate(here.model, judging).keys() == {1, 15}


@pytest.mark.parametrize("device", DEVICES)
def test_a_state_goes_from_one_device_to_another(device: str) -> None:
    here, there = training(), on(device)
    here.advance()
    restore_training(there, training_state(here))
    here.advance()
    there.advance()
    for name, weights in here.model.state_dict().items():
        np.testing.assert_allclose(weights.numpy(), there.model.state_dict()[name].cpu().numpy(), atol=1e-5)
    assert isinstance(there.model.words.weight, torch.Tensor)
