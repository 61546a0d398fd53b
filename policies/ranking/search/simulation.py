"""Days of simulated users who search, to see what becomes of documents that come later. No evidence about people.

C categories, each with documents of hidden appeal; users say one of a category's phrases (some name it, some don't),
look at the places of a slate from the first to the last, less and less, click what appeals to them and choose half of
that. After ``grown`` days each category gets one new document. All methods meet the same documents, and the same users
with the same luck on the same places. What a method learns it learns over night.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from policies.ranking.search.behaviour import QueryChoices
from policies.ranking.search.documents import Array, Catalogue, Document
from policies.ranking.search.rates import DAY, RateSettings, ViewCounts
from policies.ranking.search.search import Search, SearchSettings

METHODS: Mapping[str, tuple[bool, float]] = {
    "raw rates": (False, 0.0),
    "priors": (True, 0.0),
    "priors, optimism": (True, SearchSettings().optimism),
}
"""Smoothed or not, and how many standard deviations of optimism."""


@dataclass(frozen=True, slots=True)
class ColdStartScene:
    """``grown`` days before the new documents come, ``days`` after; ``slots`` places a slate."""

    categories: int = 6
    documents: int = 12
    slots: int = 5
    searches: int = 300
    grown: int = 14
    days: int = 21

    def __post_init__(self) -> None:
        if min(self.categories, self.documents, self.slots, self.searches, self.grown, self.days) < 1:
            raise ValueError("every number of a scene is at least 1")


@dataclass(frozen=True, slots=True)
class ColdStartRun:
    """One method in one world: for each of ``days`` days (D,), beginning with the day the new documents come,

    ``impressions`` and ``clicks``: the new documents' share of all; ``fair_impressions`` and ``fair_clicks``: what it
    is when slates are in the order of true appeal; ``earned``: clicks a search, of new and old documents together;
    ``best``: of slates in the order of true appeal.
    """

    method: str
    seed: int
    impressions: list[float]
    clicks: list[float]
    fair_impressions: list[float]
    fair_clicks: list[float]
    earned: list[float]
    best: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class _World:
    """``appeal`` (N,) probability of a click when looked at; the last ``categories`` documents are the new ones."""

    scene: ColdStartScene
    appeal: Array
    catalogue: Catalogue
    phrases: tuple[tuple[str, ...], ...]

    @classmethod
    def draw(cls, scene: ColdStartScene, seed: int) -> _World:
        rng = np.random.default_rng([seed, 1])
        usual = rng.uniform(0.15, 0.4, size=scene.categories)
        of = np.concatenate([np.repeat(np.arange(scene.categories), scene.documents), np.arange(scene.categories)])
        appeal = rng.beta(usual[of] * 8, (1 - usual[of]) * 8)
        new = np.arange(len(of)) >= scene.categories * scene.documents
        documents = [
            Document(f"place {n}", f"kind{c}", f"wares of kind{c} number{n}", {}, scene.grown * DAY if late else 0.0)
            for n, (c, late) in enumerate(zip(of.tolist(), new.tolist(), strict=True))
        ]
        phrases = tuple((f"kind{c}", f"something kind{c}", f"mood{c}", f"mood{c} tonight") for c in range(len(usual)))
        return cls(scene, appeal, Catalogue(documents), phrases)


def run_cold_start(
    scene: ColdStartScene, method: str, seed: int, progress: Callable[[], None] = lambda: None
) -> ColdStartRun:
    """Play ``method`` in the world of ``seed``: equal arguments give an equal run. ``progress`` hears of every day."""
    smoothed, optimism = METHODS[method]
    world = _World.draw(scene, seed)
    known = _known(world, new=False)
    counts = replace(RateSettings(), smoothed=smoothed)
    search = _search(known, counts, optimism, None)
    days = []
    for day in range(scene.grown + scene.days):
        if day == scene.grown:
            search = _search(world.catalogue, counts, optimism, search)
        days.append(_day(world, search, day, seed))
        progress()
    table = np.array(days[scene.grown :])
    shown, clicked, fair, fair_clicks, earned, best = table.T
    places = scene.searches * scene.slots
    return ColdStartRun(
        method, seed, (shown / places).tolist(), (clicked / np.maximum(earned, 1)).tolist(), (fair / places).tolist(),
        (fair_clicks / best).tolist(), (earned / scene.searches).tolist(), (best / scene.searches).tolist(),
    )  # fmt: skip


def _known(world: _World, *, new: bool) -> Catalogue:
    documents = world.catalogue.documents
    return Catalogue(documents if new else documents[: world.scene.categories * world.scene.documents])


def _search(catalogue: Catalogue, counts: RateSettings, optimism: float, before: Search | None) -> Search:
    """A search over ``catalogue`` that goes on with what ``before`` has counted (new documents come last)."""
    views, choices = ViewCounts(catalogue, counts), QueryChoices(catalogue)
    if before is not None:
        views = ViewCounts.from_json(before.views.to_json(), catalogue, counts)
        choices = QueryChoices.from_json(before.choices.to_json(), catalogue)
    return Search(catalogue, SearchSettings(optimism=optimism), choices=choices, views=views)


def _day(world: _World, search: Search, day: int, seed: int) -> tuple[float, ...]:
    """One day: (new documents shown, clicked, shown if fair, expected clicks if fair, clicks, expected best clicks)."""
    scene, rng = world.scene, np.random.default_rng([seed, 2, day])
    now = day * DAY
    old = scene.categories * scene.documents
    wanted = rng.integers(scene.categories, size=scene.searches)
    phrase = rng.integers(4, size=scene.searches)
    luck = rng.random((scene.searches, 3, scene.slots))
    look = search.views.settings.examination[: scene.slots]
    rates, slates = search.views.rates(now), dict[str, list[str]]()
    seen, totals = [], np.zeros(6)
    for number, c in enumerate(wanted.tolist()):
        query = world.phrases[c][int(phrase[number])]
        if query not in slates:  # what is learned is learned over night: a query has one slate a day
            found = search.find(query, now, limit=scene.slots, rates=rates)
            slates[query] = [hit.key for hit in found.hits]
        at = np.array([search.catalogue.position[key] for key in slates[query]])
        right = search.catalogue.category_of[at] == c
        looked, likes, takes = luck[number, :, : len(at)]
        clicked = (looked < look[: len(at)]) & (likes < world.appeal[at]) & right
        seen.append((query, slates[query], [slates[query][n] for n in np.flatnonzero(clicked & (takes < 0.5))],
                     [slates[query][n] for n in np.flatnonzero(clicked)]))  # fmt: skip
        members = np.flatnonzero(search.catalogue.category_of == c)
        ideal = members[np.argsort(-world.appeal[members])][: scene.slots]
        worth = world.appeal[ideal] * look[: len(ideal)]
        totals += ((at >= old).sum(), (clicked & (at >= old)).sum(), (ideal >= old).sum(), worth[ideal >= old].sum(),
                   clicked.sum(), worth.sum())  # fmt: skip
    for query, shown, chosen, clicks in seen:
        search.learn(query, shown, chosen, now, clicked=clicks)
    return tuple(totals.tolist())
