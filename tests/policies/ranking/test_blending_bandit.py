"""The blending bandit: a fold over events, exact propensities, forgetting, and everything odd that events can be."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.blending import PoolCandidate
from policies.ranking.blending_bandit import (
    ACTIONS,
    ActionTaken,
    BanditBlender,
    BlendSettings,
    BlendState,
    SlateShown,
)
from policies.ranking.blending_posterior import beta_draws

POOLS = ("faq", "venues", "news", "smalltalk")
SETTINGS = BlendSettings(POOLS)
BLENDER = BanditBlender(SETTINGS)
CANDIDATES = {name: [PoolCandidate(f"{name} {r}") for r in range(9)] for name in POOLS}

pool = st.sampled_from((*POOLS, "gone"))
user = st.sampled_from(["ann", "bob"])
moment = st.floats(-1e9, 1e10)
shown = st.builds(
    lambda u, slots, t: SlateShown(u, tuple(p for p, _ in slots), tuple(r for _, r in slots), t),
    user, st.lists(st.tuples(pool, st.integers(-1, 30)), max_size=9), moment,
)  # fmt: skip
acted = st.builds(ActionTaken, user, pool, st.integers(-1, 30), st.sampled_from(ACTIONS), moment)
events = st.lists(st.one_of(shown, acted), max_size=60)
quick = BanditBlender(replace(SETTINGS, batch=3))


def liking(name, slates=40, start=0.0, who="ann"):
    """Events of a user who accepts only what comes from ``name``."""
    found = []
    for n in range(slates):
        found.append(SlateShown(who, POOLS * 2, (0,) * 4 + (1,) * 4, start + n))
        found += [ActionTaken(who, name, rank, "positive", start + n) for rank in (0, 1)]
    return found


def shares(state, who="ann", blender=BLENDER):
    return dict(zip(POOLS, blender.shares(state, who, (9, 9, 9, 9), 8), strict=True))


@settings(max_examples=60, deadline=None)
@given(events, st.integers(0, 60))
def test_state_is_a_fold(happened, cut):
    at_once = quick.fold(quick.begin(), happened)
    in_two = quick.fold(quick.fold(quick.begin(), happened[:cut]), happened[cut:])
    assert at_once.to_json() == in_two.to_json()
    assert BlendState.from_json(at_once.to_json(), quick.settings).to_json() == at_once.to_json()


@settings(max_examples=60, deadline=None)
@given(events, st.integers(0, 2**32), st.sampled_from(["win-share", "mean"]))
def test_whatever_happened_a_decision_is_sound(happened, seed, sampling):
    blender = BanditBlender(replace(quick.settings, sampling=sampling))
    state = blender.fold(blender.begin(), happened)
    found = blender.shares(state, "ann", (9, 9, 0, 2), 8)
    assert found.sum() == pytest.approx(1)
    assert found[2] == 0
    assert (found[[0, 1, 3]] > 0).all()
    slate = blender.decide(state, "ann", CANDIDATES, 8, np.random.default_rng(seed))
    assert len(slate.placements) == 8
    assert 0 < slate.propensity <= 1
    again = blender.decide(state, "ann", CANDIDATES, 8, np.random.default_rng(seed))
    assert again == slate


def test_folding_leaves_the_state_before_as_it_was():
    before = BLENDER.fold(BLENDER.begin(), liking("news", 3))
    text = before.to_json()
    BLENDER.fold(before, liking("faq", 30))
    assert before.to_json() == text


def test_a_new_user_sees_some_of_everything_and_a_known_one_what_they_like():
    state = BLENDER.fold(BLENDER.begin(), liking("news"))
    assert all(0.15 < share < 0.35 for share in shares(BLENDER.begin()).values())
    assert shares(state)["news"] > 0.9
    assert min(shares(state).values()) >= SETTINGS.exploration / 4 - 1e-9


def test_strangers_inherit_what_everybody_likes():
    blender = BanditBlender(replace(SETTINGS, batch=5))
    happened = [event for n in range(20) for event in liking("news", 12, who=f"user {n}")]
    assert shares(blender.fold(blender.begin(), happened), "stranger", blender)["news"] > 0.6


def test_tastes_that_change_are_relearned_and_without_forgetting_they_are_not():
    drifted = [*liking("news", 60), *liking("faq", 20, start=60)]
    kept = BanditBlender(replace(SETTINGS, discount=1.0, change_rate=0.0))
    assert shares(BLENDER.fold(BLENDER.begin(), drifted))["faq"] > 0.9
    assert shares(kept.fold(kept.begin(), drifted), blender=kept)["faq"] < 0.1


def test_tastes_that_stay_are_not_forgotten():
    steady = BLENDER.fold(BLENDER.begin(), liking("news", 100))
    counts = steady.users["ann"].exposures + steady.users["ann"].new_exposures
    assert counts[2, 0] > 0.6 * 200


def test_counts_halve_over_the_half_life_and_a_clock_going_back_does_nothing():
    state = BLENDER.fold(BLENDER.begin(), liking("news", 5, start=1000.0))
    back = BLENDER.fold(state, [SlateShown("ann", (), (), -1e9), SlateShown("ann", (), (), float("nan"))])
    assert (back.users["ann"].new_actions == state.users["ann"].new_actions).all()
    later = BLENDER.fold(state, [SlateShown("ann", (), (), 1004.0 + 90 * 86400)])
    assert later.users["ann"].new_actions == pytest.approx(state.users["ann"].new_actions / 2)


def test_rates_that_fall_with_rank_are_learned():
    rng = np.random.default_rng(0)
    blender = BanditBlender(replace(SETTINGS, batch=5))
    happened = []
    for n in range(300):
        who = str(n % 10)
        happened.append(SlateShown(who, ("faq",) * 4 + ("venues",) * 4, (0, 1, 2, 3) * 2))
        for rank in range(4):
            if rng.random() < 0.6 * 0.5**rank:
                happened.append(ActionTaken(who, "faq", rank, "positive"))
            if rng.random() < 0.6:
                happened.append(ActionTaken(who, "venues", rank, "positive"))
    curve = blender.fold(blender.begin(), happened).population.curve[:, 0]
    assert curve[0, 3] == pytest.approx(0.125, abs=0.1)
    assert curve[1, 3] > 0.8


def test_a_decision_takes_as_long_after_many_events():
    def fastest(state):
        times = []
        for seed in range(100):
            started = time.perf_counter()
            BLENDER.decide(state, "ann", CANDIDATES, 8, np.random.default_rng(seed))
            times.append(time.perf_counter() - started)
        return min(times)

    many = BLENDER.fold(BLENDER.begin(), liking("news", 7_000))
    few = BLENDER.fold(BLENDER.begin(), liking("news", 4))
    assert fastest(many) < 2 * fastest(few)
    assert len(many.to_json()) < 10_000


@pytest.mark.parametrize("sampling", ["draw", "arm"])
def test_estimated_propensities_are_marked_and_near_what_happens(sampling):
    blender = BanditBlender(replace(SETTINGS, sampling=sampling, draws=50))
    state = blender.fold(blender.begin(), liking("news", 2))
    slates = [blender.decide(state, "ann", CANDIDATES, 4, np.random.default_rng(seed)) for seed in range(50)]
    assert not any(slate.exact for slate in slates)
    first = np.mean([slate.placements[0].pool == "news" for slate in slates])
    said = np.mean([s.slot_propensities[0] for s in slates if s.placements[0].pool == "news"])
    assert abs(first - said) < 4 * np.sqrt(said * (1 - said) / 50) + 0.05


def test_draws_follow_their_beta():
    """Mean and spread of Beta(a, b) for shapes from 0.1 to 200; the broken variant (shapes not raised by 1) fails."""
    for a, b in [(0.1, 1.9), (0.5, 0.5), (1.0, 3.0), (7.0, 50.0), (200.0, 200.0)]:
        drawn = beta_draws(np.full((1, 1), a), np.full((1, 1), b), 4096, 0).ravel()
        spread = np.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
        assert drawn.mean() == pytest.approx(a / (a + b), abs=0.03 * spread + 1e-4)
        assert drawn.std() == pytest.approx(spread, rel=0.05)


def test_unknown_or_missing_pools():
    state = BLENDER.begin()
    assert BLENDER.decide(state, "ann", {}, 8, np.random.default_rng(0)).placements == ()
    slate = BLENDER.decide(state, "ann", {"news": CANDIDATES["news"][:2]}, 8, np.random.default_rng(0))
    assert [p.rank for p in slate.placements] == [0, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"pools": ()}, {"pools": ("a", "a")}, {"discount": 1.5}, {"exploration": -0.1}, {"draws": 0}, {"batch": 0},
        {"sampling": "best"}, {"prior_rates": (0.0, 0.1, 0.1)}, {"half_life_days": 0.0},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_named(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(SETTINGS, **change)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "users": {}, "population": {}}'])
def test_a_damaged_state_is_one_clear_error(text):
    with pytest.raises(ValueError, match="blending state"):
        BlendState.from_json(text, SETTINGS)


def test_a_state_of_other_pools_is_refused():
    other = BanditBlender(BlendSettings(("a", "b")))
    with pytest.raises(ValueError, match="other pools"):
        BlendState.from_json(other.begin().to_json(), SETTINGS)
