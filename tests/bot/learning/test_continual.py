"""A trained network learns on from both sources; the gate lets only what is not worse through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bot.learning.continual import ContinualConfig, continue_training, load_network
from bot.learning.experience import Transitions
from bot.learning.gate import compare
from memory.belief import BeliefState
from memory.ontology import BoolArray
from policies.checkpoint import CheckpointError, save_checkpoint, weights_digest
from policies.dqn import DQNConfig, network_values
from policies.networks import DuelingNetwork
from policies.policy import PolicyOutput, RandomPolicy
from policies.rule import RulePolicy
from simulator.evaluate import bootstrap, play
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.vector_env import DialogueVectorEnv

ONTOLOGY = small_ontology()
SETTINGS = SimulationSettings(small_task(), errors=(ErrorModel.at(0.15),))
TRAINED = DQNConfig(hidden=(16,))
LOGGED = 3


def env() -> DialogueVectorEnv:
    return DialogueVectorEnv(8, ONTOLOGY, settings=SETTINGS)


def network() -> DuelingNetwork:
    torch.manual_seed(0)
    world = env()
    return DuelingNetwork(world.single_observation_space.shape[0], world.simulation.space.size, (16,))


def real(returns: float) -> Transitions:
    """Sixteen times the same kind of state in which only action LOGGED was ever done, with these ends."""
    world = env()
    inputs, actions = world.single_observation_space.shape[0], world.simulation.space.size
    features = np.random.default_rng(0).random((16, inputs)).astype(np.float32)
    masks = np.ones((16, actions), dtype=np.bool_)
    return Transitions(
        features=features,
        masks=masks,
        actions=np.full(16, LOGGED, dtype=np.int64),
        returns=np.full(16, returns, dtype=np.float32),
        discounts=np.zeros(16, dtype=np.float32),
        next_features=features,
        next_masks=masks,
    )


def config(updates: int = 60, share: float = 0.5, conservatism: float = 0.0, rate: float = 1e-3) -> ContinualConfig:
    return ContinualConfig(updates, 32, share, conservatism, rate, warm_up=10)


def learned(data: Transitions | None, settings: ContinualConfig) -> torch.nn.Module:
    return continue_training(network(), TRAINED, env(), data, settings)


def logged_value(net: torch.nn.Module, data: Transitions) -> float:
    return float(network_values(net, data.features)[:, LOGGED].mean())


def test_real_outcomes_move_the_values_of_what_was_done() -> None:
    good, bad = real(1.0), real(-1.0)
    values = [logged_value(learned(data, config(120)), data) for data in (bad, good)]
    assert values[0] < logged_value(network(), good) - 0.2
    assert values[1] > values[0] + 0.8


def test_without_a_real_share_real_outcomes_do_nothing() -> None:
    a, b = (weights_digest(learned(data, config(share=0.0))) for data in (real(1.0), real(-1.0)))
    assert a == b != weights_digest(network())
    assert weights_digest(learned(None, config())) != weights_digest(network()), "simulated dialogues alone will do"


def test_conservatism_keeps_actions_down_that_the_log_does_not_show() -> None:
    data = real(0.0)

    def gap(conservatism: float) -> float:
        values = network_values(learned(data, config(150, conservatism=conservatism)), data.features)
        return float((values[:, LOGGED] - np.delete(values, LOGGED, axis=1).max(axis=1)).mean())

    assert gap(5.0) > gap(0.0) + 0.02


def test_learning_on_is_a_function_of_its_arguments() -> None:
    data = real(0.5)
    first, again = (weights_digest(learned(data, config(conservatism=0.2))) for _ in range(2))
    assert first == again


def test_the_served_network_is_not_touched() -> None:
    served = network()
    before = weights_digest(served)
    continue_training(served, TRAINED, env(), real(1.0), config(), lambda share: None)
    assert weights_digest(served) == before


def test_a_reward_out_of_all_measure_stops_it() -> None:
    with pytest.raises(FloatingPointError, match="out of all measure"):
        learned(real(float("inf")), config())


def test_progress_is_told_up_to_the_end() -> None:
    seen: list[float] = []
    continue_training(network(), TRAINED, env(), None, config(31), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_checkpoint_comes_back_with_its_settings(tmp_path: Path) -> None:
    net = network()
    settings = {"hidden": [16], "n_step": 3, "gamma": 0.9, "reward_scale": 0.1, "of_another_version": 1}
    save_checkpoint(tmp_path, net, {"config": settings})
    inputs, actions = net.trunk[0].in_features, net.advantage.out_features
    loaded, trained = load_network(tmp_path, int(inputs), int(actions))  # type: ignore[call-overload]
    assert weights_digest(loaded) == weights_digest(net)
    assert (trained.hidden, trained.n_step, trained.gamma, trained.reward_scale) == ((16,), 3, 0.9, 0.1)
    (tmp_path / "checkpoint.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: not a policy's checkpoint .* train the policy again"):
        load_network(tmp_path, 3, 2)
    with pytest.raises(CheckpointError, match="train the policy first"):
        load_network(tmp_path / "nowhere", 3, 2)


class Clumsy:
    """The rules, but a share of the turns is left to chance."""

    name, version = "clumsy", "1"

    def __init__(self, share: float) -> None:
        self._rule, self._share = RulePolicy(ONTOLOGY), share

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        output, chance = self._rule.act(belief, masks, rng), RandomPolicy().act(belief, masks, rng)
        actions = np.where(rng.random(belief.batch) < self._share, chance.actions, output.actions).astype(np.int32)
        return PolicyOutput(actions, output.values, output.propensity)


def test_an_equal_candidate_passes_with_a_difference_of_exactly_zero() -> None:
    result = compare(RulePolicy(ONTOLOGY), RulePolicy(ONTOLOGY), ONTOLOGY, SETTINGS, dialogues=400, margin=0.0)
    assert (result.difference.mean, result.difference.low) == (0.0, 0.0)
    assert result.passed
    assert result.to_json()["passed"] is True


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_a_deliberately_worse_candidate_is_refused(share: float) -> None:
    result = compare(Clumsy(share), RulePolicy(ONTOLOGY), ONTOLOGY, SETTINGS, dialogues=800, margin=0.2)
    assert result.difference.mean < 0
    assert not result.passed


def test_a_better_candidate_passes() -> None:
    result = compare(RulePolicy(ONTOLOGY), Clumsy(0.2), ONTOLOGY, SETTINGS, dialogues=800, margin=0.0)
    assert result.passed
    assert result.candidate["reward"] > result.reference["reward"]


def test_pairs_tell_more_than_two_separate_samples() -> None:
    paired = compare(Clumsy(0.02), RulePolicy(ONTOLOGY), ONTOLOGY, SETTINGS, dialogues=800, margin=0.2).difference
    worse, better = (
        play(policy, ONTOLOGY, SETTINGS, 800, seed).reward
        for seed, policy in ((1, Clumsy(0.02)), (2, RulePolicy(ONTOLOGY)))
    )
    separate = bootstrap(worse - better)
    assert paired.high - paired.low < 0.7 * (separate.high - separate.low)
