"""The action space: what the system can do at act level, when it may, and what exactly it then says.

An action is a summary action in the sense of Ultes et al. 2017 (PyDial): ``confirm_food`` stands for "confirm the
most probable food". ``masks`` says which actions make sense, ``ground`` fills in values and entity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memory.belief import METHOD, BeliefState, top_values
from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import KIND, FloatArray, SystemTurn, kind_table
from policies.matching import ACCEPT, EntityMatcher, first_true


@dataclass(frozen=True, slots=True)
class MaskThresholds:
    """Probabilities that decide whether an action makes sense; all in [0, 1].

    ``heard``: below it a value was never said. ``certain``: above it asking again is pointless. ``accept``: a value
    or venue counts as given. ``finished``/``booking``: the user is leaving / wants to book.
    """

    heard: float = 0.05
    certain: float = 0.95
    accept: float = ACCEPT
    finished: float = 0.5
    booking: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.heard <= self.accept <= self.certain < 1:
            raise ValueError(f"need 0 < heard <= accept <= certain < 1, got {self}")


class ActionSpace:
    """The actions of one assistant, in a fixed order given by its ontology.

    ``request_s``, ``confirm_s``, ``select_s`` for each constraint slot; ``offer``, ``answer``,
    ``offer_alternative``; ``request_o`` for each open slot, ``confirm_booking`` and ``book`` when there are open
    slots; ``reqmore``, ``bye``.
    """

    def __init__(self, ontology: Ontology, thresholds: MaskThresholds | None = None) -> None:
        self.ontology = ontology
        self.thresholds = thresholds or MaskThresholds()
        self.matcher = EntityMatcher(ontology)
        slots, opens = ontology.slots, ontology.open_slots
        booking = ("confirm_booking", "book") if opens else ()
        self.names: tuple[str, ...] = (
            *(f"{kind}_{slot}" for kind in ("request", "confirm", "select") for slot in slots),
            *("offer", "answer", "offer_alternative"),
            *(f"request_{slot}" for slot in opens),
            *booking,
            *("reqmore", "bye"),
        )
        self.index: dict[str, int] = {name: a for a, name in enumerate(self.names)}
        self._kind, self._slot = self._tables()

    @property
    def size(self) -> int:
        """A."""
        return len(self.names)

    def _tables(self) -> tuple[IntArray, IntArray]:
        """Per action (A,) the kind and slot of the system turn it leads to."""
        s, o = len(self.ontology.slots), len(self.ontology.open_slots)
        kinds = ["request"] * s + ["confirm"] * s + ["select"] * s + ["offer", "answer", "alternative"]
        kinds += ["request_open"] * o + (["confirm_booking", "booked"] if o else []) + ["reqmore", "bye"]
        slot = [*range(s)] * 3 + [-1] * 3 + [*range(o)] + [-1] * (2 if o else 0) + [-1, -1]
        return np.array([KIND[kind] for kind in kinds], dtype=np.int32), np.array(slot, dtype=np.int32)

    def masks(self, belief: BeliefState) -> BoolArray:
        """(B, A) whether each action makes sense now; no row is ever all False.

        A question about a known venue, or a venue that the user names, leaves only ``answer`` and what the user
        asked for besides. Who asks for alternatives is neither offered
        the same again nor asked what else there is. Otherwise either some slot has an
        accepted value, then ``offer`` is allowed, or none has, then every ``request_s`` is.
        """
        t = self.thresholds
        top, first = top_values(self.ontology, belief)
        _, second = top_values(self.ontology, belief, rank=1)
        venue = (belief.venue >= 0) & (belief.venue_confidence > t.accept)
        heard = (first > t.heard) & (top != self.matcher.dontcare)
        open_to_doubt = heard & (belief.confirmed <= t.accept)
        asked = belief.requested.max(axis=1, initial=0.0) > t.heard
        byname = belief.method[:, METHOD["byname"]] > t.accept
        named = venue & (belief.venue_confidence < 1)  # by the user: what the system names is certain
        question = named | (venue & byname & (belief.requested.max(axis=1, initial=0.0) > t.accept))
        declined = belief.offered.any(axis=1) & (belief.method[:, METHOD["byalternatives"]] > t.accept)
        columns = [
            (first <= t.certain) & ~question[:, None],
            open_to_doubt & ~question[:, None],
            open_to_doubt & (second > t.heard) & ~question[:, None],
            (first > t.accept).any(axis=1) & ~question & ~declined,
            venue & (asked | named | (byname & (belief.last.kind != KIND["answer"]))),
            belief.offered.any(axis=1) & (belief.method[:, METHOD["byalternatives"]] > t.heard),
            *self._booking_masks(belief, venue),
            (venue | belief.none_matched | belief.booked) & ~question & ~declined,
            belief.method[:, METHOD["finished"]] > t.finished,
        ]
        masks = np.column_stack(columns)
        promised = self._promised(belief)
        masks[promised] = False
        masks[promised, self.index["offer"]] = True
        return masks

    def _promised(self, belief: BeliefState) -> BoolArray:
        """(B,) whether the user has just agreed to give up a wish: the venue promised for that is due now."""
        rows = np.flatnonzero((belief.last.kind == KIND["offer_none"]) & (belief.last.slot >= 0))
        promised = np.zeros(belief.batch, dtype=np.bool_)
        given_up = belief.goals[rows, self.matcher.dontcare[belief.last.slot[rows]]]
        promised[rows] = given_up > self.thresholds.accept
        return promised

    def _booking_masks(self, belief: BeliefState, venue: BoolArray) -> list[BoolArray]:
        if not self.ontology.open_slots:
            return []
        t = self.thresholds
        possible = venue & ~belief.booked
        wanted = possible & (belief.method[:, METHOD["booking"]] > t.booking)
        complete = possible & (belief.open_confidence > t.accept).all(axis=1)
        return [wanted[:, None] & (belief.open_confidence <= t.certain), complete, complete]

    def ground(
        self,
        belief: BeliefState,
        actions: IntArray,
        score: FloatArray | None = None,
        eligible: BoolArray | None = None,
    ) -> SystemTurn:
        """The system turn that each of the B ``actions`` means in ``belief``; deterministic.

        Offers take the current venue if it fits all accepted values, else the first fitting row of the table, or
        the one with the highest ``score`` (E,). When nothing fits the turn is ``offer_none`` with the ``slot`` and
        ``value`` worth giving up. Offers and answers tell every attribute asked for with P > ``accept``. Only entities
        of ``eligible`` (E,) are offered, and a venue that the user names: what somebody said once for every search
        narrows it like an accepted value.
        """
        kind, slot = self._kind[actions].copy(), self._slot[actions].copy()
        turn = SystemTurn.empty(self.ontology, belief.batch)
        turn = SystemTurn(kind, slot, turn.value, turn.other, turn.entity, turn.answered)
        self._ground_values(belief, turn)
        self._ground_offers(belief, turn, score, eligible)
        about_venue = _ABOUT_VENUE[kind]
        turn.entity[about_venue] = belief.venue[about_venue]
        self._ground_answers(belief, turn)
        return turn

    def _ground_values(self, belief: BeliefState, turn: SystemTurn) -> None:
        doubted = np.flatnonzero(_DOUBTING[turn.kind])
        if not len(doubted):
            return
        slot = turn.slot[doubted]
        turn.value[doubted] = top_values(self.ontology, belief)[0][doubted, slot]
        second = top_values(self.ontology, belief, rank=1)[0][doubted, slot]
        turn.other[doubted] = np.where(turn.kind[doubted] == KIND["select"], second, -1)

    def _ground_offers(
        self, belief: BeliefState, turn: SystemTurn, score: FloatArray | None, eligible: BoolArray | None
    ) -> None:
        rows = np.flatnonzero(_OFFERS[turn.kind])
        if not len(rows):
            return
        wanted = self.matcher.accepted(belief, self.thresholds.accept)[rows]
        fits = self.matcher.matches(wanted, eligible)
        alternative = turn.kind[rows] == KIND["alternative"]
        fresh = fits & ~(alternative[:, None] & belief.offered[rows])
        entity = first_true(fresh, score)
        current = belief.venue[rows]
        keep = ~alternative & (current >= 0) & fits[np.arange(len(rows)), current]
        if eligible is not None:  # a venue that the user names is offered all the same
            named = ~alternative & (current >= 0) & (belief.venue_confidence[rows] < 1)
            keep |= named & self.matcher.matches(wanted)[np.arange(len(rows)), current]
        turn.entity[rows] = np.where(keep, current, entity)
        none = rows[turn.entity[rows] < 0]
        turn.kind[none] = np.where(turn.kind[none] == KIND["offer"], KIND["offer_none"], KIND["alternative_none"])
        values, probability = top_values(self.ontology, belief)
        relaxed = self.matcher.relaxation(
            np.where(probability > self.thresholds.accept, values, -1)[none], probability[none], eligible
        )
        turn.slot[none] = relaxed
        turn.value[none] = np.where(relaxed >= 0, values[none, np.maximum(relaxed, 0)], -1)

    def _ground_answers(self, belief: BeliefState, turn: SystemTurn) -> None:
        asked = belief.requested > self.thresholds.accept
        unsure = (turn.kind == KIND["answer"]) & ~asked.any(axis=1)
        rows = np.flatnonzero(unsure & (belief.requested.max(axis=1, initial=0.0) > self.thresholds.heard))
        asked[rows, np.argmax(belief.requested[rows], axis=1)] = True
        turn.answered[:] = asked & (turn.entity >= 0)[:, None] & _TELLING[turn.kind][:, None]


_DOUBTING = kind_table("confirm", "select")
_OFFERS = kind_table("offer", "alternative")
_TELLING = kind_table("offer", "alternative", "answer")
_ABOUT_VENUE = kind_table("answer", "request_open", "confirm_booking", "booked")
