"""The DNC and the NTM as memories of a recurrent policy."""

import pytest
import torch

from policies.recurrent import RecurrentActorCritic, RecurrentConfig, RecurrentPlayer, train_recurrent
from policies.recurrent_cores import core_named
from simulator.corridor import BLIND, OPTIMUM, CorridorEnv

MEMORIES = ["lstm", "ntm", "dnc"]


def trained(name: str, length: int, steps: int) -> float:
    from policies.episodes import play_episodes

    def evaluate(network):
        return {
            "reward": float(play_episodes(CorridorEnv(length, 64), RecurrentPlayer(network, 64), 99).returns.mean())
        }

    config = RecurrentConfig(
        steps=steps, rollout=12, minibatches=2, encoded=8, core=core_named(name, 16), learning_rate=1e-2, target_kl=0.1,
        reward_scale=1.0, evaluate_every=steps,
    )  # fmt: skip
    return train_recurrent(CorridorEnv(length, 32), config, evaluate).best["reward"]


@pytest.mark.parametrize("name", ["ntm", "dnc"])
def test_a_cue_is_remembered(name):
    assert trained(name, 3, 96) == OPTIMUM


def test_without_memory_it_is_not():
    assert trained("none", 3, 96) == pytest.approx(BLIND, abs=0.35)


@pytest.mark.parametrize("name", MEMORIES)
def test_an_episode_begins_with_nothing_remembered_and_rows_do_not_meet(name):
    torch.manual_seed(0)
    network = RecurrentActorCritic(4, 3, 8, core_named(name, 16))
    with torch.no_grad():
        network.actor[0].weight.mul_(100.0)
    features, began = torch.rand(7, 3, 4), torch.zeros(7, 3, dtype=torch.bool)
    began[4, 1] = True
    logits, _ = network.unroll(features, network.core.initial(3), began)
    alone, _ = network.unroll(features[4:, 1:2], network.core.initial(1), began[4:, :1])
    assert torch.allclose(alone[:, 0], logits[4:, 1], atol=1e-4)
    remembered, _ = network.unroll(features, network.core.initial(3), torch.zeros_like(began))
    assert not torch.allclose(remembered[4:, 1], logits[4:, 1], atol=1e-4)
    assert torch.allclose(remembered[:, 0], logits[:, 0], atol=1e-4)


def test_an_unknown_memory_is_refused():
    with pytest.raises(ValueError, match=r"'gru'.*lstm"):
        core_named("gru")
