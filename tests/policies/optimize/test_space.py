"""Spaces beside settings, their grids, and the test functions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from policies.dqn_config import DQNConfig
from policies.optimize.classic import CLASSIFIERS, MULTI_LABEL, als_scores, with_int32_indices
from policies.optimize.samplers import grid, grid_points
from policies.optimize.space import Dimension, search_space
from policies.optimize.surfaces import SURFACES, Surface


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_no_point_is_below_the_minimum_and_one_reaches_it(surface: Surface) -> None:
    assert surface.value(np.array(surface.at)) == pytest.approx(surface.minimum, abs=1e-6)
    points = np.random.default_rng(1).uniform(surface.low, surface.high, size=(200, surface.dims))
    near = np.clip(
        np.array(surface.at) + 1e-3 * np.random.default_rng(2).normal(size=points.shape), surface.low, surface.high
    )
    assert min(surface.value(point) for point in (*points, *near)) >= surface.minimum - 1e-6


@pytest.mark.parametrize("settings", [DQNConfig])
def test_every_end_of_a_declared_space_is_a_setting(settings: type) -> None:
    space = search_space(settings)
    assert len(space) >= 3
    for d in space:
        for value in d.levels(2):
            replace(settings(), **{d.name: value})
        assert d.low <= getattr(settings(), d.name) <= d.high


def test_what_a_field_may_say() -> None:
    @dataclass(frozen=True)
    class Typo:
        rate: float = field(default=1.0, metadata={"search": {"low": 0.1, "hihg": 2}})

    with pytest.raises(ValueError, match="hihg"):
        search_space(Typo)
    for bad in ({"low": 1, "high": 1}, {"low": 0, "high": 1, "log": True}, {"low": 0.5, "high": 2, "whole": True}):
        with pytest.raises(ValueError, match="rate"):
            Dimension("rate", **bad)


def test_grids() -> None:
    assert Dimension("x", 0.01, 1, log=True).levels(3) == pytest.approx([0.01, 0.1, 1])
    space = (Dimension("a", 0, 1), Dimension("n", 1, 3, whole=True), Dimension("c", choices=("u", "v")))
    levels = grid(space, 20)
    assert len(levels["a"]) * 3 * 2 >= 20
    points = grid_points(space, 20, seed=3)
    assert len({repr(point) for point in points}) == len(points)
    assert grid_points(space, 20, seed=4) != points


def test_classic_models_learn() -> None:
    import scipy.sparse

    rng = np.random.default_rng(0)
    features = np.abs(rng.normal(size=(240, 6)))
    labels = (features[:, 0] > features[:, 1]).astype(int)
    sparse = scipy.sparse.csr_matrix(features)
    sparse.indices, sparse.indptr = sparse.indices.astype(np.int64), sparse.indptr.astype(np.int64)
    assert with_int32_indices(sparse).indices.dtype == np.int32
    for model in CLASSIFIERS:
        for given in (features, sparse):
            assert (model.fit_predict(given[:180], labels[:180], given[180:]) == labels[180:]).mean() > 0.7, model.name
    both = np.stack([labels, 1 - labels], axis=1)
    for model in MULTI_LABEL:
        assert (model.fit_predict(features[:180], both[:180], features[180:]) == both[180:]).mean() > 0.8
    groups = np.kron(np.eye(2), np.ones((20, 10)))
    groups[0, 0] = 0
    scores = als_scores(groups, factors=4)
    assert scores[0, 0] > scores[0, 10:].max()
