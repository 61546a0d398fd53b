"""The parts of the NLU that need no trained model."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.assistant_examples import Example
from bot.nlu.augment import misspell, with_typos
from bot.nlu.encoder import mean_pool
from bot.nlu.gazetteer import Gazetteer
from bot.nlu.linear import (
    Logistic,
    expected_calibration_error,
    fit_temperature,
    hashed_features,
    softmax,
)
from bot.nlu.phrases import conditional_from, is_denied, names_own_slot
from bot.nlu.sentiment import sentiment
from bot.nlu.tokens import clean, lower, segments, tokenize
from memory.dialogue import Entity


@given(st.text(max_size=300))
def test_cleaning_keeps_offsets_and_drops_what_breaks_storage(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) == min(len(text), 1000)
    assert len(lower(cleaned)) == len(cleaned)
    cleaned.encode("utf-8")


@given(st.text(max_size=200))
def test_tokens_are_slices_in_order(text: str) -> None:
    tokens = tokenize(text)
    assert all(text[t.start : t.end] == t.text and len(t.lower) == len(t.text) for t in tokens)
    assert all(a.end <= b.start for a, b in pairwise(tokens))


@given(st.text(max_size=200))
def test_segments_do_not_overlap(text: str) -> None:
    spans = segments(text)
    assert len(spans) <= 6
    assert all(0 <= s < e <= len(text) for s, e in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


GAZETTEER = Gazetteer(
    [("italian", "food", "italian"), ("indian", "food", "indian"), ("centre", "area", "centre"),
     ("asian oriental", "food", "asian oriental"), ("asian", "food", "asian oriental")],
    is_word=lambda word: word in {"in", "the", "food", "place", "alien"},
)  # fmt: skip


def test_the_longest_name_wins() -> None:
    hits = GAZETTEER.exact("Asian Oriental food in the centre")
    assert [(h.value, h.start, h.end) for h in hits] == [("asian oriental", 0, 14), ("centre", 27, 33)]


def test_names_inside_words_are_no_names() -> None:
    assert GAZETTEER.exact("centred indians") == []


def test_misspelt_names_are_found_and_real_words_left_alone() -> None:
    text = "itallian alien in the centr"
    found = {(h.value, text[h.start : h.end]) for h in GAZETTEER.typos(tokenize(text), [])}
    assert found == {("italian", "itallian"), ("centre", "centr")}


def test_a_word_between_two_names_may_be_either() -> None:
    found = {h.value for h in GAZETTEER.typos(tokenize("intian"), [])}
    assert "indian" in found


def entity(text: str, words: str, name: str, value: str | None = None) -> Entity:
    start = text.index(words)
    return Entity(name, value or words, start, start + len(words))


@pytest.mark.parametrize(
    ("text", "words", "learned", "denied"),
    [
        ("not thai", "thai", False, True),
        ("anything but thai", "thai", False, True),
        ("I meant west, not the east", "east", False, True),
        ("I meant west, not the east", "west", False, False),
        ("no, thai", "thai", True, False),
        ("on the north side of town", "north", True, False),
        ("why not thai", "thai", False, False),
        ("I don't want thai food", "thai", True, True),
    ],
)
def test_denial(text: str, words: str, learned: bool, denied: bool) -> None:
    assert is_denied(text, entity(text, words, "food"), learned) is denied


def test_a_condition_begins_at_its_word() -> None:
    assert conditional_from("thai, if not then chinese") == 6
    assert conditional_from("thai or chinese") == len("thai or chinese")


def test_an_attribute_word_that_completes_a_value_asks_nothing() -> None:
    text = "on the north side of town"
    side = entity(text, "side of town", "attribute", "area")
    assert names_own_slot(text, side, [entity(text, "north", "area"), side])
    text = "what area is it in, and is the thai cheap"
    asked = entity(text, "area", "attribute")
    assert not names_own_slot(text, asked, [entity(text, "thai", "food"), asked])


@given(st.text("abcdefghijklmnop", min_size=3, max_size=12), st.integers(0, 99))
def test_one_typing_error_stays_one_word(word: str, seed: int) -> None:
    wrong = misspell(word, random.Random(seed))
    assert abs(len(wrong) - len(word)) <= 1
    assert " " not in wrong


@given(st.integers(0, 200))
def test_misspelt_copies_keep_their_annotations_in_place(seed: int) -> None:
    text = "cheap italian place in the north please"
    marks = (entity(text, "italian", "food"), entity(text, "north", "area"))
    copy = with_typos(Example(text, "inform", marks), random.Random(seed))
    assert copy is not None
    for mark, original in zip(copy.entities, marks, strict=True):
        words = copy.text[mark.start : mark.end]
        assert abs(len(words) - len(original.value)) <= 1
        assert " " not in words
        assert mark.value == original.value


def test_mean_pooling_ignores_padding() -> None:
    states = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    pooled = mean_pool(states, mask)
    expected = states[0, :3].mean(axis=0)
    np.testing.assert_allclose(pooled[0], expected / np.linalg.norm(expected), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(pooled, axis=1), 1.0, rtol=1e-5)


def test_temperature_recovers_a_known_one() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4000, 5)) * 2
    targets = np.array([rng.choice(5, p=row) for row in softmax(logits)])
    assert fit_temperature(logits * 3.0, targets) == pytest.approx(3.0, rel=0.1)


def test_calibration_error_of_known_cases() -> None:
    assert expected_calibration_error([0.9] * 10, [True] * 9 + [False]) == pytest.approx(0.0, abs=1e-9)
    assert expected_calibration_error([0.9] * 10, [False] * 10) == pytest.approx(0.9)
    assert expected_calibration_error([], []) == 0.0


@given(st.lists(st.text(max_size=6), max_size=20))
def test_hashed_features_have_the_asked_length(grams: Sequence[str]) -> None:
    values = hashed_features(list(grams), 64, scale=0.5)
    assert all(0 <= index < 64 for index in values)
    if grams:
        assert sum(v * v for v in values.values()) == pytest.approx(0.25)


def test_logistic_survives_json_and_learns() -> None:
    rows = [[float(x)] for x in range(-20, 20)]
    model = Logistic.fit(rows, [x[0] > 0 for x in rows])
    assert Logistic.from_json(model.to_json()) == model
    assert model([[10.0]])[0] > 0.9
    assert model([[-10.0]])[0] < 0.1
    assert Logistic.fit([[1.0]] * 8, [True] * 8)([[1.0]])[0] == pytest.approx(0.9)


def test_sentiment_is_bounded_in_time_and_value() -> None:
    assert sentiment("this is wonderful, thank you!") > 0.5
    assert sentiment("this is horrible and useless") < -0.3
    assert sentiment("") == 0.0
    sentiment("warm")
    started = time.perf_counter()
    for text in ("\U0001f600" * 100_000, "bad " * 50_000, "\U0001f44d\ufe0f " * 10_000, "!" * 100_000):
        assert -1.0 <= sentiment(text) <= 1.0
    assert time.perf_counter() - started < 1.0
