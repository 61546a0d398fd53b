"""Calibrated blending: what a score means is learned, and a pool's own order stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.blending import PoolCandidate
from policies.ranking.blending_calibrated import CalibratedBlender, Isotonic, Platt, fit_calibrations

numbers = st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None)
@given(numbers)
def test_isotonic_rises_and_keeps_the_mean(pairs):
    scores, taken = np.array([s for s, _ in pairs]), np.array([float(t) for _, t in pairs])
    fitted = Isotonic.fit(scores, taken)
    assert (np.diff(fitted.rates) >= -1e-12).all()
    assert fitted(scores).mean() == pytest.approx(taken.mean())


def test_isotonic_is_the_best_rising_function():
    rng = np.random.default_rng(0)
    scores, taken = rng.integers(0, 5, 60).astype(float), rng.random(60).round()
    error = ((Isotonic.fit(scores, taken)(scores) - taken) ** 2).sum()
    for _ in range(300):
        rising = np.sort(rng.random(5))
        assert ((rising[scores.astype(int)] - taken) ** 2).sum() >= error - 1e-9


def test_platt_finds_the_sigmoid():
    rng = np.random.default_rng(1)
    scores = rng.normal(3, 10, 20_000)
    taken = rng.random(20_000) < 1 / (1 + np.exp(-(0.2 * scores - 1)))
    fitted = Platt.fit(scores, taken)
    assert (fitted.slope, fitted.intercept) == pytest.approx((0.2, -1), abs=0.05)


@pytest.mark.parametrize("fit", [Isotonic.fit, Platt.fit])
def test_one_score_all_taken_none_taken(fit):
    for taken in ([1, 1, 1], [0, 0, 0], [1, 0, 1]):
        rate = fit([2.0, 2.0, 2.0], taken)([2.0])[0]
        assert 0 <= rate <= 1
    for bad in (([], []), ([1.0], [1, 0]), ([float("nan")], [1])):
        with pytest.raises(ValueError, match="calibration needs"):
            fit(*bad)


def blender(exploration):
    rng = np.random.default_rng(2)
    scores = {"loud": rng.uniform(0, 1000, 4000), "quiet": rng.uniform(0, 1, 4000)}
    taken = {"loud": (rng.random(4000) < 0.2)[:, None], "quiet": (rng.random(4000) < scores["quiet"])[:, None]}
    return CalibratedBlender(fit_calibrations("isotonic", scores, taken), (1.0,), exploration)


def test_scores_are_compared_by_what_they_are_worth():
    pools = {
        "loud": [PoolCandidate(f"l{n}", 900.0 - n) for n in range(4)],
        "quiet": [PoolCandidate(f"q{n}", score) for n, score in enumerate((0.9, 0.5, 0.02, 0.01))],
    }
    slate = blender(0.0).decide(pools, 4, np.random.default_rng(0))
    assert [p.candidate.text for p in slate.placements] == ["q0", "q1", "l0", "l1"]
    assert slate.propensity == 1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=6),
    st.lists(st.floats(0, 1000), max_size=6),
    st.integers(0, 99),
)
def test_order_is_kept_whatever_the_scores(quiet, loud, seed):
    pools = {
        "quiet": [PoolCandidate(f"q{n}", s) for n, s in enumerate(quiet)],
        "loud": [PoolCandidate(f"l{n}", s) for n, s in enumerate(loud)],
        "new": [PoolCandidate("n")],
    }
    slate = MIXED.decide(pools, 5, np.random.default_rng(seed))
    assert len(slate.placements) == min(5, len(quiet) + len(loud) + 1)
    for name in pools:
        ranks = [p.rank for p in slate.placements if p.pool == name]
        assert ranks == sorted(set(ranks))
    assert 0 < slate.propensity <= 1


MIXED = blender(0.3)


def test_propensities_are_calibrated():
    pools = {
        "loud": [PoolCandidate(f"l{n}", 500.0) for n in range(6)],
        "quiet": [PoolCandidate(f"q{n}", 0.9 - n / 6) for n in range(6)],
    }
    rng, n = np.random.default_rng(3), 800
    slates = [MIXED.decide(pools, 3, rng) for _ in range(n)]
    for pool in pools:
        said = {s.slot_propensities[0] for s in slates if s.placements[0].pool == pool}
        assert len(said) == 1
        p = said.pop()
        seen = np.mean([s.placements[0].pool == pool for s in slates])
        assert abs(seen - p) < 4.5 * np.sqrt(p * (1 - p) / n)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="exploration"):
        CalibratedBlender({}, (1.0,), 2.0)
    with pytest.raises(ValueError, match="'faq' has 1 calibrations for 2 rewards"):
        CalibratedBlender({"faq": [Isotonic((0.0,), (0.5,))]}, (1.0, 2.0))
    with pytest.raises(ValueError, match="method"):
        fit_calibrations("magic", {}, {})
    with pytest.raises(ValueError, match="'faq': 2 scores"):
        fit_calibrations("platt", {"faq": [1.0, 2.0]}, {"faq": np.zeros((3, 1))})
