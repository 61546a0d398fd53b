"""The learner's arithmetic on examples small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from policies.dqn import DQN, DQNConfig
from policies.networks import DuelingNetwork
from policies.replay import Batch

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
    assert learner.targets(batch).tolist() == [2.0, -1.0]
    learner.config = DQNConfig(hidden=(4,), double=False)
    # without double: the target network's own best allowed action 1 (30): 1 + .5 * 30
    assert learner.targets(batch).tolist() == [16.0, -1.0]


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
    assert values[0, 0] == pytest.approx(1.0, abs=0.05)
    assert values[1, 1] == pytest.approx(-1.0, abs=0.05)
    assert any(not torch.equal(a, b) for a, b in zip(before, learner.target.parameters(), strict=True))


def test_target_network_moves_by_tau() -> None:
    learner = DQN(1, 1, DQNConfig(hidden=(), tau=0.25))
    with torch.no_grad():
        for fast, slow in zip(learner.network.parameters(), learner.target.parameters(), strict=True):
            fast.fill_(1.0)
            slow.fill_(0.0)
    learner._follow()
    assert all(torch.equal(slow, torch.full_like(slow, 0.25)) for slow in learner.target.parameters())


def test_exploration_is_greedy_or_uniform_and_never_masked() -> None:
    learner = DQN(2, 4, CONFIG)
    rng = np.random.default_rng(0)
    features = rng.random((100_000, 2)).astype(np.float32)
    masks = rng.random((100_000, 4)) < 0.5
    masks[np.arange(100_000), rng.integers(4, size=100_000)] = True
    rows = np.arange(100_000)
    for epsilon in (0.0, 0.5, 1.0):
        actions = learner.explore(features, masks, epsilon, rng)
        assert masks[rows, actions].all()
    greedy = learner.explore(features, masks, 0.0, rng)
    best = np.where(masks, learner.values(features), -np.inf)
    assert (best[rows, greedy] == best.max(axis=1)).all()


def test_bad_numbers_stop_training_at_once() -> None:
    learner = DQN(1, 1, CONFIG)
    bad = Batch(
        features=np.ones((1, 1), dtype=np.float32),
        actions=np.zeros(1, dtype=np.int32),
        returns=np.array([np.nan], dtype=np.float32),
        discounts=np.zeros(1, dtype=np.float32),
        next_features=np.ones((1, 1), dtype=np.float32),
        next_masks=np.ones((1, 1), dtype=np.bool_),
    )
    with pytest.raises(FloatingPointError, match="update 0"):
        learner.update(bad)


def test_epsilon_schedule() -> None:
    config = DQNConfig(steps=1100, spike_steps=100, epsilon_start=0.4, epsilon_end=0.0, epsilon_fraction=0.5)
    assert [round(config.epsilon(step), 6) for step in (0, 100, 350, 600, 1100)] == [0.4, 0.4, 0.2, 0.0, 0.0]
