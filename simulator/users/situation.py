"""What a user knows before a turn and what they then do, as arrays that recordings and the simulator share.

Nothing here names a slot: what is told of a slot is its role (cared for, said, asked about, ...), so that a user
learned from one ontology can act in another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memory.ontology import BoolArray, IntArray
from memory.turn import FLOW, SYSTEM_KINDS, FloatArray
from simulator.user_turn import UserTurn

FLOW_LABELS = ("hello", "bye", "thankyou", "ack", "affirm", "negate", "dontcare", "reqalts", "book")
"""User acts without a value that are modelled; "I don't mind", with or without a slot, is ``dontcare``."""
LABEL = {name: f for f, name in enumerate(FLOW_LABELS)}

FLOW_COLUMNS = np.array([FLOW[name] for name in FLOW_LABELS])
"""Where each of them is among FLOW_ACTS."""

TURN_SCALE = 10.0
COUNT_SCALE = 4.0


@dataclass(frozen=True, slots=True)
class Said:
    """What B users said: ``flow`` (B, F), constraint slots ``inform`` (B, S), ``request`` (B, R), ``open`` (B, O)."""

    flow: BoolArray
    inform: BoolArray
    request: BoolArray
    open: BoolArray

    @classmethod
    def nothing(cls, batch: int, slots: int, requests: int, opens: int) -> Said:
        """Nobody said anything."""
        widths = (len(FLOW_LABELS), slots, requests, opens)
        return cls(*(np.zeros((batch, width), dtype=np.bool_) for width in widths))

    @property
    def flat(self) -> BoolArray:
        """(B, F + S + R + O) all labels side by side."""
        return np.concatenate([self.flow, self.inform, self.request, self.open], axis=1)


def said_of(turn: UserTurn, dontcare: IntArray) -> Said:
    """The labels of simulated turns; ``dontcare`` (S,) is the goal value of each slot that means "I don't mind"."""
    indifferent = turn.inform == dontcare
    flow = turn.flow[:, FLOW_COLUMNS]
    flow[:, LABEL["dontcare"]] |= indifferent.any(axis=1)
    return Said(flow, (turn.inform >= 0) & ~indifferent, turn.request.copy(), turn.open_value >= 0)


@dataclass(frozen=True, slots=True)
class Situation:
    """What B users see when it is their turn.

    ``kind`` (B,) indexes SYSTEM_KINDS; ``turn`` (B,) counts the user's turns from 0. ``cares``, ``said``, ``asked``
    (the system asks about it), ``right``/``wrong`` (the system's value or venue agrees / does not) (B, S);
    ``requests``, ``unfilled``, ``answered`` (told in this system turn) (B, R); ``books``, ``booked`` (B,);
    ``open_said``, ``open_asked`` (B, O); ``venue`` a fitting venue is on the table, ``offered_once`` one was
    before this system turn (B,); ``last`` what the user said in the turn before.
    """

    kind: IntArray
    turn: IntArray
    cares: BoolArray
    said: BoolArray
    asked: BoolArray
    right: BoolArray
    wrong: BoolArray
    requests: BoolArray
    unfilled: BoolArray
    answered: BoolArray
    books: BoolArray
    booked: BoolArray
    open_said: BoolArray
    open_asked: BoolArray
    venue: BoolArray
    offered_once: BoolArray
    last: Said

    @property
    def pending(self) -> BoolArray:
        """(B, S) wishes not said yet."""
        return self.cares & ~self.said

    @property
    def complete(self) -> BoolArray:
        """(B,) nothing left to do but to say goodbye."""
        done: BoolArray = self.venue & ~self.unfilled.any(axis=1) & (~self.books | self.booked)
        return done

    def possible(self) -> Said:
        """Which labels make sense at all: flow acts, slots cared about, attributes wanted, booking details."""
        flow = np.ones((len(self.kind), len(FLOW_LABELS)), dtype=np.bool_)
        flow[:, LABEL["book"]] = self.books
        return Said(flow, self.cares, self.requests, np.broadcast_to(self.books[:, None], self.open_said.shape))


@dataclass(frozen=True, slots=True)
class Features:
    """What a network reads: ``context`` (B, CONTEXT), per slot (B, S, SLOT), (B, R, REQUEST), (B, O, OPEN)."""

    context: FloatArray
    slot: FloatArray
    request: FloatArray
    open: FloatArray


SLOT, REQUEST, OPEN = 7, 4, 3
CONTEXT = len(SYSTEM_KINDS) + len(FLOW_LABELS) + 14


def features(situation: Situation) -> Features:
    """Numbers in [0, 1] for each part of ``situation``; their meaning does not depend on the ontology."""
    s = situation
    count = len(s.kind)
    kind = np.zeros((count, len(SYSTEM_KINDS)), dtype=np.float32)
    kind[np.arange(count), s.kind] = 1.0
    scalars = np.column_stack(
        [
            np.minimum(s.turn / TURN_SCALE, 1.0), s.turn == 0, s.venue, s.offered_once, s.books, s.booked, s.complete,
            _share(s.cares), _share(s.pending), _share(s.unfilled), _share(s.answered),
            s.asked.any(axis=1) | s.open_asked.any(axis=1), s.wrong.any(axis=1), s.right.any(axis=1),
        ]
    )  # fmt: skip
    return Features(
        np.concatenate([kind, s.last.flow, scalars], axis=1).astype(np.float32),
        _stack(s.cares, s.said, s.pending, s.asked, s.right, s.wrong, s.last.inform),
        _stack(s.requests, s.unfilled, s.answered, s.last.request),
        _stack(np.broadcast_to(s.books[:, None], s.open_said.shape), s.open_said, s.open_asked),
    )


def _share(flags: BoolArray) -> FloatArray:
    share: FloatArray = np.minimum(flags.sum(axis=1) / COUNT_SCALE, 1.0).astype(np.float32)
    return share


def _stack(*columns: BoolArray) -> FloatArray:
    return np.stack(columns, axis=-1).astype(np.float32)
