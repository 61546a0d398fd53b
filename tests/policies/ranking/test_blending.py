"""Blending of pools: order is kept, no slate is empty, and propensities are what they say."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.blending import (
    BlendedSlate,
    FixedRatio,
    PoolCandidate,
    SlateLaw,
    available_shares,
    blend,
    gather,
    interleaved,
)

texts = st.lists(st.sampled_from("abcdefghij"), max_size=10)
some_pools = st.dictionaries(st.sampled_from(["faq", "venues", "news", "smalltalk"]), texts, min_size=1, max_size=4)


def made(pools):
    return {name: [PoolCandidate(text) for text in found] for name, found in pools.items()}


def distinct(**lengths):
    return {name: [PoolCandidate(f"{name} {r}") for r in range(n)] for name, n in lengths.items()}


def normalized(weights):
    return np.array(weights) / np.sum(weights)


def keeps_order(slate: BlendedSlate) -> bool:
    ranks: dict[str, int] = {}
    for placement in slate.placements:
        if placement.rank <= ranks.get(placement.pool, -1):
            return False
        ranks[placement.pool] = placement.rank
    return True


@settings(max_examples=120, deadline=None)
@given(some_pools, st.integers(0, 12), st.integers(0, 2**32), st.lists(st.floats(0, 9), min_size=4, max_size=4))
def test_order_is_kept_nothing_twice_nothing_empty(pools, slots, seed, weights):
    pools = made(pools)
    slate = blend(pools, available_shares(np.array(weights[: len(pools)]), pools), slots, np.random.default_rng(seed))
    shown = [placement.candidate.text for placement in slate.placements]
    assert keeps_order(slate)
    assert len(set(shown)) == len(shown) == min(slots, len({c.text for found in pools.values() for c in found}))
    assert 0 < slate.propensity <= 1
    assert len(slate.slot_propensities) == len(shown)
    assert all(slate.propensity <= p + 1e-9 for p in slate.slot_propensities)


def test_the_check_of_order_sees_a_broken_blend():
    slate = blend(distinct(a=8, b=8), np.array([0.5, 0.5]), 8, np.random.default_rng(0))
    assert keeps_order(slate)
    assert not keeps_order(BlendedSlate(slate.placements[::-1], 1.0, ()))


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=6), st.integers(1, 12))
@settings(deadline=None)
def test_counts_are_rounded_shares_and_every_slot_has_the_share(weights, slots):
    shares = normalized(weights)
    law = interleaved(shares, slots)
    assert law.probabilities.sum() == pytest.approx(1)
    for p, share in enumerate(shares):
        counts = (law.sequences == p).sum(axis=1)
        assert counts.min() >= np.floor(share * slots - 1e-6)
        assert counts.max() <= np.ceil(share * slots + 1e-6)
        assert law.probabilities @ (law.sequences == p) == pytest.approx(np.full(slots, share), abs=1e-9)


def test_a_pool_is_spread_over_the_slate():
    for sequence in interleaved(np.array([0.5, 0.25, 0.25]), 8).sequences:
        assert all((sequence[start : start + 4] == 0).sum() == 2 for start in (0, 4))


@pytest.mark.parametrize(
    "pools",
    [
        distinct(a=9, b=9, c=9),
        distinct(a=9, b=0, c=1),
        {"a": [PoolCandidate("hi"), PoolCandidate("x")], "b": [PoolCandidate("hi")], "c": [PoolCandidate("y")] * 3},
    ],
)
def test_propensities_are_calibrated(pools):
    """How often each slate comes is what was logged for it: within 4.5 standard errors, in 1,500 draws."""
    shares = available_shares(normalized([0.61, 0.13, 0.26]), pools)
    rng, seen, logged, slot = np.random.default_rng(1), Counter(), {}, Counter()
    for _ in range(1500):
        slate = blend(pools, shares, 5, rng)
        key = tuple((p.pool, p.rank) for p in slate.placements)
        seen[key] += 1
        logged[key] = slate.propensity
        for k, (placement, p) in enumerate(zip(slate.placements, slate.slot_propensities, strict=True)):
            slot[k, placement.pool, round(p, 9)] += 1
    for key, count in seen.items():
        assert abs(count / 1500 - logged[key]) < 4.5 * np.sqrt(logged[key] * (1 - logged[key]) / 1500) + 1e-9
    for (_, _, p), count in slot.items():
        assert abs(count / 1500 - p) < 4.5 * np.sqrt(p * (1 - p) / 1500) + 1e-6
    assert sum(logged.values()) <= 1 + 1e-9


def test_wrong_propensities_would_be_noticed():
    """The broken variant: an interleave that always begins at u = 0 shows the first pool first every time."""
    law = interleaved(normalized([0.61, 0.13, 0.26]), 5)
    stuck = SlateLaw(law.sequences[:1], np.ones(1), law.spare)
    firsts = {stuck.draw(distinct(a=9, b=9, c=9), np.random.default_rng(s)).placements[0].pool for s in range(50)}
    assert firsts == {"a"}
    assert law.probabilities @ (law.sequences[:, 0] == 0) == pytest.approx(0.61)


def test_a_pool_that_throws_is_an_empty_one():
    def broken():
        raise TimeoutError("the shop does not answer")

    pools, failed = gather({"shop": broken, "faq": lambda: [PoolCandidate("opening hours")]})
    assert failed == {"shop": "TimeoutError: the shop does not answer"}
    slate = FixedRatio({"shop": 1}).decide(pools, 3, np.random.default_rng(0))
    assert [p.candidate.text for p in slate.placements] == ["opening hours"]
    assert slate.propensity == 1


def test_a_fixed_ratio_is_that_ratio():
    counts = Counter()
    for seed in range(50):
        slate = FixedRatio({"a": 5, "b": 2, "c": 1}).decide(distinct(a=9, b=9, c=9), 8, np.random.default_rng(seed))
        counts += Counter(placement.pool for placement in slate.placements)
    assert counts == {"a": 250, "b": 100, "c": 50}


@pytest.mark.parametrize("ratio", [{"a": -1.0}, {"a": float("nan")}, {"a": 0.0}, {}])
def test_ratios_that_are_none_are_refused(ratio):
    with pytest.raises(ValueError, match=r"ratio"):
        FixedRatio(ratio)


def test_nothing_to_show():
    assert FixedRatio({"a": 1}).decide({"a": []}, 3, np.random.default_rng(0)) == BlendedSlate((), 1.0, ())
