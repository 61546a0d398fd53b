"""One turn as arrays: what the system did, and what the user is believed to have answered.

Every array has a leading batch axis ``B``: the live bot uses ``B = 1``, the simulator thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from memory.dialogue import DONTCARE, DialogueAct, ScoredAct, SystemAct
from memory.ontology import BoolArray, IntArray, Ontology

FloatArray = NDArray[np.float32]

SYSTEM_KINDS = (
    "none", "request", "confirm", "select", "offer", "offer_none", "answer", "alternative", "alternative_none",
    "request_open", "confirm_booking", "booked", "booking_failed", "reqmore", "bye",
)  # fmt: skip
"""What one system turn can be at act level."""
KIND = {kind: k for k, kind in enumerate(SYSTEM_KINDS)}
OPEN_KINDS = ("request_open", "booking_failed")
"""Kinds whose ``slot`` is an open slot: the one asked for, or the one whose value can't be booked."""


def kind_table(*kinds: str) -> BoolArray:
    """(SYSTEM_KINDS,) lookup table: ``table[turn.kind]`` tells where a turn is one of ``kinds`` (np.isin is slow)."""
    return np.array([kind in kinds for kind in SYSTEM_KINDS])


FLOW_ACTS = (
    "hello", "bye", "thankyou", "ack", "affirm", "negate", "dontcare", "reqalts", "book", "cancel", "repeat",
    "restart", "silence",
)  # fmt: skip
"""User acts without a value; ``dontcare`` is the bare "I don't mind" about whatever was asked."""
FLOW = {act: f for f, act in enumerate(FLOW_ACTS)}


@dataclass(frozen=True, slots=True)
class SystemTurn:
    """A batch of system turns.

    ``kind`` (B,) indexes SYSTEM_KINDS; ``slot`` (B,) is a constraint slot (request, confirm, select; for
    offer_none the slot proposed to be relaxed) or an open slot (OPEN_KINDS); ``value``/``other`` (B,) goal
    values v; ``entity`` (B,) e; -1 where there is none. ``answered`` (B, R) marks the attributes told.
    """

    kind: IntArray
    slot: IntArray
    value: IntArray
    other: IntArray
    entity: IntArray
    answered: BoolArray

    @classmethod
    def empty(cls, ontology: Ontology, batch: int) -> SystemTurn:
        """No turn yet: kind ``none`` everywhere."""
        minus = np.full(batch, -1, dtype=np.int32)
        answered = np.zeros((batch, len(ontology.requestable)), dtype=np.bool_)
        return cls(np.zeros(batch, dtype=np.int32), minus, minus.copy(), minus.copy(), minus.copy(), answered)


@dataclass(frozen=True, slots=True)
class UserEvidence:
    """Probabilities (marginals over the n-best) that this turn's user acts happened.

    ``inform``/``deny`` (B, V), ``request`` (B, R), ``flow`` (B, FLOW_ACTS), ``open_value`` (B, O) ids with
    ``open_confidence`` (B, O), ``venue`` (B,) a named entity with ``venue_confidence`` (B,).
    """

    inform: FloatArray
    deny: FloatArray
    request: FloatArray
    flow: FloatArray
    open_value: IntArray
    open_confidence: FloatArray
    venue: IntArray
    venue_confidence: FloatArray

    @classmethod
    def empty(cls, ontology: Ontology, batch: int) -> UserEvidence:
        """Nothing was said."""

        def zeros(width: int) -> FloatArray:
            return np.zeros((batch, width), dtype=np.float32)

        width = len(ontology.open_slots)
        return cls(
            inform=zeros(ontology.num_values),
            deny=zeros(ontology.num_values),
            request=zeros(len(ontology.requestable)),
            flow=zeros(len(FLOW_ACTS)),
            open_value=np.full((batch, width), -1, dtype=np.int32),
            open_confidence=zeros(width),
            venue=np.full(batch, -1, dtype=np.int32),
            venue_confidence=np.zeros(batch, dtype=np.float32),
        )


OpenValues = tuple[tuple[str, ...], ...]
"""Per open slot the strings heard so far in one conversation; an id is a position in it."""


