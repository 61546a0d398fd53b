"""Who wins, and what a trace says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.optimize.judging import area, best_seen, better, holm, p_lower, partial_ranking


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_without_noise_a_trace_is_the_running_minimum(values: list[float]) -> None:
    assert best_seen(values).tolist() == np.minimum.accumulate(values).tolist()


def test_a_trace_under_noise_shows_the_true_value_of_what_looked_best() -> None:
    assert best_seen([3.0, 1.0, np.nan, 2.0], [3.0, 5.0, 0.0, 2.0]).tolist() == [3.0, 5.0, 5.0, 5.0]
    assert area([1.0, 2.0, 3.0]) == 2.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_helps(raw: list[float]) -> None:
    fixed = holm(raw)
    assert all(a <= b <= 1 for a, b in zip(raw, fixed, strict=True))
    assert [fixed[i] for i in np.argsort(raw)] == sorted(fixed)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_what_was_found_counts_before_how_fast() -> None:
    low, high = np.arange(10.0), np.arange(10.0) + 100
    assert p_lower(low, high) < 1e-4
    assert p_lower(high, low) > 0.99
    assert p_lower(np.ones(5), np.ones(5)) == 1
    pairs = better({"a": low, "b": high, "c": low}, {"a": high, "b": low, "c": low})
    assert ("a", "b", "found") in pairs
    assert ("c", "a", "area") in pairs
    assert not any(winner == "b" for winner, _, _ in pairs)
    assert partial_ranking(["a", "b", "c"], pairs) == [["c"], ["a"], ["b"]]
