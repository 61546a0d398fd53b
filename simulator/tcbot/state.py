"""Everything that changes during B dialogues, as arrays, with compiled code's view of it and its random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numba.core import types
from numba.experimental import structref
from numpy.typing import NDArray

from simulator.jit import B8, I8, I16, I32, U64, compiled, pick
from simulator.tcbot.tables import UNSAID, Tables


class State(NamedTuple):
    """B dialogues with S slots; words are numbers, UNSAID and the like below 0.

    Random stream; ``turn`` system turns taken; ``over``, ``success``. User: ``goal`` its number, ``rest`` (B, S) slots
    still to be told or asked about, ``asked`` (B, S) open requests, ``history`` (B, S) what was told by either side
    before this turn as the user remembers it, ``satisfied`` the last offer met all constraints; act ``user_act`` with
    ``said`` (B, S). Tracker: ``known`` (B, S). System: act ``system_act`` (-1: none yet) with ``told`` (B, S) and the
    requested slot ``wanted`` (-1: none).
    """

    key: U64
    counter: U64
    turn: I32
    over: B8
    success: B8
    goal: I32
    rest: B8
    asked: B8
    history: I16
    satisfied: B8
    user_act: I8
    said: I16
    known: I16
    system_act: I8
    told: I16
    wanted: I8


def new_state(batch: int, slots: int) -> State:
    """Arrays for ``batch`` dialogues; meaningful after a seed and a reset."""

    def words() -> I16:
        return np.full((batch, slots), UNSAID, dtype=np.int16)

    def flags(*shape: int) -> B8:
        return np.zeros((batch, *shape), dtype=np.bool_)

    def small() -> I8:
        return np.zeros(batch, dtype=np.int8)

    return State(
        key=np.zeros(batch, dtype=np.uint64), counter=np.zeros(batch, dtype=np.uint64),
        turn=np.zeros(batch, dtype=np.int32), over=flags(), success=flags(), goal=np.zeros(batch, dtype=np.int32),
        rest=flags(slots), asked=flags(slots), history=words(), satisfied=flags(), user_act=small(), said=words(),
        known=words(), system_act=small(), told=words(), wanted=small(),
    )  # fmt: skip


def seed_rows(state: State, rows: NDArray[np.intp], seeds: Sequence[int]) -> None:
    """Restart the random streams of ``rows``; equal seeds give equal dialogues in any batch."""
    words = [np.random.SeedSequence(seed & 0xFFFFFFFFFFFFFFFF).generate_state(1, np.uint64)[0] for seed in seeds]
    state.key[rows] = np.array(words, dtype=np.uint64)
    state.counter[rows] = 0


@structref.register
class _TablesType(types.StructRef):
    """Numba's type of the constants."""


@structref.register
class _StateType(types.StructRef):
    """Numba's type of the dialogues' state."""


class _TablesStruct(structref.StructRefProxy):
    """The constants as compiled functions take them."""


class _StateStruct(structref.StructRefProxy):
    """The state as compiled functions take it."""


structref.define_proxy(_TablesStruct, _TablesType, list(Tables._fields))  # type: ignore[no-untyped-call]
structref.define_proxy(_StateStruct, _StateType, list(State._fields))  # type: ignore[no-untyped-call]


def tables_struct(tables: Tables) -> Tables:
    """The same constants as one struct, for compiled functions only."""
    return cast(Tables, _TablesStruct(*tables))  # type: ignore[no-untyped-call]


def state_struct(state: State) -> State:
    """The same arrays as one struct, for compiled functions only."""
    return cast(State, _StateStruct(*state))  # type: ignore[no-untyped-call]


@compiled
def pick_slot(s: State, i: int, slots: B8) -> int:
    """One of the True slots, uniformly; -1 when there is none."""
    count = 0
    for slot in range(len(slots)):
        count += int(slots[slot])
    if count == 0:
        return -1
    left = pick(s, i, count)
    for slot in range(len(slots)):
        if slots[slot]:
            if left == 0:
                return slot
            left -= 1
    return -1
