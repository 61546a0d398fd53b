"""Streams are uniform, independent of the batch, and restart from their seed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.random import RowRandom


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=5), st.lists(st.integers(1, 9), max_size=4))
def test_a_row_is_the_same_alone(seeds: list[int], widths: list[int]) -> None:
    together, alone = RowRandom(seeds), [RowRandom([seed]) for seed in seeds]
    for width in widths:
        block = together.uniform(width)
        for row, stream in enumerate(alone):
            assert np.array_equal(block[row], stream.uniform(width)[0])


def test_drawing_in_pieces_or_at_once_is_the_same() -> None:
    pieces, whole = RowRandom([7, 8]), RowRandom([7, 8])
    first, second = pieces.uniform(3), pieces.uniform(2)
    assert np.array_equal(np.hstack([first, second]), whole.uniform(5))


def test_only_the_rows_drawn_for_advance() -> None:
    random, fresh = RowRandom([1, 2]), RowRandom([1, 2])
    random.uniform(4, np.array([1], dtype=np.int32))
    following = random.uniform(4)
    assert np.array_equal(following[0], fresh.uniform(4)[0])
    assert not np.array_equal(following[1], RowRandom([1, 2]).uniform(4)[1])
    random.seed(np.array([1], dtype=np.int32), [2])
    assert np.array_equal(random.uniform(4)[1], RowRandom([2]).uniform(4)[0])


def test_uniform_in_range_mean_variance_and_without_correlation() -> None:
    draws = RowRandom(range(2000)).uniform(100)
    assert draws.dtype == np.float32
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    assert abs(draws.mean() - 0.5) < 0.003
    assert abs(draws.var() - 1 / 12) < 0.001
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 45  # chi squared, 19 degrees of freedom, p about 0.001
    assert abs(np.corrcoef(draws[:, :-1].ravel(), draws[:, 1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(draws[:-1].ravel(), draws[1:].ravel())[0, 1]) < 0.01
