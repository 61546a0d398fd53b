"""Every training runs on the device that it is told to, and a device that isn't there is refused by its setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from policies import devices
from policies.devices import NAMES, DeviceError, choose_device, is_available
from policies.dqn import DQN, DQNConfig, network_values
from policies.replay import Batch

CONFIG = DQNConfig(hidden=(16, 8), heads=2, quantiles=3, exploration="thompson")
DEVICES = [
    pytest.param(name, marks=pytest.mark.skipif(not is_available(name), reason=f"no {name} on this machine"))
    for name in ("cpu", "cuda", "mps")
]


def there(*available: str) -> Callable[[str], bool]:
    return lambda device: device in available


@pytest.mark.parametrize(
    ("available", "chosen"), [(("cpu",), "cpu"), (("cpu", "mps"), "mps"), (("cpu", "mps", "cuda"), "cuda")]
)
def test_auto_is_the_fastest_that_is_there(
    monkeypatch: pytest.MonkeyPatch, available: tuple[str, ...], chosen: str
) -> None:
    monkeypatch.setattr(devices, "is_available", there(*available))
    assert choose_device("auto") == chosen
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_missing_device_names_the_setting_and_what_there_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(devices, "is_available", there("cpu"))
    with pytest.raises(DeviceError, match=rf"training\.device: {name} is not there .* write cpu or auto"):
        choose_device(name)


def test_unknown_device_names_the_known_ones() -> None:
    with pytest.raises(DeviceError, match=r"training\.device: 'tpu' is no device: write one of auto, cpu, cuda, mps"):
        choose_device("tpu")
    assert set(NAMES) == {"auto", "cpu", "cuda", "mps"}


def batch(rng: np.random.Generator, size: int = 12) -> Batch:
    """Random transitions of five features and four actions, with weights and heads."""
    return Batch(
        features=rng.random((size, 5), dtype=np.float32),
        actions=rng.integers(0, 4, size).astype(np.int32),
        returns=rng.random(size, dtype=np.float32),
        next_features=rng.random((size, 5), dtype=np.float32),
        next_masks=rng.random((size, 4)) < 0.9,
        discounts=np.full(size, 0.9, np.float32),
        weights=rng.random(size, dtype=np.float32),
        heads=rng.random((size, 2)) < 0.5,
    )


@pytest.mark.parametrize("device", DEVICES)
def test_dqn_learns_the_same_on_every_device(device: str) -> None:
    rng = np.random.default_rng(0)
    batches = [batch(rng) for _ in range(20)]
    here, there = DQN(5, 4, CONFIG), DQN(5, 4, replace(CONFIG, device=device))
    assert {weight.device.type for weight in (*there.network.parameters(), *there.target.parameters())} == {device}
    for drawn in batches:
        for learner in (here, there):
            learner.update(drawn, margin=0.1)
            assert learner.errors.shape == (12,)
    features = rng.random((6, 5), dtype=np.float32)
    np.testing.assert_allclose(here.values(features), there.values(features), atol=1e-4)
    np.testing.assert_allclose(
        network_values(here.network, features), network_values(there.network, features), atol=1e-4
    )
    resumed = DQN(5, 4, replace(CONFIG, device=device))
    resumed.load_state(there.state())
    resumed.update(batches[0])
    there.update(batches[0])
    np.testing.assert_allclose(resumed.values(features), there.values(features), atol=1e-6)


def test_networks_without_weights_stay_on_the_cpu() -> None:
    class Doubling(nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return 2 * features

    assert network_values(Doubling(), np.ones((1, 3), np.float32)).tolist() == [[2, 2, 2]]
