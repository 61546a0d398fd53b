"""Training within a number of dialogues: it learns, it is reproducible, and its figures are those of its dialogues."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from simulator.tcbot.actions import ACTIONS, TABLE_SLOTS
from simulator.tcbot.benchmark import Job, best, last, run_job, summary
from simulator.tcbot.history import FACTS, SLOT_FACTS
from simulator.tcbot.learner import LearnerSettings, MovieTraining, default_settings
from simulator.tcbot.network import MovieNetwork
from simulator.tcbot.playing import GreedyAgent, play, rule
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import MovieTask, load_task
from simulator.tcbot.tracker import state_size
from tests.simulator.tcbot.worlds import ACTS, SLOTS, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("movies"))


@pytest.fixture(scope="module")
def task(folder: Path) -> MovieTask:
    return load_task(folder)


def short(seed: int, dialogues: int = 30, updates: int = 1) -> LearnerSettings:
    settings = default_settings(dialogues, seed)
    learning = replace(settings.dqn, pretrain_updates=10, updates_per_step=updates, heads=2)
    return replace(settings, teacher_dialogues=16, dqn=learning)


def test_equal_seeds_give_equal_weights(task: MovieTask) -> None:
    weights = []
    for seed in (3, 3, 4):
        network = MovieTraining(task, MovieSettings(), short(seed)).run()
        weights.append(torch.cat([p.flatten() for p in network.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("masked", [True, False])
def test_only_what_is_useful_is_done_if_so_wished(task: MovieTask, masked: bool) -> None:
    training = MovieTraining(task, MovieSettings(), replace(short(0), masked=masked))
    training.run()
    stored = training.replay.sample(500, np.random.default_rng(0))
    assert stored.next_masks.all() != masked
    tried = np.bincount(stored.actions, minlength=len(ACTIONS))
    never_asked = [ACTIONS.index(("inform", slot)) for slot in TABLE_SLOTS if slot not in ("theater", "starttime")]
    assert (tried[never_asked].sum() == 0) == masked


def test_the_number_of_dialogues_is_kept_and_the_teachers_count(task: MovieTask) -> None:
    training = MovieTraining(task, MovieSettings(), short(0))
    seen: list[float] = []
    training.run(seen.append)
    assert 30 <= training.finished < 30 + training.config.num_envs
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    # the rule agent needs 8 turns of each side
    assert training.outcomes.turns[: training.config.num_envs] == [16] * training.config.num_envs


def test_it_learns_to_do_with_fewer_turns_than_its_teacher(tmp_path: Path) -> None:
    """Users who tell all at once: the rule agent asks six questions nevertheless."""
    goal = {"inform_slots": {"moviename": "alpha"}, "request_slots": {}}
    task, env = load_task(write(tmp_path, goals=[goal])), MovieSettings()
    settings = short(1, 120, 6)
    settings = replace(settings, dqn=replace(settings.dqn, learning_rate=2e-3))
    network = MovieTraining(task, env, settings).run()
    learned, taught = (play(task, env, act, 200, 5) for act in (GreedyAgent(network, masked=True), rule))
    assert taught.success.mean() == 1.0
    assert learned.success.mean() > 0.95
    assert learned.turns.mean() < taught.turns.mean() - 4


def test_the_network_treats_slots_alike_and_keeps_the_order_of_actions() -> None:
    """Without their names, exchanging what is said about two slots exchanges the values of their actions."""
    size = state_size(len(ACTS), len(SLOTS), 20)
    network = MovieNetwork(ACTS, SLOTS, size, width=16, heads=2)
    network.names.zero_()
    inputs = size + SLOT_FACTS * len(TABLE_SLOTS) + FACTS
    features = torch.rand(4, inputs, generator=torch.Generator().manual_seed(0))
    city, date = TABLE_SLOTS.index("city"), TABLE_SLOTS.index("date")
    swapped = features.clone()
    swapped[:, network.about[city]] = features[:, network.about[date]]
    swapped[:, network.about[date]] = features[:, network.about[city]]
    there, here = network(swapped), network(features)
    for act in ("inform", "request"):
        a, b = ACTIONS.index((act, "city")), ACTIONS.index((act, "date"))
        assert torch.allclose(there[:, a], here[:, b], atol=1e-5)
        assert torch.allclose(there[:, b], here[:, a], atol=1e-5)
        assert not torch.allclose(here[:, a], here[:, b], atol=1e-5)
    thanks = ACTIONS.index(("thanks", ""))
    assert torch.allclose(there[:, thanks], here[:, thanks], atol=1e-5)


def test_rows_become_a_summary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.tcbot.benchmark.default_settings", lambda dialogues, seed: short(seed, dialogues))
    rows = [run_job(Job(str(folder), seed, 40, 30)) for seed in (1, 0)]
    report = summary(rows)
    assert [one["seed"] for one in report["by_seed"]] == [0, 1]
    for name in ("last50", "success", "reward", "turns"):
        assert report[f"{name}_ci"][0] <= report[name] <= report[f"{name}_ci"][1]
        assert np.isclose(report[name], np.mean([one[name] for one in report["by_seed"]]), atol=1e-3)
    assert len(rows[0]["training"]) == 40


def test_the_record_is_the_best_stretch_and_the_last_the_last() -> None:
    outcomes = [0] * 50 + [1] * 40 + [0] * 60
    assert best(outcomes) == pytest.approx(0.8)
    assert last(outcomes) == 0.0
