"""The parts of the compiled DNC: elementary functions, order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.dnc import compiled_access, compiled_elementary
from memory.dnc.compiled_elementary import Array, compiled


@compiled
def exponentials(x: Array, out: Array) -> None:
    for k in range(x.shape[0]):
        out[k] = compiled_elementary.exponential(x[k])


@compiled
def order_of(usage: Array, order: Array, one: float) -> None:
    places = np.arange(usage.shape[0]).astype(usage.dtype)
    compiled_access.ranked(usage, order, places, usage.shape[0], one)


def exponential(values: list[float]) -> Array:
    given = np.array(values, np.float32)
    out = np.empty_like(given)
    exponentials(given, out)
    return out


def test_the_exponential_is_accurate_where_float32_is() -> None:
    x = np.linspace(-87, 88, 100_003).astype(np.float32)
    ours = exponential(x.tolist())
    np.testing.assert_allclose(ours, np.exp(x.astype(np.float64)), rtol=4e-7)
    assert (np.diff(ours) >= 0).all()


def test_the_exponential_at_its_bounds() -> None:
    low, high, missing, zero = exponential([-np.inf, np.inf, np.nan, 0.0])
    assert 0 < low < 1e-37
    assert 1e38 < high < np.inf
    assert np.isnan(missing)
    assert zero == 1.0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=20))
def test_rows_are_in_the_order_of_their_usage_and_ties_in_that_of_rows(usage: list[float]) -> None:
    order = np.empty(len(usage), np.int32)
    order_of(np.array(usage, np.float32), order, np.float32(1))
    assert order.tolist() == np.argsort(usage, kind="stable").tolist()


@pytest.mark.parametrize("usage", [[np.nan] * 5, [0.5, np.nan, 0.1, np.nan, 0.2]])
def test_no_row_outside_the_memory_is_named_where_usage_is_nan(usage: list[float]) -> None:
    order = np.full(5, 99, np.int32)
    order_of(np.array(usage, np.float32), order, np.float32(1))
    assert set(order.tolist()) <= set(range(5))
