"""Raw observations: the same dialogues, but only the last turn is seen."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from gymnasium.spaces import Box

from memory.turn import FLOW_ACTS, SYSTEM_KINDS, UserEvidence
from policies.policy import random_actions
from simulator.evidence import evidence_env
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.vector_env import DialogueVectorEnv

ONTOLOGY = small_ontology()
SETTINGS = SimulationSettings(small_task(), errors=(ErrorModel.at(0.3),))


def test_the_dialogues_are_the_same_and_the_observation_is_not() -> None:
    raw, belief = evidence_env(16, ONTOLOGY, settings=SETTINGS), DialogueVectorEnv(16, ONTOLOGY, settings=SETTINGS)
    rng = np.random.default_rng(0)
    x, _ = raw.reset(seed=4)
    belief.reset(seed=4)
    for _ in range(40):
        masks = raw.action_masks()
        assert (masks == belief.action_masks()).all()
        actions = random_actions(masks, rng)
        x, reward, terminated, truncated, infos = raw.step(actions)
        _, other, *_ = belief.step(actions)
        assert (reward == other).all()
        assert x.dtype == np.float32
        assert isinstance(raw.single_observation_space, Box)
        assert x.shape == (16, *raw.single_observation_space.shape)
        assert raw.observation_space.contains(x)
        for row in np.flatnonzero(terminated | truncated):
            assert infos["final_obs"][row].shape == x[row].shape


def test_an_observation_is_what_was_heard_last() -> None:
    env = evidence_env(32, ONTOLOGY, settings=SETTINGS)
    heard: list[tuple[UserEvidence, np.ndarray | None]] = []
    hear = env.simulation.channel.hear

    def listen(turn, model, rows=None):  # type: ignore[no-untyped-def]
        evidence = hear(turn, model, rows)
        heard.append((evidence, rows))
        return evidence

    env.simulation.channel.hear = listen  # type: ignore[method-assign]
    x, _ = env.reset(seed=0)
    rng = np.random.default_rng(1)
    values = ONTOLOGY.num_values
    for _ in range(15):
        x, *_ = env.step(random_actions(env.action_masks(), rng))
        latest = {f.name: getattr(heard[-1][0], f.name) for f in fields(UserEvidence)}
        rows = np.arange(32) if heard[-1][1] is None else heard[-1][1]
        assert np.array_equal(x[rows, :values], latest["inform"])
        assert np.array_equal(x[rows, values : 2 * values], latest["deny"])
        kind = x[:, -len(SYSTEM_KINDS) - 3 : -3]
        assert (kind.argmax(axis=1) == env.simulation.belief.last.kind).all()
        assert (kind.sum(axis=1) == 1).all()
    assert any(rows is not None for _, rows in heard[1:]), "some dialogues ended"


def test_nothing_older_than_the_last_turn_is_seen() -> None:
    """A user who says nothing new leaves no trace of what was said before: that is what the policy must remember."""
    env = evidence_env(64, ONTOLOGY, settings=SimulationSettings(small_task()))
    env.reset(seed=0)
    width = 2 * ONTOLOGY.num_values
    rng, silent = np.random.default_rng(2), 0
    for _ in range(20):
        x, *_ = env.step(random_actions(env.action_masks(), rng))
        quiet = x[:, :width].sum(axis=1) == 0
        silent += int((quiet & (env.simulation.belief.goals.max(axis=1) > 0.9)).sum())
    assert silent > 50
    assert x.shape[1] == width + 6 + len(FLOW_ACTS) + 2 + 1 + len(SYSTEM_KINDS) + 3


def test_a_world_needs_its_task() -> None:
    with pytest.raises(ValueError, match="needs its `task`"):
        evidence_env(2, ONTOLOGY)
