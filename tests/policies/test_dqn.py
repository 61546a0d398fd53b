"""The learner's arithmetic on examples small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from policies.dqn import DQN, DQNConfig
from policies.dqn_config import DQNConfigError
from policies.networks import DuelingNetwork
from policies.replay import Batch
from policies.resume import digest

CONFIG = DQNConfig(hidden=(4,), seed=3, learning_rate=0.01, threads=1)


def table_network(values: list[list[float]]) -> DuelingNetwork:
    """A network without trunk whose plain head looks the one-hot state up in ``values``."""
    table = torch.tensor(values)
    network = DuelingNetwork(len(values), table.shape[1], hidden=(), dueling=False)
    with torch.no_grad():
        network.advantage.weight.copy_(table.T)
        network.advantage.bias.zero_()
    return network


def test_dueling_head_is_value_plus_centred_advantage() -> None:
    network = DuelingNetwork(2, 3, hidden=())
    assert network.value is not None
    with torch.no_grad():
        network.advantage.weight.copy_(torch.tensor([[1.0, 0.0], [2.0, 0.0], [6.0, 0.0]]))
        network.advantage.bias.zero_()
        network.value.weight.copy_(torch.tensor([[10.0, 0.0]]))
        network.value.bias.zero_()
    assert network(torch.tensor([[1.0, 0.0]])).tolist() == [[8.0, 9.0, 13.0]]


def test_double_targets_choose_online_and_evaluate_target_under_the_mask() -> None:
    learner = DQN(2, 3, CONFIG)
    learner.network = table_network([[5.0, 1.0, 9.0], [0.0, 7.0, 8.0]])
    learner.target = table_network([[2.0, 30.0, 40.0], [60.0, 4.0, 50.0]])
    batch = Batch(
        features=np.eye(2, dtype=np.float32),
        actions=np.array([0, 1], dtype=np.int32),
        returns=np.array([1.0, -1.0], dtype=np.float32),
        discounts=np.array([0.5, 0.0], dtype=np.float32),
        next_features=np.eye(2, dtype=np.float32),
        next_masks=np.array([[True, True, False], [True, True, True]]),
    )
    # row 0: online prefers action 2 (9), masked, so action 0 (5); the target network's value of it is 2: 1 + .5 * 2
    # row 1: the episode ended: -1
    assert learner.targets(batch)[:, 0, 0].tolist() == [2.0, -1.0]
    learner.config = DQNConfig(hidden=(4,), double=False)
    # without double: the target network's own best allowed action 1 (30): 1 + .5 * 30
    assert learner.targets(batch)[:, 0, 0].tolist() == [16.0, -1.0]


def test_an_update_moves_towards_the_target_and_the_target_network_follows() -> None:
    learner = DQN(2, 2, CONFIG)
    batch = Batch(
        features=np.eye(2, dtype=np.float32),
        actions=np.array([0, 1], dtype=np.int32),
        returns=np.array([1.0, -1.0], dtype=np.float32),
        discounts=np.zeros(2, dtype=np.float32),
        next_features=np.eye(2, dtype=np.float32),
        next_masks=np.ones((2, 2), dtype=np.bool_),
    )
    before = [p.clone() for p in learner.target.parameters()]
    losses = [learner.update(batch) for _ in range(300)]
    assert losses[-1] < 0.01 * losses[0]
    values = learner.values(batch.features)
    assert values[0, 0, 0] == pytest.approx(1.0, abs=0.05)
    assert values[1, 0, 1] == pytest.approx(-1.0, abs=0.05)
    assert any(not torch.equal(a, b) for a, b in zip(before, learner.target.parameters(), strict=True))


def test_target_network_moves_by_tau() -> None:
    learner = DQN(1, 1, DQNConfig(hidden=(), tau=0.25))
    with torch.no_grad():
        for fast, slow in zip(learner.network.parameters(), learner.target.parameters(), strict=True):
            fast.fill_(1.0)
            slow.fill_(0.0)
    learner._follow()
    assert all(torch.equal(slow, torch.full_like(slow, 0.25)) for slow in learner.target.parameters())


def one(returns: float = 1.0, feature: float = 1.0, discount: float = 0.0) -> Batch:
    """A batch of one transition with one feature and two actions."""
    return Batch(
        features=np.full((1, 1), feature, dtype=np.float32),
        actions=np.zeros(1, dtype=np.int32),
        returns=np.array([returns], dtype=np.float32),
        discounts=np.array([discount], dtype=np.float32),
        next_features=np.ones((1, 1), dtype=np.float32),
        next_masks=np.ones((1, 2), dtype=np.bool_),
    )


@pytest.mark.parametrize("bad", [{"returns": np.nan}, {"feature": np.inf}, {"discount": np.nan}])
def test_bad_numbers_stop_training_at_once_and_leave_the_weights(bad: dict[str, float]) -> None:
    learner = DQN(1, 2, CONFIG)
    learner.update(one())
    before = learner.state()
    with pytest.raises(FloatingPointError, match=r"(loss|gradients) is not finite at update 1"):
        learner.update(one(**bad))
    assert digest(learner.state()) == digest(before)


def test_gradients_that_overflow_are_named() -> None:
    learner = DQN(1, 2, CONFIG)
    with torch.no_grad():
        learner.network.trunk[0].weight.fill_(1e38)
        learner.network.trunk[0].bias.zero_()
        learner.network.advantage.weight.zero_()
    learner.network.trunk[0].weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(FloatingPointError, match="gradients is not finite at update 0"):
        learner.update(one())


ALL = {"dueling": True, "noisy": True, "exploration": "noisy", "heads": 3, "quantiles": 4, "prioritized": True}


@pytest.mark.parametrize("extra", [{"heads": 3}, {"quantiles": 4}, {"heads": 3, "quantiles": 4, "dueling": False}, ALL])
def test_values_are_the_means_of_heads_and_quantiles(extra: dict[str, Any]) -> None:
    learner = DQN(5, 2, replace(CONFIG, **extra))
    features = torch.rand(7, 5)
    learner.network.eval()
    heads = learner.network.heads(features)
    assert heads.shape == (7, extra.get("heads", 1), 2, extra.get("quantiles", 1))
    assert torch.allclose(learner.network(features), heads.mean(dim=(1, 3)))
    assert np.allclose(learner.values(features.numpy()), heads.mean(dim=3).detach().numpy())


def test_a_head_learns_only_from_its_own_transitions() -> None:
    learner = DQN(1, 2, replace(CONFIG, heads=3, hidden=()))
    before = learner.network.advantage.weight.detach().clone().view(3, 2)
    learner.update(replace(one(5.0), heads=np.array([[True, False, True]])))
    moved = (learner.network.advantage.weight.detach().view(3, 2) != before).any(dim=1)
    assert moved.tolist() == [True, False, True]


def test_importance_weights_scale_what_is_learned_from_each_transition() -> None:
    def gradient(weights: list[float]) -> torch.Tensor:
        learner = DQN(1, 2, replace(CONFIG, hidden=(), gradient_clip=1e9))
        batch = Batch(
            features=np.ones((2, 1), dtype=np.float32), actions=np.array([0, 1], dtype=np.int32),
            returns=np.array([3.0, -4.0], dtype=np.float32), discounts=np.zeros(2, dtype=np.float32),
            next_features=np.ones((2, 1), dtype=np.float32), next_masks=np.ones((2, 2), dtype=np.bool_),
            weights=np.array(weights, dtype=np.float32),
        )  # fmt: skip
        learner.update(batch)
        assert learner.network.advantage.bias.grad is not None
        return learner.network.advantage.bias.grad

    both, first, second = gradient([1.0, 1.0]), gradient([1.0, 0.0]), gradient([0.0, 1.0])
    assert torch.allclose(both, first + second)
    assert torch.allclose(gradient([0.25, 0.0]), 0.25 * first)


def test_each_head_has_targets_of_its_own() -> None:
    learner = DQN(1, 2, replace(CONFIG, heads=2, hidden=(), dueling=False))
    values = torch.tensor([[1.0, 0.0], [0.0, 2.0]])  # head x action: each prefers another action
    for network in (learner.network, learner.target):
        with torch.no_grad():
            network.advantage.weight.copy_(values.reshape(4, 1))
            network.advantage.bias.zero_()
    assert learner.targets(one(0.0, discount=0.5))[0, :, 0].tolist() == [0.5, 1.0]


def test_a_learner_restored_goes_on_to_the_same_bits() -> None:
    config = replace(CONFIG, **ALL)
    learner, other = DQN(1, 2, config), DQN(1, 2, replace(config, seed=9))
    for _ in range(5):
        learner.update(one())
    other.load_state(learner.state())
    for each in (learner, other):
        each.update(one(2.0))
        each.values(np.ones((1, 1), dtype=np.float32))
    assert digest(learner.state()) == digest(other.state())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"exploration": "thompson"}, "heads = 1: it compares bootstrapped heads"),
        ({"exploration": "ucb"}, "give heads of 2 or more"),
        ({"noisy": True}, "noisy layers already explore"),
        ({"exploration": "noisy"}, "give noisy = True"),
        ({"exploration": "random"}, "choose among epsilon, boltzmann"),
        ({"gamma": 0.0}, r"gamma = 0.0: give a number in \(0, 1\]"),
        ({"heads": 0}, "heads = 0: give at least 1"),
        ({"priority_alpha": 2.0}, r"priority_alpha = 2.0: give a number in \[0, 1\]"),
        ({"temperature_end": 0.0}, "temperature_end = 0.0: give a number above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(DQNConfigError, match=problem):
        DQNConfig(**settings)


def test_progress_counts_from_the_end_of_spiking() -> None:
    config = DQNConfig(steps=1100, spike_steps=100)
    assert [config.progress(step) for step in (0, 100, 600, 1100, 1200)] == [0.0, 0.0, 0.5, 1.0, 1.0]
