"""The ontology's indices agree with its names, and contradictions are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from memory.dialogue import DONTCARE
from memory.ontology import Ontology, OntologyError

TABLE = {
    "name": ("The Reef", "Old Mill"),
    "food": ("thai", "italian"),
    "area": ("north", "south"),
    "phone": ("1", "2"),
}


def make(**changes: Any) -> Ontology:
    settings: dict[str, Any] = {
        "name": "tiny",
        "constraints": {"food": ("thai", "italian", "greek"), "area": ("north", "south")},
        "requestable": ("phone", "food"),
        "open_slots": ("people",),
        "entities": TABLE,
    }
    return Ontology(**{**settings, **changes})


def test_segments_cover_all_values_and_end_with_dontcare() -> None:
    ontology = make()
    assert ontology.num_values == 7
    assert ontology.offsets.tolist() == [0, 4, 7]
    assert ontology.values[3] == ("food", DONTCARE)
    assert ontology.values[6] == ("area", DONTCARE)
    assert [ontology.value_index[pair] for pair in ontology.values] == list(range(7))
    assert ontology.slot_of_value.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_entity_matrix_says_who_satisfies_what() -> None:
    ontology = make()
    assert ontology.entity_values.tolist() == [[0, 4], [1, 5]]
    for e in range(ontology.num_entities):
        for v, (slot, value) in enumerate(ontology.values):
            expected = value in (DONTCARE, ontology.attribute(e, slot))
            assert ontology.entity_matrix[e, v] == expected
    assert ontology.entity_index["old mill"] == 1
    assert np.array_equal(ontology.entity_matrix.sum(axis=1), [4, 4])


def test_fingerprint_follows_meaning_only() -> None:
    assert make().fingerprint == make(name="other").fingerprint
    assert make().fingerprint != make(requestable=("food", "phone")).fingerprint
    assert (
        make().fingerprint
        != make(constraints={"food": ("italian", "thai", "greek"), "area": TABLE["area"]}).fingerprint
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"constraints": {}}, "no constraint slots"),
        ({"constraints": {"food": ()}}, "'food' has no values"),
        ({"constraints": {"food": ("thai", "thai")}}, "lists 'thai' twice"),
        ({"constraints": {"food": ("thai", DONTCARE)}}, "remove it"),
        ({"requestable": ("phone", "phone")}, "'phone' twice"),
        ({"requestable": ("fax",)}, "no column 'fax'"),
        ({"constraints": {"food": ("thai",)}}, "row 3, column 'food': unknown value 'italian'"),
        ({"entities": {**TABLE, "name": ("Reef", "reef")}}, "'reef' twice"),
        ({"entities": {**TABLE, "phone": ("1",)}}, "differ in length"),
        ({"entities": dict.fromkeys(TABLE, ())}, "empty"),
    ],
)
def test_contradictions_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OntologyError, match=message):
        make(**changes)
