"""One search: which category is wanted, what matches, how well; and sorting that never surfaces nonsense.

The order by relevance is that of P(category | query) x need of the category x relevance within the category x appeal:

* P(category | query): choices for this query and near ones, with the text's evidence as their Dirichlet prior;
* need: of this user now (``needs.py``), relative to anybody's;
* relevance within the category: words and meaning in common, relative to the category's best;
* appeal: how often it is chosen when it is looked at for this query, backed off to how often at all, backed off to
  its category (``rates.py``), plus ``optimism`` standard deviations: what hardly anybody has seen gets its turn.

The match set is what has a word or a meaning in common, what people who said this chose, and every document of a
category that is clearly wanted. Sorting by anything else (a price, a rating) first drops categories whose
{query, category} score is low and documents that only just match: the cheapest of what was asked for, not of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.ranking.search.behaviour import Evidence, QueryChoices
from policies.ranking.search.documents import Array, Catalogue
from policies.ranking.search.needs import UserNeeds
from policies.ranking.search.rates import DAY, Rates, RateSettings, ViewCounts, looked_at
from policies.ranking.slates import Candidate

FEATURES = (
    "text", "text_in_category", "meaning", "category_score", "category_ratio", "need", "query_choice_rate",
    "query_choices", "choice_rate", "choice_rate_spread", "click_rate", "daily_choices", "age_days", "relevance",
)  # fmt: skip
"""Names of a hit's features; what a ranker is trained on and given."""
_SHARPNESS = 1.5
"""Exponent with which better matches count more for their category."""
_NAMED = 0.8
"""Share of the words' evidence that goes to the categories that are named, where any are."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """``category_prior``: choices that the text's evidence for a category is worth against those of people.

    ``category_ratio``: a category is let through with at least this share of the best one's score. ``text_ratio``:
    when sorting by something else, a document with at least this share of its category's best words, or one that people
    chose, or of a category that is clearly wanted. ``clear``: a category is, at this many times its share by chance.
    ``query_prior``: looks that the general rate is worth against the rate for this query. ``optimism``: standard
    deviations. ``need_weight``: exponent of the need; 0 leaves it out.
    """

    category_prior: float = 5.0
    category_ratio: float = 0.5
    text_ratio: float = 0.5
    least_meaning: float = 0.3
    clear: float = 3.0
    query_prior: float = 30.0
    optimism: float = 1.0
    need_weight: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.category_ratio <= 1 and 0 < self.text_ratio <= 1 and 0 < self.least_meaning <= 1):
            raise ValueError("category_ratio, text_ratio and least_meaning are above 0 and at most 1")
        if min(self.category_prior, self.query_prior, self.clear) <= 0 or min(self.optimism, self.need_weight) < 0:
            raise ValueError("category_prior, query_prior and clear are above 0; optimism, need_weight at least 0")


class Hit(NamedTuple):
    """A document found: its key, its category, its score by relevance (higher is better), its features by name."""

    key: str
    category: str
    score: float
    features: Mapping[str, float]

    def candidate(self, kind: str) -> Candidate:
        """As rankers and slates take it, of content type ``kind``."""
        return Candidate(self.key, kind, self.features)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """``hits`` best first; ``categories``: the {query, category} score of every category, summing to 1."""

    hits: tuple[Hit, ...]
    categories: Mapping[str, float]


class Search:
    """Finds documents of a catalogue; what people did is in ``choices`` and ``views`` and may grow while it is used."""

    def __init__(
        self,
        catalogue: Catalogue,
        settings: SearchSettings | None = None,
        *,
        choices: QueryChoices | None = None,
        views: ViewCounts | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.settings = settings or SearchSettings()
        self.choices = QueryChoices(catalogue) if choices is None else choices
        self.views = ViewCounts(catalogue, RateSettings()) if views is None else views

    def learn(
        self,
        query: str,
        shown: list[str],
        chosen: list[str],
        time: float,
        *,
        clicked: list[str] | None = None,
        vector: NDArray[np.floating] | None = None,
    ) -> None:
        """What was shown for ``query`` (keys, first place first), clicked and chosen; unknown keys are passed over."""
        place = self.catalogue.position
        at = [place[key] for key in shown if key in place]
        took = [place[key] for key in chosen if key in place]
        looks = looked_at(self.views.settings, len(shown))[[n for n, key in enumerate(shown) if key in place]]
        self.views.add(at, [place[key] for key in clicked or chosen if key in place], took, time)
        self.choices.add(query, at, looks.tolist(), took, time, vector)

    def find(
        self,
        query: str,
        now: float,
        *,
        user: UserNeeds | None = None,
        vector: NDArray[np.floating] | None = None,
        sort: str | None = None,
        descending: bool = False,
        limit: int = 10,
        rates: Rates | None = None,
    ) -> SearchResult:
        """The best ``limit`` documents for ``query`` at ``now`` (seconds); the same arguments give the same result.

        ``vector``: the query's embedding. ``sort``: by this number of the documents instead of by relevance; those
        without it come last. ``rates``: ``self.views.rates(now)`` where many searches share them. A query that says
        nothing finds everything, the most appealing first.
        """
        looked = _Looked(self, query, now, user, vector, rates)
        rows = np.flatnonzero(looked.matches)
        if sort is None:
            rows = rows[np.argsort(-looked.score[rows], kind="stable")]
        else:
            rows = rows[looked.sortable[rows]]
            rows = rows[np.argsort(-looked.score[rows], kind="stable")]
            numbers = np.array([self.catalogue.documents[n].numbers.get(sort, np.nan) for n in rows.tolist()])
            rows = rows[np.argsort(-numbers if descending else numbers, kind="stable")]
        hits = tuple(looked.hit(n) for n in rows[: max(limit, 0)].tolist())
        return SearchResult(hits, dict(zip(self.catalogue.categories, looked.categories.tolist(), strict=True)))


class _Looked:
    """Everything worked out for one search, (N,) over the documents and (C,) over the categories."""

    def __init__(
        self,
        search: Search,
        query: str,
        now: float,
        user: UserNeeds | None,
        vector: NDArray[np.floating] | None,
        rates: Rates | None,
    ) -> None:
        s, self.catalogue = search.settings, search.catalogue
        of = self.catalogue.category_of
        self.text, self.meaning = self.catalogue.bm25(query), self.catalogue.similarity(vector)
        self.evidence = search.choices.evidence(query, now, vector)
        self.rates = search.views.rates(now) if rates is None else rates
        named = self.catalogue.named(query)
        self.categories = category_scores(self.catalogue, self.text, self.meaning, self.evidence, s, named)
        self.ratio = (self.categories / self.categories.max())[of]
        best = self.catalogue.best_of_category(self.text)[of]
        self.text_in_category = np.divide(self.text, best, out=np.zeros_like(best), where=best > 0)
        self.need = _needs(self.catalogue, user, now)
        rate = self.rates.choice
        self.query_rate = (self.evidence.chosen + s.query_prior * rate) / (self.evidence.seen + s.query_prior)
        self.query_rate = np.minimum(self.query_rate, 1.0)
        appeal = self.query_rate + s.optimism * self.rates.spread
        within = (1 + self.text_in_category) * (1 + self.meaning)
        self.score = np.log(np.maximum(self.categories[of] * within * appeal, 1e-12))
        self.score += s.need_weight * np.log(self.need)
        clear = (self.categories * len(self.categories) >= s.clear)[of]
        matched = (self.text > 0) | (self.meaning >= s.least_meaning) | (self.evidence.chosen > 0) | clear
        self.matches = matched if matched.any() else np.ones_like(matched)
        wanted = (self.text_in_category >= s.text_ratio) | (self.meaning >= s.least_meaning)
        self.sortable = (self.ratio >= s.category_ratio) & (
            wanted | (self.evidence.chosen > 0) | clear | ~matched.any()
        )
        self._age = np.maximum(now - self.catalogue.added, 0.0) / DAY

    def hit(self, n: int) -> Hit:
        document = self.catalogue.documents[n]
        values = (
            self.text, self.text_in_category, self.meaning, self.categories[self.catalogue.category_of], self.ratio,
            self.need, self.query_rate, self.evidence.chosen, self.rates.choice, self.rates.spread, self.rates.click,
            self.rates.daily, np.minimum(self._age, 365.0), self.score,
        )  # fmt: skip
        features = {name: float(column[n]) for name, column in zip(FEATURES, values, strict=True)}
        return Hit(document.key, document.category, float(self.score[n]), features)


def category_scores(
    catalogue: Catalogue, text: Array, meaning: Array, evidence: Evidence, settings: SearchSettings, named: Array
) -> Array:
    """(C,) P(category | query), summing to 1: choices, with the text's evidence as their prior.

    ``text`` and ``meaning`` (N,): BM25 and cosine of each document; ``named`` (C,): 1 for categories that the query
    names, which says more than any other word. Without any of them all categories are equal.
    """
    words_say = _share(catalogue.best_of_category(text) ** _SHARPNESS)
    if words_say is not None and named.any():
        words_say = _NAMED * named / named.sum() + (1 - _NAMED) * words_say
    meaning_says = _share(catalogue.best_of_category(np.maximum(meaning - settings.least_meaning, 0.0)) ** _SHARPNESS)
    says = [share for share in (words_say, meaning_says) if share is not None]
    even = np.full(len(catalogue.categories), 1 / len(catalogue.categories))
    prior = 0.95 * np.mean(says, axis=0) + 0.05 * even if says else even
    chosen = catalogue.by_category(evidence.chosen)
    return np.asarray((chosen + settings.category_prior * prior) / (chosen.sum() + settings.category_prior))


def _share(values: Array) -> Array | None:
    total = values.sum()
    return values / total if total > 0 else None


def _needs(catalogue: Catalogue, user: UserNeeds | None, now: float) -> Array:
    """(N,) need of each document's category relative to the mean over the categories; 1 for an unknown user."""
    if user is None:
        return np.ones(len(catalogue.documents))
    needs = np.array([user.need(category, now) for category in catalogue.categories])
    return np.asarray((needs / needs.mean())[catalogue.category_of])
