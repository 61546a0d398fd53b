"""The belief state and its update: a pure function on arrays with a leading batch axis.

The tracker is the focus-style one of the Dialogue State Tracking Challenge baselines (Henderson et al. 2014, as
used in PyDial, Ultes et al. 2017): this turn's mass ``u_v`` for a value replaces the old belief in so far as the
slot was mentioned, ``b'_v = (1 - sum u) b_v + u_v``, and what is missing to 1 is the belief in "not said yet".
Confirmations, denials, proposals to relax a constraint and the bare "I don't mind" are resolved against the
preceding system turn. Serving runs it with B = 1, the simulator with thousands; both get the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from memory.ontology import DISCOURSE_ACTS, METHODS, BoolArray, IntArray, Ontology
from memory.turn import FLOW, KIND, FloatArray, SystemTurn, UserEvidence, kind_table

METHOD = {method: m for m, method in enumerate(METHODS)}
_IS_OFFER = kind_table("offer", "alternative")
_IS_CONSTRAINT_QUESTION = kind_table("request", "confirm", "select")
_IS_DECLINABLE = kind_table("reqmore", "answer", "booked")


@dataclass(frozen=True, slots=True)
class BeliefState:
    """What the bot believes about each of B dialogues.

    ``goals`` (B, V) per-slot distributions (the rest to 1 is "not said"), ``requested`` (B, R), ``method``
    (B, METHODS), ``discourse`` (B, DISCOURSE_ACTS), ``open_value``/``open_confidence`` (B, O), ``confirmed``
    (B, S) and ``booking_confirmed`` (B,) probabilities that the user affirmed; ``venue`` (B,) the entity under
    discussion with ``venue_confidence`` (B,), ``offered`` (B, E) history, ``none_matched``/``booked`` (B,),
    ``turn`` (B,) user turns so far, and ``last`` the preceding system turn.
    """

    goals: FloatArray
    requested: FloatArray
    method: FloatArray
    discourse: FloatArray
    open_value: IntArray
    open_confidence: FloatArray
    confirmed: FloatArray
    booking_confirmed: FloatArray
    venue: IntArray
    venue_confidence: FloatArray
    offered: BoolArray
    none_matched: BoolArray
    booked: BoolArray
    turn: IntArray
    last: SystemTurn

    @classmethod
    def initial(cls, ontology: Ontology, batch: int = 1) -> BeliefState:
        """The state before anything was said."""

        def zeros(*shape: int) -> FloatArray:
            return np.zeros((batch, *shape), dtype=np.float32)

        method, discourse = zeros(len(METHODS)), zeros(len(DISCOURSE_ACTS))
        method[:, 0] = discourse[:, 0] = 1.0
        minus = np.full(batch, -1, dtype=np.int32)
        return cls(
            goals=zeros(ontology.num_values),
            requested=zeros(len(ontology.requestable)),
            method=method,
            discourse=discourse,
            open_value=np.full((batch, len(ontology.open_slots)), -1, dtype=np.int32),
            open_confidence=zeros(len(ontology.open_slots)),
            confirmed=zeros(len(ontology.slots)),
            booking_confirmed=zeros(),
            venue=minus,
            venue_confidence=zeros(),
            offered=np.zeros((batch, ontology.num_entities), dtype=np.bool_),
            none_matched=np.zeros(batch, dtype=np.bool_),
            booked=np.zeros(batch, dtype=np.bool_),
            turn=np.zeros(batch, dtype=np.int32),
            last=SystemTurn.empty(ontology, batch),
        )

    @property
    def batch(self) -> int:
        """B."""
        return len(self.turn)


def observe_system(ontology: Ontology, state: BeliefState, turn: SystemTurn) -> BeliefState:
    """The state after the system did ``turn``: what was offered, told and asked, before the user answers."""
    rows = np.arange(state.batch)
    named = turn.entity >= 0
    offered = state.offered.copy()
    offering = named & _IS_OFFER[turn.kind]
    offered[rows[offering], turn.entity[offering]] = True
    # another venue than the booked one is a new business: it may be booked too
    booked = (state.booked & ~(offering & (turn.entity != state.venue))) | (turn.kind == KIND["booked"])
    failed = np.flatnonzero((turn.kind == KIND["booking_failed"]) & (turn.slot >= 0))
    open_confidence = state.open_confidence.copy()
    open_confidence[failed, turn.slot[failed]] = 0.0
    return replace(
        state,
        offered=offered,
        open_confidence=open_confidence,
        booking_confirmed=np.where(turn.kind == KIND["booking_failed"], np.float32(0), state.booking_confirmed),
        requested=np.where(turn.answered, np.float32(0), state.requested),
        venue=np.where(named, turn.entity, state.venue).astype(np.int32),
        venue_confidence=np.where(named, np.float32(1), state.venue_confidence),
        none_matched=(turn.kind == KIND["offer_none"]) | (turn.kind == KIND["alternative_none"]),
        booked=booked,
        last=turn,
    )


def observe_user(ontology: Ontology, state: BeliefState, evidence: UserEvidence) -> BeliefState:
    """The state after the user's turn: the focus update of every part (see the module's docstring)."""
    inform, deny = _resolve(ontology, state, evidence)
    flow = evidence.flow
    keep = (1.0 - flow[:, FLOW["restart"]])[:, None]
    said = _per_slot(ontology, inform)
    goals = _focus(ontology, state.goals * keep, inform, deny, said)
    affirmed = flow[:, FLOW["affirm"]]
    open_value, open_confidence = _focus_open(state, evidence, keep)
    named = evidence.venue_confidence > state.venue_confidence * (1.0 - evidence.venue_confidence)
    confirming = state.last.kind == KIND["confirm_booking"]
    changed = evidence.open_confidence.max(axis=1, initial=0.0)
    booking_confirmed = state.booking_confirmed * (1 - flow[:, FLOW["negate"]]) * (1 - changed)
    return replace(
        state,
        goals=goals,
        requested=np.clip((1 - evidence.request) * state.requested * keep + evidence.request, 0, 1),
        method=_method(state, evidence, said.max(axis=1)),
        discourse=_discourse(flow),
        open_value=open_value,
        open_confidence=open_confidence,
        confirmed=_confirmed(state, said, affirmed),
        booking_confirmed=np.where(confirming, np.maximum(booking_confirmed, affirmed), booking_confirmed),
        venue=np.where(named, evidence.venue, state.venue).astype(np.int32),
        venue_confidence=np.where(named, evidence.venue_confidence, state.venue_confidence),
        turn=state.turn + np.int32(1),
    )


def _per_slot(ontology: Ontology, mass: FloatArray) -> FloatArray:
    """(B, V) -> (B, S) sums over each slot's values."""
    sums: FloatArray = np.add.reduceat(mass, ontology.offsets[:-1], axis=1)
    return sums


