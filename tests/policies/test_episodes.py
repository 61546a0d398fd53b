"""Whole episodes: played without bias, and logged without loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.episodes import Log, play_episodes, record_log
from simulator.probes import DELAY, SLOT, ProbeEnv
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.vector_env import DialogueVectorEnv
from tests.policies.playing import slipping_expert


def test_short_episodes_are_not_over_represented() -> None:
    """A guesser's episode is one step long, an asker's two: half of the environments do each."""
    halves = np.arange(600) % 2 == 0

    def act(features: FloatArray, masks: BoolArray, began: BoolArray) -> IntArray:
        asked = features.argmax(axis=1) - 2
        return np.where(halves, 3, np.where(asked >= 0, asked + 3, 0)).astype(np.int32)

    played = play_episodes(ProbeEnv(SLOT, 600), act, seed=1)
    assert (played.lengths == np.where(halves, 1, 2)).all()
    assert (played.returns[~halves] == 18.0).all()
    assert played.returns[halves].mean() == pytest.approx(19 / 3 - 2 / 3, abs=2.5)
    assert np.isnan(played.success).all()


def test_success_and_length_are_those_of_the_dialogue() -> None:
    env = DialogueVectorEnv(50, small_ontology(), settings=SimulationSettings(small_task()))
    began_before: list[BoolArray] = []

    def act(features: FloatArray, masks: BoolArray, began: BoolArray) -> IntArray:
        began_before.append(began)
        return masks.argmax(axis=1).astype(np.int32)

    played = play_episodes(env, act, seed=0)
    assert began_before[0].all()
    assert (played.returns == 20 * played.success - played.lengths).all()
    with pytest.raises(ValueError, match="have not ended after 3 steps: raise max_steps"):
        play_episodes(env, act, seed=0, max_steps=3)


class Recorder(ProbeEnv):
    """Remembers every step, to compare the log with."""

    def __init__(self) -> None:
        super().__init__(SLOT, 5)
        self.steps: list[tuple[Any, ...]] = []

    def step(self, actions: IntArray, /) -> Any:
        outcome = super().step(actions)
        self.steps.append((actions, outcome[1], outcome[2]))
        return outcome


def test_a_log_holds_each_whole_dialogue_in_order() -> None:
    env = Recorder()
    log = record_log(env, slipping_expert(SLOT, 0.6, 0), 21, seed=0)
    expected = []
    for row in range(5):
        pending = []
        for actions, rewards, done in env.steps:
            pending.append((int(actions[row]), float(rewards[row])))
            if done[row]:
                expected.append(pending)
                pending = []
    found = [
        list(zip(log.actions[log.dialogue == d], log.rewards[log.dialogue == d], strict=True))
        for d in range(len(log.starts))
    ]
    assert found == expected
    assert log.done.sum() == len(expected)
    assert log.returns(0.5) == pytest.approx([sum(0.5**t * r for t, (_, r) in enumerate(steps)) for steps in expected])
    assert log.starts.tolist() == [0, *(np.flatnonzero(log.done)[:-1] + 1)]


def test_parts_of_a_log_are_whole_dialogues() -> None:
    log = record_log(ProbeEnv(SLOT), slipping_expert(SLOT, 0.6, 0), 20, seed=0)
    first, second = log.split(0.3, np.random.default_rng(0))
    assert len(first.starts) == round(0.3 * len(log.starts))
    assert len(first) + len(second) == len(log)
    assert sorted([*first.returns(), *second.returns()]) == sorted(log.returns())
    with pytest.raises(ValueError, match="can't be split"):
        log.split(0.0, np.random.default_rng(0))


def test_what_is_no_log_is_refused_with_the_row() -> None:
    log = record_log(ProbeEnv(DELAY), slipping_expert(DELAY, 0.5, 0), 9, seed=0)
    rewards, masks, propensity = log.rewards.copy(), log.masks.copy(), log.propensity.copy()
    rewards[4] = np.nan
    with pytest.raises(ValueError, match="row 4: rewards is not finite"):
        replace(log, rewards=rewards)
    masks[7] = False
    with pytest.raises(ValueError, match="row 7: the logged action is masked"):
        replace(log, masks=masks)
    propensity[2] = 0.0
    with pytest.raises(ValueError, match=r"row 2: the propensity is not in \(0, 1\]"):
        replace(log, propensity=propensity)
    with pytest.raises(ValueError, match="the last dialogue has no end"):
        replace(log, done=np.zeros_like(log.done))
    with pytest.raises(ValueError, match="rewards has 3 rows"):
        replace(log, rewards=log.rewards[:3])
    with pytest.raises(ValueError, match="no decisions"):
        Log(*(getattr(log, name)[:0] for name in log.__dataclass_fields__))
