"""Losses, conjugates and the two forms of a problem agree with each other; bad problems are refused in words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.optimize.columns import columns_of
from policies.optimize.libsvm import Examples
from policies.optimize.local_solvers import solve_locally
from policies.optimize.losses import (
    LOSSES,
    ProblemError,
    Separable,
    loss_conjugates,
    loss_slopes,
    loss_values,
    problem,
)

PREDICTIONS = np.linspace(-3, 3, 61)


def small(seed: int = 0, count: int = 12, features: int = 7, classes: bool = True) -> Examples:
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((count, features)) * (random.random((count, features)) < 0.6)
    labels = matrix @ random.standard_normal(features) + 0.3 * random.standard_normal(count)
    return Examples(columns_of(matrix.T), np.where(labels > np.median(labels), 1.0, -1.0) if classes else labels)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("label", [-1.0, 1.0])
def test_slopes_and_conjugates_belong_to_the_losses(loss, label) -> None:
    labels = np.full_like(PREDICTIONS, label)
    values, slopes = loss_values(loss, PREDICTIONS, labels), loss_slopes(loss, PREDICTIONS, labels)
    smooth = np.abs(PREDICTIONS * label - 1) > 0.01
    apart = (loss_values(loss, PREDICTIONS + 1e-6, labels) - loss_values(loss, PREDICTIONS - 1e-6, labels)) / 2e-6
    assert np.allclose(slopes[smooth], apart[smooth], atol=1e-5)
    assert np.allclose(values + loss_conjugates(loss, slopes, labels), slopes * PREDICTIONS, atol=1e-9)
    others = loss_conjugates(loss, slopes[::-1], labels[::-1])
    assert (values + others >= slopes[::-1] * PREDICTIONS - 1e-12).all(), "Fenchel and Young"
    if loss != "squared":
        assert np.isinf(loss_conjugates(loss, np.array([2.0, -2.0]), np.ones(2))).all()


SEPARABLE = (
    Separable(-np.ones(4), lower=0, upper=1),
    Separable(-np.ones(4), 1.0, lower=0, upper=1),
    Separable(np.zeros(4), lower=0, upper=1, entropy=True),
    Separable(np.array([1.0, -2, 0.5, 0]), 1.0),
    Separable(np.zeros(4), 0.3, 0.7),
    Separable(np.zeros(4), 0.0, 0.7),
)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(range(len(SEPARABLE))))
def test_the_conjugate_is_the_largest_over_a(seed: int, place: int) -> None:
    separable, z = SEPARABLE[place], np.random.default_rng(seed).uniform(-2, 2, 4)
    grid = np.linspace(-8, 8, 1601)
    seen = np.max([z * a - separable.values(np.full(4, a)) for a in grid], axis=0)
    conjugates = separable.conjugates(z)
    finite = np.isfinite(conjugates)
    assert (conjugates[finite] >= seen[finite] - 1e-9).all()
    assert np.allclose(conjugates[finite], seen[finite], atol=2e-2)
    assert (seen[~finite] > 0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(range(len(SEPARABLE))), st.booleans())
def test_a_coordinate_step_is_the_best_there_is(seed: int, place: int, compiled: bool) -> None:
    random = np.random.default_rng(seed)
    separable, columns = SEPARABLE[place], columns_of(random.standard_normal((3, 4)))
    a, w, curvature = random.uniform(0.1, 0.9, 4), random.standard_normal(3), random.uniform(0.1, 5)
    start = (a, np.zeros(3))
    new, moved = solve_locally(
        columns, columns.squared_norms(), separable, w, a, start, np.array([2]), curvature, curvature, compiled=compiled
    )
    assert np.allclose(moved, columns.combine(new - a))

    def subproblem(value: float) -> float:
        change = columns.combine(np.array([0, 0, value - a[2], 0]))
        g = separable.values(np.array([a[0], a[1], value, a[3]]))[2]
        return float(w @ change + curvature / 2 * change @ change + g)

    for other in (*np.linspace(-3, 3, 121), new[2] + 1e-4, new[2] - 1e-4):
        assert subproblem(new[2]) <= subproblem(other) + 1e-10


@pytest.mark.parametrize("place", range(len(SEPARABLE)))
def test_compiled_and_plain_steps_are_the_same(place: int) -> None:
    random = np.random.default_rng(place)
    separable, columns = SEPARABLE[place], columns_of(random.standard_normal((3, 4)))
    a, w, order = np.full(4, 0.4), random.standard_normal(3), random.integers(0, 4, 30)
    compiled, plain = (
        solve_locally(
            columns, columns.squared_norms(), separable, w, a, (a, np.zeros(3)), order, 0.5, 0.5, compiled=way
        )
        for way in (True, False)
    )
    assert np.allclose(compiled[0], plain[0], atol=1e-12)
    assert np.allclose(compiled[1], plain[1], atol=1e-12)


def test_an_empty_column_gets_its_own_best_value() -> None:
    columns = columns_of(np.zeros((3, 4)))
    for separable, expected in ((SEPARABLE[0], 1.0), (SEPARABLE[5], 0.0)):
        start = (np.zeros(4), np.zeros(3))
        new, _ = solve_locally(columns, np.zeros(4), separable, np.ones(3), np.zeros(4), start, np.arange(4), 1.0, 1.0)
        assert (new == expected).all()


@pytest.mark.parametrize(
    ("loss", "l1", "l2", "division", "said"),
    [
        ("hinge", 0.1, 0.0, None, "smoothed-hinge"),
        ("hinge", 0.0, 0.1, "features", "isn't smooth"),
        ("squared", 0.1, 0.0, "examples", "l2 above 0"),
        ("squared", 0.0, 0.0, None, "one of them above 0"),
        ("squared", -1.0, 1.0, None, "at least 0"),
        ("squared", float("nan"), 1.0, None, "finite"),
        ("cubic", 0.0, 1.0, None, "choose one of"),
    ],
)
def test_problems_without_a_solution_are_refused(loss, l1, l2, division, said) -> None:
    with pytest.raises(ProblemError, match=said):
        problem(small(), loss, l1, l2, division)


def test_data_that_cannot_be_learned_from_are_refused() -> None:
    data = small()
    broken = dataclasses.replace(data.rows, values=np.where(data.rows.values > 1, np.nan, data.rows.values))
    with pytest.raises(ProblemError, match="finite"):
        problem(Examples(broken, data.labels), "hinge", 0, 0.1)
    with pytest.raises(ProblemError, match="12 different labels"):
        problem(Examples(data.rows, np.arange(12.0)), "hinge", 0, 0.1)
    assert problem(Examples(data.rows, np.arange(12.0) % 2), "hinge", 0, 0.1).examples.classes.tolist() == [-1, 1]
