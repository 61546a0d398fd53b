"""What people who said this ended up choosing: choices by query, with back-off to the nearest queries.

A query is its set of words. Queries that nobody (or hardly anybody) has said borrow from those nearest to them: by the
cosine of their embeddings where vectors are given, else of their words weighted by rarity. What was *shown* for a query
is counted beside what was chosen, so that a document that came later isn't held to choices it could not have had.

Bounded: at most ``most_queries`` queries (the faintest go first) with ``most_documents`` documents each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.ranking.search.documents import Array, Catalogue, words
from policies.ranking.search.rates import DAY

_FUNCTION_WORDS = frozenset(
    words(
        "a an and any are at be can could do for give have i in is it like looking me my of on or please "
        "some something somewhere that the there to us want we what where which with would you"
    )
)


_COMPARED = 400
"""Queries with a word in common that are compared."""


@dataclass(frozen=True, slots=True)
class BehaviourSettings:
    """``neighbours``: nearest queries that are asked, each at least ``least_similarity`` near.

    ``half_life_days``: counts halve over this time.
    """

    neighbours: int = 15
    least_similarity: float = 0.3
    half_life_days: float = 30.0
    most_queries: int = 5000
    most_documents: int = 64

    def __post_init__(self) -> None:
        if self.neighbours < 0 or not 0 < self.least_similarity <= 1:
            raise ValueError("neighbours is 0 or more, least_similarity above 0 and at most 1")
        if min(self.half_life_days, self.most_queries, self.most_documents) <= 0:
            raise ValueError("half_life_days, most_queries and most_documents are above 0")


@dataclass(slots=True)
class _QueryCounts:
    """One query: its words, when it was last said, and (looks, choices) by document, as they were then."""

    words: frozenset[str]
    time: float
    counts: dict[int, list[float]] = field(default_factory=dict)
    vector: NDArray[np.float32] | None = None

    @property
    def weight(self) -> float:
        """How much is known: choices first, then looks."""
        return sum(chosen + 0.01 * seen for seen, chosen in self.counts.values())


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """``seen`` and ``chosen`` (N,): looks and choices for a query, those of near queries counted by nearness."""

    seen: Array
    chosen: Array


class QueryChoices:
    """Choices by query over the N documents of a catalogue: the fold of what was shown for what was said."""

    def __init__(self, catalogue: Catalogue, settings: BehaviourSettings | None = None) -> None:
        self.catalogue = catalogue
        self.settings = settings or BehaviourSettings()
        self._queries: dict[frozenset[str], _QueryCounts] = {}
        self._with: dict[str, dict[frozenset[str], None]] = {}

    def __len__(self) -> int:
        return len(self._queries)

    def add(
        self,
        query: str,
        shown: Sequence[int],
        looks: Iterable[float],
        chosen: Sequence[int],
        time: float,
        vector: NDArray[np.floating] | None = None,
    ) -> None:
        """``query`` was said at ``time`` (seconds), documents ``shown`` by position, each looked at with a probability
        of ``looks``, and ``chosen`` of them. A query of function words alone says nothing and is passed over.
        """
        said = content(query)
        if not said:
            return
        known = self._queries.get(said)
        if known is None:
            known = self._begin(said, time)
        if vector is not None and known.vector is None:
            known.vector = np.asarray(vector, dtype=np.float32)
        kept = self._kept(known, time)
        known.time = max(known.time, time)
        for row in known.counts.values():
            row[0] *= kept
            row[1] *= kept
        for n, look in zip(shown, looks, strict=True):
            known.counts.setdefault(n, [0.0, 0.0])[0] += look
        for n in chosen:
            known.counts.setdefault(n, [0.0, 0.0])[1] += 1
        if len(known.counts) > self.settings.most_documents:
            best = sorted(known.counts.items(), key=lambda item: item[1][1] + 0.01 * item[1][0], reverse=True)
            known.counts = dict(best[: self.settings.most_documents])
        if len(self._queries) > self.settings.most_queries * 1.1 + 1:
            self._forget(time)

    def evidence(self, query: str, now: float, vector: NDArray[np.floating] | None = None) -> Evidence:
        """What is known for ``query`` at ``now``; of near queries, at most as much as their nearness allows."""
        size = len(self.catalogue.documents)
        seen, chosen = np.zeros(size), np.zeros(size)
        for near, similarity in self.nearest(query, vector):
            factor = similarity**2 * self._kept(near, now)
            for n, (looks, choices) in near.counts.items():
                seen[n] += factor * looks
                chosen[n] += factor * choices
        return Evidence(seen, chosen)

    def nearest(self, query: str, vector: NDArray[np.floating] | None = None) -> list[tuple[_QueryCounts, float]]:
        """The query itself where it is known, and its neighbours, with their similarity (1: the same)."""
        said = content(query)
        own = self._queries.get(said)
        similar = self._by_words(said) if vector is None else self._by_vector(np.asarray(vector, dtype=np.float32))
        rest = [(q, s) for q, s in similar if q is not own and s >= self.settings.least_similarity]
        rest.sort(key=lambda pair: -pair[1])
        return ([] if own is None else [(own, 1.0)]) + rest[: self.settings.neighbours]

    def to_json(self) -> str:
        """As JSON, documents by key; ``from_json`` reads it for any catalogue. Vectors are not kept."""
        keys = [document.key for document in self.catalogue.documents]
        queries = [
            [sorted(query.words), query.time, {keys[n]: row for n, row in query.counts.items()}]
            for query in self._queries.values()
        ]
        return json.dumps({"version": 1, "queries": queries})

    @classmethod
    def from_json(cls, text: str, catalogue: Catalogue, settings: BehaviourSettings | None = None) -> QueryChoices:
        """What ``to_json`` wrote; choices of documents that are gone are dropped. ValueError where it is damaged."""
        choices = cls(catalogue, settings)
        try:
            said: dict[str, Any] = json.loads(text)
            if said["version"] != 1:
                raise ValueError(f"version {said['version']}, this program reads version 1")
            for query, time, rows in said["queries"]:
                known = choices._begin(frozenset(map(str, query)), float(time))
                counts = {catalogue.position[key]: row for key, row in rows.items() if key in catalogue.position}
                known.counts = {n: [float(seen), float(chosen)] for n, (seen, chosen) in counts.items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"choices by query: {error}: count anew from the log") from None
        return choices

    def _begin(self, said: frozenset[str], time: float) -> _QueryCounts:
        known = self._queries[said] = _QueryCounts(said, time)
        for word in said:
            self._with.setdefault(word, {})[said] = None
        return known

    def _by_words(self, said: frozenset[str]) -> list[tuple[_QueryCounts, float]]:
        total, rarities = 1 + len(self._queries), dict[str, float]()

        def rarity(word: str) -> float:
            if word not in rarities:
                rarities[word] = log(1 + total / (1 + len(self._with.get(word, ())))) ** 2
            return rarities[word]

        own = sum(map(rarity, said))
        keys: dict[frozenset[str], None] = {}
        for word in sorted(said, key=lambda word: (len(self._with.get(word, ())), word)):
            # the rarest words first: of those that everybody says, the latest queries are enough
            keys |= dict.fromkeys(islice(reversed(self._with.get(word, {})), _COMPARED - len(keys)))
        return [
            (self._queries[key], sum(map(rarity, key & said)) / (own * sum(map(rarity, key))) ** 0.5) for key in keys
        ]

    def _by_vector(self, vector: NDArray[np.float32]) -> list[tuple[_QueryCounts, float]]:
        known = [query for query in self._queries.values() if query.vector is not None]
        if not known:
            return []
        cosines = np.stack([query.vector for query in known if query.vector is not None]) @ vector
        return [(query, float(cosine)) for query, cosine in zip(known, cosines, strict=True)]

    def _kept(self, query: _QueryCounts, now: float) -> float:
        return float(0.5 ** (max(now - query.time, 0.0) / (self.settings.half_life_days * DAY)))

    def _forget(self, now: float) -> None:
        """Drop the faintest queries."""
        faintest = sorted(self._queries.values(), key=lambda query: query.weight * self._kept(query, now))
        for query in faintest[: len(self._queries) - self.settings.most_queries]:
            del self._queries[query.words]
            for word in query.words:
                del self._with[word][query.words]
                if not self._with[word]:
                    del self._with[word]


def content(query: str) -> frozenset[str]:
    """The words of ``query`` that say what is wanted: two orders of the same words are one query."""
    return frozenset(words(query)) - _FUNCTION_WORDS
