"""The handcrafted policy reaches every reachable goal, and obeys the masks."""

from __future__ import annotations

import numpy as np
import pytest

from policies.policy import Policy, RandomPolicy
from policies.rule import RulePolicy
from simulator.evaluate import play
from simulator.noise import ErrorModel
from simulator.simulation import DialogueSimulation, SimulationSettings
from simulator.small import restaurant_sized_ontology, restaurant_sized_task, small_ontology, small_task
from simulator.user_parameters import UserParameters

WORLDS = {"small": (small_ontology(), small_task()), "large": (restaurant_sized_ontology(), restaurant_sized_task())}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("people", ["default", "sampled", "unfriendly"])
def test_every_goal_is_reached_when_nothing_is_misheard(world: str, people: str) -> None:
    ontology, task = WORLDS[world]
    settings = SimulationSettings(task, users=getattr(UserParameters, people)())
    played = play(RulePolicy(ontology), ontology, settings, 500, seed=5)
    assert played.success.mean() >= 0.99
    assert played.turns.mean() < 9.5


def test_errors_cost_turns_but_rarely_the_goal() -> None:
    ontology, task = WORLDS["small"]
    rewards = [
        play(RulePolicy(ontology), ontology, SimulationSettings(task, errors=(ErrorModel.at(e),)), 500, 6).reward.mean()
        for e in (0.0, 0.15, 0.3)
    ]
    assert rewards[0] > rewards[1] > rewards[2] > 5.0


def test_rules_never_choose_a_masked_action() -> None:
    ontology, task = WORLDS["large"]
    simulation = DialogueSimulation(ontology, SimulationSettings(task, errors=(ErrorModel.at(0.3),)), range(256))
    policy, rows = RulePolicy(ontology, simulation.space), np.arange(256)
    for _ in range(60):
        masks = simulation.masks()
        output = policy.act(simulation.belief, masks, np.random.default_rng(0))
        assert masks[rows, output.actions].all()
        assert np.array_equal(output.actions, policy.choose(simulation.belief, masks))
        simulation.reset(np.flatnonzero(simulation.step(output.actions).done).astype(np.int32))


def test_policies_share_one_interface() -> None:
    assert isinstance(RulePolicy(small_ontology()), Policy)
    assert isinstance(RandomPolicy(), Policy)
