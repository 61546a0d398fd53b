"""Search: categories from words and from choices, match sets, sorts that surface no nonsense, features for rankers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.labels import build_training_set
from policies.ranking.search.behaviour import BehaviourSettings, QueryChoices
from policies.ranking.search.documents import Catalogue, Document, documents_of_table
from policies.ranking.search.needs import UserNeeds
from policies.ranking.search.rates import DAY
from policies.ranking.search.search import FEATURES, Search, SearchSettings
from policies.ranking.slates import Slate

KINDS = ("thai", "italian", "indian", "french", "welsh")
FILLER = ("cheap", "garden", "lively", "quiet", "lamp", "fire", "table", "street")


def catalogue(seed: int, each: int = 4) -> Catalogue:
    """Documents of every kind whose texts share their other words and whose price says nothing of their kind."""
    rng = np.random.default_rng(seed)
    return Catalogue([
        Document(f"{kind} {n}", kind, f"{kind} food {' '.join(rng.choice(FILLER, size=3))}", {"price": rng.uniform()})
        for kind in KINDS
        for n in range(each)
    ])  # fmt: skip


def nonsense(search: Search, query: str, kind: str, now: float) -> int:
    """How many of the ten cheapest results for ``query`` are not of ``kind``."""
    hits = search.find(query, now, sort="price").hits
    prices = [search.catalogue.documents[search.catalogue.position[hit.key]].numbers["price"] for hit in hits]
    assert hits
    assert prices == sorted(prices)
    return sum(hit.category != kind for hit in hits)


def taught(seed: int, kind: str, settings: SearchSettings | None = None) -> Search:
    """A search whose users chose ``kind`` when they said something that no text holds."""
    search = Search(catalogue(seed), settings)
    shown = [f"{other} 0" for other in KINDS]
    for day in range(20):
        search.learn("something for date night", shown, [f"{kind} 0"], day * DAY)
    return search


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(KINDS), st.sampled_from(FILLER))
def test_sorting_by_price_never_surfaces_another_kind(seed: int, kind: str, filler: str) -> None:
    search = taught(seed, kind)
    assert nonsense(search, f"{filler} {kind} food please", kind, 20 * DAY) == 0
    assert nonsense(search, "date night", kind, 20 * DAY) == 0


def test_without_the_filter_sorting_does_surface_nonsense() -> None:
    open_door = SearchSettings(category_ratio=1e-9, text_ratio=1e-9, least_meaning=1e-9)
    assert sum(nonsense(taught(seed, "thai", open_door), "cheap thai food", "thai", 20 * DAY) for seed in range(3)) > 9


def test_what_people_chose_is_found_though_no_word_matches() -> None:
    before, after = Search(catalogue(0)), taught(0, "welsh")
    assert len({hit.category for hit in before.find("date night tonight", 20 * DAY, limit=20).hits}) == len(KINDS)
    for query in ("date night", "night date", "a date night tonight"):  # as said, in another order, a near one
        found = after.find(query, 20 * DAY)
        assert found.hits[0].key == "welsh 0"
        assert max(found.categories, key=lambda kind: found.categories[kind]) == "welsh"
    assert {hit.category for hit in after.find("date night", 20 * DAY).hits[:4]} == {"welsh"}  # the whole category


def test_vectors_bring_what_means_the_same() -> None:
    documents = [Document("a", "x", "one"), Document("b", "y", "two")]
    search = Search(Catalogue(documents, np.eye(2, dtype=np.float32)))
    found = search.find("nothing in common", 0.0, vector=np.array([0.1, 0.99]))
    assert [hit.key for hit in found.hits] == ["b"]
    assert found.categories["y"] > 0.9


def test_who_is_due_for_a_kind_gets_it_first() -> None:
    search, hungry = Search(catalogue(0)), UserNeeds()
    for week in range(8):
        hungry = hungry.chosen("thai", week * 7 * DAY)
    now = 7 * 7 * DAY
    assert search.find("food", now + 7 * DAY, user=hungry).hits[0].category == "thai"
    assert "thai" not in {hit.category for hit in search.find("food", now + DAY / 2, user=hungry, limit=4).hits}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.sampled_from([None, "price", "no such number"]), st.integers(0, 30))
def test_any_query_gives_distinct_documents_and_a_distribution_over_categories(query, sort, limit) -> None:
    found = SEARCH.find(query, 20 * DAY, sort=sort, limit=limit)
    assert len({hit.key for hit in found.hits}) == len(found.hits) <= limit
    assert bool(found.hits) == (limit > 0)
    assert sum(found.categories.values()) == pytest.approx(1)
    for hit in found.hits:
        assert tuple(hit.features) == FEATURES
        assert np.isfinite(list(hit.features.values())).all()


SEARCH = taught(0, "indian")


def test_hits_are_candidates_that_rankers_learn_from() -> None:
    hits = SEARCH.find("cheap indian food", 20 * DAY).hits
    candidates = [hit.candidate("venues") for hit in hits]
    slate = Slate("turn 1", tuple(candidates[:2]), {candidates[1].key: frozenset({"booked"})})
    data = build_training_set([slate], {"turn 1": candidates}, FEATURES)
    assert data.labels[1] == 3
    assert not np.isnan(data.features).any()


def test_choices_by_query_stay_bounded_and_survive_a_catalogue_that_changes() -> None:
    known = catalogue(0)
    choices = QueryChoices(known, BehaviourSettings(most_queries=20, most_documents=3))
    for n in range(300):
        choices.add(f"word{n} common", [n % 20, (n + 1) % 20], [1.0, 0.8], [n % 20], float(-n))  # the clock goes back
    assert len(choices) <= 23
    documents = [document for document in known.documents if document.category != "thai"]
    moved = QueryChoices.from_json(choices.to_json(), Catalogue([*documents, Document("new", "thai", "thai")]))
    old, new = choices.evidence("word299", 0.0).chosen, moved.evidence("word299", 0.0).chosen
    kept = [known.position[document.key] for document in documents]
    assert new[:-1] == pytest.approx(old[kept])
    assert new[-1] == 0
    with pytest.raises(ValueError, match="count anew"):
        QueryChoices.from_json('{"version": 1, "queries": [3]}', known)


def test_tables_become_documents_and_mistakes_are_named() -> None:
    table = {"name": ["A", "B"], "food": ["thai", "thai"], "rating": ["4.5", "unknown"]}
    first, second = documents_of_table(table, "name", "food", ["rating"])
    assert (first.key, first.category, first.numbers["rating"]) == ("A", "thai", 4.5)
    found = Search(Catalogue([second, first])).find("thai", 0.0, sort="rating")
    assert [hit.key for hit in found.hits] == ["A", "B"]  # what has no rating comes last
    with pytest.raises(ValueError, match="no column 'stars'"):
        documents_of_table(table, "name", "food", ["stars"])
    with pytest.raises(ValueError, match="'A'"):
        Catalogue([first, first])
    with pytest.raises(ValueError, match="at least one"):
        Catalogue([])
