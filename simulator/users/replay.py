"""Recorded dialogues as sequences of (situation, what was said): the one view that fitting and judging share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from memory.dialogue import DONTCARE, DialogueAct
from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import KIND
from simulator.corpora.dialogues import NAME, CorpusDialogue, CorpusError, CorpusGoal, derived_goal
from simulator.users.situation import FLOW_LABELS, LABEL, Said, Situation

_KIND_ORDER = ("confirm_booking", "booked", "booking_failed", "offer_none", "confirm")
"""System acts that decide what a turn is, before requests, offers and answers are looked at."""


_SEEN = tuple(field.name for field in fields(Situation) if field.name != "last")


@dataclass(frozen=True, slots=True)
class Step:
    """The t-th user turn of those of N dialogues that have one.

    ``rows`` (B,) which dialogues; ``situation`` what these users saw, ``said`` what they did; ``changed`` (B, S)
    informs of another value than before; ``replaced`` (B, S) wishes whose first value nothing matches and whose
    second one has not been said; ``final`` (B,) the dialogue's last turn.
    """

    rows: IntArray
    situation: Situation
    said: Said
    changed: BoolArray
    replaced: BoolArray
    final: BoolArray


def corpus_ontology(dialogues: Sequence[CorpusDialogue], name: str = "corpus") -> Ontology:
    """The slots, values and attributes that ``dialogues`` speak of, with a made-up venue for every distinct goal.

    Every goal is thereby satisfiable, as in the recordings. CorpusError when no dialogue has a constraint.
    """
    goals = [effective_goal(dialogue) for dialogue in dialogues]
    slots = sorted({slot for goal in goals for slot in (*goal.constraints, *goal.first_choice) if slot != NAME})
    if not slots:
        raise CorpusError("the dialogues name no constraint: nothing can be fitted on them")
    values = {slot: _values(goals, slot) for slot in slots}
    requestable = sorted({name for goal in goals for name in goal.requests if name != NAME})
    opens = sorted({slot for goal in goals for slot in goal.details})
    rows = sorted({tuple(goal.constraints.get(slot, values[slot][0]) for slot in slots) for goal in goals})
    table = {slot: tuple(row[s] for row in rows) for s, slot in enumerate(slots)}
    names = tuple(f"venue {e + 1}" for e in range(len(rows)))
    for attribute in requestable:
        table.setdefault(attribute, tuple(f"{attribute} of {venue}" for venue in names))
    return Ontology(name, values, tuple(requestable), tuple(opens), {NAME: names, **table})


def _values(goals: Sequence[CorpusGoal], slot: str) -> tuple[str, ...]:
    found = {part[slot] for goal in goals for part in (goal.constraints, goal.first_choice) if slot in part}
    return tuple(sorted(found - {DONTCARE})) or ("some",)


def effective_goal(dialogue: CorpusDialogue) -> CorpusGoal:
    """The goal with whatever the user said beyond the annotation: users are judged by what they could have said."""
    goal = dialogue.goal
    shown = derived_goal(dialogue.turns, tuple(goal.details))
    known = {slot for slot in shown.constraints if slot != NAME}
    constraints = {**{slot: shown.constraints[slot] for slot in known}, **goal.constraints}
    return CorpusGoal(
        {slot: value for slot, value in constraints.items() if slot != NAME},
        tuple(dict.fromkeys((*goal.requests, *shown.requests))),
        goal.books or shown.books,
        goal.details,
        {slot: value for slot, value in {**shown.first_choice, **goal.first_choice}.items() if slot in constraints},
    )


class Replay:
    """N recorded dialogues, replayed side by side turn by turn with the users' goals and memories.

    Slots and attributes that ``ontology`` (default: the dialogues' own) does not have are left out.
    """

    def __init__(self, dialogues: Sequence[CorpusDialogue], ontology: Ontology | None = None) -> None:
        self.dialogues = [dialogue for dialogue in dialogues if dialogue.turns]
        self.ontology = ontology or corpus_ontology(dialogues)
        self.goals = [effective_goal(dialogue) for dialogue in self.dialogues]
        self.turns = np.array([len(dialogue.turns) for dialogue in self.dialogues], dtype=np.int32)

    def steps(self) -> Iterator[Step]:
        """Turn 0 of all dialogues, then turn 1 of those that have one, and so on."""
        memories = [_Memory(goal, self.ontology) for goal in self.goals]
        for t in range(int(self.turns.max(initial=0))):
            rows = np.flatnonzero(self.turns > t).astype(np.int32)
            seen = [memories[row].hear(self.dialogues[row].turns[t].system) for row in rows]
            said = [memories[row].speak(self.dialogues[row].turns[t].user) for row in rows]
            situation: Any = dict(zip(_SEEN, _columns([s[:-4] for s in seen]), strict=True))
            before, now = (Said(*_columns(part)) for part in ([s[-4:] for s in seen], [s[:4] for s in said]))
            changed, replaced = _columns([s[4:] for s in said])
            yield Step(rows, Situation(**situation, last=before), now, changed, replaced, self.turns[rows] == t + 1)


def _columns(rows: Sequence[Sequence[object]]) -> list[BoolArray]:
    return [np.array(column) for column in zip(*rows, strict=True)]


class _Memory:
    """One recorded user: the goal, and what happened so far, as flags over an ontology."""

    def __init__(self, goal: CorpusGoal, ontology: Ontology) -> None:
        self.goal, self.ontology = goal, ontology
        self.cares = np.array([slot in goal.constraints for slot in ontology.slots], dtype=np.bool_)
        self.requests = np.array([name in goal.requests for name in ontology.requestable], dtype=np.bool_)
        self.unfilled = self.requests.copy()
        self.said = np.zeros_like(self.cares)
        self.open_said = np.zeros(len(ontology.open_slots), dtype=np.bool_)
        self.told: dict[str, str] = {}
        self.turn = 0
        self.venue = self.offered_once = self.booked = False
        widths = (len(FLOW_LABELS), len(ontology.slots), len(ontology.requestable), len(ontology.open_slots))
        self.last = tuple(np.zeros(width, dtype=np.bool_) for width in widths)

    def hear(self, acts: Sequence[DialogueAct]) -> tuple[object, ...]:
        """The fields of a Situation after the system's ``acts``, those of its ``last`` side by side at the end."""
        types = {act.type for act in acts}
        answered = self._mark([act.slot for act in acts if act.type == "inform"], self.ontology.request_index)
        before = self.venue
        self.venue |= "offer" in types or bool(answered.any())
        self.venue &= "offer_none" not in types
        self.booked |= "booked" in types
        self.unfilled &= ~answered
        slots, opens = self.ontology.slot_index, self.ontology.open_index
        requested = [act.slot for act in acts if act.type == "request"]
        confirmed = [(act.slot, act.value) for act in acts if act.type == "confirm"]
        agrees = [slot for slot, value in confirmed if self.goal.constraints.get(str(slot)) == value]
        kind = KIND[self._kind(types, requested, known=before, told=bool(answered.any()))]
        seen = (
            np.int32(kind), np.int32(self.turn), self.cares, self.said.copy(), self._mark(requested, slots),
            self._mark(agrees, slots), self._mark([slot for slot, _ in confirmed if slot not in agrees], slots),
            self.requests, self.unfilled.copy(), answered, self.goal.books, self.booked, self.open_said.copy(),
            self._mark(requested, opens), self.venue, self.offered_once, *self.last,
        )  # fmt: skip
        self.offered_once |= "offer" in types
        return seen

    def _kind(self, types: set[str], requested: Sequence[str | None], *, known: bool, told: bool) -> str:
        """Which of SYSTEM_KINDS a system turn is; only one can be, so the most consequential act decides."""
        for kind in _KIND_ORDER:
            if kind in types:
                return kind
        if any(slot in self.ontology.open_index for slot in requested):
            return "request_open"
        if "offer" in types and not (known and told):
            return "offer"
        if told and known:
            return "answer"
        if any(slot in self.ontology.slot_index for slot in requested):
            return "request"
        if "inform" in types:
            return "offer"
        return "reqmore" if types & {"reqmore", "offer_booking", "request"} else "bye" if "bye" in types else "none"

    def speak(self, acts: Sequence[DialogueAct]) -> tuple[BoolArray, ...]:
        """The four fields of Said, then ``changed`` and ``replaced`` of a Step."""
        slots = self.ontology.slots
        waiting = [slot in self.goal.first_choice and self.told.get(slot) == self.goal.first_choice[slot]
                   for slot in slots]  # fmt: skip
        informs = {str(act.slot): str(act.value) for act in acts if act.type == "inform" and act.slot}
        wishes = {slot: value for slot, value in informs.items() if value != DONTCARE}
        flow = [LABEL[act.type] for act in acts if act.type in LABEL]
        flow += [LABEL["dontcare"]] * any(act.type == "inform" and act.value == DONTCARE for act in acts)
        flags = np.zeros(len(FLOW_LABELS), dtype=np.bool_)
        flags[flow] = True
        flags[LABEL["book"]] &= self.goal.books
        inform = self._mark([*wishes], self.ontology.slot_index) & self.cares
        request = self._mark([act.slot for act in acts if act.type == "request"], self.ontology.request_index)
        opened = self._mark([*informs], self.ontology.open_index) & self.goal.books
        changed = np.array([s in wishes and self.told.get(s, wishes[s]) != wishes[s] for s in slots], dtype=np.bool_)
        if flags[LABEL["reqalts"]] or changed.any():
            self.venue, self.unfilled = False, self.requests.copy()
        self.told |= wishes
        self.said |= inform
        self.open_said |= opened
        self.turn += 1
        self.last = (flags, inform, request, opened)
        return (*self.last, changed, np.array(waiting, dtype=np.bool_))

    @staticmethod
    def _mark(names: Sequence[str | None], index: dict[str, int]) -> BoolArray:
        flags = np.zeros(len(index), dtype=np.bool_)
        flags[[index[name] for name in names if name in index]] = True
        return flags
