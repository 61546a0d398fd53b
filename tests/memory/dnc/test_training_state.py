"""A memory's training that was killed ends, once resumed, with exactly the bits of one that was not."""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from memory.dnc.training_state import State, TrainingStateError, restore_training, training_state
from policies.resume import digest
from tests.memory.dnc.resumed_training import NETWORK, SETTINGS, finish, last_step, training

HALFWAY = 50
"""Updates after which the tests below stop: ten into the second queue."""


@pytest.fixture(scope="module")
def uninterrupted() -> tuple[State, State]:
    """The states halfway and at the end."""
    run = training()
    while run.progress.step < HALFWAY:
        run.advance()
    halfway = training_state(run)
    while not run.finished:
        run.advance()
    return halfway, training_state(run)


def test_killed_at_random_moments_it_ends_with_the_same_bits(
    tmp_path: Path, uninterrupted: tuple[State, State]
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.memory.dnc.resumed_training"])
    moments, reached = random.Random(5), []
    for _ in range(2):
        process = context.Process(target=finish, args=(tmp_path, 0.03))
        process.start()
        before = last_step(tmp_path)
        while process.is_alive() and last_step(tmp_path) < before + 5:
            time.sleep(0.005)
        time.sleep(moments.uniform(0.0, 0.1))  # in an update, in the middle of writing
        process.kill()
        process.join()
        assert process.exitcode == -9
        reached.append(last_step(tmp_path))
    assert 0 < reached[0] < reached[1] < SETTINGS.steps
    process = context.Process(target=finish, args=(tmp_path,))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert (tmp_path / "digest").read_text() == digest(uninterrupted[1])


def test_going_on_halfway_ends_the_same_and_learns(uninterrupted: tuple[State, State]) -> None:
    run = training(replace(SETTINGS))
    start = training_state(run)
    restore_training(run, uninterrupted[0])
    assert digest(training_state(run)) == digest(uninterrupted[0])
    while not run.finished:
        run.advance()
    assert digest(training_state(run)) == digest(uninterrupted[1])
    assert digest(start) != digest(uninterrupted[0])
    assert [point["step"] for point in run.curve] == [50, 100]


@pytest.mark.parametrize("forgotten", ["queue", "generator", "moments", "errors"])
def test_everything_in_the_state_is_needed(forgotten: str, uninterrupted: tuple[State, State]) -> None:
    """A resume that loses any of it must end with other bits."""
    run = training()
    restore_training(run, uninterrupted[0])
    match forgotten:
        case "queue":
            run.queue.clear()
        case "generator":
            run.generator = np.random.default_rng(0)
        case "moments":
            run.optimizer.state.clear()
        case "errors":
            run.progress.error = dict.fromkeys(run.stories, 1.0)
    while not run.finished:
        run.advance()
    weights = {name: array for name, array in training_state(run).items() if name.startswith("model/")}
    assert digest(weights) != digest({name: uninterrupted[1][name] for name in weights})


@pytest.mark.parametrize(
    ("name", "broken", "said"),
    [
        ("model/writer.norm.weight", lambda a: np.full_like(a, np.nan), "not finite"),
        ("model/writer.norm.weight", lambda a: a[:-1], "of shape"),
        ("model/writer.norm.weight", lambda a: a.astype(np.float64), "float64"),
        ("adam/writer.norm.weight/exp_avg_sq", lambda a: np.full_like(a, np.inf), "not finite"),
        ("adam/writer.norm.weight/exp_avg", lambda a: None, "missing"),
        ("progress", lambda a: a[:20], "not the progress"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_changes_nothing(
    name: str, broken: object, said: str, uninterrupted: tuple[State, State]
) -> None:
    state = dict(uninterrupted[0])
    array = broken(state[name])  # type: ignore[operator]
    state |= {name: array} if array is not None else {}
    if array is None:
        del state[name]
    run = training()
    before = digest(training_state(run))
    with pytest.raises(TrainingStateError, match=f"^{name}: .*{said}"):
        restore_training(run, state)
    assert digest(training_state(run)) == before


def test_another_network_or_other_tasks_are_refused(uninterrupted: tuple[State, State]) -> None:
    with pytest.raises(TrainingStateError, match=r"model/.*of shape .* should be"):
        restore_training(training(network=replace(NETWORK, relation=32)), uninterrupted[0])
    other = training()
    other.stories = {1: other.stories[1]}
    with pytest.raises(TrainingStateError, match=r"tasks \[1, 15\]"):
        restore_training(other, uninterrupted[0])


def test_a_state_that_is_not_finite_is_never_written() -> None:
    run = training()
    with torch.no_grad():
        next(run.model.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingStateError, match=r"model/.*not finite"):
        training_state(run)
    with pytest.raises(FloatingPointError, match="update 0"):
        run.advance()
