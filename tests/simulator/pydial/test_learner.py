"""Training within a budget: it learns, it is reproducible, and what can't be is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.slot_shared import SlotSharedNetwork
from simulator.jit import I32
from simulator.pydial.benchmark import Job, cells, run_job
from simulator.pydial.dialogues import BenchmarkDialogues
from simulator.pydial.domain import Domain, load_domain
from simulator.pydial.learner import BenchmarkTraining, Budget, LearnerSettings, default_settings, greedy, play
from simulator.pydial.settings import environment
from tests.simulator.pydial.worlds import rules, table, write


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write(tmp_path_factory.mktemp("hats"))


@pytest.fixture(scope="module")
def hats(files: tuple[Path, Path]) -> Domain:
    return load_domain(*files)


def short(budget: Budget, seed: int = 0, pretrain: int = 300) -> LearnerSettings:
    settings = default_settings(budget, seed)
    return replace(settings, dqn=replace(settings.dqn, pretrain_updates=pretrain, updates_per_step=1))


def test_equal_seeds_give_equal_weights(hats: Domain) -> None:
    budget = Budget(dialogues=80)
    weights = []
    for seed in (3, 3, 4):
        network = BenchmarkTraining(hats, environment(3), budget, short(budget, seed, 50)).run()
        weights.append(torch.cat([p.flatten() for p in network.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_budget_is_kept_and_the_teachers_dialogues_count(hats: Domain) -> None:
    budget = Budget(dialogues=100)
    training = BenchmarkTraining(hats, environment(1), budget, short(budget))
    seen: list[float] = []
    training.run(lambda used, network: seen.append(used))
    assert 100 <= training.finished < 100 + training.config.num_envs
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_it_learns_within_200_dialogues_what_chance_never_finds(hats: Domain) -> None:
    job = Job("Hats", "", "", 1, "dqn", 1, 200, None, 300)
    settings = default_settings(Budget(dialogues=200), 1)
    network = BenchmarkTraining(hats, environment(1), Budget(dialogues=200), settings).run()
    learned = play(hats, environment(1), greedy(network), job.test_dialogues, 5)
    chance = play(hats, environment(1), _at_random, job.test_dialogues, 5)
    assert learned.success.mean() > 0.95
    assert learned.reward.mean() > chance.reward.mean() + 3


def _at_random(dialogues: BenchmarkDialogues) -> I32:
    masks = dialogues.masks
    return np.argmax(np.random.default_rng(0).random(masks.shape) * masks, axis=1).astype(np.int32)


def test_a_slot_shared_policy_runs_on_another_domain(hats: Domain, tmp_path: Path) -> None:
    """Trained with three slots, it beats chance where there are two and the words are others."""
    budget = Budget(dialogues=250)
    network = BenchmarkTraining(hats, environment(1), budget, default_settings(budget, 0)).run()
    listed = {slot: values for slot, values in rules()["informable"].items() if slot != "size"}
    two = {**rules(), "system_requestable": ["colour", "maker"], "informable": listed}
    other = load_domain(*write(tmp_path, two, table()))
    assert isinstance(network, SlotSharedNetwork)
    moved = network.on(slots=2)
    there = play(other, environment(1), greedy(moved), 300, 8)
    chance = play(other, environment(1), _at_random, 300, 8)
    assert there.reward.mean() > chance.reward.mean() + 2
    assert there.success.mean() > 0.85


def test_rows_become_cells_with_intervals(files: tuple[Path, Path]) -> None:
    rows = [run_job(Job("Hats", *map(str, files), 3, "handcrafted", seed, 50, None, 200)) for seed in (0, 1)]
    (cell,) = cells(rows)
    assert cell["seeds"] == 2
    assert cell["success_ci"][0] <= cell["success"] <= cell["success_ci"][1]
    assert cell["reward_ci"][0] <= cell["reward"] <= cell["reward_ci"][1]
    assert [one["seed"] for one in cell["by_seed"]] == [0, 1]
    assert np.isclose(cell["reward"], 20 * cell["success"] - cell["turns"], atol=0.05)


@pytest.mark.parametrize(("dialogues", "seconds"), [(None, None), (10, 1.0), (0, None), (None, -1.0)])
def test_budgets_that_make_no_sense_are_refused(dialogues: int | None, seconds: float | None) -> None:
    with pytest.raises(ValueError, match=r"budget|more than 0"):
        Budget(dialogues, seconds)