def _resolve(ontology: Ontology, state: BeliefState, evidence: UserEvidence) -> tuple[FloatArray, FloatArray]:
    """Add to inform/deny what affirm, negate and a bare dontcare mean after the last system turn."""
    inform, deny = evidence.inform.copy(), evidence.deny.copy()
    last, rows = state.last, np.arange(state.batch)
    affirm, negate = evidence.flow[:, FLOW["affirm"]], evidence.flow[:, FLOW["negate"]]
    confirm = (last.kind == KIND["confirm"]) & (last.value >= 0)
    inform[rows[confirm], last.value[confirm]] += affirm[confirm]
    deny[rows[confirm], last.value[confirm]] += negate[confirm]
    dontcare_of = ontology.offsets[1:] - 1
    asked = _IS_CONSTRAINT_QUESTION[last.kind] & (last.slot >= 0)
    inform[rows[asked], dontcare_of[last.slot[asked]]] += evidence.flow[asked, FLOW["dontcare"]]
    relax = (last.kind == KIND["offer_none"]) & (last.slot >= 0)
    inform[rows[relax], dontcare_of[last.slot[relax]]] += np.maximum(affirm, evidence.flow[:, FLOW["dontcare"]])[relax]
    total = np.maximum(_per_slot(ontology, inform), 1.0)
    inform /= total[:, ontology.slot_of_value]
    return inform, np.clip(deny, 0.0, 1.0)


def _focus(ontology: Ontology, goals: FloatArray, inform: FloatArray, deny: FloatArray, said: FloatArray) -> FloatArray:
    remaining = np.clip(1.0 - said, 0.0, 1.0)[:, ontology.slot_of_value]
    updated = remaining * goals * (1.0 - deny) + inform
    total = np.maximum(_per_slot(ontology, updated), 1.0)
    result: FloatArray = updated / total[:, ontology.slot_of_value]
    return result


