"""PPO's arithmetic against brute force, and PPO on the environments whose optimum is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from memory.ontology import IntArray
from policies.checkpoint import weights_digest
from policies.imitation import Demonstrations, ImitationConfig, clone_behaviour
from policies.masked import ActorCritic, masked_log_probs
from policies.ppo import PPO, PPOConfig, Rollout, generalised_advantages, train_ppo
from policies.train import TrainingResult
from simulator.probes import CONSTANT, DELAY, OBSERVATION, PROBES, SLOT, Probe, ProbeEnv
from tests.policies.playing import best_actions, greedy_return

CONFIG = PPOConfig(
    steps=480, rollout=12, minibatches=2, hidden=(32,), learning_rate=1e-2, entropy=0.05, target_kl=0.1,
    evaluate_every=120,
)  # fmt: skip


def solve(probe: Probe, seed: int, **changes: Any) -> TrainingResult:
    config = replace(CONFIG, gamma=probe.gamma, seed=seed, reward_scale=1 / max(probe.optimum, 1.0), **changes)
    return train_ppo(ProbeEnv(probe), config, lambda network: {"reward": greedy_return(probe, network)})


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.floats(0, 1), st.floats(0, 1))
def test_advantages_against_the_definition(seed: int, steps: int, gamma: float, lam: float) -> None:
    rng = np.random.default_rng(seed)
    rewards, values = (rng.normal(size=(steps, 3)).astype(np.float32) for _ in range(2))
    done, last = rng.random((steps, 3)) < 0.3, rng.normal(size=3).astype(np.float32)
    found = generalised_advantages(rewards, values, done, last, gamma, lam)
    ahead = np.vstack([values, last])
    for t in range(steps):
        for env in range(3):
            expected = 0.0
            for k in range(t, steps):
                bootstrap = 0.0 if done[k, env] else gamma * ahead[k + 1, env]
                expected += (gamma * lam) ** (k - t) * (rewards[k, env] + bootstrap - values[k, env])
                if done[k, env]:
                    break
            assert found[t, env] == pytest.approx(expected, abs=1e-4)


def test_nothing_crosses_the_end_of_an_episode() -> None:
    """The broken variant that forgets ends would tell the first episode about the second one's reward."""
    rewards = np.array([[0.0], [0.0], [100.0]], dtype=np.float32)
    values, last = np.zeros((3, 1), dtype=np.float32), np.zeros(1, dtype=np.float32)
    done = np.array([[False], [True], [True]])
    assert generalised_advantages(rewards, values, done, last, 0.9, 0.9)[:, 0].tolist() == [0.0, 0.0, 100.0]
    broken = generalised_advantages(rewards, values, np.zeros_like(done), last, 0.9, 0.9)
    assert broken[0, 0] > 50


def one_state(advantages: list[float], log_probs: list[float]) -> Rollout:
    """Rows in one state, two actions, in which action 0 was taken."""
    count = len(advantages)
    return Rollout(
        features=torch.ones(count, 1),
        masks=torch.ones(count, 2, dtype=torch.bool),
        actions=torch.zeros(count, dtype=torch.int64),
        log_probs=torch.tensor(log_probs),
        advantages=torch.tensor(advantages),
        returns=torch.zeros(count),
    )


def test_the_surrogate_stops_paying_beyond_the_clip() -> None:
    learner = PPO(ActorCritic(1, 2, ()), replace(CONFIG, entropy=0.0, value_weight=0.0))
    now = float(masked_log_probs(learner.network(torch.ones(1, 1)), torch.ones(1, 2, dtype=torch.bool))[0, 0].detach())

    def gradient(advantages: list[float], ratios: list[float]) -> float:
        learner.optimizer.zero_grad()
        part = one_state(advantages, [now - float(np.log(ratio)) for ratio in ratios])
        torch.autograd.backward(learner.loss(part, 0.0)[0])
        return float(learner.network.actor[0].weight.grad.abs().sum())

    # normalised advantages are +1 and -1: a good action already far more probable, a bad one already far less
    assert gradient([1.0, -1.0], [1.5, 0.5]) == 0.0
    assert gradient([1.0, -1.0], [1.1, 0.9]) > 0.0
    assert gradient([-1.0, 1.0], [1.5, 0.5]) > 0.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe.name))
def test_ppo_solves_the_probe(probe: Probe, seed: int) -> None:
    result = solve(probe, seed)
    assert result.history[-1]["reward"] == pytest.approx(probe.optimum)
    network = result.network
    assert isinstance(network, ActorCritic)
    values = network.value(torch.eye(probe.states)).detach().numpy()
    if probe is CONSTANT:
        assert values[0] == pytest.approx(1.0, abs=0.05)
    if probe is DELAY:
        assert values[[0, 2, 4]] == pytest.approx([0.25, 0.5, 1.0], abs=0.1)


def test_the_same_seed_gives_the_same_weights() -> None:
    digests = [weights_digest(solve(SLOT, seed, steps=48).network) for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_a_cloned_policy_is_kept_while_the_critic_learns() -> None:
    states = np.eye(SLOT.states, dtype=np.float32)[:5]  # all there are
    arrays = (np.repeat(array, 20, axis=0) for array in (states, np.ones((5, 6), bool), best_actions(SLOT, states)))
    data = Demonstrations(*arrays, groups=np.arange(100, dtype=np.int32))
    clone = clone_behaviour(data, ImitationConfig(hidden=(32,), learning_rate=1e-2, batch_size=32)).network
    before = weights_digest(clone.actor)
    config = replace(CONFIG, steps=240, critic_steps=240, reward_scale=1 / 18)
    evaluate = lambda network: {"reward": greedy_return(SLOT, network)}  # noqa: E731
    result = train_ppo(ProbeEnv(SLOT), config, evaluate, start=clone)
    assert isinstance(result.network, ActorCritic)
    assert weights_digest(result.network.actor) == weights_digest(clone.actor) == before
    assert float(result.network.value(torch.eye(8)).detach()[0]) > 0.5, "the critic has learned what the clone earns"
    blind = ActorCritic(8, 6, (32,))
    assert train_ppo(ProbeEnv(SLOT), config, evaluate, start=blind).best["reward"] < 18


class Poisoned(ProbeEnv):
    """One reward is not a number."""

    def step(self, actions: IntArray, /) -> Any:
        observations, reward, *rest = super().step(actions)
        reward[3] = np.nan
        return (observations, reward, *rest)


def test_bad_numbers_stop_training_at_once() -> None:
    with pytest.raises(FloatingPointError, match="reward is not finite at update 0"):
        train_ppo(Poisoned(OBSERVATION), CONFIG, lambda network: {"reward": 0.0})


def test_ctrl_c_keeps_the_best_so_far() -> None:
    seen: list[int] = []

    def interrupt(step: int, steps: int, row: Mapping[str, float]) -> None:
        seen.append(step)
        if len(seen) == 2:
            raise KeyboardInterrupt

    def evaluate(network: nn.Module) -> dict[str, float]:
        return {"reward": -len(seen)}

    result = train_ppo(ProbeEnv(OBSERVATION), CONFIG, evaluate, progress=interrupt)
    assert result.interrupted
    assert seen == [120, 240]
    assert result.best["step"] == 120
    assert [row["step"] for row in result.history] == [120, 240]
