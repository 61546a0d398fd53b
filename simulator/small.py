"""Made-up ontologies of any size, among them the small built-in one that environments use by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from memory.ontology import Ontology
from simulator.goal import Task


def synthetic_ontology(
    name: str,
    *,
    sizes: Mapping[str, int],
    entities: int,
    requestable: Sequence[str],
    open_slots: Sequence[str] = (),
    used: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Ontology:
    """An ontology with a random table.

    ``sizes``: slot -> number of values, of which the table uses the first ``used[slot]`` (default: all); lower
    numbered values are more frequent, as in real tables. Requestable attributes that are no slots get one
    distinct string per entity.
    """
    rng = np.random.default_rng(seed)
    values = {slot: tuple(f"{slot} {v + 1}" for v in range(size)) for slot, size in sizes.items()}
    table: dict[str, tuple[str, ...]] = {"name": tuple(f"place {e + 1}" for e in range(entities))}
    for slot, choices in values.items():
        width = min((used or {}).get(slot, len(choices)), len(choices))
        weights = 1.0 / (np.arange(width) + 2.0)
        drawn = rng.choice(width, size=entities, p=weights / weights.sum())
        table[slot] = tuple(choices[v] for v in drawn)
    for attribute in requestable:
        if attribute not in table:
            table[attribute] = tuple(f"{attribute} of place {e + 1}" for e in range(entities))
    return Ontology(name, values, tuple(requestable), tuple(open_slots), table)


def small_ontology() -> Ontology:
    """Three constraint slots, six attributes to ask for and a two-slot booking over forty places."""
    return synthetic_ontology(
        "small",
        sizes={"food": 8, "area": 5, "pricerange": 3},
        entities=40,
        requestable=("phone", "address", "hours", "food", "area", "pricerange"),
        open_slots=("people", "time"),
        seed=1,
    )


def small_task() -> Task:
    """What people want of ``small_ontology``."""
    return Task({"food": 0.85, "area": 0.7, "pricerange": 0.65}, booking_prior=0.4)


def restaurant_sized_ontology() -> Ontology:
    """As large as the restaurants assistant: 107 values in 5 slots, 160 entities, 13 attributes, 4 open slots."""
    return synthetic_ontology(
        "restaurant-sized",
        sizes={"food": 91, "area": 5, "pricerange": 3, "atmosphere": 4, "seating": 4},
        used={"food": 30},
        entities=160,
        requestable=(
            "phone", "address", "postcode", "hours", "parking", "signature", "rating", "description",
            "food", "area", "pricerange", "atmosphere", "seating",
        ),
        open_slots=("people", "day", "time", "booking_name"),
        seed=2,
    )  # fmt: skip


def restaurant_sized_task() -> Task:
    """What people want of ``restaurant_sized_ontology``."""
    return Task({"food": 0.85, "area": 0.7, "pricerange": 0.65, "atmosphere": 0.2, "seating": 0.15}, booking_prior=0.5)
