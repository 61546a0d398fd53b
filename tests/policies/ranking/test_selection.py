"""Choosing with known probabilities: frequencies equal propensities, in every mode, whatever the pools do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.slates import OfferedSlate
from memory.tastes import Tastes
from policies.ranking.behaviour import Behaviour
from policies.ranking.blending_bandit import BanditBlender, BlendSettings
from policies.ranking.selection import MatchSet, SelectionSettings, Selector, arranged, probabilities

NAMES = tuple(f"venue {i}" for i in range(30))
POOLS = ("first", "second")


def match(keys=NAMES, texts=None) -> MatchSet:
    return MatchSet(keys, ("number",), lambda rows: np.array(rows, dtype=float)[:, None], texts)


def blender(seed: int = 0):
    learner = BanditBlender(BlendSettings(POOLS, exploration=0.0, curves=False, batch=10**9, seed=seed))
    return {"venues": (learner, learner.begin().population)}


SOURCES = {"first": lambda: [4, 2, 9, 1], "second": lambda: [7, 4, 3]}


class Preferring:
    """A ranker that likes high numbers."""

    kinds = ("venues", "templates")
    version = "likes-high"

    def __getitem__(self, kind):
        return self

    def aligned(self, features, names):
        return features.astype(np.float32)

    def score(self, features):
        return features[:, 0]


def draws(selector: Selector, kind: str, everything, count: int = 4000, tastes=None, sources=SOURCES, matched=None):
    """Which were chosen, and what each slate said of them."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        choice = selector.choose(kind, "q", sources, matched or match(), everything, rng, tastes)
        assert choice is not None
        found.append(choice)
    return found


@pytest.mark.parametrize("mode", ["learned", "fixed", "uniform"])
@pytest.mark.parametrize("kind", ["venues", "templates"])
@pytest.mark.parametrize("ranker", [None, Preferring()])
def test_how_often_something_is_said_is_its_propensity(mode: str, kind: str, ranker: object) -> None:
    settings = SelectionSettings(mode, exploration=0.2, candidates=6)
    selector = Selector(settings, ranker, blender())  # type: ignore[arg-type]
    everything, count = [1, 2, 3, 4, 7, 9, 11, 12], 1500
    said, stated = np.zeros(30), np.zeros(30)
    for choice in draws(selector, kind, everything, count):
        assert choice.slate is not None
        said[choice.number] += 1
        for candidate in choice.slate.candidates:
            stated[NAMES.index(candidate.key)] += candidate.propensity
    assert stated.sum() == pytest.approx(count)
    error = np.sqrt(np.maximum(stated * (1 - stated / count), 1))
    assert (np.abs(said - stated) < 4.5 * error).all(), "over random samples of what fits too"
    if mode == "uniform":
        assert np.abs(stated[everything] / count - 1 / 8).max() < 0.03
    if mode == "fixed" and kind == "venues":
        assert said[4] == count, "the editor's first pool, its first candidate"


def first(slate: OfferedSlate | None) -> str:
    assert slate is not None
    return slate.candidates[0].key


def test_a_ranker_orders_inside_pools_and_nothing_else() -> None:
    selector = Selector(SelectionSettings(exploration=0.0), Preferring(), blender())  # type: ignore[arg-type]
    heads = {choice.number for choice in draws(selector, "venues", range(10), 200)}
    assert heads == {9, 7}, "the best of each pool; 8 is in none"


def test_a_pool_that_throws_or_is_empty_leaves_its_share_to_the_next() -> None:
    def broken():
        raise RuntimeError("index lost")

    for sources in ({"first": broken, "second": lambda: [7]}, {"first": list, "second": lambda: [7]}):
        choices = draws(Selector(SelectionSettings(exploration=0.0)), "venues", range(10), 20, sources=sources)
        assert {choice.number for choice in choices} == {7}
    assert choices[0].failed == {}
    lost = draws(Selector(SelectionSettings("fixed")), "venues", [5, 6], 5, sources={"first": broken})
    assert {choice.number for choice in lost} <= {5, 6}, "never nothing"
    assert lost[0].failed == {"first": "RuntimeError: index lost"}
    nothing = Selector().choose("venues", "q", SOURCES, match(), [], np.random.default_rng(0))
    assert nothing is None


