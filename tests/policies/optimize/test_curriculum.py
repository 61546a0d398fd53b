"""A curriculum grows when the target is met, keeps its shares, and resumes exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.optimize.curriculum import Curriculum, CurriculumSettings

SETTINGS = CurriculumSettings(1, 5, target=0.1, window=3, review=0.3, preview=0.2)


def test_grows_only_when_the_mean_of_a_whole_window_meets_the_target() -> None:
    curriculum = Curriculum(SETTINGS, 0)
    assert [curriculum.report(loss) for loss in (0.0, 0.0, 0.3)] == [False, False, True]
    assert curriculum.length == 2
    assert [curriculum.report(loss) for loss in (0.0, 0.0)] == [False, False]  # the window starts anew
    assert [curriculum.report(loss) for loss in (0.4, 0.3, 0.0, 0.0)] == [False, False, False, True]
    assert not any(curriculum.report(float("nan")) for _ in range(9))
    assert curriculum.length == 3


def test_stops_at_the_longest() -> None:
    curriculum = Curriculum(replace(SETTINGS, growth=3, window=1), 0)
    assert [curriculum.report(0.0) for _ in range(4)] == [True, True, False, False]
    assert (curriculum.length, curriculum.finished) == (5, True)


def test_shares_of_the_draws() -> None:
    curriculum = Curriculum(SETTINGS, 3)
    curriculum.length = 2
    counts = np.bincount(curriculum.draw(40_000), minlength=6)[1:] / 40_000
    np.testing.assert_allclose(counts, [0.15 + 0.04, 0.5 + 0.15 + 0.04, 0.04, 0.04, 0.04], atol=0.01)
    only = Curriculum(replace(SETTINGS, review=0.0, preview=0.0), 3)
    assert set(only.draw(100)) == {1}


@given(st.lists(st.floats(0, 0.4), max_size=30), st.integers(0, 9))
def test_resumes_with_the_same_draws(losses: list[float], seed: int) -> None:
    whole = Curriculum(SETTINGS, seed)
    for loss in losses:
        whole.draw(2)
        whole.report(loss)
    saved = json.loads(json.dumps(whole.state()))
    other = Curriculum.restored(SETTINGS, saved)
    for loss in (0.2, 0.05, 0.0, 0.0):
        assert np.array_equal(whole.draw(50), other.draw(50))
        assert whole.report(loss) == other.report(loss)
    assert json.loads(json.dumps(whole.state())) == json.loads(json.dumps(other.state()))
    assert not np.array_equal(Curriculum(SETTINGS, seed).draw(50), Curriculum(SETTINGS, seed + 1).draw(50))


def test_a_state_of_other_settings_is_refused() -> None:
    state = {**Curriculum(SETTINGS, 0).state(), "length": 6}
    with pytest.raises(ValueError, match=r"length 6 .* outside 1 to 5"):
        Curriculum.restored(SETTINGS, state)


@pytest.mark.parametrize(
    "wrong", [{"shortest": 0}, {"longest": 0}, {"window": 0}, {"growth": 0}, {"review": 0.9}, {"preview": -0.1}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give"):
        replace(SETTINGS, **wrong)
