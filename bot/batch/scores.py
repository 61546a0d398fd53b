"""What the log says about venues, queries and users, added up once a night.

An *offer* is a venue that was named to a user: what they had said, and whether they asked for details or booked. The
counts fade (``policies.ranking.search``), are smoothed where they are few, and become four tables of scores:

    popularity       venue -> click_rate, choice_rate, choice_rate_spread, daily_choices
    query_category   words of a query, sorted -> category -> score, which sum to 1
    affinity         user -> venue -> affinity; "" for somebody unknown
    need             user -> category -> probability of wanting it soon; "" for somebody unknown

A user is a conversation: what the log knows a person by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from bot.batch.served_scores import query_key
from memory.events import Booked, Decided, Event, UserUttered
from memory.ontology import Ontology
from policies.ranking.latent.batch_scores import affinity_scores, need_scores, popularity_scores
from policies.ranking.latent.collaborative import Collaborative
from policies.ranking.search.behaviour import QueryChoices
from policies.ranking.search.documents import Catalogue, documents_of_table
from policies.ranking.search.needs import UserNeeds
from policies.ranking.search.rates import ViewCounts

CLICK, BOOKING = 1.0, 3.0
"""What asking for details and booking weigh as signs of liking."""
SMOOTHING = 1.0
"""Choices that every category has in advance, together, for a query."""
MOST_QUERIES = 5000
OFFERS = ("offer", "alternative")

Pairs = list[tuple[str, Any]]


@dataclass
class Offer:
    """A venue that was named to ``user`` at ``time`` (seconds) after they had said ``query``."""

    user: str
    time: float
    query: str
    venue: str
    clicked: bool = False
    booked: bool = False


def offers(user: str, events: Iterable[Event]) -> list[Offer]:
    """The offers of one conversation and what became of them, in order."""
    found: list[Offer] = []
    query = said = ""
    for event in events:
        if isinstance(event, UserUttered):
            said = event.text
            if any(scored.act.type == "inform" and scored.confidence > 0.5 for scored in event.nlu.acts):
                query = said
        elif isinstance(event, Decided) and event.system is not None and event.system.entity is not None:
            kind, venue = event.system.kind, event.system.entity
            if kind in OFFERS:
                found.append(Offer(user, event.timestamp, query or said, venue))
            elif kind == "answer" and (last := _latest(found, venue)) is not None:
                last.clicked = True
        elif isinstance(event, Booked):
            last = _latest(found, event.entity)
            if last is None:
                last = Offer(user, event.timestamp, query, event.entity)
                found.append(last)
            last.clicked = last.booked = True
    return found


def _latest(found: Sequence[Offer], venue: str) -> Offer | None:
    return next((offer for offer in reversed(found) if offer.venue.lower() == venue.lower()), None)


def catalogue_of(ontology: Ontology) -> Catalogue:
    """The assistant's table, each entity in the category of its most telling slot (the one with the most values)."""
    slot = max(ontology.constraints, key=lambda name: len(ontology.constraints[name]))
    return Catalogue(documents_of_table(ontology.entities, ontology.key, slot))


def tables_of(found: Iterable[Offer], catalogue: Catalogue, now: float) -> dict[str, Pairs]:
    """All tables at ``now`` (seconds); offers of venues that are gone are passed over."""
    known = {key.lower(): n for key, n in catalogue.position.items()}
    kept = sorted((o for o in found if o.venue.lower() in known), key=lambda offer: offer.time)
    views, queries = ViewCounts(catalogue), QueryChoices(catalogue)
    needs: dict[str, UserNeeds] = {}
    choices: list[tuple[str, str, float]] = []
    for offer in kept:
        n = known[offer.venue.lower()]
        document = catalogue.documents[n]
        chosen = [n] if offer.booked else []
        views.add([n], [n] if offer.clicked else [], chosen, offer.time)
        queries.add(offer.query, [n], [1.0], [n] if offer.clicked else [], offer.time)
        if offer.clicked:
            choices.append((offer.user, document.key, BOOKING if offer.booked else CLICK))
            needs[offer.user] = needs.get(offer.user, UserNeeds()).chosen(document.category, offer.time)
    popularity = popularity_scores(views, now)
    return {
        "popularity": [(key, dict(row)) for key, row in popularity.items()],
        "query_category": _query_category((offer.query for offer in kept if offer.clicked), queries, now),
        "affinity": _affinity(choices, {key: row["choice_rate"] for key, row in popularity.items()}),
        "need": [(key, dict(row)) for key, row in need_scores(needs, catalogue, now).items()],
    }


def _query_category(said: Iterable[str], queries: QueryChoices, now: float) -> Pairs:
    """Shares of the categories among what was chosen after a query, drawn towards those after all queries."""
    keys = list(dict.fromkeys(key for key in map(query_key, said) if key))[-MOST_QUERIES:]
    catalogue = queries.catalogue
    counts = [catalogue.by_category(queries.evidence(key, now).chosen) for key in keys]
    if not counts:
        return []
    total = np.sum(counts, axis=0)
    general = (total + SMOOTHING / len(total)) / (total.sum() + SMOOTHING)
    found: Pairs = []
    for key, count in zip(keys, counts, strict=True):
        shares = (count + SMOOTHING * general) / (count.sum() + SMOOTHING)
        found.append((key, dict(zip(catalogue.categories, shares.tolist(), strict=True))))
    return found


def _affinity(choices: Sequence[tuple[str, str, float]], popularity: dict[str, float]) -> Pairs:
    """By alternating least squares where its package is installed, else each user's own shares."""
    if choices and find_spec("implicit") is not None and find_spec("scipy") is not None:
        found = affinity_scores(Collaborative.fit(choices))
        return [(user, dict(row)) for user, row in found.items()]
    rows: dict[str, dict[str, float]] = {"": popularity}
    for user, venue, weight in choices:
        row = rows.setdefault(user, {})
        row[venue] = row.get(venue, 0.0) + weight
    return [
        (user, row if user == "" else {venue: weight / sum(row.values()) for venue, weight in row.items()})
        for user, row in rows.items()
    ]
