"""The vectorised metrics against plain ones written query by query, and what must hold for any ranking."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.metrics import average_precision, ndcg, paired_bootstrap, ranks_of, reciprocal_rank

QUERY = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=8)
QUERIES = st.lists(QUERY, min_size=1, max_size=6)
"""Scores from few values, so that ties are common, and labels."""
Query = list[tuple[int, int]]


def flat(queries: list[Query]) -> tuple[list[float], list[int], list[int]]:
    return (
        [float(score) for query in queries for score, _ in query],
        [label for query in queries for _, label in query],
        [len(query) for query in queries],
    )


def plain_ndcg(query: Query, k: int) -> float:
    def dcg(labels: list[int]) -> float:
        return sum((2**label - 1) / math.log2(rank + 1) for rank, label in enumerate(labels[:k], start=1))

    best = dcg(sorted((label for _, label in query), reverse=True))
    return dcg([label for _, label in sorted(query, key=lambda row: -row[0])]) / best if best else 1.0


def plain_reciprocal_rank(query: Query) -> float:
    labels = [label for _, label in sorted(query, key=lambda row: -row[0])]
    return next((1 / rank for rank, label in enumerate(labels, start=1) if label), 0.0)


def plain_average_precision(query: Query) -> float:
    labels = [label > 0 for _, label in sorted(query, key=lambda row: -row[0])]
    found = [sum(labels[:rank]) / rank for rank, relevant in enumerate(labels, start=1) if relevant]
    return sum(found) / len(found) if found else 0.0


@settings(deadline=None)
@given(QUERIES, st.integers(1, 10))
def test_equal_to_the_plain_formulas(queries: list[Query], k: int) -> None:
    scores, labels, groups = flat(queries)
    np.testing.assert_allclose(ndcg(scores, labels, groups, k), [plain_ndcg(q, k) for q in queries], rtol=1e-12)
    plain = [plain_reciprocal_rank(q) for q in queries]
    np.testing.assert_allclose(reciprocal_rank(scores, labels, groups), plain, rtol=1e-12)
    plain = [plain_average_precision(q) for q in queries]
    np.testing.assert_allclose(average_precision(scores, labels, groups), plain, rtol=1e-12)


@settings(deadline=None)
@given(QUERIES, st.integers(1, 10))
def test_the_labels_themselves_rank_best(queries: list[Query], k: int) -> None:
    scores, labels, groups = flat(queries)
    np.testing.assert_allclose(ndcg(labels, labels, groups, k), 1.0)
    assert (ndcg(scores, labels, groups, k) <= 1 + 1e-12).all()
    assert (average_precision(scores, labels, groups) <= average_precision(labels, labels, groups) + 1e-12).all()


@settings(deadline=None)
@given(QUERIES)
def test_only_the_order_counts_and_only_within_a_query(queries: list[Query]) -> None:
    scores, labels, groups = flat(queries)
    moved = np.repeat(np.arange(len(groups)) * 1000.0, groups) + 0.5 * np.asarray(scores)
    np.testing.assert_array_equal(ndcg(moved, labels, groups, 3), ndcg(scores, labels, groups, 3))
    ranks = ranks_of(np.asarray(scores), np.asarray(groups))
    for query, start in zip(queries, np.cumsum([0, *groups[:-1]]), strict=True):
        assert sorted(ranks[start : start + len(query)]) == list(range(1, len(query) + 1))


def test_the_convention_for_queries_without_relevant_candidates() -> None:
    assert ndcg([1, 2], [0, 0], [2], 5).tolist() == [1.0]
    assert ndcg([1, 2], [0, 0], [2], 5, empty=0.0).tolist() == [0.0]
    assert reciprocal_rank([1, 2], [0, 0], [2]).tolist() == [0.0]


def test_equal_scores_keep_the_order_of_the_data() -> None:
    assert reciprocal_rank([0, 0, 0], [0, 1, 0], [3]).tolist() == [0.5]


def test_lightgbm_counts_alike() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rng = np.random.default_rng(0)
    groups = rng.integers(5, 20, size=40)
    features, labels = rng.normal(size=(groups.sum(), 5)), rng.integers(0, 4, size=groups.sum())
    labels[: groups[0]] = 0
    data = lightgbm.Dataset(features, labels, group=groups)
    settings = {"objective": "lambdarank", "metric": "ndcg", "eval_at": [3], "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, data, 5, valid_sets=[data], valid_names=["same"])
    theirs = booster.best_score["same"]["ndcg@3"]
    assert ndcg(booster.predict(features), labels, groups, 3).mean() == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("scores", "labels", "groups", "said"),
    [
        ([1.0], [1, 2], [1], "do not fit"),
        ([1.0, 2.0], [1, 2], [1], "groups of 1"),
        ([1.0, 2.0], [1, 2], [2, 0], "do not fit"),
        ([1.0, math.nan], [1, 2], [2], "not finite"),
        ([], [], [], "do not fit"),
    ],
)
def test_bad_shapes(scores: list[float], labels: list[int], groups: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ndcg(scores, labels, groups, 5)
    with pytest.raises(ValueError, match="k is 0"):
        ndcg([1], [1], [1], 0)


def test_the_interval_covers_the_difference() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        query = rng.normal(size=50)  # what queries have in common is no part of the difference
        a, b = query + 0.3 + 0.5 * rng.normal(size=50), query + 0.5 * rng.normal(size=50)
        interval = paired_bootstrap(a, b, draws=500, seed=trial)
        assert interval.low <= interval.mean <= interval.high
        covered += interval.low <= 0.3 <= interval.high
    assert 0.9 <= covered / 200 <= 0.99


def test_seeds_of_one_query_are_not_counted_as_queries() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=30), rng.normal(size=30)
    one, five = paired_bootstrap(a, b), paired_bootstrap(np.tile(a, (5, 1)), np.tile(b, (5, 1)))
    assert (five.low, five.high) == pytest.approx((one.low, one.high))
