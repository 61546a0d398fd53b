"""CoCoA: a certificate that holds, the same optimum as scikit-learn, safe schemes that never go up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from policies.optimize.cocoa import Scheme, Stop, adding, averaging, safeguarded, solve
from policies.optimize.cocoa_workers import SimulatedWorkers
from policies.optimize.columns import columns_of
from policies.optimize.libsvm import Examples
from policies.optimize.losses import problem
from policies.optimize.minibatch import minibatch_cd
from tests.policies.optimize.test_problem_losses import small

CASES = (
    ("hinge", 0.0, 0.05),
    ("smoothed-hinge", 0.0, 0.05),
    ("logistic", 0.0, 0.05),
    ("squared", 0.0, 0.05),
    ("hinge", 0.02, 0.05),
    ("squared", 0.05, 0.0),
    ("squared", 0.02, 0.05),
    ("logistic", 0.02, 0.0),
    ("smoothed-hinge", 0.02, 0.0),
)
SAFE = (averaging, adding, lambda workers: safeguarded(), lambda workers: safeguarded(1.0))


def run(data, loss, l1, l2, scheme, workers=3, gap=1e-9, rounds=2000, division=None, compiled=True):
    posed = problem(data, loss, l1, l2, division)
    return solve(posed, scheme, SimulatedWorkers(posed, workers, compiled=compiled), Stop(gap, rounds)), posed


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(CASES), st.sampled_from(SAFE), st.integers(1, 5))
def test_the_certificate_is_never_negative_never_rises_and_bounds_the_distance(seed, case, scheme, workers) -> None:
    data = small(seed, classes=case[0] != "squared")
    best, posed = run(data, *case, safeguarded(), gap=1e-5, rounds=300)
    found, _ = run(data, *case, scheme(workers), workers, gap=1e-6, rounds=12)
    assert not found.diverged
    assert min(found.gaps) >= 0
    assert all(after <= before for before, after in zip(found.gaps, found.gaps[1:], strict=False))
    assert found.objective - found.duality_gap <= best.objective + 1e-12, "the bound lies below the optimum"
    assert posed.objective(found.weights) == pytest.approx(found.objective, rel=1e-9), "of the weights that are given"
    ups = [b - a for a, b in zip(found.objectives, found.objectives[1:], strict=False)]
    assert max(ups, default=0) <= 1e-10 * max(1, abs(found.objectives[0])), "no safe scheme goes up"


def test_adding_with_too_small_a_sigma_goes_up_so_the_test_above_can_fail() -> None:
    random = np.random.default_rng(0)
    matrix = np.tile(random.standard_normal((1, 24)), (12, 1)) + 0.01 * random.standard_normal((12, 24))
    data = Examples(columns_of(matrix.T), np.ones(12))
    broken, _ = run(data, "squared", 0, 0.01, Scheme("broken", 1.0, 1.0), 6, rounds=30)
    assert broken.diverged
    safe, _ = run(data, "squared", 0, 0.01, adding(6), 6, gap=1e-6)
    ours, _ = run(data, "squared", 0, 0.01, safeguarded(), 6, gap=1e-6)
    assert not safe.diverged
    assert ours.rounds_to_gap is not None
    assert ours.rounds_to_gap <= (safe.rounds_to_gap or 2000)


@pytest.mark.parametrize("division", ["examples", "features"])
def test_the_optimum_is_scikit_learns(division) -> None:
    data, regression, scheme = small(1, 40), small(1, 40, classes=False), safeguarded()
    x, y = data.rows.dense().T, data.labels
    elastic = ElasticNet(alpha=0.1, l1_ratio=0.3, fit_intercept=False, tol=1e-13, max_iter=100_000)
    for loss, l1, l2, model, samples in (
        ("squared", 0.03, 0.07, elastic, regression),
        ("squared", 0.0, 0.1, Ridge(alpha=4.0, fit_intercept=False, tol=1e-12), regression),
        ("logistic", 0.0, 0.05, LogisticRegression(C=0.5, fit_intercept=False, tol=1e-12, max_iter=10_000), data),
    ):
        model.fit(x if samples is data else regression.rows.dense().T, samples.labels)
        found, posed = run(samples, loss, l1, l2, scheme, gap=2e-7, division=division)
        assert found.objective == pytest.approx(posed.objective(np.ravel(model.coef_)), rel=1e-6)
        assert np.allclose(found.weights, np.ravel(model.coef_), atol=5e-3)
    if division == "examples":
        svm = LinearSVC(C=1 / (40 * 0.05), loss="hinge", fit_intercept=False, tol=1e-10, max_iter=1_000_000).fit(x, y)
        found, posed = run(data, "hinge", 0, 0.05, scheme, gap=2e-7)
        assert found.objective == pytest.approx(posed.objective(np.ravel(svm.coef_)), rel=1e-6)
    else:
        sparse = LogisticRegression(
            C=1 / (40 * 0.05), l1_ratio=1, solver="liblinear", fit_intercept=False, tol=1e-10, max_iter=100_000
        ).fit(x, y)
        found, posed = run(data, "logistic", 0.05, 0, scheme, gap=2e-7)
        assert found.objective == pytest.approx(posed.objective(np.ravel(sparse.coef_)), rel=1e-6)
        assert ((found.weights == 0) == (np.ravel(sparse.coef_) == 0)).all()


@pytest.mark.parametrize("case", [CASES[0], CASES[2], CASES[5]])
def test_without_compiling_it_comes_to_the_same(case) -> None:
    data = small(2, classes=case[0] != "squared")
    first, second = (run(data, *case, safeguarded(), gap=1e-4, compiled=way)[0] for way in (True, False))
    assert first.rounds_to_gap == second.rounds_to_gap
    assert np.allclose(first.weights, second.weights, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_it_needs_no_more_rounds_than_adding(case) -> None:
    data = small(3, 60, 25, classes=case[0] != "squared")
    ours, theirs = (run(data, *case, scheme, 8, gap=1e-3)[0].rounds_to_gap for scheme in (safeguarded(), adding(8)))
    assert ours is not None
    assert ours <= (theirs or 2000)


def test_odd_data_are_survived() -> None:
    data = small(4)
    one_class = Examples(data.rows, np.ones(12))
    twice = Examples(columns_of(np.vstack([data.rows.dense()] * 2)), data.labels)  # singular: every feature twice
    nothing = Examples(columns_of(np.zeros((3, 12))), data.labels)
    for odd in (one_class, twice, nothing):
        for case in CASES:
            found, _ = run(odd, *case, safeguarded(), gap=1e-3, rounds=300)
            assert found.rounds_to_gap is not None
            assert np.isfinite(found.weights).all()
    for scheme in (adding(30), safeguarded()):
        found, _ = run(data, *CASES[0], scheme, workers=30, gap=1e-2, rounds=1000)  # adding takes steps of 1/30
        assert found.rounds_to_gap is not None, "18 of 30 workers have no example"


def test_mini_batch_coordinate_descent_is_found_out_when_it_diverges() -> None:
    data = small(5, 60, 5, classes=False)
    posed = problem(data, "squared", 0.0, 0.01)
    calm, wild = (
        solve(posed, minibatch_cd(beta, posed), SimulatedWorkers(posed, 3), Stop(1e-3, 500)) for beta in (1.0, 60.0)
    )
    assert not calm.diverged
    assert wild.diverged


def test_rounds_and_bytes_are_counted() -> None:
    found, posed = run(small(6), *CASES[0], adding(3), gap=1e-3)
    assert found.rounds == found.rounds_to_gap == len(found.gaps) - 1 == len(found.fractions)
    assert found.bytes == 2 * 8 * 7 * 3 * found.rounds
    never = dataclasses.replace(Stop(0.0, 4))
    stopped = solve(posed, adding(3), SimulatedWorkers(posed, 3), never)
    assert stopped.rounds_to_gap is None
    assert stopped.rounds == 4
