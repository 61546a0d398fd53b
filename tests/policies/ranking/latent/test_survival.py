"""Survival measures against small cases worked by hand, Cox against published numbers, and the recurrent hazards."""

import os
from pathlib import Path

import numpy as np
import pytest

from policies.ranking.latent.return_times import HazardSettings, fit_return_times
from policies.ranking.latent.survival import (
    CoxModel,
    SurvivalDataError,
    calibration_error,
    concordance,
    kaplan_meier,
    read_survival,
)
from policies.ranking.latent.visits import draw_visits, summary

DATA = Path(os.environ.get("REJOINDER_DATA", Path(__file__).parents[5] / "shared" / "data")) / "survival_lifelines"
SMALL = HazardSettings(hidden=4, updates=60, members=1, intervals=6)


def test_concordance_by_hand():
    assert concordance([1, 2, 3], [1, 1, 1], [3, 2, 1]) == 1
    assert concordance([1, 2, 3], [1, 1, 1], [1, 2, 3]) == 0
    assert concordance([1, 2, 3], [1, 1, 1], [1, 1, 1]) == 0.5
    # who was cut off at 1 says nothing about the order; cut off at the time of another's event means later
    assert concordance([1, 2, 3], [0, 1, 1], [0, 2, 1]) == 1
    assert concordance([2, 2], [1, 0], [2, 1]) == 1
    with pytest.raises(ValueError, match="no pair"):
        concordance([1, 2], [0, 0], [1, 2])


def test_kaplan_meier_by_hand():
    times, happened = [1, 2, 2, 3, 4], [1, 1, 0, 1, 0]
    assert kaplan_meier(times, happened, 0.5) == 1
    assert kaplan_meier(times, happened, 2) == pytest.approx(4 / 5 * 3 / 4)
    assert kaplan_meier(times, happened, 9) == pytest.approx(4 / 5 * 3 / 4 * 1 / 2)


def test_calibration_sees_a_wrong_scale():
    rng = np.random.default_rng(0)
    rate = rng.uniform(0.5, 2, 4000)
    times = rng.exponential(1 / rate)
    true = np.exp(-rate)
    assert calibration_error(times, np.ones(4000), true, 1.0) < 0.03
    assert calibration_error(times, np.ones(4000), true**2, 1.0) > 0.1


def test_cox_finds_the_coefficients_ties_included():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3000, 2))
    times = np.ceil(20 * rng.exponential(np.exp(-(x @ [0.7, -0.4]))))
    cut = np.ceil(20 * rng.exponential(2.0, 3000))
    model = CoxModel.fit(x, np.minimum(times, cut), times <= cut)
    assert model.coefficients == pytest.approx([0.7, -0.4], abs=0.07)
    assert calibration_error(np.minimum(times, cut), times <= cut, model.survival(x, 10.0), 10.0) < 0.04


@pytest.mark.skipif(not DATA.exists(), reason="the survival data sets are not there (REJOINDER_DATA)")
def test_cox_gives_the_published_coefficients():
    """Rossi's recidivism data with Efron's ties, as in Fox 2002, "Cox proportional-hazards regression", page 6."""
    table = read_survival(DATA / "rossi.csv", "week", "arrest")
    model = CoxModel.fit(table.features, table.times, table.happened)
    published = {"fin": -0.3794, "age": -0.0574, "race": 0.3139, "wexp": -0.1498, "mar": -0.4337, "paro": -0.0849}
    found = dict(zip(table.names, model.coefficients, strict=True))
    assert {name: round(float(found[name]), 4) for name in published} == published


def test_the_network_learns_what_the_last_visit_says():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 2))
    times = rng.exponential(np.exp(-1.2 * x[:, 0]))
    happened = times < 3
    times = np.minimum(times, 3)
    histories = [row[None] for row in x]
    model = fit_return_times(histories[:300], times[:300], happened[:300], SMALL)
    assert concordance(times[300:], happened[300:], model.risk(histories[300:])) > 0.7
    assert calibration_error(times[300:], happened[300:], model.survival(histories[300:], 1.0), 1.0) < 0.15
    curves = model.curves(histories)
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=1) <= 1e-9).all()


def test_the_order_of_visits_matters_to_it_and_the_same_seed_is_the_same():
    """The event depends on the first visit only: the last one alone tells nothing."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 3, 1))
    times = rng.exponential(np.exp(-1.5 * x[:, 0, 0])) + 0.01
    happened = np.ones(400, dtype=bool)
    settings = HazardSettings(hidden=8, updates=120, members=1, intervals=6)
    model = fit_return_times(list(x[:300]), times[:300], happened[:300], settings)
    again = fit_return_times(list(x[:300]), times[:300], happened[:300], settings)
    assert (model.risk(list(x)) == again.risk(list(x))).all()
    assert concordance(times[300:], happened[300:], model.risk(list(x[300:]))) > 0.65
    assert concordance(times[300:], happened[300:], x[300:, -1, 0]) < 0.58


def test_every_visit_teaches():
    visits = draw_visits(60, 0)
    model = fit_return_times(visits.histories, visits.times, visits.happened, SMALL, visits.gaps)
    assert model.curves(visits.histories).shape == (60, len(model.edges))
    assert summary(visits.histories[0]).shape == (7,)
    assert 0.05 < 1 - visits.happened.mean() < 0.6


def test_what_can_not_be_fitted_is_named():
    one = [np.zeros((1, 2))]
    for histories, times, happened in ((one, [1.0], [False]), ([], [], []), (one, [1.0, 2.0], [True, True])):
        with pytest.raises(ValueError, match=r"returned|one each"):
            fit_return_times(histories, np.array(times), np.array(happened, dtype=bool), SMALL)
    for wrong in ({"hidden": 0}, {"dropout": 1.0}, {"updates": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            HazardSettings(**wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,event\n1,1\n", "line 1: column 'time' is missing"),
        ("time,event\n", "no row"),
        ("time,event,x\n1,1,2\n0,1,2\n", "line 3, time: 0.0 must be above 0"),
        ("time,event,x\n1,2,2\n", "line 2, event: 2.0 must be 0 or 1"),
        ("time,event,x\n1,1,two\n", "line 2, x: 'two' is not a number"),
    ],
)
def test_bad_tables_are_named(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SurvivalDataError, match=said):
        read_survival(tmp_path / "t.csv", "time", "event")


def test_missing_features_are_said_to_be(tmp_path):
    (tmp_path / "t.csv").write_text("time,event,x,y\n1,1,2,5\n2,0,,6\n3,1,4,NA\n")
    table = read_survival(tmp_path / "t.csv", "time", "event", without=("y",))
    assert table.names == ("x", "x missing")
    assert table.features.tolist() == [[2, 0], [3, 1], [4, 0]]