def test_a_ranker_that_fails_is_done_without() -> None:
    class Broken(Preferring):
        def score(self, features):
            return np.full(len(features), np.nan)

    selector = Selector(SelectionSettings(exploration=0.0), Broken(), None)  # type: ignore[arg-type]
    choices = draws(selector, "venues", range(10), 50)
    assert {choice.number for choice in choices} == {4, 7}
    assert choices[0].slate is not None
    assert choices[0].slate.ranker == ""


def test_two_candidates_with_the_same_text_are_one() -> None:
    texts = ["hello", "hello", "hi"]
    matched = match(("a", "b", "c"), texts)
    choices = draws(Selector(), "templates", range(3), 300, sources={"all": lambda: range(3)}, matched=matched)
    assert {choice.number for choice in choices} == {0, 2}
    share = np.mean([choice.number == 0 for choice in choices])
    assert 0.35 < share < 0.65
    same = Selector().choose("faq", "q", {"all": lambda: [0, 1]}, matched, [0, 1], np.random.default_rng(0))
    assert same is not None
    assert same.slate is None, "nothing was to be chosen"


def test_what_a_person_took_up_decides_the_ratio() -> None:
    liking: dict[str, Tastes] = {}
    for name in POOLS:
        tastes = Tastes()
        for i in range(12):
            tastes = tastes.shown([(f"v{i}", pool) for pool in POOLS], float(i))
            tastes = tastes.acted(f"v{i}", name, "positive")
        liking[name] = tastes
    selector = Selector(SelectionSettings(exploration=0.0), None, blender())
    for name, tastes in liking.items():
        choice = selector.choose("venues", "q", SOURCES, match(), range(10), np.random.default_rng(1), tastes)
        assert choice is not None
        assert choice.slate is not None
        assert choice.slate.ratio[name] > 0.9
        assert sum(choice.slate.ratio.values()) == pytest.approx(1)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_probabilities_sum_to_one_and_the_slate_keeps_each_pools_order(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    orders = {
        name: data.draw(st.lists(st.integers(0, count - 1), unique=True, max_size=count)) for name in ("a", "b", "c")
    }
    ratio = {name: data.draw(st.floats(0, 1)) for name in orders}
    chance = probabilities(orders, ratio, count, data.draw(st.floats(0, 1)), spread=data.draw(st.booleans()))
    assert chance.sum() == pytest.approx(1)
    assert (chance >= 0).all()
    chosen = data.draw(st.integers(0, count - 1))
    places = arranged(chosen, orders, ratio, count)
    assert all(i in orders[pool] for i, pool in places if pool)
    shown = [i for i, _ in places]
    assert sorted(shown) == list(range(count))
    assert shown[0] == chosen
    # a candidate comes later than a pool has it only where another pool had it earlier
    alone = {name: [i for i in order if sum(i in o for o in orders.values()) == 1] for name, order in orders.items()}
    for order in alone.values():
        places = [shown.index(i) for i in order if i != chosen]
        assert places == sorted(places)


def test_behaviour_is_smoothed_and_survives_json() -> None:
    counted = [("venues", "old", "shown")] * 100 + [("venues", "old", "positive")] * 50
    counted += [("venues", "lucky", "shown"), ("venues", "lucky", "positive")]
    behaviour = Behaviour.from_json(Behaviour.of(counted).to_json())
    old, lucky, unseen = behaviour.rates("venues", ["old", "lucky", "unseen"])
    assert unseen < lucky < 0.6, "one success is no certainty"
    assert abs(unseen - old) < 0.1, "who was never shown is not buried"
    for text in ("{}", '{"format": 1, "kinds": {"venues": {"x": [1, -2, 0, 0]}}}', '{"format": 1, "kinds": 3}'):
        with pytest.raises(ValueError):
            Behaviour.from_json(text)


@pytest.mark.parametrize("wrong", [{"mode": "clever"}, {"exploration": 1.5}, {"candidates": 1}, {"temperature": 0.0}])
def test_wrong_settings_are_named(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SelectionSettings(**wrong)
