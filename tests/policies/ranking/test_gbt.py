"""Rankers learn, are served as they were trained, and say what is wrong with data or files."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.gbt import (
    STOCK,
    PairwiseRanker,
    RankerSettings,
    cross_validated_trees,
    mean_ndcg,
    stopping_point,
)
from policies.ranking.ranker_training import train_rankers
from policies.ranking.served_ranker import RankerError, RankerSet, ServedRanker
from policies.ranking.tree_export import floor_float32, tree_ensemble
from tests.policies.ranking.made_up import made_up

SMALL = RankerSettings(trees=30, members=2, leaves=7, min_candidates_per_leaf=5, features_per_tree=0.8)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def ranker() -> PairwiseRanker:
    return PairwiseRanker.train(made_up(missing=0.1), SMALL, seed=3)


def test_what_decides_is_learnt(ranker: PairwiseRanker) -> None:
    test = made_up(seed=9, missing=0.1)
    learnt = mean_ndcg(ranker.predict(test.features), test, 5)
    assert learnt > 0.85
    assert learnt > mean_ndcg(np.random.default_rng(0).normal(size=len(test.labels)), test, 5) + 0.2
    assert set(np.argsort(-ranker.gains())[:2]) == {0, 1}


def test_the_same_arguments_give_the_same_ranker(ranker: PairwiseRanker) -> None:
    again = PairwiseRanker.train(made_up(missing=0.1), SMALL, seed=3)
    other = PairwiseRanker.train(made_up(missing=0.1), SMALL, seed=4)
    x = made_up(seed=5).features
    np.testing.assert_array_equal(again.predict(x), ranker.predict(x))
    assert not np.array_equal(other.predict(x), ranker.predict(x))


def test_served_as_lightgbm_predicts(ranker: PairwiseRanker, tmp_path: Path) -> None:
    ranker.export(tmp_path)
    served = ServedRanker.load(tmp_path)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3000, 8)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[rng.random(x.shape) < 0.1] = 0.0
    np.testing.assert_allclose(served.score(x), ranker.predict(x), atol=1e-5, rtol=0)
    assert served.score(x[:0]).shape == (0,)
    assert (np.diff(served.score(x)[served.rank(x)]) <= 0).all()


def test_a_forest_beside_the_trees_is_served_as_it_predicts(ranker: PairwiseRanker, tmp_path: Path) -> None:
    data = made_up(missing=0.1)
    both = PairwiseRanker.train(data, dataclasses.replace(SMALL, forest=20), seed=3)
    both.export(tmp_path)
    x = made_up(seed=9, missing=0.1).features
    moved = both.predict(x) - ranker.predict(x)
    np.testing.assert_allclose(moved, both.forest_weight * both.forest.predict(x), atol=1e-9)
    assert np.std(moved) > np.std(ranker.predict(x)) / 2
    np.testing.assert_allclose(ServedRanker.load(tmp_path).score(x), both.predict(x), atol=1e-4, rtol=0)
    again = PairwiseRanker.train(data, dataclasses.replace(SMALL, forest=20), seed=3)
    np.testing.assert_array_equal(again.predict(x), both.predict(x))


def test_values_on_a_threshold_go_the_same_way(tmp_path: Path) -> None:
    """Features from few values lie next to thresholds; rounding these to nearest would send some the other way."""
    data = made_up(queries=40)
    coarse = dataclasses.replace(data, features=(np.round(data.features * 10) / np.float32(10)).astype(np.float32))
    ranker = PairwiseRanker.train(coarse, SMALL)
    ranker.export(tmp_path)
    grid = {float(np.float32(node)) for dump in ranker.boosters for node in _thresholds(dump.dump_model())}
    edges = np.array(sorted(grid), dtype=np.float32)
    near = np.concatenate([edges, np.nextafter(edges, np.float32(9)), np.nextafter(edges, np.float32(-9))])
    near = near[(near == 0) | (np.abs(near) > 1e-34)]  # LightGBM takes what is within 1e-35 for 0
    x = np.random.default_rng(2).choice(near, size=(2000, 8)).astype(np.float32)
    np.testing.assert_allclose(ServedRanker.load(tmp_path).score(x), ranker.predict(x), atol=1e-5, rtol=0)


def _thresholds(dump: dict) -> list[float]:  # type: ignore[type-arg]
    nodes, found = [tree["tree_structure"] for tree in dump["tree_info"]], []
    for node in nodes:
        if "threshold" in node:
            found.append(node["threshold"])
            nodes += [node["left_child"], node["right_child"]]
    return found


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_lowered_threshold_decides_alike(threshold: float, x: float) -> None:
    assert (np.float32(x) <= np.float32(floor_float32(threshold))) == (x <= threshold) or threshold < -3.4028235e38


@settings(deadline=None)
@given(st.floats(-1e3, 1e3))
def test_right_beside_a_threshold(threshold: float) -> None:
    lowered = np.float32(floor_float32(threshold))
    for x in (lowered, np.nextafter(lowered, np.float32(np.inf)), np.nextafter(lowered, np.float32(-np.inf))):
        assert (x <= lowered) == (float(x) <= threshold)


def test_constant_and_missing_columns_change_nothing(tmp_path: Path) -> None:
    data = made_up()
    padded = np.hstack([data.features, np.full((len(data.labels), 1), 7, np.float32)])
    padded = np.hstack([padded, np.full((len(data.labels), 1), np.nan, np.float32)])
    wider = dataclasses.replace(data, features=padded, names=(*data.names, "constant", "missing"))
    ranker = PairwiseRanker.train(wider, SMALL)
    assert ranker.gains()[-2:].tolist() == [0, 0]
    assert mean_ndcg(ranker.predict(padded), data, 5) > 0.85
    nothing = dataclasses.replace(wider, features=np.ones_like(padded))
    flat = PairwiseRanker.train(nothing, SMALL)
    flat.export(tmp_path)
    assert len(np.unique(ServedRanker.load(tmp_path).score(padded))) == 1


def test_an_infinite_feature_is_named() -> None:
    data = made_up()
    data.features[4, 3] = -np.inf
    with pytest.raises(ValueError, match="feature f3 is infinite"):
        PairwiseRanker.train(data, SMALL)
    with pytest.raises(ValueError, match="8 features, validation data 7"):
        PairwiseRanker.train(made_up(), SMALL, valid=made_up(features=7))


def test_validation_chooses_the_number_of_trees() -> None:
    settings = dataclasses.replace(SMALL, trees=60, patience=10)
    ranker = PairwiseRanker.train(made_up(), settings, valid=made_up(seed=1))
    assert 1 <= ranker.trees <= len(ranker.curve) <= 60
    assert ranker.trees == stopping_point(ranker.curve)
    assert stopping_point([]) == 1
    assert stopping_point([0.1] * 20 + [0.9] * 20 + [0.5] * 20) in range(21, 41)
    assert stopping_point([*[0.1] * 5, 0.9, *[0.1] * 30, *[0.5] * 15, *[0.1] * 9]) > 30, "one lucky tree is noise"


def test_cross_validation_counts_every_tree() -> None:
    trained: list[int] = []
    chosen = cross_validated_trees(made_up(), SMALL, folds=3, members=1, progress=trained.append)
    assert 1 <= chosen <= SMALL.trees
    assert sum(trained) == 3 * SMALL.trees
    with pytest.raises(ValueError, match="2 queries"):
        cross_validated_trees(made_up(queries=2), SMALL)


def test_weights_move_what_is_learnt() -> None:
    data = made_up(queries=80)
    flipped = np.where(np.arange(len(data.labels)) % 2, data.labels, 3 - data.labels).astype(np.int32)
    light = np.where(np.arange(len(data.labels)) % 2, 1.0, 1e-3).astype(np.float32)
    test = made_up(seed=7)
    weighted = PairwiseRanker.train(dataclasses.replace(data, labels=flipped, weights=light), SMALL)
    unweighted = PairwiseRanker.train(dataclasses.replace(data, labels=flipped), SMALL)
    assert mean_ndcg(weighted.predict(test.features), test, 5) > mean_ndcg(unweighted.predict(test.features), test, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"trees": 0},
        {"learning_rate": 0.0},
        {"features_per_tree": 1.1},
        {"leaves": 1},
        {"l2": -1.0},
        {"objective": "x"},
        {"forest": -1},
    ],
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        dataclasses.replace(STOCK, **wrong)  # type: ignore[arg-type]
    assert RankerSettings.for_rows(100) == RankerSettings(forest=100)
    many = RankerSettings.for_rows(10**6)
    assert (many.members, many.forest) == (1, 0)


def test_rankers_of_all_content_types_are_trained_side_by_side(tmp_path: Path) -> None:
    sets = {"faq": made_up(), "venues": made_up(seed=2, features=5)}
    told: list[str] = []
    alone = train_rankers(sets, tmp_path / "one", SMALL, valid={"faq": made_up(seed=8)}, finished=told.append)
    both = train_rankers(sets, tmp_path / "two", SMALL, valid={"faq": made_up(seed=8)}, processes=2)
    assert alone == both
    assert told == ["faq", "venues"]
    assert 0.8 < alone["faq"]["valid_ndcg"] <= 1
    rankers = RankerSet.load(tmp_path / "two")
    assert rankers.kinds == ("faq", "venues")
    assert rankers.score("venues", made_up(features=5).features[:50]).shape == (50,)
    with pytest.raises(RankerError, match="no ranker for 'movies': there are faq, venues"):
        rankers.score("movies", made_up().features)


@pytest.mark.parametrize("kind", ["../up", "", "A B", "."])
def test_a_content_type_is_a_folder_name(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="small letters"):
        train_rankers({kind: made_up()}, tmp_path, SMALL)
    with pytest.raises(ValueError, match="no content type"):
        train_rankers({}, tmp_path, SMALL)


def test_bad_data_is_named_by_its_content_type(tmp_path: Path) -> None:
    data = made_up()
    data.features[0, 0] = np.inf
    with pytest.raises(ValueError, match="content type faq: feature f0 is infinite"):
        train_rankers({"faq": data}, tmp_path, SMALL)


def test_damaged_files_are_refused(ranker: PairwiseRanker, tmp_path: Path) -> None:
    with pytest.raises(RankerError, match="no such file: train the ranker first"):
        ServedRanker.load(tmp_path)
    with pytest.raises(RankerError, match="no rankers in there"):
        RankerSet.load(tmp_path)
    ranker.export(tmp_path)
    model, manifest = (tmp_path / "ranker.onnx").read_bytes(), (tmp_path / "ranker.json").read_text()
    (tmp_path / "ranker.onnx").write_bytes(model[:-1] + b"!")
    with pytest.raises(RankerError, match="sha256 differs"):
        ServedRanker.load(tmp_path)
    (tmp_path / "ranker.onnx").unlink()
    with pytest.raises(RankerError, match=r"ranker\.onnx: no such file"):
        ServedRanker.load(tmp_path)
    (tmp_path / "ranker.onnx").write_bytes(model)
    fields = json.loads(manifest)
    for change, said in (
        ({"format": 2}, "format 2"),
        ({"features": None}, "no manifest"),
        ({"features": ["a", "b"]}, "can't be run"),
    ):
        (tmp_path / "ranker.json").write_text(json.dumps({**fields, **change}))
        with pytest.raises(RankerError, match=said):
            ServedRanker.load(tmp_path)


def test_what_is_no_sum_of_regression_trees_is_not_exported(ranker: PairwiseRanker) -> None:
    dump = ranker.boosters[0].dump_model()
    with pytest.raises(ValueError, match="only a sum"):
        tree_ensemble([({**dump, "num_class": 3}, 1.0)], 8)
    root = {**dump["tree_info"][0]["tree_structure"], "decision_type": "=="}
    with pytest.raises(ValueError, match="can't be exported"):
        tree_ensemble([({**dump, "tree_info": [{"tree_structure": root}]}, 1.0)], 8)


def test_named_features_find_their_columns(ranker: PairwiseRanker, tmp_path: Path) -> None:
    ranker.export(tmp_path)
    served = ServedRanker.load(tmp_path)
    matrix = served.matrix([{"f1": 2.0, "f0": 1.0, "other": 9.0}, {}])
    np.testing.assert_array_equal(matrix[0, :2], [1, 2])
    assert np.isnan(matrix[0, 2:]).all()
    assert np.isnan(matrix[1]).all()


def test_fifty_candidates_take_less_than_a_millisecond(tmp_path: Path) -> None:
    """The trees of 200 x 31 leaves over 300 features, as large as they are served; CPU time: others may be busy."""
    rng = np.random.default_rng(0)
    data = made_up(queries=150, features=300)
    settings = RankerSettings(trees=10, members=1, leaves=31, min_candidates_per_leaf=1, features_per_tree=0.2)
    dump = PairwiseRanker.train(data, settings).boosters[0].dump_model()
    from policies.ranking.served_ranker import write_ranker

    write_ranker(tmp_path, tree_ensemble([({**dump, "tree_info": dump["tree_info"] * 20}, 1.0)], 300), data.names)
    served = ServedRanker.load(tmp_path)
    candidates = rng.normal(size=(50, 300)).astype(np.float32)
    seconds = []
    for _ in range(300):
        started = time.thread_time()
        served.score(candidates)
        seconds.append(time.thread_time() - started)
    assert np.median(seconds) < 0.001


def test_serving_loads_no_training_library() -> None:
    code = (
        "import sys; sys.modules['pandas'] = None; import policies.ranking.served_ranker, policies.ranking.labels;"
        "print([m for m in ('lightgbm', 'sklearn', 'scipy', 'onnx', 'pandas', 'torch') if sys.modules.get(m)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
