"""Everything that changes during B dialogues, as arrays, and each dialogue's own stream of random numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.jit import B8, F32, I8, I16, I32, U64
from simulator.pydial.settings import NBEST
from simulator.pydial.tables import DISCOURSE_ACTS, METHODS, PROBABILITIES, Tables

ITEMS, DEPTH, USED = 12, 32, 4
"""Most items of an act, most acts on an agenda, most remembered former values of a slot."""
HYPOTHESES = NBEST + 1


NO_VALUE = -1
"""An item names a slot only."""
ANY_TEXT = -2
"""The value of a slot whose values are not listed (a telephone number)."""
NOTHING = -1
"""No slot, no name, no constraint."""
NAME_DONTCARE, NAME_NONE = -2, -3
"""The user no longer minds which name; the system says there is no such entity."""


class State(NamedTuple):
    """B dialogues. Random stream; goal; agenda; the two last acts; n-best list; belief; what the system remembers.

    ``want`` (B, S) constraint values, ``want_name``/``not_name``
    constraints on the name (``forbidden`` many of the latter), ``former`` (B, S, USED)
    values used before; ``filled`` (B, G+1) -1 not asked for, 0 open, 1 answered; ``told_name`` the name in hand.
    Agenda: ``top`` acts with ``agenda_act`` (B, DEPTH), item counts, slots and values. User act ``user_*``,
    hypotheses ``hyp_*`` with ``hyp_score``. System act: ``system_act``, ``about`` slot with ``first``/``second``
    value, items ``told_*``, ``offer`` name, ``exhausted`` (nothing but what was offered). Belief as in ``Tables``;
    ``best``/``best_score`` (B, S, 2) each slot's two best values, ``accepted`` (B, S).
    """

    key: U64
    counter: U64
    turn: I32
    over: B8
    success: B8
    want: I16
    want_name: I16
    not_name: B8
    forbidden: I16
    former: I16
    filled: I8
    told_name: I16
    patience: I8
    max_patience: I8
    first_offer: B8
    traits: F32
    top: I8
    agenda_act: I8
    agenda_items: I8
    agenda_slot: I8
    agenda_value: I16
    user_act: I8
    user_items: I8
    user_slot: I8
    user_value: I16
    hyps: I8
    hyp_act: I8
    hyp_items: I8
    hyp_slot: I8
    hyp_value: I16
    hyp_score: F32
    system_act: I8
    about: I8
    first: I16
    second: I16
    told: I8
    told_slot: I8
    told_value: I16
    offer: I16
    exhausted: B8
    signature: U64
    belief: F32
    method: F32
    discourse: F32
    requested: F32
    none_told: B8
    offered_now: B8
    last_name: I16
    offered: B8
    alternatives: B8
    best: I16
    best_score: F32
    accepted: B8


def new_state(tables: Tables, batch: int) -> State:
    """Arrays for ``batch`` dialogues; meaningful after a seed and a reset."""
    slots, names = len(tables.system_slot), int(tables.size[tables.name])

    def small(*shape: int) -> I8:
        return np.zeros((batch, *shape), dtype=np.int8)

    def short(*shape: int) -> I16:
        return np.zeros((batch, *shape), dtype=np.int16)

    def real(*shape: int) -> F32:
        return np.zeros((batch, *shape), dtype=np.float32)

    def flag(*shape: int) -> B8:
        return np.zeros((batch, *shape), dtype=np.bool_)

    def word() -> U64:
        return np.zeros(batch, dtype=np.uint64)

    return State(
        key=word(), counter=word(), turn=np.zeros(batch, dtype=np.int32), over=flag(), success=flag(),
        want=short(slots), want_name=short(), not_name=flag(names), forbidden=short(), former=short(slots, USED),
        filled=small(tables.type_slot + 1), told_name=short(), patience=small(), max_patience=small(),
        first_offer=flag(), traits=real(len(PROBABILITIES)), top=small(), agenda_act=small(DEPTH),
        agenda_items=small(DEPTH), agenda_slot=small(DEPTH, ITEMS), agenda_value=short(DEPTH, ITEMS),
        user_act=small(), user_items=small(), user_slot=small(ITEMS), user_value=short(ITEMS), hyps=small(),
        hyp_act=small(HYPOTHESES), hyp_items=small(HYPOTHESES), hyp_slot=small(HYPOTHESES, ITEMS),
        hyp_value=short(HYPOTHESES, ITEMS), hyp_score=real(HYPOTHESES), system_act=small(), about=small(),
        first=short(), second=short(), told=small(), told_slot=small(ITEMS), told_value=short(ITEMS), offer=short(),
        exhausted=flag(), signature=word(), belief=real(int(tables.offset[-1])), method=real(len(METHODS)),
        discourse=real(len(DISCOURSE_ACTS)), requested=real(tables.requestable), none_told=flag(),
        offered_now=flag(), last_name=short(), offered=flag(names), alternatives=flag(), best=short(slots, 2),
        best_score=real(slots, 2), accepted=flag(slots),
    )  # fmt: skip
