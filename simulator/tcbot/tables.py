"""Task and settings compiled to arrays: the constants that the inner loops read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.jit import B8, I8, I16, I32
from simulator.tcbot.actions import ACTIONS
from simulator.tcbot.settings import SLOT_ERRORS, MovieSettings
from simulator.tcbot.task import MOVIE, PEOPLE, TASK_COMPLETE, TICKET, MovieTask, TaskError

UNSAID, NO_MATCH, ANY, AVAILABLE = -1, -2, -3, -4
"""Values that are no words: nothing told; no row of the table fits; the user doesn't mind; there are tickets."""
IN_GOAL, REQUESTED = 1, 2
"""What a slot is in a goal: a constraint, or asked about."""

I64 = NDArray[np.int64]


class Tables(NamedTuple):
    """Constants. S slots, V words over all slots, R rows, G goals, A actions.

    ``goal`` (G, S) constraint or UNSAID, ``role`` (G, S) 0, IN_GOAL or REQUESTED (the ticket always is);
    ``folded`` (V,) a word's representative regardless of case, ``row`` (R, S) words of the table, ``rows_with`` (S, V)
    how many rows have that folded word in the slot; ``word_start`` (S+1,) and ``words``: the dictionary's words of
    each slot; ``action_act``/``action_slot`` (A,), slot -1 for none. ``no_query`` (S,): no row is searched by these.
    """

    goal: I16
    role: I8
    folded: I16
    row: I16
    rows_with: I32
    word_start: I64
    words: I16
    action_act: I8
    action_slot: I8
    no_query: B8
    acts: int
    ticket: int
    complete: int
    movie: int
    request: int
    inform: int
    confirm_answer: int
    thanks: int
    deny: int
    closing: int
    max_turns: int
    success: float
    failure: float
    slot_error: float
    error_mode: int
    intent_error: float


def build_tables(task: MovieTask, settings: MovieSettings) -> tuple[Tables, tuple[str, ...]]:
    """The constants, and the words behind the value numbers; TaskError when an action's slot isn't among the slots."""
    words: dict[str, int] = {}

    def number(word: str) -> int:
        return words.setdefault(word, len(words))

    slots = {slot: index for index, slot in enumerate(task.slots)}
    goal = np.full((len(task.goals), len(slots)), UNSAID, dtype=np.int16)
    role = np.zeros(goal.shape, dtype=np.int8)
    for index, one in enumerate(task.goals):
        for slot, word in one.constraints.items():
            goal[index, slots[slot]], role[index, slots[slot]] = number(word), IN_GOAL
        for slot in (*one.requests, TICKET):
            role[index, slots[slot]] = REQUESTED
    row = np.full((len(task.table), len(slots)), UNSAID, dtype=np.int16)
    for index, showing in enumerate(task.table):
        for slot, word in showing.items():
            if slot in slots:
                row[index, slots[slot]] = number(word)
    listed = [[number(word) for word in task.dictionary.get(slot, ())] for slot in task.slots]
    folded = _fold(words)
    acts = {act: index for index, act in enumerate(task.acts)}
    rows_with = np.zeros((len(slots), len(words)), dtype=np.int32)
    for column in range(len(slots)):
        present = row[:, column] != UNSAID
        np.add.at(rows_with[column], folded[row[present, column]], 1)
    return Tables(
        goal=goal, role=role, folded=folded, row=row, rows_with=rows_with,
        word_start=np.cumsum([0, *map(len, listed)]),
        words=np.array([word for one in listed for word in one], dtype=np.int16),
        action_act=np.array([acts[act] for act, _ in ACTIONS], dtype=np.int8), action_slot=_action_slots(slots),
        no_query=np.array([slot in (TICKET, PEOPLE, TASK_COMPLETE, "closing") for slot in task.slots]),
        acts=len(acts), ticket=slots[TICKET], complete=slots[TASK_COMPLETE], movie=slots[MOVIE],
        request=acts["request"], inform=acts["inform"], confirm_answer=acts["confirm_answer"], thanks=acts["thanks"],
        deny=acts["deny"], closing=acts["closing"], max_turns=settings.system_turns,
        success=2.0 * settings.max_turn, failure=-1.0 * settings.max_turn, slot_error=settings.slot_error,
        error_mode=SLOT_ERRORS.index(settings.slot_error_mode), intent_error=settings.intent_error,
    ), tuple(words)  # fmt: skip


def _fold(words: dict[str, int]) -> I16:
    """(V,) each word's first spelling regardless of case."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(word.lower(), index) for word, index in words.items()], dtype=np.int16)


def _action_slots(slots: dict[str, int]) -> I8:
    for _, slot in ACTIONS:
        if slot and slot not in slots:
            raise TaskError(f"the slots lack {slot!r}, which the system can talk about: add a line with it")
    return np.array([slots[slot] if slot else -1 for _, slot in ACTIONS], dtype=np.int8)
