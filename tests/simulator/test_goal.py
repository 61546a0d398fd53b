"""Goals follow the task's priors and can be reached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.matching import EntityMatcher
from simulator.goal import GoalSampler, Task, TaskError
from simulator.random import RowRandom
from simulator.small import restaurant_sized_ontology, restaurant_sized_task, small_ontology, small_task

ONTOLOGY, TASK = restaurant_sized_ontology(), restaurant_sized_task()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**60))
def test_the_fallback_is_always_satisfiable_and_without_unsatisfiable_wishes_so_is_the_first_choice(seed: int) -> None:
    matcher = EntityMatcher(ONTOLOGY)
    for unsatisfiable in (0.0, 1.0):
        sampler = GoalSampler(ONTOLOGY, replace(TASK, unsatisfiable=unsatisfiable))
        goals = sampler.sample(RowRandom([seed + i for i in range(50)]).uniform(sampler.width))
        assert matcher.matches(goals.fallback).any(axis=1).all()
        if unsatisfiable == 0.0:
            assert np.array_equal(goals.wanted, goals.fallback)
        else:
            assert ((goals.wanted != goals.fallback).sum(axis=1) <= 1).all()
        assert (goals.wanted != matcher.dontcare).any(axis=1).all()
        slots = ONTOLOGY.slot_of_value[goals.wanted]
        assert (slots == np.arange(len(ONTOLOGY.slots))).all()


def test_priors_are_met() -> None:
    task = replace(TASK, requestable=("phone", "food", "hours"))
    sampler = GoalSampler(ONTOLOGY, task)
    goals = sampler.sample(RowRandom(range(20_000)).uniform(sampler.width))
    cares = (goals.fallback != EntityMatcher(ONTOLOGY).dontcare).mean(axis=0)
    assert cares == pytest.approx([0.85, 0.7, 0.65, 0.2, 0.15], abs=0.02)
    assert goals.books.mean() == pytest.approx(0.5, abs=0.02)
    asked = {ONTOLOGY.requestable[r] for r in np.flatnonzero(goals.requests.any(axis=0))}
    assert asked == {"phone", "food", "hours"}
    counts = goals.requests.sum(axis=1)
    assert counts.max() == 3
    assert (counts == 0).mean() == pytest.approx(0.25, abs=0.02)
    food = ONTOLOGY.request_index["food"]
    assert (goals.fallback[goals.requests[:, food], 0] == EntityMatcher(ONTOLOGY).dontcare[0]).all()
    assert goals.open_value.min() == 0
    assert goals.open_value.max() == task.open_values - 1


def test_nobody_books_where_there_is_nothing_to_book() -> None:
    ontology = replace(small_ontology(), open_slots=())
    sampler = GoalSampler(ontology, replace(small_task(), booking_prior=1.0))
    assert not sampler.sample(RowRandom(range(50)).uniform(sampler.width)).books.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"constraint_priors": {"colour": 0.5}}, "names 'colour'"),
        ({"constraint_priors": {"food": 1.5}}, "food is 1.5"),
        ({"requestable": ("fax",)}, "names 'fax'"),
        ({"booking_prior": -0.1}, "booking_prior is -0.1"),
        ({"request_counts": (0.0,)}, "request_counts"),
        ({"open_values": 1}, "open_values is 1"),
    ],
)
def test_impossible_tasks_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        GoalSampler(small_ontology(), Task(**{"constraint_priors": {}, **changes}))
