"""Venues as candidates: the pools they come from, in each pool's own order, and their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from memory.ontology import Ontology
from memory.slates import VENUES
from memory.tastes import Tastes
from policies.ranking.behaviour import Behaviour
from policies.ranking.selection import MatchSet, Source

Pool = Literal["best_match", "popular", "for_you", "new"]
"""The table's order; what people take up; what this person took up is like; what was offered least."""
POOLS: tuple[str, ...] = get_args(Pool)
SLOTS, COLUMNS = 6, 4
"""Most slots and numeric columns that become features."""
SHRINK = 2.0
"""Reactions after which a person's own taste for a value weighs as much as none."""
LIKED = 0.5
"""What a venue that this person took up before is worth in ``for_you``, beside the likeness of its values."""
Matrix = NDArray[np.float64]


class Scores(Protocol):
    """What a nightly job worked out (``bot.batch.served_scores``), looked up while somebody waits; NaN: not known."""

    def popularity(self, venues: Sequence[str]) -> Matrix:
        """(N,) the rate at which each venue is chosen."""

    def affinities(self, user: str, venues: Sequence[str]) -> Matrix:
        """(N,) how much ``user`` likes each venue, by what people like them chose."""


class VenuePools:
    """The pools and features of one assistant's entities; E of them, numbered as in the ontology."""

    def __init__(
        self, ontology: Ontology, behaviour: Behaviour, pools: Sequence[str] = POOLS, scores: Scores | None = None
    ) -> None:
        self.ontology, self._scores = ontology, scores
        self.pools = tuple(pools)
        self._latest: tuple[Tastes, tuple[Matrix, Matrix]] | None = None
        keys = ontology.entity_names
        self._index = ontology.entity_index
        self._shown = behaviour.shown(VENUES, keys)
        self._rates = behaviour.rates(VENUES, keys)
        self._slots = ontology.slots[:SLOTS]
        numbers = _numeric(ontology)
        place = np.arange(len(keys)) / max(1, len(keys))
        self._static = np.column_stack([place, np.log1p(self._shown), self._rates, *numbers.values()])
        self._static_names = ("place", "shown", "rate", *numbers)
        quality = np.zeros(len(keys)) if not numbers else next(iter(numbers.values()))
        self._popular = np.lexsort((place, -quality, -np.round(self._rates, 6)))
        self._new = np.lexsort((-place, self._shown))
        self.names = (
            *self._static_names, "affinity", *(f"affinity_{slot}" for slot in self._slots),
            "seen", "taken_up", "turned_down", "wishes", "offered", "nightly_rate", "nightly_affinity",
        )  # fmt: skip

    def sources(self, tastes: Tastes, matching: NDArray[np.bool_]) -> dict[str, Source]:
        """Each pool's candidates among ``matching`` (E,), best first; ``for_you`` is empty for somebody unknown."""
        return {name: partial(self._ordered, name, tastes, matching) for name in self.pools}

    def _ordered(self, pool: str, tastes: Tastes, matching: NDArray[np.bool_]) -> list[int]:
        match pool:
            case "popular":
                order = self._popular
            case "new":
                order = self._new
            case "for_you":
                if not any(counts.positive or counts.negative for counts in tastes.candidates.values()):
                    return []
                affinity, own = self.affinities(tastes)
                worth = affinity.mean(axis=1) + LIKED * (own[:, 1] > own[:, 2]) - LIKED * (own[:, 2] > own[:, 1])
                order = np.argsort(-np.round(worth, 9), kind="stable")
            case _:
                order = np.arange(len(matching))
        found: list[int] = order[matching[order]].tolist()
        return found

    def match(self, tastes: Tastes, wishes: int, offered: int, user: str = "") -> MatchSet:
        """All entities with their features in a turn; ``wishes``: constraints, ``offered``: venues so far. The
        nightly scores are those of ``user``.
        """

        def features(rows: Sequence[int]) -> Matrix:
            affinity, own = self.affinities(tastes)
            context = np.broadcast_to(np.array([wishes, offered], dtype=np.float64), (len(rows), 2))
            chosen = np.asarray(rows, dtype=np.intp)
            mean = affinity.mean(axis=1, keepdims=True)
            nightly = self._nightly(user, [self.ontology.entity_names[row] for row in rows])
            return np.hstack([self._static[chosen], mean[chosen], affinity[chosen], own[chosen], context, nightly])

        return MatchSet(self.ontology.entity_names, self.names, features)

    def _nightly(self, user: str, names: Sequence[str]) -> Matrix:
        """(N, 2) the nightly scores; NaN where there are none, or where they can't be read."""
        if self._scores is None:
            return np.full((len(names), 2), np.nan)
        try:
            return np.column_stack([self._scores.popularity(names), self._scores.affinities(user, names)])
        except Exception:  # a file that is damaged must not take the reply with it
            return np.full((len(names), 2), np.nan)

    def affinities(self, tastes: Tastes) -> tuple[Matrix, Matrix]:
        """(E, slots) how this person took to each value an entity has, -1 to 1, and (E, 3) what they did with itself.

        A value's affinity is (positive - negative) / (positive + negative + SHRINK) over the venues that have it.
        """
        known_of = self._latest
        if known_of is not None and known_of[0] is tastes:  # a turn asks twice
            return known_of[1]
        size = self.ontology.num_entities
        own = np.zeros((size, 3))
        for key, counts in tastes.candidates.items():
            row = self._index.get(key.lower())
            if row is not None:
                own[row] = counts.shown, counts.positive, counts.negative
        rows = np.flatnonzero(own[:, 1:].any(axis=1))
        values = self.ontology.entity_values[:, : len(self._slots)]
        liked, known = np.zeros(self.ontology.num_values), np.zeros(self.ontology.num_values)
        for s in range(len(self._slots)):
            np.add.at(liked, values[rows, s], own[rows, 1] - own[rows, 2])
            np.add.at(known, values[rows, s], own[rows, 1] + own[rows, 2])
        found = (liked / (known + SHRINK))[values], own
        self._latest = (tastes, found)
        return found


def _numeric(ontology: Ontology) -> Mapping[str, Matrix]:
    """The columns of the table that hold nothing but numbers, at most COLUMNS of them."""
    found: dict[str, Matrix] = {}
    for name, cells in ontology.entities.items():
        try:
            column = np.array([float(cell) for cell in cells])
        except ValueError:
            continue
        if np.isfinite(column).all() and len(found) < COLUMNS:
            found[name] = column
    return found
