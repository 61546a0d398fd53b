"""A clone does what its teacher does, also where only DAgger takes it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from memory.ontology import IntArray
from policies.checkpoint import weights_digest
from policies.imitation import Demonstrations, ImitationConfig, clone, clone_behaviour, demonstrate
from policies.masked import ActorCritic, probabilities
from policies.policy import greedy_output
from policies.rule import RulePolicy
from simulator.probes import MASKED, OBSERVATION, PROBES, SLOT, Probe, ProbeEnv
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.training import mixed_errors
from simulator.vector_env import DialogueVectorEnv
from tests.policies.playing import best_actions, greedy_return

CONFIG = ImitationConfig(rollout=30, hidden=(16,), epochs=30, batch_size=64, learning_rate=1e-2)


class Watched(ProbeEnv):
    """Lets a teacher see what the learner sees."""

    def advice(self) -> IntArray:
        return best_actions(self.probe, self._observe())


def clone_probe(probe: Probe, seed: int) -> ActorCritic:
    env = Watched(probe)
    return clone(env, env.advice, replace(CONFIG, seed=seed)).network


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe.name))
def test_the_clone_of_an_expert_solves_the_probe(probe: Probe) -> None:
    assert [greedy_return(probe, clone_probe(probe, seed)) for seed in range(3)] == pytest.approx([probe.optimum] * 3)


def data_of(actions: list[int], weights: list[float] | None = None) -> Demonstrations:
    """One state, four actions of which the last is masked."""
    count = len(actions)
    masks = np.ones((count, 4), dtype=np.bool_)
    masks[:, 3] = False
    return Demonstrations(
        np.ones((count, 1), dtype=np.float32),
        masks,
        np.array(actions, dtype=np.int32),
        np.arange(count, dtype=np.int32),
        None if weights is None else np.array(weights, dtype=np.float32),
    )


def learned_distribution(data: Demonstrations) -> list[float]:
    config = replace(CONFIG, hidden=(), epochs=150, patience=150, learning_rate=0.05)
    network = clone_behaviour(data, config).network
    return [float(p) for p in probabilities(network, data.features[:1], data.masks[:1])[0]]


def test_a_clone_learns_the_teachers_distribution_weights_included() -> None:
    actions = [0, 0, 0, 1] * 60
    assert learned_distribution(data_of(actions)) == pytest.approx([0.75, 0.25, 0.0, 0.0], abs=0.04)
    weights = [1.0, 1.0, 1.0, 9.0] * 60
    assert learned_distribution(data_of(actions, weights)) == pytest.approx([0.25, 0.75, 0.0, 0.0], abs=0.04)


def test_training_stops_when_held_out_dialogues_get_worse_and_keeps_the_best() -> None:
    """Noise can only be memorised: the validation loss soon rises."""
    rng = np.random.default_rng(0)
    data = Demonstrations(
        rng.random((200, 30)).astype(np.float32),
        np.ones((200, 3), dtype=np.bool_),
        rng.integers(3, size=200).astype(np.int32),
        np.arange(200, dtype=np.int32),
    )
    learned = clone_behaviour(data, replace(CONFIG, epochs=100, patience=4))
    assert learned.best["epoch"] < 20
    assert len(learned.history) == learned.best["epoch"] + 5
    assert learned.history[-1]["train"] < learned.history[-1]["validation"]


def test_a_dialogue_is_never_split_between_training_and_validation() -> None:
    """All rows of a dialogue are equal here and its action is random: only a leak would be learned from."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.random((120, 20)), 10, axis=0).astype(np.float32)
    actions = np.repeat(rng.integers(2, size=120), 10).astype(np.int32)
    masks, dialogues = np.ones((1200, 2), dtype=np.bool_), np.repeat(np.arange(120), 10).astype(np.int32)
    config = replace(CONFIG, epochs=60, patience=60, hidden=(64,))
    honest = clone_behaviour(Demonstrations(features, masks, actions, dialogues), config)
    leaking = clone_behaviour(Demonstrations(features, masks, actions, np.arange(1200, dtype=np.int32)), config)
    assert honest.history[-1]["agreement"] < 0.75
    assert leaking.history[-1]["agreement"] > 0.85


def test_demonstrations_are_checked() -> None:
    with pytest.raises(ValueError, match="demonstration 1: the mask forbids the teacher's action"):
        data_of([0, 3, 1])
    with pytest.raises(ValueError, match=r"1 groups can't be split at 0\.15: record more"):
        clone_behaviour(replace(data_of([0, 1, 2]), groups=np.zeros(3, dtype=np.int32)), CONFIG)
    bad = replace(data_of([0, 1] * 10), features=np.full((20, 1), np.nan, dtype=np.float32))
    with pytest.raises(FloatingPointError, match="loss is not finite"):
        clone_behaviour(bad, CONFIG)


def test_dagger_asks_the_teacher_where_the_clone_goes() -> None:
    env = Watched(SLOT)
    torch.manual_seed(0)
    lost = ActorCritic(SLOT.states, SLOT.actions, (4,))
    with torch.no_grad():
        lost.actor[-1].bias[1] = 100.0  # always wastes the turn: a state the teacher never visits
    own, clones = demonstrate(env, env.advice, 20, 0), demonstrate(env, env.advice, 20, 0, lost)
    assert not own.features[:, 1].any()
    assert clones.features[:, 1].any()
    assert (clones.actions == best_actions(SLOT, clones.features)).all()
    both = own.and_also(clones)
    assert len(both.actions) == len(own.actions) + len(clones.actions)
    assert len(np.unique(both.groups)) == len(np.unique(own.groups)) + len(np.unique(clones.groups))


def test_the_rules_of_a_real_dialogue_world_are_cloned() -> None:
    settings = SimulationSettings(small_task(), errors=mixed_errors())
    env = DialogueVectorEnv(64, small_ontology(), settings=settings)
    rule = RulePolicy(small_ontology(), env.simulation.space)

    def advice() -> IntArray:
        return rule.choose(env.simulation.belief, env.action_masks())

    learned = clone(env, advice, ImitationConfig(rollout=40, epochs=25, dagger_rounds=1, hidden=(64,)))
    test = demonstrate(env, advice, 20, seed=999)
    chosen = greedy_output(learned.network(torch.from_numpy(test.features)).detach().numpy(), test.masks).actions
    assert (chosen == test.actions).mean() > 0.85
    assert learned.best["agreement"] > 0.85


def test_the_same_seed_gives_the_same_weights_and_ctrl_c_keeps_the_best() -> None:
    digests = [weights_digest(clone_probe(OBSERVATION, seed)) for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]

    def interrupt(step: int, steps: int, row: object) -> None:
        if step == 3:
            raise KeyboardInterrupt

    env = Watched(MASKED)
    learned = clone(env, env.advice, replace(CONFIG, dagger_rounds=5), progress=interrupt)
    assert learned.interrupted
    assert len(learned.history) == 3
