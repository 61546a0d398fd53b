"""A policy that must remember: exactness of sequences, and a corridor that no policy without memory can solve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from policies.checkpoint import weights_digest
from policies.episodes import play_episodes
from policies.recurrent import (
    LSTMCore,
    RecurrentActorCritic,
    RecurrentConfig,
    RecurrentPlayer,
    State,
    train_recurrent,
)
from policies.train import TrainingResult
from simulator.corridor import BLIND, OPTIMUM, CorridorEnv


def small_lstm(inputs: int) -> LSTMCore:
    return LSTMCore(inputs, 24)


def config(seed: int, **changes: Any) -> RecurrentConfig:
    settings: dict[str, Any] = {
        "steps": 800, "rollout": 20, "minibatches": 2, "encoded": 16, "core": small_lstm, "learning_rate": 1e-2,
        "target_kl": 0.1, "reward_scale": 1.0, "evaluate_every": 400, "seed": seed,
    }  # fmt: skip
    return RecurrentConfig(**{**settings, **changes})


def walk(seed: int, length: int = 10, shortest: int | None = None, **changes: Any) -> TrainingResult:
    def evaluate(network: nn.Module) -> dict[str, float]:
        played = play_episodes(CorridorEnv(length, 64, shortest), RecurrentPlayer(network, 64), seed=99)
        return {"reward": float(played.returns.mean())}

    return train_recurrent(CorridorEnv(length, 32, shortest), config(seed, **changes), evaluate)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_seen_ten_steps_ago_decides(seed: int) -> None:
    assert walk(seed).history[-1]["reward"] == OPTIMUM


def test_episodes_of_different_lengths_do_not_leak_into_each_other() -> None:
    assert walk(0, shortest=3).history[-1]["reward"] == OPTIMUM


class Amnesiac(LSTMCore):
    """Forgets everything before each step."""

    def forward(self, inputs: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        return super().forward(inputs, self.initial(len(inputs)))


def test_without_memory_the_corridor_is_a_coin_toss() -> None:
    result = walk(0, core=lambda inputs: Amnesiac(inputs, 24), steps=260)
    assert max(row["reward"] for row in result.history) == pytest.approx(BLIND, abs=0.35)


class LatchCore(nn.Module):
    """A memory unlike an LSTM: what it reads first stays in a register, and a counter runs beside it."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.outputs = inputs + 1

    def initial(self, batch: int) -> State:
        return torch.zeros(batch, self.outputs - 1), torch.zeros(batch, 1), torch.zeros(batch, 2, 2)

    def forward(self, inputs: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        register, count, unused = state
        register = torch.where(count == 0, inputs, register)
        return torch.cat([register, count.clamp(max=1)], dim=1), (register, count + 1, unused)


def test_another_memory_can_be_plugged_in() -> None:
    assert walk(0, core=LatchCore, steps=260).history[-1]["reward"] == OPTIMUM


def network_of(core: type[nn.Module] = LSTMCore) -> RecurrentActorCritic:
    torch.manual_seed(0)
    network = RecurrentActorCritic(4, 3, 8, core)
    with torch.no_grad():
        network.actor[0].weight.mul_(100.0)
    return network


@pytest.mark.parametrize("core", [LSTMCore, LatchCore])
def test_a_sequence_is_its_steps_and_an_episode_begins_with_nothing_remembered(core: type[nn.Module]) -> None:
    network = network_of(core)
    generator = torch.Generator().manual_seed(1)
    features, began = torch.rand(7, 5, 4, generator=generator), torch.rand(7, 5, generator=generator) < 0.3
    state = tuple(torch.rand(part.shape, generator=generator) for part in network.core.initial(5))
    logits, values = network.unroll(features, state, began)
    present = state
    for t in range(7):
        at_step, value, present = network(features[t], present, began[t])
        assert torch.allclose(at_step, logits[t], atol=1e-6)
        assert torch.allclose(value, values[t], atol=1e-6)
    for env in range(5):
        for t in torch.nonzero(began[:, env]).flatten().tolist():
            alone, _ = network.unroll(features[t:, env : env + 1], network.core.initial(1), began[t:, env : env + 1])
            assert torch.allclose(alone[:, 0], logits[t:, env], atol=1e-5)
    fresh = network.unroll(features, network.core.initial(5), began)[0]
    assert not torch.allclose(fresh[0][~began[0]], logits[0][~began[0]], atol=1e-3), "the stored state matters"


def test_gradients_reach_back_to_the_cue() -> None:
    network = network_of()
    features = torch.rand(12, 1, 4).requires_grad_()
    logits, _ = network.unroll(features, network.core.initial(1), torch.zeros(12, 1, dtype=torch.bool))
    torch.autograd.backward(logits[-1, 0, 0])
    assert features.grad is not None
    assert float(features.grad[0].abs().sum()) > 0
    began = torch.zeros(12, 1, dtype=torch.bool)
    began[6] = True
    features.grad = None
    torch.autograd.backward(network.unroll(features, network.core.initial(1), began)[0][-1, 0, 0])
    assert features.grad is not None
    assert float(features.grad[:6].abs().sum()) == 0


def test_a_player_remembers_between_calls_and_draws_when_told_to() -> None:
    network = network_of()
    player = RecurrentPlayer(network, 400, np.random.default_rng(0))
    masks = np.ones((400, 3), dtype=np.bool_)
    masks[:, 2] = False
    x, began = np.ones((400, 4), dtype=np.float32), np.ones(400, dtype=np.bool_)
    drawn = player(x, masks, began)
    assert set(drawn) == {0, 1}
    before = player.state[0].clone()
    player(x, masks, ~began)
    assert not torch.equal(before, player.state[0])
    player(x, masks, began)
    assert torch.allclose(before, player.state[0])
    assert len(set(RecurrentPlayer(network, 400)(x, masks, began))) == 1


def test_the_same_seed_gives_the_same_weights() -> None:
    digests = [weights_digest(walk(seed, steps=40).network) for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_ctrl_c_keeps_the_best_so_far() -> None:
    def interrupt(step: int, steps: int, row: object) -> None:
        raise KeyboardInterrupt

    result = train_recurrent(CorridorEnv(), config(0), lambda network: {"reward": 1.0}, progress=interrupt)
    assert result.interrupted
    assert result.best["step"] == 400
