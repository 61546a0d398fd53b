"""From a belief state to the numbers a network reads; all features lie in [0, 1]."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from memory.belief import BeliefState, not_said, top_values
from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import SYSTEM_KINDS, FloatArray
from policies.matching import ACCEPT, EntityMatcher

COUNT_BINS = 4
"""Matching entities: 0, 1, 2-4, more (PyDial's bins)."""


class Featurizer(Protocol):
    """Turns B belief states into (B, size) float32 in [0, 1]."""

    @property
    def kind(self) -> str:
        """Name under which a model's manifest remembers it."""
        ...

    @property
    def size(self) -> int:
        """n_in."""
        ...

    def __call__(self, belief: BeliefState) -> FloatArray:
        """(B, size)."""
        ...


class BeliefFeaturizer:
    """The full belief vector, in the order of ``names``.

    Every goal value's probability, per slot "not said" and the two best beliefs, method, discourse act, requested
    attributes, open slots, confirmations, flags about the venue, the previous system turn's kind and slot, how many
    entities match and the turn number over ``max_turns``.
    """

    kind = "belief"

    def __init__(self, ontology: Ontology, max_turns: int = 25) -> None:
        self.ontology = ontology
        self.max_turns = max_turns
        self.matcher = EntityMatcher(ontology)
        self._blocks = _block_sizes(ontology)
        self.size = sum(self._blocks.values())

    def names(self) -> tuple[str, ...]:
        """(n_in,) block name and position of each feature, e.g. ``goals[3]``."""
        return tuple(f"{block}[{i}]" for block, width in self._blocks.items() for i in range(width))

    def __call__(self, belief: BeliefState) -> FloatArray:
        """(B, n_in) float32."""
        out = np.empty((belief.batch, self.size), dtype=np.float32)
        start = 0
        for width, block in zip(self._blocks.values(), self._values(belief), strict=True):
            out[:, start : start + width] = block if block.ndim == 2 else block[:, None]
            start += width
        return out

    def _values(self, belief: BeliefState) -> list[FloatArray]:
        top, first = top_values(self.ontology, belief)
        _, second = top_values(self.ontology, belief, rank=1)
        accepted = np.where(first > ACCEPT, top, -1).astype(np.int32)
        return [
            belief.goals,
            not_said(self.ontology, belief),
            first,
            second,
            belief.method,
            belief.discourse,
            belief.requested,
            belief.open_confidence,
            belief.confirmed,
            *_situation(belief),
            *_matching(self.matcher.matches(accepted), belief),
            _one_hot(belief.last.kind, len(SYSTEM_KINDS)),
            _one_hot(belief.last.slot, _slot_width(self.ontology)),
            np.minimum(belief.turn.astype(np.float32) / self.max_turns, 1.0, dtype=np.float32),
        ]


class SummaryFeaturizer:
    """A small hand-made summary: the baseline of the literature, without single values.

    Per slot the two best beliefs and "not said", then everything of ``BeliefFeaturizer`` that is not per value.
    """

    kind = "summary"

    def __init__(self, ontology: Ontology, max_turns: int = 25) -> None:
        self._full = BeliefFeaturizer(ontology, max_turns)
        self._skip = ontology.num_values
        self.size = self._full.size - self._skip

    def __call__(self, belief: BeliefState) -> FloatArray:
        """(B, size) float32."""
        return np.ascontiguousarray(self._full(belief)[:, self._skip :])


def build_featurizer(kind: str, ontology: Ontology, max_turns: int = 25) -> Featurizer:
    """The featurizer of a manifest's name; ValueError for an unknown one."""
    match kind:
        case "belief":
            return BeliefFeaturizer(ontology, max_turns)
        case "summary":
            return SummaryFeaturizer(ontology, max_turns)
    raise ValueError(f"unknown featurizer {kind!r}: use 'belief' or 'summary'")


def _slot_width(ontology: Ontology) -> int:
    return max(len(ontology.slots), len(ontology.open_slots))


def _block_sizes(ontology: Ontology) -> dict[str, int]:
    slots, opens = len(ontology.slots), len(ontology.open_slots)
    state = BeliefState.initial(ontology)
    return {
        "goals": ontology.num_values,
        "not_said": slots,
        "first": slots,
        "second": slots,
        "method": state.method.shape[1],
        "discourse": state.discourse.shape[1],
        "requested": len(ontology.requestable),
        "open_confidence": opens,
        "confirmed": slots,
        "booking_confirmed": 1,
        "venue_known": 1,
        "venue_confidence": 1,
        "offered": 1,
        "none_matched": 1,
        "booked": 1,
        "matching": COUNT_BINS,
        "venue_matches": 1,
        "alternatives_left": 1,
        "last_kind": len(SYSTEM_KINDS),
        "last_slot": _slot_width(ontology),
        "turn": 1,
    }


def _situation(belief: BeliefState) -> list[FloatArray]:
    return [
        belief.booking_confirmed,
        (belief.venue >= 0).astype(np.float32),
        belief.venue_confidence,
        np.asarray(belief.offered.any(axis=1), dtype=np.float32),
        belief.none_matched.astype(np.float32),
        belief.booked.astype(np.float32),
    ]


def _matching(matches: BoolArray, belief: BeliefState) -> list[FloatArray]:
    """Count bins, whether the current venue is among the matches, and whether an unoffered match is left."""
    count = matches.sum(axis=1)
    bins = np.stack([count == 0, count == 1, (count >= 2) & (count <= 4), count > 4], axis=1)
    current: BoolArray = matches[np.arange(belief.batch), np.maximum(belief.venue, 0)] & (belief.venue >= 0)
    left = np.asarray((matches & ~belief.offered).any(axis=1), dtype=np.float32)
    return [bins.astype(np.float32), current.astype(np.float32), left]


def _one_hot(index: IntArray, width: int) -> FloatArray:
    """(B, width); all zeros where the index is -1."""
    hot: FloatArray = (index[:, None] == np.arange(width, dtype=np.int32)).astype(np.float32)
    return hot
