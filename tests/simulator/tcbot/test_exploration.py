"""What is worth trying: the masks, the kinds of actions, and how trials spread over them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.exploration import Schedule
from simulator.tcbot.actions import NAMES
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.exploration import Trials, draw, kinds, useful
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import MovieTask, load_task
from tests.simulator.tcbot.worlds import write


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> MovieTask:
    return load_task(write(tmp_path_factory.mktemp("movies")))


def fresh(task: MovieTask, batch: int = 1) -> MovieDialogues:
    return MovieDialogues(task, MovieSettings(), list(range(batch)))


def number(name: str) -> int:
    return NAMES.index(name)


def test_only_answers_to_questions_and_questions_about_the_unknown_are_useful(task: MovieTask) -> None:
    dialogues = fresh(task, 40)
    slots = task.slots
    for _ in range(6):
        allowed, state = useful(dialogues), dialogues.state
        for slot in ("theater", "city", "starttime", "date"):
            at = slots.index(slot)
            assert np.array_equal(allowed[:, number(f"inform({slot})")], state.asked[:, at])
            assert np.array_equal(allowed[:, number(f"request({slot})")], state.known[:, at] == -1)
        for name in ("thanks()", "confirm_answer()", "inform(taskcomplete)", "inform(ticket)"):
            assert allowed[:, number(name)].all()
        dialogues.step(dialogues.rule())


def test_slots_in_the_same_position_are_of_one_kind(task: MovieTask) -> None:
    dialogues = fresh(task, 30)
    of = kinds(dialogues)
    row = int(np.flatnonzero(dialogues.state.asked[:, task.slots.index("theater")])[0])
    assert of[row, number("request(genre)")] == of[row, number("request(price)")]
    assert of[row, number("request(genre)")] != of[row, number("request(theater)")]
    assert of[row, number("request(genre)")] != of[row, number("inform(genre)")]
    assert of[row, number("inform(theater)")] != of[row, number("inform(genre)")]
    alone = [number(name) for name in ("thanks()", "deny()", "inform(taskcomplete)", "inform(ticket)")]
    assert len(set(of[row, alone].tolist())) == 4


def test_a_kind_is_drawn_first() -> None:
    """One action of a kind of its own comes as often as all three of another; what weighs nothing never comes."""
    of = np.tile([0, 1, 1, 1, 2], (6000, 1))
    weight = np.tile([1.0, 1.0, 1.0, 1.0, 0.0], (6000, 1))
    counts = np.bincount(draw(of, weight, np.random.default_rng(0)), minlength=5) / 6000
    assert counts == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6, 0], abs=0.03)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=8), st.integers(0, 9))
def test_only_what_is_allowed_is_drawn(row: list[tuple[int, bool]], seed: int) -> None:
    of, allowed = (np.array([[pair[k] for pair in row] + [k]]) for k in (0, 1))
    drawn = draw(of, allowed.astype(np.float64), np.random.default_rng(seed))
    assert allowed[0, drawn[0]]


def test_one_turn_of_a_dialogue_is_tried_out_and_none_when_the_share_is_0(task: MovieTask) -> None:
    rng, dialogues = np.random.default_rng(1), fresh(task, 64)
    trials = Trials(dialogues, Schedule(1.0, 0.0, 0.5), 4)
    began, masks = np.ones(64, dtype=np.bool_), dialogues.masks
    policy = np.full(64, number("confirm_question()"), dtype=np.int32)
    tried = np.zeros(64, dtype=np.int64)
    for _ in range(8):
        actions = trials.vary(policy, masks, 0.0, began, rng)
        tried += actions != policy
        dialogues.step(policy)
        began = np.zeros(64, dtype=np.bool_)
    assert tried.max() == 1
    assert tried.mean() > 0.7  # a draw may hit upon the policy's action
    assert len(set(trials.vary(policy, masks, 0.9, ~began, rng).tolist())) == 1


def test_seldom_kinds_come_more_often(task: MovieTask) -> None:
    """After thousands of confirm_questions a trial is nearly always something else."""
    dialogues = fresh(task, 200)
    trials, rng = Trials(dialogues, Schedule(1.0, 1.0), 1), np.random.default_rng(2)
    policy = np.full(200, number("confirm_question()"), dtype=np.int32)
    for _ in range(50):
        trials.vary(policy, dialogues.masks, 0.0, np.zeros(200, dtype=np.bool_), rng)
    actions = trials.vary(policy, dialogues.masks, 0.0, np.ones(200, dtype=np.bool_), rng)
    assert (actions == policy).mean() < 0.03
