"""Rates with priors, needs, and what becomes of new documents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.search.documents import Catalogue, Document
from policies.ranking.search.needs import NeedSettings, UserNeeds
from policies.ranking.search.rates import DAY, RateSettings, ViewCounts
from policies.ranking.search.simulation import ColdStartScene, run_cold_start

TWO_KINDS = Catalogue([Document(f"{kind}{n}", kind, kind) for kind in "ab" for n in range(5)])


def counted(seed: int, settings: RateSettings | None = None) -> ViewCounts:
    """Kind a is chosen every second time, kind b hardly ever; a4 and b4 were never shown."""
    counts, rng = ViewCounts(TWO_KINDS, settings), np.random.default_rng(seed)
    for day in range(200):
        shown = rng.permutation([0, 1, 2, 3, 5, 6, 7, 8]).tolist()
        took = [n for n in shown if rng.random() < (0.5 if n < 5 else 0.03)]
        counts.add(shown, took, took, day * DAY / 10)
    return counts


def test_what_nobody_has_seen_is_taken_for_what_its_category_is_like() -> None:
    rates = counted(0).rates(20 * DAY)
    assert rates.choice[4] == pytest.approx(rates.choice[:4].mean(), rel=0.15)
    assert rates.choice[9] == pytest.approx(rates.choice[5:9].mean(), rel=0.3)
    assert rates.choice[4] > 5 * rates.choice[9]
    assert rates.spread[4] > 2 * rates.spread[0]
    raw = counted(0, RateSettings(smoothed=False)).rates(20 * DAY)
    assert raw.choice[4] == raw.daily[4] == 0


def test_a_gamma_prior_keeps_a_document_of_today_from_having_no_choices_a_day() -> None:
    new = Catalogue([*TWO_KINDS.documents, Document("a5", "a", "a", added=20 * DAY)])
    daily = ViewCounts.from_json(counted(0).to_json(), new).rates(20 * DAY).daily
    assert daily[10] == pytest.approx(daily[:4].mean(), rel=0.35)
    assert daily[10] > 5 * daily[9]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.floats(-1e9, 1e9)), max_size=30))
def test_rates_are_probabilities_whatever_is_counted_and_whatever_the_clock_does(events) -> None:
    counts = ViewCounts(TWO_KINDS)
    for n, took, time in events:
        counts.add([n], [n] * took, [n] * took, time)
    rates = counts.rates(0.0)
    for values in (rates.click, rates.choice, rates.prior):
        assert ((values > 0) & (values < 1)).all()
    assert np.isfinite(rates.daily).all()
    again = ViewCounts.from_json(counts.to_json(), TWO_KINDS).rates(0.0)
    assert np.array_equal(again.choice, rates.choice)


def test_damaged_counts_are_refused() -> None:
    for text in ("", "[]", '{"version": 2}', '{"version": 1, "time": null, "documents": {"a0": [1]}}'):
        with pytest.raises(ValueError, match="count anew"):
            ViewCounts.from_json(text, TWO_KINDS)


def test_need_is_low_after_a_choice_high_when_due_and_fades_when_given_up() -> None:
    user = UserNeeds()
    for week in range(10):
        user = user.chosen("thai", week * 7 * DAY)
    now = 9 * 7 * DAY
    sated, due, given_up = (user.need("thai", now + days * DAY) for days in (0.5, 8, 300))
    assert sated < 0.3 * due
    assert given_up < 0.3 * due
    weekly, monthly = UserNeeds(), UserNeeds()
    for n in range(10):
        weekly, monthly = weekly.chosen("thai", n * 7 * DAY), monthly.chosen("thai", n * 30 * DAY)
    assert weekly.need("thai", 9 * 7 * DAY + 7 * DAY) > 2 * monthly.need("thai", 9 * 30 * DAY + 7 * DAY)


def test_needs_are_calibrated_for_people_of_different_rhythms() -> None:
    rng, expected, happened = np.random.default_rng(0), [], []
    medians = rng.lognormal(np.log(8), 0.6, size=600)
    gaps = medians[:, None] * (1 / rng.uniform(size=(600, 9)) - 1) ** (-0.3)  # log-logistic, of shape 3.3
    prior = NeedSettings.fitted(gaps[:100].ravel().tolist())
    for row in gaps[100:]:
        user, time = UserNeeds(settings=prior), 0.0
        for gap in row[:-1]:
            user, time = user.chosen("thai", time), time + gap * DAY
        user = user.chosen("thai", time)
        waited = rng.uniform(0, 1.5 * np.median(row))
        if waited < row[-1]:
            expected.append(user.need("thai", time + waited * DAY))
            happened.append(row[-1] < waited + prior.horizon_days)
    order = np.argsort(expected)
    for part in np.array_split(order, 3):
        assert np.mean(np.array(expected)[part]) == pytest.approx(np.mean(np.array(happened)[part]), abs=0.06)
    assert np.mean(np.array(happened)[order[-100:]]) > 3 * np.mean(np.array(happened)[order[:100]])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(-1e12, 1e12)), max_size=40), st.floats(-1e12, 1e12))
def test_needs_are_probabilities_of_bounded_state(choices, now) -> None:
    user = UserNeeds(settings=NeedSettings(most_categories=3))
    for category, time in choices:
        before, user = user, user.chosen(category, time)
        assert before.rhythms.get(category) is None or user.rhythms[category].last >= before.rhythms[category].last
    assert len(user.rhythms) <= 3
    for category in "abcdefg":
        assert 0 < user.need(category, now) < 1


def test_new_documents_are_buried_by_raw_rates_and_not_by_priors_on_day_0_and_day_7() -> None:
    scene = ColdStartScene(documents=6, searches=60, grown=4, days=8)
    raw, smoothed = (run_cold_start(scene, method, 0) for method in ("raw rates", "priors, optimism"))
    for day in (0, 7):
        assert raw.impressions[day] == 0
        assert smoothed.impressions[day] > 0.5 * smoothed.fair_impressions[day]
    assert sum(smoothed.earned) > sum(raw.earned)
    assert run_cold_start(scene, "priors, optimism", 0) == smoothed


def test_settings_that_make_no_sense_are_named() -> None:
    for wrong in ({"examination": ()}, {"mean": 1.0}, {"strength": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            replace(RateSettings(), **wrong)
    with pytest.raises(ValueError, match="usual_days"):
        NeedSettings(usual_days=0)
