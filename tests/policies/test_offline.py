"""Learning from logs alone: better than a mediocre logger, and never much worse than a narrow one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.checkpoint import weights_digest
from policies.dqn import network_values
from policies.episodes import Log, record_log
from policies.imitation import Demonstrations, ImitationConfig, clone_behaviour
from policies.networks import DuelingNetwork
from policies.offline import CQLConfig, LoggedTransitions, cql_loss, train_cql
from simulator.probes import ACTION, DELAY, OBSERVATION, SLOT, Probe, ProbeEnv
from tests.policies.playing import greedy_return, slipping_expert

CONFIG = CQLConfig(
    updates=300, batch_size=64, hidden=(32,), n_step=1, learning_rate=5e-3, tau=0.05, report_every=150,
)  # fmt: skip


def log_of(probe: Probe, slips: float, seed: int = 0, steps: int = 40) -> Log:
    return record_log(ProbeEnv(probe), slipping_expert(probe, slips, seed), steps, seed)


def learn(probe: Probe, log: Log, seed: int, **changes: float) -> DuelingNetwork:
    config = replace(CONFIG, gamma=probe.gamma, reward_scale=1 / max(probe.optimum, 1.0), seed=seed)
    return train_cql(log, replace(config, **changes)).network  # type: ignore[arg-type]


@pytest.mark.parametrize("n_step", [1, 2])
@pytest.mark.parametrize("probe", [OBSERVATION, DELAY, SLOT], ids=lambda probe: str(probe.name))
def test_it_is_better_than_the_mediocre_policy_it_learned_from(probe: Probe, n_step: int) -> None:
    for seed in range(3):
        log = log_of(probe, 0.7, seed)
        assert log.returns().mean() < 0.8 * probe.optimum
        assert greedy_return(probe, learn(probe, log, seed, n_step=n_step)) == pytest.approx(probe.optimum)


def test_narrow_logs_are_no_trap_for_it_but_are_for_plain_q_learning() -> None:
    """The expert never slipped: nothing in the log says that what it did not do is worse."""
    conservative, plain, cloned = [], [], []
    for seed in range(4):
        log = log_of(SLOT, 0.0, seed)
        conservative.append(greedy_return(SLOT, learn(SLOT, log, seed)))
        plain.append(greedy_return(SLOT, learn(SLOT, log, seed, alpha=0.0)))
        data = Demonstrations(log.features, log.masks, log.actions, log.dialogue)
        settings_ = ImitationConfig(hidden=(32,), epochs=20, batch_size=64, learning_rate=5e-3, seed=seed)
        cloned.append(greedy_return(SLOT, clone_behaviour(data, settings_).network))
    assert np.mean(cloned) == 18.0
    assert np.mean(conservative) >= np.mean(cloned)
    assert np.mean(plain) < np.mean(cloned) - 2


def test_the_penalty_pushes_down_what_was_not_logged() -> None:
    log = log_of(ACTION, 0.0)
    gaps = []
    for alpha in (0.0, 0.1, 1.0):
        values = network_values(learn(ACTION, log, 0, alpha=alpha), np.ones((1, 1), dtype=np.float32))[0]
        gaps.append(float(values[1] - values[0]))
    assert gaps[0] < gaps[1] < gaps[2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_transitions_against_a_plain_loop(seed: int, n_step: int) -> None:
    log = log_of(SLOT if seed % 2 else DELAY, 0.6, seed, steps=12)
    config = replace(CONFIG, n_step=n_step, gamma=0.9, reward_scale=0.5)
    batch = LoggedTransitions(log, config).batch(np.arange(len(log)))
    for start in range(len(log)):
        expected, discount, at = 0.0, 1.0, start
        for _ in range(n_step):
            expected += 0.5 * discount * log.rewards[at]
            discount = 0.0 if log.done[at] else discount * 0.9
            at += 1
            if discount == 0.0:
                break
        assert batch.returns[start] == pytest.approx(expected, abs=1e-5)
        assert batch.discounts[start] == pytest.approx(discount, abs=1e-6)
        if discount:
            assert np.array_equal(batch.next_features[start], log.features[at])
            assert np.array_equal(batch.next_masks[start], log.masks[at])


def table(values: list[list[float]]) -> DuelingNetwork:
    """A network that looks the one-hot state up in ``values``."""
    network = DuelingNetwork(len(values), len(values[0]), hidden=(), dueling=False)
    with torch.no_grad():
        network.advantage.weight.copy_(torch.tensor(values).T)
        network.advantage.bias.zero_()
    return network


def test_the_loss_by_hand() -> None:
    log = Log(
        features=np.eye(2, dtype=np.float32),
        masks=np.array([[True, True, False], [False, True, True]]),
        actions=np.array([0, 1], dtype=np.int32),
        rewards=np.array([1.0, 2.0], dtype=np.float32),
        done=np.array([False, True]),
        propensity=np.ones(2, dtype=np.float32),
    )
    config = replace(CONFIG, gamma=0.5, reward_scale=1.0, alpha=2.0)
    online, target = table([[1.0, 0.0, 9.0], [9.0, 2.0, 3.0]]), table([[0.0, 0.0, 0.0], [7.0, 5.0, 0.5]])
    loss, penalty = cql_loss(online, target, LoggedTransitions(log, config).batch(np.arange(2)), log.masks, config)
    # state 0: target 1 + .5 * Q_target(state 1, argmax over allowed of online = action 2) = 1.25; Huber(1 - 1.25)
    # state 1: the end: target 2, Q = 2: no error. Penalty: log(e^1 + e^0) - 1 and log(e^2 + e^3) - 2
    by_hand = (np.log(np.e + 1) - 1 + np.log(np.e**2 + np.e**3) - 2) / 2
    assert penalty == pytest.approx(by_hand, abs=1e-5)
    assert float(loss.detach()) == pytest.approx(0.5 * 0.25**2 / 2 + 2.0 * by_hand, abs=1e-5)


def test_bad_numbers_stop_training_and_ctrl_c_keeps_the_network() -> None:
    log = log_of(OBSERVATION, 0.5)
    with pytest.raises(FloatingPointError, match="loss is not finite at update"):
        train_cql(log, replace(CONFIG, learning_rate=1e30))

    def interrupt(update: int, updates: int, row: object) -> None:
        raise KeyboardInterrupt

    result = train_cql(log, CONFIG, progress=interrupt)
    assert result.interrupted
    assert [row["update"] for row in result.history] == [150]
    digests = [weights_digest(learn(OBSERVATION, log, seed, updates=20)) for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]
