"""Features are bounded, named, one per place, and fast enough."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.belief import BeliefState
from policies.featurizer import BeliefFeaturizer, SummaryFeaturizer, build_featurizer
from simulator.small import restaurant_sized_ontology, small_ontology
from tests.memory.test_belief import random_dialogue

ONTOLOGY = small_ontology()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_features_are_bounded_and_rows_independent(seed: int) -> None:
    featurizer = BeliefFeaturizer(ONTOLOGY)
    for _, _, state in random_dialogue(seed):
        features = featurizer(state)
        assert features.shape == (state.batch, featurizer.size)
        assert features.dtype == np.float32
        assert np.isfinite(features).all()
        assert features.min() >= 0.0
        assert features.max() <= 1.0 + 1e-5


def test_names_point_at_the_features() -> None:
    featurizer = BeliefFeaturizer(ONTOLOGY)
    names = featurizer.names()
    assert len(names) == len(set(names)) == featurizer.size
    state = random_dialogue(3)[-1][2]
    features = featurizer(state)
    assert np.array_equal(features[:, names.index("goals[2]")], state.goals[:, 2])
    assert np.array_equal(features[:, names.index("venue_confidence[0]")], state.venue_confidence)
    np.testing.assert_allclose(features[:, names.index("turn[0]")], state.turn / 25)


def test_summary_is_the_part_without_values() -> None:
    summary, full = SummaryFeaturizer(ONTOLOGY), BeliefFeaturizer(ONTOLOGY)
    state = random_dialogue(4)[-1][2]
    assert summary.size == full.size - ONTOLOGY.num_values
    assert np.array_equal(summary(state), full(state)[:, ONTOLOGY.num_values :])


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown featurizer 'believe'"):
        build_featurizer("believe", ONTOLOGY)


def test_a_thousand_rows_in_milliseconds() -> None:
    ontology = restaurant_sized_ontology()
    featurizer, state = BeliefFeaturizer(ontology), BeliefState.initial(ontology, 1024)
    featurizer(state)
    best = min(_seconds(featurizer, state) for _ in range(5))
    assert best < 0.05


def _seconds(featurizer: BeliefFeaturizer, state: BeliefState) -> float:
    began = time.perf_counter()
    featurizer(state)
    return time.perf_counter() - began
