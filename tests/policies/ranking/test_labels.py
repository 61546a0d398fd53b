"""From what users did to what a ranker learns from."""

from __future__ import annotations

import math

import numpy as np
import pytest

from policies.ranking.labels import LabelSettings, build_training_set, by_kind, label_of
from policies.ranking.slates import Action, Candidate, Slate

NAMES = ("price", "stars")


def candidate(key: str, kind: str = "venue", **features: float) -> Candidate:
    return Candidate(key, kind, features or {"price": float(len(key)), "stars": 1.0})


def slate(query: str, keys: str, propensities: dict[str, float] | None = None, **actions: set[Action]) -> Slate:
    done = {key: frozenset(value) for key, value in actions.items()}
    return Slate(query, tuple(candidate(key) for key in keys), done, propensities)


def test_actions_are_ordered_by_worth() -> None:
    gains = LabelSettings().gains
    labels = [label_of(done, gains) for done in ([], ["clicked"], ["accepted"], ["booked"])]
    assert labels == [0, 1, 2, 3]
    assert label_of(["clicked", "booked"], gains) == 3
    assert label_of(["booked", "thumbs_down"], gains) == 0
    assert label_of(["clicked", "thumbs_up"], gains) == 2


def test_rows_labels_and_weights_of_a_slate() -> None:
    one = slate("q", "abcd", {"b": 0.2, "c": 0.01}, b={"clicked"}, c={"booked"})
    data = build_training_set([one], {}, NAMES)
    assert data.labels.tolist() == [0, 1, 3, 0]
    assert data.weights is not None
    assert data.weights.tolist() == [1.0, 5.0, 10.0, 0.5], "seen, 1 / propensity, bounded, perhaps never seen"
    disliked = build_training_set([slate("q", "ab", a={"thumbs_down"}, b={"clicked"})], {}, NAMES)
    assert disliked.labels.tolist() == [0, 1]
    assert disliked.weights is not None
    assert disliked.weights.tolist() == [2.0, 1.0]


def test_random_negatives_come_from_the_whole_match_set() -> None:
    match_set = [candidate(key) for key in "abcdefghijkl"]
    slates = [slate(str(n), "ab", a={"accepted"}) for n in range(40)]
    everything = {str(n): match_set for n in range(40)}
    data = build_training_set(slates, everything, NAMES, negatives=4)
    assert data.groups.tolist() == [6] * 40
    assert data.labels.reshape(40, 6)[:, 2:].max() == 0
    assert data.weights is not None
    assert set(data.weights.reshape(40, 6)[:, 2:].ravel()) == {0.25}
    few = build_training_set(slates[:1], {"0": match_set[:3]}, NAMES, negatives=4)
    assert few.groups.tolist() == [3], "only what was not shown can be a negative"


def test_every_candidate_is_drawn_about_equally_often_and_none_twice() -> None:
    match_set = [candidate(key, price=float(n)) for n, key in enumerate("abcdefghijkl")]
    slates = [slate(str(n), "ab", a={"accepted"}) for n in range(300)]
    data = build_training_set(slates, {str(n): match_set for n in range(300)}, NAMES, negatives=5)
    drawn = data.features[:, 0].reshape(300, 7)[:, 2:]
    assert all(len(set(row)) == 5 for row in drawn)
    counts = np.bincount(drawn.ravel().astype(int), minlength=12)
    assert counts[:2].tolist() == [0, 0]
    assert (np.abs(counts[2:] - 150) < 45).all(), counts


def test_a_slate_gives_the_same_rows_whatever_else_is_there() -> None:
    match_sets = {name: [candidate(key, price=float(ord(key))) for key in "abcdefghij"] for name in ("x", "y")}
    x, y = slate("x", "ab", a={"clicked"}), slate("y", "ab", b={"clicked"})
    alone = build_training_set([y], match_sets, NAMES, negatives=3)
    both = build_training_set([x, y], match_sets, NAMES, negatives=3)
    np.testing.assert_array_equal(both.features[5:], alone.features)
    other = build_training_set([y], match_sets, NAMES, negatives=3, seed=1)
    assert not np.array_equal(other.features, alone.features)


def test_slates_that_say_nothing_are_left_out() -> None:
    told, ignored, all_clicked = (
        slate("1", "ab", a={"clicked"}),
        slate("2", "ab"),
        slate("3", "ab", a={"clicked"}, b={"clicked"}),
    )
    assert build_training_set([told, ignored, all_clicked], {}, NAMES).groups.tolist() == [2]
    with pytest.raises(ValueError, match="nothing to learn from"):
        build_training_set([ignored], {}, NAMES)
    with pytest.raises(ValueError, match="1 is there twice"):
        build_training_set([told, told], {}, NAMES)


def test_features_by_name() -> None:
    shown = (candidate("a", stars=2.0), candidate("b", price=math.nan, stars=1.0, other=5.0))
    data = build_training_set([Slate("q", shown, {"a": frozenset({"clicked"})})], {}, NAMES)
    assert np.isnan(data.features[:, 0]).all()
    assert data.features[:, 1].tolist() == [2, 1]
    endless = (candidate("a", stars=2.0), candidate("b", price=math.inf))
    with pytest.raises(ValueError, match="feature price of b is infinite"):
        build_training_set([Slate("q", endless, {"a": frozenset({"clicked"})})], {}, NAMES)


def test_one_ranker_per_content_type_gets_its_own_slates() -> None:
    mixed = Slate(
        "q", (candidate("a", "faq"), candidate("b", "venue"), candidate("c", "faq")),
        {"c": frozenset({"clicked"}), "b": frozenset({"booked"})}, {"b": 0.5, "c": 0.25},
    )  # fmt: skip
    parts = by_kind([mixed])
    assert [c.key for c in parts["faq"][0].shown] == ["a", "c"]
    assert set(parts["faq"][0].actions) == {"c"}
    assert parts["venue"][0].propensities == {"b": 0.5}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: slate("q", "aa"), "shown twice"),
        (lambda: slate("q", "a", z={"clicked"}), r"actions on \['z'\]"),
        (lambda: slate("q", "a", {"a": 0.0}), "propensity of a is 0"),
        (lambda: slate("q", "a", {"a": math.nan}), "propensity of a is nan"),
        (lambda: LabelSettings(gains={"clicked": -1.0}), "gain of clicked"),
        (lambda: LabelSettings(random_weight=0.0), "weights are above 0"),
    ],
)
def test_wrong_records_are_refused(make: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()  # type: ignore[operator]