def _focus_open(state: BeliefState, evidence: UserEvidence, keep: FloatArray) -> tuple[IntArray, FloatArray]:
    """Open slots keep one hypothesis: the same value again adds up, a more probable other one replaces it."""
    old = state.open_confidence * keep
    new = evidence.open_confidence
    same = (evidence.open_value == state.open_value) & (new > 0)
    replaced = ~same & (new > old * (1 - new))
    confidence = np.where(same, old * (1 - new) + new, np.where(replaced, new, old * (1 - new)))
    value = np.where(replaced, evidence.open_value, state.open_value)
    return value.astype(np.int32), confidence.astype(np.float32)


def _confirmed(state: BeliefState, said: FloatArray, affirmed: FloatArray) -> FloatArray:
    confirmed: FloatArray = state.confirmed * np.clip(1.0 - said, 0.0, 1.0)
    asked = (state.last.kind == KIND["confirm"]) & (state.last.slot >= 0)
    rows = np.flatnonzero(asked)
    confirmed[rows, state.last.slot[rows]] = np.maximum(confirmed[rows, state.last.slot[rows]], affirmed[rows])
    return confirmed


def _method(state: BeliefState, evidence: UserEvidence, said: FloatArray) -> FloatArray:
    """m' = m P(no method said) + this turn's method mass, most specific act first, normalised."""
    flow, last = evidence.flow, state.last
    new = np.zeros_like(state.method)
    after_offer = (state.venue >= 0) & (state.venue_confidence > 0)
    rejected = _IS_OFFER[last.kind] * flow[:, FLOW["negate"]] * np.clip(1 - said, 0, 1)
    declined = _IS_DECLINABLE[last.kind] * flow[:, FLOW["negate"]]
    question = evidence.request.max(axis=1, initial=0.0) * after_offer
    # a time alone asks for a table, a time in a question ("open on sundays?") does not
    booking = np.maximum(flow[:, FLOW["book"]], evidence.open_confidence.max(axis=1, initial=0.0) * (1 - question))
    new[:, METHOD["finished"]] = np.maximum(flow[:, FLOW["bye"]], declined)
    new[:, METHOD["restart"]] = flow[:, FLOW["restart"]]
    new[:, METHOD["byalternatives"]] = np.maximum(flow[:, FLOW["reqalts"]], rejected)
    new[:, METHOD["booking"]] = booking
    asked = np.maximum(evidence.venue_confidence, question)
    new[:, METHOD["byname"]] = asked * np.clip(1 - said, 0, 1) * np.clip(1 - booking, 0, 1)
    new[:, METHOD["byconstraints"]] = np.maximum(said, flow[:, FLOW["cancel"]]) * np.clip(1 - booking, 0, 1)
    total = new.sum(axis=1, keepdims=True)
    new /= np.maximum(total, 1.0)
    method: FloatArray = state.method * np.clip(1.0 - total, 0.0, 1.0) + new
    method /= method.sum(axis=1, keepdims=True)
    return method


def _discourse(flow: FloatArray) -> FloatArray:
    """This turn's discourse act only; not accumulated."""
    discourse = np.zeros((len(flow), len(DISCOURSE_ACTS)), dtype=np.float32)
    for d, act in enumerate(DISCOURSE_ACTS[1:], start=1):
        discourse[:, d] = flow[:, FLOW[act]]
    total = discourse.sum(axis=1, keepdims=True)
    discourse /= np.maximum(total, 1.0)
    discourse[:, 0] = np.clip(1.0 - total[:, 0], 0.0, 1.0)
    return discourse


def not_said(ontology: Ontology, state: BeliefState) -> FloatArray:
    """(B, S) probability that the user has said nothing about a slot."""
    missing: FloatArray = np.clip(1.0 - _per_slot(ontology, state.goals), 0.0, 1.0)
    return missing


def top_values(ontology: Ontology, state: BeliefState, rank: int = 0) -> tuple[IntArray, FloatArray]:
    """(B, S) goal-value index and belief of each slot's best (``rank`` 0) or second best (1) value."""
    columns = []
    rows = np.arange(state.batch)
    for start, end in zip(ontology.offsets[:-1], ontology.offsets[1:], strict=True):
        segment = state.goals[:, start:end]
        for _ in range(min(rank, end - start - 1)):
            segment = segment.copy()
            segment[rows, np.argmax(segment, axis=1)] = -1.0
        columns.append(start + np.argmax(segment, axis=1))
    index = np.stack(columns, axis=1).astype(np.int32)
    return index, np.take_along_axis(state.goals, index, axis=1)
