"""Our own conversation log as a corpus: what real people did with the served bot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from memory.dialogue import DialogueAct, NLUResult, SystemAct
from memory.events import Booked, Decided, Event, HandedOff, UserUttered
from memory.store import SqliteStore
from simulator.corpora.dialogues import NAME, CorpusDialogue, CorpusError, CorpusTurn, derived_goal, ends_well

SURE = 0.5
"""Acts of the NLU count from this probability on."""

EVERY = 2**31

_KINDS = {
    "offer_none": "offer_none", "alternative_none": "offer_none", "confirm_booking": "confirm_booking",
    "booked": "booked", "booking_failed": "booking_failed", "reqmore": "reqmore", "bye": "bye",
}  # fmt: skip


def log_dialogues(path: Path | str) -> list[CorpusDialogue]:
    """Every conversation of an event log (the SQLite file of ``rejoinder serve``), oldest first.

    User acts are what the NLU understood at the time with probability 0.5 or more: its errors are in them. System
    acts are the logged decisions. Goals are what a conversation reveals; open slots are those the system ever asked
    for as a booking detail. ``completed``: a booking was made or nothing was wanted in the last turn, and nobody
    had to take over.
    """
    file = Path(path)
    if not file.is_file():
        raise CorpusError(f"{file}: no such event log; give the conversations.db of a served assistant")
    store = SqliteStore(file)
    try:
        summaries = store.conversations(EVERY)
        recorded = [(summary.id, store.load(summary.id)) for summary in reversed(summaries)]
    finally:
        store.close()
    open_slots = {
        event.system.slot
        for _, events in recorded
        for event in events
        if isinstance(event, Decided) and event.system is not None and event.system.kind == "request_open"
    }
    return [_dialogue(name, events, [slot for slot in open_slots if slot]) for name, events in recorded]


def _dialogue(name: str, events: Iterable[Event], open_slots: list[str]) -> CorpusDialogue:
    turns: list[CorpusTurn] = []
    system: tuple[DialogueAct, ...] = ()
    booked = handed_off = False
    for event in events:
        if isinstance(event, UserUttered):
            turns.append(CorpusTurn(system, _user(event.nlu), user_text=event.text))
            system = ()
        elif isinstance(event, Decided) and event.system is not None:
            system = system_acts_of(event.system)
        booked |= isinstance(event, Booked)
        handed_off |= isinstance(event, HandedOff)
    goal = derived_goal(turns, open_slots)
    return CorpusDialogue(f"log-{name}", goal, tuple(turns), (booked or ends_well(turns)) and not handed_off)


def _user(nlu: NLUResult) -> tuple[DialogueAct, ...]:
    best: dict[str, DialogueAct] = {}
    for scored in sorted(nlu.acts, key=lambda s: s.confidence):
        if scored.confidence >= SURE:
            act = scored.act
            best[f"{act.type} {act.slot}"] = act
    return tuple(best.values())


def system_acts_of(act: SystemAct) -> tuple[DialogueAct, ...]:
    """One of our own system turns in the words of a corpus."""
    told = tuple(DialogueAct("inform", attribute) for attribute in act.answered)
    match act.kind:
        case "request" | "request_open":
            return (*told, DialogueAct("request", act.slot))
        case "confirm" | "select":
            return (DialogueAct("confirm", act.slot, act.value),)
        case "offer" | "alternative":
            return (DialogueAct("offer", NAME, act.entity), *told)
        case kind if kind in _KINDS:
            return (*told, DialogueAct(_KINDS[kind]))
        case _:
            return told
