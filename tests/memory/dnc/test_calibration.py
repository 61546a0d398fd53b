"""How far a memory is believed: confidence, thresholds, and what they do to answers that are right or wrong."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.dnc.babi import Question, Story
from memory.dnc.calibration import Asked, calibrate, f1, platt, reliability, unheard
from memory.dnc.reader import Calibration
from memory.dnc.words import END_INDEX, UNKNOWN_INDEX, babi_lexicon

WORDS = 12


def questions(count: int, sharpness: float, seed: int) -> list[Asked]:
    """Questions of a memory whose chances are honest at ``sharpness`` 1 and too sure of themselves above."""
    draw = np.random.default_rng(seed)
    asked = []
    for _ in range(count):
        logits = draw.normal(0, 2.0, (2, WORDS))
        logits[1] = -30.0
        logits[1, END_INDEX] = 0.0
        logits[0, [0, END_INDEX]] = -30.0
        honest = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        wanted = np.array([draw.choice(WORDS, p=honest[0]), END_INDEX])
        read = (draw.random(5) ** 2).astype(np.float32)
        supporting = (read + draw.normal(0, 0.1, 5) > 0.6).astype(np.float32)
        sure = honest**sharpness / (honest**sharpness).sum(-1, keepdims=True)
        asked.append(Asked(21, sure.astype(np.float32), wanted, read, supporting))
    return asked


def test_a_memory_that_is_too_sure_is_cooled_down_to_what_it_should_be() -> None:
    chosen = calibrate(questions(3000, 2.0, seed=1))
    assert 0.3 < chosen.slope < 0.7
    fresh = questions(3000, 2.0, seed=2)
    before, after = reliability(fresh, Calibration()), reliability(fresh, chosen)
    assert after.ece < 0.03
    assert before.ece > 0.1
    assert after.error == before.error, "it changes no answer"


def test_an_honest_memory_is_left_as_it_is() -> None:
    chosen = calibrate(questions(3000, 1.0, seed=3))
    assert chosen.slope == pytest.approx(1.0, abs=0.15)
    assert chosen.offset == pytest.approx(0.0, abs=0.2)


def test_the_threshold_gives_up_right_answers_only_for_enough_wrong_ones() -> None:
    fresh = questions(3000, 1.0, seed=5)
    chosen = calibrate(questions(3000, 1.0, seed=4))
    after, always = reliability(fresh, chosen), reliability(fresh, Calibration(threshold=0.0))
    assert 0.6 < chosen.threshold < 0.9, "three to one is a chance of three quarters"
    assert 3 * after.said_wrong + after.withheld < 3 * always.said_wrong + always.withheld
    assert always.withheld == 0
    assert chosen.supports == pytest.approx(0.6, abs=0.1)


def test_reliability_counts_what_is_said_and_what_is_withheld() -> None:
    def asked(best: int, chance: float, wanted: int) -> Asked:
        chances = np.full((1, WORDS), (1 - chance) / (WORDS - 1))
        chances[0, best] = chance
        return Asked(21, chances, np.array([wanted]), np.zeros(1, np.float32), np.zeros(1, np.float32))

    found = reliability(
        [asked(5, 0.95, 5), asked(5, 0.95, 6), asked(5, 0.3, 5), asked(5, 0.3, 6), asked(UNKNOWN_INDEX, 0.95, 6)],
        Calibration(threshold=0.5),
    )
    assert (found.error, found.said_wrong, found.withheld) == pytest.approx((0.6, 0.2, 0.2))
    assert [count for count, _, _ in found.bins] == [2, 3]
    assert found.ece == pytest.approx(0.4 * 0.2 + 0.6 * (0.95 - 1 / 3))


@given(st.lists(st.floats(0, 1), min_size=2), st.floats(0.05, 5), st.floats(-5, 5))
def test_confidences_are_chances_in_the_same_order(chances: list[float], slope: float, offset: float) -> None:
    found = Calibration(slope, offset).believed(np.sort(np.array(chances, np.float32)))
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(Calibration().believed(np.array([0.2, 0.7])), [0.2, 0.7], atol=1e-6)


@pytest.mark.parametrize("right", [[True] * 4, [False] * 4])
def test_a_memory_that_is_always_right_or_always_wrong_has_a_calibration(right: list[bool]) -> None:
    slope, offset = platt(np.array([0.5, 0.9, 0.99, 1.0]), np.array(right))
    assert 0.05 <= slope < 10
    assert abs(offset) < 10


def test_f1_is_one_for_what_was_wanted_and_zero_for_nothing() -> None:
    wanted = np.array([True, False, True])
    assert f1(wanted, wanted) == 1.0
    assert f1(~wanted, wanted) == 0.0
    assert f1(np.array([True, True, True]), wanted) == pytest.approx(0.8)


@pytest.mark.parametrize("wrong", [{"slope": 0.0}, {"threshold": 1.5}, {"supports": -0.1}])
def test_a_calibration_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a slope above 0"):
        Calibration(**wrong)


def test_unheard_words_are_never_names_and_questions_keep_their_answers() -> None:
    lexicon = babi_lexicon()
    story = Story(2, ("Mary went to the kitchen.", Question("Where is Mary?", ("kitchen",), (0,))))
    told, asked = unheard(story, lexicon, 1.0, random.Random(0)).lines
    assert isinstance(told, str)
    assert isinstance(asked, Question)
    assert "Mary" in told
    assert "kitchen" in told
    assert "went" not in told
    assert (asked.answer, asked.supporting) == (("kitchen",), (0,))
    assert unheard(story, lexicon, 0.0, random.Random(0)) == story
