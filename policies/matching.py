"""Which entities of the table fit what is believed: the database query of a dialogue system, on arrays."""

from __future__ import annotations

import numpy as np

from memory.belief import BeliefState, top_values
from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import FloatArray

ACCEPT = 0.5
"""A slot's top value counts as the user's wish above this belief."""


class EntityMatcher:
    """Answers "which entities?" for batches of constraints over one ontology."""

    def __init__(self, ontology: Ontology) -> None:
        self.ontology = ontology
        self.dontcare: IntArray = ontology.offsets[1:] - 1
        """(S,) the goal value ``dontcare`` of each slot."""
        self._entities_of_value = np.ascontiguousarray(ontology.entity_matrix.T)

    def accepted(self, belief: BeliefState, accept: float = ACCEPT) -> IntArray:
        """(B, S) each slot's top goal value where its belief exceeds ``accept``, else -1."""
        index, probability = top_values(self.ontology, belief)
        return np.where(probability > accept, index, -1).astype(np.int32)

    def matches(self, values: IntArray, eligible: BoolArray | None = None) -> BoolArray:
        """(B, E) entities that satisfy all goal values (B, S); -1 and ``dontcare`` constrain nothing.

        With ``eligible`` (E,) only those that it marks.
        """
        wanted = np.where(values < 0, self.dontcare, values)
        found: BoolArray = self._entities_of_value[wanted[:, 0]]
        for s in range(1, wanted.shape[1]):
            found &= self._entities_of_value[wanted[:, s]]
        return found if eligible is None else found & eligible

    def relaxed_counts(self, values: IntArray, eligible: BoolArray | None = None) -> IntArray:
        """(B, S) how many entities match when one slot's constraint is dropped; -1 where it constrains nothing."""
        counts = np.full(values.shape, -1, dtype=np.int32)
        for s in range(values.shape[1]):
            rows = np.flatnonzero((values[:, s] >= 0) & (values[:, s] != self.dontcare[s]))
            without = values[rows]
            without[:, s] = -1
            counts[rows, s] = self.matches(without, eligible).sum(axis=1)
        return counts

    def relaxation(self, values: IntArray, belief: FloatArray, eligible: BoolArray | None = None) -> IntArray:
        """(B,) the slot to propose giving up when nothing matches, -1 where there is no constraint.

        The one whose loss leaves most entities; among equals the one with the lowest ``belief`` (B, S).
        """
        counts = self.relaxed_counts(values, eligible)
        slot = np.argmax(counts - 0.5 * np.clip(belief, 0.0, 1.0), axis=1)
        constrained = (counts >= 0).any(axis=1)
        return np.where(constrained, slot, -1).astype(np.int32)


def first_true(flags: BoolArray, score: FloatArray | None = None) -> IntArray:
    """(B,) index of each row's first True, or of the True with the highest ``score`` (N,); -1 in rows without any."""
    index = np.argmax(flags, axis=1) if score is None else np.argmax(np.where(flags, score, -np.inf), axis=1)
    return np.where(flags.any(axis=1), index, -1).astype(np.int32)