def evidence_from_acts(
    ontology: Ontology, acts: Sequence[ScoredAct], heard: OpenValues
) -> tuple[UserEvidence, OpenValues]:
    """Turn one user turn's scored acts into evidence with ``B = 1``.

    New values of open slots get the next free id; the grown table is returned beside the evidence. Acts whose
    slot or value the ontology does not know carry no evidence. Masses are clipped so that the values of one
    slot never sum to more than 1.
    """
    evidence = UserEvidence.empty(ontology, 1)
    table = [list(values) for values in heard]
    for scored in acts:
        _add(ontology, evidence, table, scored.act, float(scored.confidence))
    for mass in (evidence.inform, evidence.deny):
        sums = np.add.reduceat(mass, ontology.offsets[:-1], axis=1)
        mass /= np.maximum(sums, 1.0)[:, ontology.slot_of_value]
    for mass in (evidence.request, evidence.flow):
        np.clip(mass, 0.0, 1.0, out=mass)
    return evidence, tuple(tuple(values) for values in table)


def _add(ontology: Ontology, evidence: UserEvidence, table: list[list[str]], act: DialogueAct, p: float) -> None:
    slot, value = act.slot, act.value
    if act.type == "inform" and slot is None and value == DONTCARE:
        evidence.flow[0, FLOW["dontcare"]] += p
    elif act.type in ("inform", "deny") and (slot, value) in ontology.value_index:
        mass = evidence.inform if act.type == "inform" else evidence.deny
        mass[0, ontology.value_index[str(slot), str(value)]] += p
    elif act.type == "inform" and slot in ontology.open_index and value is not None:
        _add_open(evidence, table, ontology.open_index[slot], value, p)
    elif act.type == "inform" and slot == ontology.key and value is not None:
        entity = ontology.entity_index.get(value.lower(), -1)
        if entity >= 0 and p > evidence.venue_confidence[0]:
            evidence.venue[0], evidence.venue_confidence[0] = entity, min(p, _NEVER_CERTAIN)
    elif act.type in ("request", "confirm") and slot in ontology.request_index:
        evidence.request[0, ontology.request_index[slot]] += p
    elif act.type in FLOW:
        evidence.flow[0, FLOW[act.type]] += p


_NEVER_CERTAIN = 0.99
"""A venue named by the user is not beyond doubt, one named by the system is: this tells the two apart."""


def _add_open(evidence: UserEvidence, table: list[list[str]], o: int, value: str, p: float) -> None:
    if p <= evidence.open_confidence[0, o]:
        return
    if value not in table[o]:
        table[o].append(value)
    evidence.open_value[0, o] = table[o].index(value)
    evidence.open_confidence[0, o] = p


def stack_evidence(turns: Sequence[UserEvidence]) -> UserEvidence:
    """Concatenate batches along the batch axis."""
    return UserEvidence(*(np.concatenate([getattr(turn, f.name) for turn in turns]) for f in fields(UserEvidence)))


def system_act(ontology: Ontology, turn: SystemTurn, row: int = 0) -> SystemAct:
    """One row of a batch by names."""
    kind = SYSTEM_KINDS[turn.kind[row]]
    slot, value, other, entity = (int(a[row]) for a in (turn.slot, turn.value, turn.other, turn.entity))
    names = ontology.open_slots if kind in OPEN_KINDS else ontology.slots
    return SystemAct(
        kind=kind,
        slot=names[slot] if slot >= 0 else None,
        value=ontology.values[value][1] if value >= 0 else None,
        other=ontology.values[other][1] if other >= 0 else None,
        entity=ontology.entity_names[entity] if entity >= 0 else None,
        answered=tuple(name for name, told in zip(ontology.requestable, turn.answered[row], strict=True) if told),
    )


def system_turn(ontology: Ontology, act: SystemAct) -> SystemTurn:
    """The array form (B = 1); names that the ontology no longer has become -1, so that old logs still fold."""
    turn = SystemTurn.empty(ontology, 1)
    turn.kind[0] = KIND.get(act.kind, 0)
    index = ontology.open_index if act.kind in OPEN_KINDS else ontology.slot_index
    turn.slot[0] = index.get(act.slot or "", -1)
    turn.value[0] = ontology.value_index.get((act.slot or "", act.value or ""), -1)
    turn.other[0] = ontology.value_index.get((act.slot or "", act.other or ""), -1)
    turn.entity[0] = ontology.entity_index.get((act.entity or "").lower(), -1)
    for attribute in act.answered:
        if attribute in ontology.request_index:
            turn.answered[0, ontology.request_index[attribute]] = True
    return turn
