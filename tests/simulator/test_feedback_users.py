"""Users with hidden tastes: paired luck, wishes that fit, reactions as likely as they say, tastes that drift."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from simulator.feedback_users import FeedbackScene, FeedbackUsers

VENUES = np.array([[food, 4 + area] for food in range(4) for area in range(3)])
SCENE = FeedbackScene(days=6, visits=0.5)


def test_equal_seeds_meet_equal_people_whatever_is_offered_and_others_differ() -> None:
    first, second, other = (FeedbackUsers(VENUES, 200, SCENE, seed) for seed in (0, 0, 1))
    for _ in range(4):
        a, b, c = first.day(), second.day(), other.day()
        assert a.reaction(0, 0, 3) == b.reaction(0, 0, 3)
        for name in ("users", "wishes", "likes", "luck"):
            assert np.array_equal(getattr(a, name), getattr(b, name))
        assert not np.array_equal(a.users, c.users)


def test_every_wish_can_be_met_and_people_wish_for_what_they_like() -> None:
    people = FeedbackUsers(VENUES, 3000, replace(SCENE, tastes=2.0), 0)
    visits = people.day()
    fits = ((visits.wishes[:, None] < 0) | (visits.wishes[:, None] == VENUES)).all(axis=2)
    assert fits.any(axis=1).all()
    wished = (visits.wishes >= 0).any(axis=1)
    assert 0.3 < wished.mean() < 0.9
    liked = np.where(fits, visits.likes, np.nan)
    assert np.nanmean(liked[wished]) > visits.likes[wished].mean() + 0.05


def test_offers_are_taken_up_and_booked_as_often_as_likes_say() -> None:
    visits = FeedbackUsers(VENUES, 8000, SCENE, 0).day()
    count = len(visits.users)
    venues = np.arange(count) % len(VENUES)
    done = np.array([visits.reaction(n, 0, int(venues[n])) for n in range(count)])
    likes = visits.likes[np.arange(count), venues]
    assert done[:, 0].mean() == pytest.approx(likes.mean(), abs=0.03)
    booked = done[done[:, 0], 1]
    assert booked.mean() == pytest.approx(likes[done[:, 0]].mean(), abs=0.05)  # at even odds: as much as it is liked
    assert not (done[:, 0] & done[:, 2]).any()
    assert all(visits.reaction(n, SCENE.attempts - 1, 0)[2] or visits.reaction(n, SCENE.attempts - 1, 0)[0]
               for n in range(50))  # the last attempt ends it  # fmt: skip


def test_tastes_drift_a_little_and_some_people_turn_at_half_time() -> None:
    people = FeedbackUsers(VENUES, 1000, replace(SCENE, turning=0.3), 0)
    everybody, likes = np.arange(1000), []
    for _ in range(SCENE.days):
        people.day()
        likes.append(people.likes(everybody))
    moved = [np.abs(b - a).max(axis=1) for a, b in pairwise(likes)]
    assert (moved[2] > 0.25).mean() == pytest.approx(0.3, abs=0.06)  # to day 3, half-time of six
    assert (moved[1] > 0.25).mean() < 0.02
    assert moved[1].mean() > 0
    steady = FeedbackUsers(VENUES, 5, replace(SCENE, drift=0.0, turning=0.0), 0)
    before = steady.likes(np.arange(5))
    steady.day(), steady.day()
    assert np.allclose(before, steady.likes(np.arange(5)))


def test_scenes_that_make_no_sense_are_named() -> None:
    for wrong in ({"visits": 1.5}, {"wishes": (2.0,)}, {"drift": -0.1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            replace(SCENE, **wrong)
    with pytest.raises(ValueError, match="0 users"):
        FeedbackUsers(VENUES, 0, SCENE, 0)
