"""MultiWOZ 2.1, restaurant dialogues (Budzianowski et al. 2018; Eric et al. 2020; user acts of ConvLab-2)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from memory.dialogue import DONTCARE, DialogueAct
from simulator.corpora.dialogues import (
    NAME,
    CorpusDialogue,
    CorpusGoal,
    CorpusTurn,
    derived_goal,
    ends_well,
    misshapen,
    plain_value,
    read_json_lines,
)

OPEN_SLOTS = ("people", "day", "time")
_SLOTS = {
    "Food": "food", "Price": "pricerange", "Area": "area", "Name": NAME, "Phone": "phone", "Addr": "address",
    "Post": "postcode", "Time": "time", "Day": "day", "People": "people",
}  # fmt: skip
_USER_FLOW = {"general-thank": "thankyou", "general-bye": "bye", "general-greet": "hello"}


def multiwoz_dialogues(path: Path | str) -> list[CorpusDialogue]:
    """The dialogues of a MultiWOZ file (one a line) whose goal is a restaurant and nothing else.

    Goals and both sides' acts are annotated. ``Inform`` by the system with a name is an offer, ``NoOffer`` is
    ``offer_none``, ``Booking-Inform`` without a value offers to book. Yes, no and "anything else" of users are not
    annotated in this corpus: they are left out.
    """
    file = Path(path)
    dialogues = []
    for number, entry in read_json_lines(file):
        try:
            domains = {name for name, goal in entry["goal"].items() if goal and name not in ("message", "topic")}
            if domains == {"restaurant"}:
                dialogues.append(_dialogue(entry))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise misshapen(f"{file}:{number}", error) from None
    return dialogues


def _dialogue(entry: dict[str, Any]) -> CorpusDialogue:
    turns: list[CorpusTurn] = []
    system: tuple[DialogueAct, ...] = ()
    text = ""
    for position, line in enumerate(entry["log"]):
        acts = [(name, slot, value) for name, pairs in line["dialog_act"].items() for slot, value in pairs]
        if position % 2 == 0:
            turns.append(CorpusTurn(system, tuple(_user(acts)), text, str(line["text"])))
        else:
            system, text = tuple(_system(acts)), str(line["text"])
    return CorpusDialogue(f"multiwoz-{entry['dialogue_id']}", _goal(entry, turns), tuple(turns), ends_well(turns))


def _goal(entry: dict[str, Any], turns: list[CorpusTurn]) -> CorpusGoal:
    goal = entry["goal"]["restaurant"]
    info = {slot: plain_value(value) for slot, value in goal["info"].items() if slot != NAME}
    failed = {slot: plain_value(value) for slot, value in goal.get("fail_info", {}).items() if slot in info}
    booking = goal.get("book") or {}
    return CorpusGoal(
        {slot: value for slot, value in info.items() if value != DONTCARE},
        tuple(goal.get("reqt", ())),
        bool(booking),
        {slot: str(booking[slot]) for slot in OPEN_SLOTS if slot in booking},
        {slot: value for slot, value in failed.items() if value != info[slot]}
        or derived_goal(turns, OPEN_SLOTS).first_choice,
    )


def _user(acts: Iterable[tuple[str, str, str]]) -> Iterable[DialogueAct]:
    for name, slot, value in acts:
        domain, kind = name.split("-")
        if name in _USER_FLOW:
            yield DialogueAct(_USER_FLOW[name])
        elif domain in ("Restaurant", "Booking") and slot in _SLOTS:
            if kind == "Request":
                yield DialogueAct("request", _SLOTS[slot])
            elif kind == "Inform":
                yield DialogueAct("inform", _SLOTS[slot], plain_value(value))


def _system(acts: Iterable[tuple[str, str, str]]) -> Iterable[DialogueAct]:
    for name, slot, value in acts:
        slot = _SLOTS.get(slot, slot)
        match name.split("-"):
            case ["Restaurant", "NoOffer"]:
                yield DialogueAct("offer_none")
            case ["Restaurant", "Inform" | "Recommend" | "Select"] if slot == NAME:
                yield DialogueAct("offer", NAME, plain_value(value))
            case ["Restaurant", "Inform" | "Recommend"] if slot in _SLOTS.values():
                yield DialogueAct("inform", slot, plain_value(value))
            case ["Restaurant" | "Booking", "Request"] if slot in _SLOTS.values():
                yield DialogueAct("request", slot)
            case ["Booking", "Book"]:
                yield DialogueAct("booked")
            case ["Booking", "NoBook"]:
                yield DialogueAct("booking_failed")
            case ["Booking", "Inform"]:
                yield DialogueAct("offer_booking")
            case ["general", "reqmore"]:
                yield DialogueAct("reqmore")
            case ["general", "bye"]:
                yield DialogueAct("bye")
