"""Slots, values and entities compiled to indices, so that belief is arithmetic on arrays.

Index conventions used all over the house:

* ``S`` constraint slots; slot ``s`` owns the segment ``offsets[s]:offsets[s+1]`` of the ``V`` goal values; the
  *last* value of each segment is ``dontcare``.
* ``R`` requestable attributes, ``O`` open slots (free values, e.g. a time), ``E`` entities (rows of the table).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memory.dialogue import DONTCARE

IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

METHODS = ("none", "byconstraints", "byname", "byalternatives", "finished", "restart", "booking")
"""How the user wants to be served (DSTC2's `method`, plus booking)."""

DISCOURSE_ACTS = ("none", "ack", "hello", "thankyou", "repeat", "silence", "affirm", "negate")
"""What the last user turn did for the flow of the dialogue."""


class OntologyError(ValueError):
    """The assistant's slots, values or entity table contradict each other; the message says where and what to do."""


@dataclass(frozen=True, eq=False)
class Ontology:
    """Everything an assistant can talk about.

    ``constraints`` maps each constraint slot to its values (without dontcare); ``entities`` is the table, a
    mapping from column name to one string per row, whose ``key`` column names the entity.
    """

    name: str
    constraints: Mapping[str, tuple[str, ...]]
    requestable: tuple[str, ...]
    open_slots: tuple[str, ...]
    entities: Mapping[str, tuple[str, ...]]
    key: str = "name"

    def __post_init__(self) -> None:
        _check(self)

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """Constraint slots in index order."""
        return tuple(self.constraints)

    @cached_property
    def slot_index(self) -> dict[str, int]:
        """Constraint slot -> s."""
        return {slot: s for s, slot in enumerate(self.slots)}

    @cached_property
    def request_index(self) -> dict[str, int]:
        """Requestable attribute -> r."""
        return {attribute: r for r, attribute in enumerate(self.requestable)}

    @cached_property
    def open_index(self) -> dict[str, int]:
        """Open slot -> o."""
        return {slot: o for o, slot in enumerate(self.open_slots)}

    @cached_property
    def segments(self) -> tuple[tuple[str, ...], ...]:
        """Per slot its values with ``dontcare`` last."""
        return tuple((*values, DONTCARE) for values in self.constraints.values())

    @cached_property
    def offsets(self) -> IntArray:
        """(S+1,) start of each slot's segment in the goal values."""
        return np.cumsum([0, *(len(segment) for segment in self.segments)]).astype(np.int32)

    @cached_property
    def slot_of_value(self) -> IntArray:
        """(V,) the slot that owns each goal value."""
        return np.repeat(np.arange(len(self.slots)), np.diff(self.offsets)).astype(np.int32)

    @cached_property
    def value_index(self) -> dict[tuple[str, str], int]:
        """(slot, value) -> v."""
        pairs = ((slot, value) for slot, segment in zip(self.slots, self.segments, strict=True) for value in segment)
        return {pair: v for v, pair in enumerate(pairs)}

    @cached_property
    def values(self) -> tuple[tuple[str, str], ...]:
        """v -> (slot, value)."""
        return tuple(self.value_index)

    @property
    def num_values(self) -> int:
        """V, dontcare included."""
        return int(self.offsets[-1])

    @cached_property
    def entity_names(self) -> tuple[str, ...]:
        """(E,) the key column."""
        return self.entities[self.key]

    @property
    def num_entities(self) -> int:
        """E."""
        return len(self.entity_names)

    @cached_property
    def entity_index(self) -> dict[str, int]:
        """Entity name, lower case -> e."""
        return {name.lower(): e for e, name in enumerate(self.entity_names)}

    @cached_property
    def entity_values(self) -> IntArray:
        """(E, S) goal-value index v of each entity's value in each slot."""
        columns = [[self.value_index[slot, cell] for cell in self.entities[slot]] for slot in self.slots]
        return np.array(columns, dtype=np.int32).reshape(len(self.slots), -1).T.copy()

    @cached_property
    def entity_matrix(self) -> BoolArray:
        """(E, V) whether an entity satisfies a goal value; every entity satisfies dontcare."""
        matrix = np.zeros((self.num_entities, self.num_values), dtype=np.bool_)
        matrix[np.arange(self.num_entities)[:, None], self.entity_values] = True
        matrix[:, self.offsets[1:] - 1] = True
        return matrix

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of everything that gives an array index its meaning; models carry it in their manifest."""
        meaning = [dict(self.constraints), self.requestable, self.open_slots, METHODS, DISCOURSE_ACTS]
        return hashlib.sha256(json.dumps(meaning, sort_keys=False).encode()).hexdigest()[:16]

    def attribute(self, entity: int, column: str) -> str:
        """The cell of one entity; KeyError for an unknown column."""
        return self.entities[column][entity]


def _check(ontology: Ontology) -> None:
    if not ontology.constraints:
        raise OntologyError("the ontology has no constraint slots: name at least one under `constraints`")
    for slot, values in ontology.constraints.items():
        if not values:
            raise OntologyError(f"slot {slot!r} has no values: list at least one value for it")
        _check_unique(values, f"slot {slot!r}")
        if DONTCARE in values:
            raise OntologyError(f"slot {slot!r} lists {DONTCARE!r}: remove it, every slot has it already")
    for label, names in (("requestable", ontology.requestable), ("open slots", ontology.open_slots)):
        _check_unique(names, label)
    _check_table(ontology)


def _check_unique(names: Sequence[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise OntologyError(f"{where} lists {name!r} twice: remove one")
        seen.add(name)


def _check_table(ontology: Ontology) -> None:
    columns = set(ontology.entities)
    needed = {ontology.key, *ontology.constraints, *ontology.requestable}
    for column in sorted(needed - columns):
        raise OntologyError(f"the entity table has no column {column!r}: add it or remove it from the task")
    lengths = {len(cells) for cells in ontology.entities.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise OntologyError("the entity table is empty or its columns differ in length")
    _check_unique([name.lower() for name in ontology.entities[ontology.key]], f"column {ontology.key!r}")
    for slot, values in ontology.constraints.items():
        known = set(values)
        for row, cell in enumerate(ontology.entities[slot]):
            if cell not in known:
                raise OntologyError(
                    f"row {row + 2}, column {slot!r}: unknown value {cell!r}: add it to the slot's values or correct it"
                )
