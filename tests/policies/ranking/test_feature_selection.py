"""Noise goes, what matters stays, copies of what is there go too; and importance does not favour many values."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from policies.ranking.feature_selection import Selection, SelectionSettings, select_features
from policies.ranking.gbt import PairwiseRanker, RankerSettings
from policies.ranking.importance import few_values, permutation_importance, probed_importance, query_constant
from policies.ranking.letor import RankingData
from policies.ranking.synthetic import SyntheticData, SyntheticSettings, synthetic

QUICK = RankerSettings(trees=25, members=1, leaves=7, learning_rate=0.2, features_per_tree=0.5)
SETTINGS = SelectionSettings(rounds=3, folds=2, ranker=QUICK)


@pytest.fixture(scope="module")
def made() -> SyntheticData:
    return synthetic(SyntheticSettings(queries=500, informative=6, copies=6, noise=18, label_noise=0.5), seed=1)


@pytest.fixture(scope="module")
def selection(made: SyntheticData) -> Selection:
    return select_features(made.data, SETTINGS, seed=2)


def test_made_up_data_has_what_was_asked_for() -> None:
    made = synthetic(SyntheticSettings(queries=20), seed=3)
    assert made.data.features.shape == (200, 150)
    assert [len(made.having(role)) for role in ("informative", "copy", "noise")] == [20, 30, 100]
    assert [len(made.having("informative", binary=b)) for b in (True, False)] == [10, 10]
    np.testing.assert_array_equal(few_values(made.data), made.binary)
    assert (np.bincount(made.data.labels) > 0).all()
    again, other = synthetic(SyntheticSettings(queries=20), seed=3), synthetic(SyntheticSettings(queries=20), seed=4)
    np.testing.assert_array_equal(again.data.features, made.data.features)
    assert again.roles != other.roles


def test_a_copy_follows_its_original(made: SyntheticData) -> None:
    correlation = np.abs(np.corrcoef(made.data.features.T))
    originals = sorted(made.having("informative"))
    for copy in made.having("copy"):
        assert 0.5 < correlation[copy, originals].max() < 0.95
    for noise in made.having("noise"):
        assert correlation[noise, originals].max() < 0.1


def test_noise_goes_and_what_matters_stays(made: SyntheticData, selection: Selection) -> None:
    kept = set(selection.kept)
    assert made.having("informative") <= kept
    assert len(kept & made.having("noise")) <= 1
    assert kept <= set(selection.informative)
    assert len(selection.informative) < 30


def test_copies_go_in_the_second_stage(made: SyntheticData, selection: Selection) -> None:
    copies = made.having("copy")
    assert len(set(selection.informative) & copies) >= 4, "a copy does say something: the first stage keeps it"
    assert len(set(selection.kept) & copies) <= 2


def test_the_way_down_is_told(selection: Selection) -> None:
    steps = selection.steps
    assert steps[0].features == len(selection.informative)
    assert steps[-1].features == len(selection.kept)
    for before, after in itertools.pairwise(steps):
        assert after.features == before.features - len(after.removed) + len(after.returned)
    assert max(step.ndcg for step in steps) - steps[-1].ndcg <= SETTINGS.tolerance + 1e-9


def test_the_same_seed_selects_the_same(made: SyntheticData) -> None:
    part = made.data.queries(range(100))
    settings = dataclasses.replace(SETTINGS, rounds=1)
    told: list[str] = []
    first = select_features(part, settings, seed=5, progress=told.append)
    assert first.kept == select_features(part, settings, seed=5).kept
    assert len(told) == first.trainings
    assert set(told) == {"probes", "subsets"}


def test_gain_favours_many_values_and_the_correction_does_not(made: SyntheticData) -> None:
    importance = probed_importance(made.data, QUICK, rounds=3)
    binary, continuous = (sorted(made.having("noise", binary=b)) for b in (True, False))
    assert importance.gains[continuous].mean() > 5 * importance.gains[binary].mean(), "the bias is there"
    informative = importance.corrected[sorted(made.having("informative"))].mean()
    for noise in (binary, continuous):
        assert abs(importance.corrected[noise].mean()) < 0.01 * informative
    continuous_threshold, binary_threshold = (importance.thresholds()[part[0]] for part in (continuous, binary))
    assert continuous_threshold > binary_threshold, "a binary feature that says little would lose to continuous noise"


def test_permutation_importance_agrees(made: SyntheticData) -> None:
    data = made.data
    ranker = PairwiseRanker.train(data.queries(range(300)), QUICK)
    losses = permutation_importance(ranker, data.queries(range(300, 500)), 10, rounds=1)
    informative, noise = sorted(made.having("informative")), sorted(made.having("noise"))
    assert losses[informative].min() > 0
    assert np.abs(losses[noise]).max() < losses[informative].mean() / 2


def test_a_feature_of_the_query_is_probed_between_queries() -> None:
    """The weather is the same for all candidates of a turn: permuted within queries it would be a different feature."""
    rng = np.random.default_rng(0)
    groups = np.full(40, 5)
    weather = np.repeat(rng.normal(size=40), 5)
    constant, own = np.ones(200), rng.normal(size=200)
    gap = np.where(np.repeat(rng.random(40) < 0.3, 5), np.nan, weather)
    features = np.stack([weather, constant, own, gap], axis=1).astype(np.float32)
    data = RankingData(features, rng.integers(0, 3, 200).astype(np.int32), groups, ("weather", "one", "own", "gap"))
    assert query_constant(data).tolist() == [True, False, False, True]
    importance = probed_importance(data, QUICK, rounds=1)
    assert importance.gains[1] == importance.probes[0, 1] == 0


def test_nothing_to_select_is_said() -> None:
    rng = np.random.default_rng(1)
    features = np.ones((100, 3), dtype=np.float32)
    data = RankingData(features, rng.integers(0, 3, 100).astype(np.int32), np.full(20, 5), ("a", "b", "c"))
    with pytest.raises(ValueError, match="no feature says more"):
        select_features(data, SETTINGS)
    with pytest.raises(ValueError, match="1 queries"):
        select_features(data.queries([0]), SETTINGS)


def test_a_single_feature_is_kept() -> None:
    made = synthetic(SyntheticSettings(queries=150, informative=2, copies=0, noise=4, label_noise=0.2), seed=1)
    only = sorted(made.having("informative", binary=False))
    selection = select_features(made.data.columns([*only, *sorted(made.having("noise", binary=True))]), SETTINGS)
    assert selection.kept == (0,)


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"folds": 1}, {"tolerance": -1.0}, {"standard_errors": -0.1}])
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SelectionSettings(**wrong)  # type: ignore[arg-type]
