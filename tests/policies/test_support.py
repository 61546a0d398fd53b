"""Within support: what the log never shows is not done, masks first, and the log's success is kept."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.belief import BeliefState
from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.actions import ActionSpace
from policies.dqn import network_values
from policies.featurizer import BeliefFeaturizer
from policies.networks import DuelingNetwork
from policies.policy import Policy, PolicyOutput, RandomPolicy, greedy_output
from policies.rule import RulePolicy
from policies.stack import take
from policies.support import ClonedBehaviour, CountedBehaviour, SupportedPolicy, situations
from simulator.evaluate import play
from simulator.noise import ErrorModel
from simulator.simulation import DialogueSimulation, SimulationSettings, scatter
from simulator.small import small_ontology, small_task

ONTOLOGY = small_ontology()
SPACE = ActionSpace(ONTOLOGY)
SETTINGS = SimulationSettings(small_task(), errors=(ErrorModel.at(0.15),))
RNG = np.random.default_rng(0)


@cache
def logged(turns: int = 40, batch: int = 64) -> tuple[BeliefState, BoolArray, IntArray]:
    """What the rules did: states, masks, actions of ``turns`` times ``batch`` decisions."""
    simulation, rule = DialogueSimulation(ONTOLOGY, SETTINGS, range(batch)), RulePolicy(ONTOLOGY)
    states, masks, actions = BeliefState.initial(ONTOLOGY, turns * batch), [], []
    for turn in range(turns):
        masks.append(simulation.masks())
        actions.append(rule.choose(simulation.belief, masks[-1]))
        states = scatter(states, np.arange(turn * batch, (turn + 1) * batch, dtype=np.int32), simulation.belief)
        simulation.reset(np.flatnonzero(simulation.step(actions[-1]).done).astype(np.int32))
    return states, np.concatenate(masks), np.concatenate(actions)


@cache
def counted() -> CountedBehaviour:
    states, _, actions = logged()
    return CountedBehaviour.fit(SPACE, states, actions)


class Deluded:
    """Believes that the rarest actions are the best: what extrapolation error does to a policy learned offline."""

    name, version = "deluded", "1"

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        frequency = np.bincount(logged()[2], minlength=SPACE.size)
        return greedy_output(np.broadcast_to(-frequency.astype(np.float32), masks.shape), masks)


def test_support_saves_a_policy_that_overrates_what_was_never_tried() -> None:
    deluded, rule = Deluded(), RulePolicy(ONTOLOGY)
    safe = SupportedPolicy(deluded, counted(), threshold=0.3)
    success = {p.name: play(p, ONTOLOGY, SETTINGS, 300, 9).success.mean() for p in (deluded, safe, rule)}
    assert success["deluded"] < 0.5
    assert success["deluded+support"] > success["rule"] - 0.1


def test_only_actions_that_the_log_shows_in_this_situation_are_left() -> None:
    states, masks, actions = logged()
    supported = SupportedPolicy(RandomPolicy(), counted(), threshold=0.3).supported(states, masks)
    keys = situations(SPACE, states)
    for key in np.unique(keys)[:40]:
        rows = keys == key
        if rows.sum() >= 20:  # with few observations the counts over all situations speak too
            assert set(np.flatnonzero(supported[rows].any(axis=0))) <= set(actions[rows])


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), st.integers(0, 2000))
def test_masks_come_first_and_some_action_is_always_left(threshold: float, first: int) -> None:
    states, _, _ = logged()
    belief = take(states, np.arange(first, first + 32))
    masks = np.random.default_rng(first).random((32, SPACE.size)) < 0.2
    masks[np.arange(32), np.random.default_rng(first + 1).integers(SPACE.size, size=32)] = True
    supported = SupportedPolicy(RandomPolicy(), counted(), threshold).supported(belief, masks)
    assert not (supported & ~masks).any()
    assert supported.any(axis=1).all()


def test_the_ends_of_the_threshold() -> None:
    states, masks, _ = logged()
    everything = SupportedPolicy(RandomPolicy(), counted(), 0.0).supported(states, masks)
    np.testing.assert_array_equal(everything, masks)
    best = counted()(states, masks)
    only = SupportedPolicy(RandomPolicy(), counted(), 1.0)
    chosen = only.act(states, masks, RNG).actions
    np.testing.assert_allclose(best[np.arange(len(chosen)), chosen], best.max(axis=1))
    with pytest.raises(ValueError, match=r"threshold is 1\.5"):
        SupportedPolicy(RandomPolicy(), counted(), 1.5)


def test_propensities_stay_exact() -> None:
    states, masks, _ = logged()
    policy = SupportedPolicy(RandomPolicy(), counted(), 0.3)
    output = policy.act(states, masks, RNG)
    np.testing.assert_allclose(output.propensity, 1 / policy.supported(states, masks).sum(axis=1))
    assert isinstance(policy, Policy)
    assert (policy.name, policy.version) == ("random+support", "1@0.3")


def test_what_was_never_seen_anywhere_leaves_the_masks() -> None:
    empty = CountedBehaviour(SPACE, {})
    states, masks, _ = logged()
    np.testing.assert_array_equal(SupportedPolicy(RandomPolicy(), empty, 0.3).supported(states, masks), masks)


def test_counts_are_probabilities_of_what_was_done() -> None:
    states, masks, actions = logged()
    probability = counted()(states, masks)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-5)
    assert not probability[~masks].any()
    assert probability[np.arange(len(actions)), actions].mean() > 0.7, "a deterministic teacher is predictable"


def test_a_cloned_network_predicts_the_teacher_under_masks() -> None:
    states, masks, actions = logged()
    featurizer = BeliefFeaturizer(ONTOLOGY)
    features = featurizer(states)
    torch.manual_seed(0)
    network = DuelingNetwork(featurizer.size, SPACE.size, (32,), dueling=False)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    inputs, allowed = torch.from_numpy(features), torch.from_numpy(masks)
    for _ in range(60):
        logits = network(inputs).masked_fill(~allowed, -1e9)
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(actions.astype(np.int64)))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    def logits_of(values: FloatArray) -> FloatArray:
        return network_values(network, values)

    probability = ClonedBehaviour(logits_of, featurizer)(states, masks)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-5)
    assert not probability[~masks].any()
    assert probability[np.arange(len(actions)), actions].mean() > 0.8
    safe = SupportedPolicy(Deluded(), ClonedBehaviour(logits_of, featurizer), threshold=0.3)
    assert play(safe, ONTOLOGY, SETTINGS, 200, 9).success.mean() > 0.8
