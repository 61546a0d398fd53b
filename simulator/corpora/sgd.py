"""Schema-Guided Dialogue: dialogues with one service (Rastogi et al. 2020, arXiv:1909.05855)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory.dialogue import DONTCARE, DialogueAct
from simulator.corpora.dialogues import (
    NAME,
    CorpusDialogue,
    CorpusError,
    CorpusTurn,
    derived_goal,
    ends_well,
    misshapen,
    plain_value,
    read_json,
    read_json_lines,
)

_SLOTS = {
    "cuisine": "food", "price_range": "pricerange", "phone_number": "phone", "street_address": "address",
    "party_size": "people", "date": "day", "restaurant_name": NAME,
}  # fmt: skip
_FLOW = {"AFFIRM": "affirm", "NEGATE": "negate", "THANK_YOU": "thankyou", "GOODBYE": "bye", "REQUEST_ALTS": "reqalts",
         "SELECT": "ack", "NEGATE_INTENT": "negate"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Service:
    """What a schema says of its service: the transactions, their own (open) slots, and the slot that names results."""

    transactions: frozenset[str]
    open_slots: frozenset[str]
    key: str

    @classmethod
    def of(cls, schema: dict[str, Any]) -> _Service:
        """Open slots are needed by a transaction but by no search; the first result slot ``*_name`` is the key."""
        intents = schema["intents"]
        search = {s for i in intents if not i["is_transactional"] for s in (*i["required_slots"], *i["optional_slots"])}
        booking = {s for i in intents if i["is_transactional"] for s in (*i["required_slots"], *i["optional_slots"])}
        named = [slot["name"] for slot in schema["slots"] if slot["name"].endswith(("_name", "_title"))]
        key = named[0] if named else ""
        return cls(
            frozenset(i["name"] for i in intents if i["is_transactional"]),
            frozenset(_SLOTS.get(slot, slot) for slot in booking - search - {key}),
            key,
        )

    def slot(self, name: str) -> str:
        """The common name of a slot."""
        return NAME if name == self.key else _SLOTS.get(name, name)


def sgd_dialogues(path: Path | str) -> list[CorpusDialogue]:
    """A file of single-service dialogues (one a line) in the common form; ``schema.json`` must lie beside it.

    Both sides' acts are annotated. A transaction's intent (by the user or agreed to) is ``book``; ``CONFIRM`` asks to
    confirm a booking, or a single value when no transaction is under way; ``NOTIFY_FAILURE`` is a failed booking
    during a transaction, else ``offer_none``. Goals are what the dialogue reveals. Common slots are renamed
    (cuisine -> food, price_range -> pricerange, phone_number -> phone, ...).
    """
    file = Path(path)
    services = _services(file.parent)
    dialogues = []
    for number, entry in read_json_lines(file):
        try:
            name = entry["services"][0]
            if name not in services:
                raise CorpusError(f"{file}:{number}: service {name!r} is not in the schema beside the file")
            dialogues.append(_dialogue(entry, services[name]))
        except CorpusError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise misshapen(f"{file}:{number}", error) from None
    return dialogues


def _services(folder: Path) -> dict[str, _Service]:
    for schema in (folder / "schema.json", folder / "schema.json.xz"):
        if schema.exists():
            try:
                return {service["service_name"]: _Service.of(service) for service in read_json(schema)}
            except (KeyError, TypeError) as error:
                raise misshapen(str(schema), error) from None
    raise CorpusError(f"{folder}: no schema.json or schema.json.xz beside the dialogues; put the corpus's there")


def _dialogue(entry: dict[str, Any], service: _Service) -> CorpusDialogue:
    turns: list[CorpusTurn] = []
    system: tuple[DialogueAct, ...] = ()
    text, booking = "", False
    for turn in entry["turns"]:
        actions = [action for frame in turn["frames"] for action in frame["actions"]]
        if turn["speaker"] == "USER":
            acts = tuple(_user(actions, service))
            booking = any(
                frame.get("state", {}).get("active_intent") in service.transactions for frame in turn["frames"]
            )
            turns.append(CorpusTurn(system, acts, text, str(turn["utterance"])))
        else:
            system = tuple(dict.fromkeys(_system(actions, service, booking=booking)))
            text = str(turn["utterance"])
    goal = derived_goal(turns, tuple(service.open_slots))
    return CorpusDialogue(f"sgd-{entry['dialogue_id']}", goal, tuple(turns), ends_well(turns))


def _user(actions: Iterable[dict[str, Any]], service: _Service) -> Iterable[DialogueAct]:
    for action in actions:
        kind, slot = action["act"], service.slot(action["slot"])
        if kind in _FLOW:
            yield DialogueAct(_FLOW[kind])
        elif kind == "INFORM":
            value = plain_value(action["canonical_values"][0] if action.get("canonical_values") else DONTCARE)
            yield DialogueAct("inform", slot, value)
        elif kind == "REQUEST":
            yield DialogueAct("request", slot)
        elif kind == "AFFIRM_INTENT":
            yield DialogueAct("affirm")
            yield DialogueAct("book")
        elif kind == "INFORM_INTENT" and action["canonical_values"][0] in service.transactions:
            yield DialogueAct("book")


def _system(actions: Iterable[dict[str, Any]], service: _Service, *, booking: bool) -> Iterable[DialogueAct]:
    for action in actions:
        slot = service.slot(action["slot"])
        value = plain_value(action["canonical_values"][0]) if action.get("canonical_values") else None
        match action["act"]:
            case "REQUEST":
                yield DialogueAct("request", slot)
            case "OFFER":
                yield DialogueAct("offer" if slot == NAME or not service.key else "inform", slot, value)
            case "INFORM":
                yield DialogueAct("inform", slot, value)
            case "CONFIRM":
                yield DialogueAct("confirm_booking") if booking else DialogueAct("confirm", slot, value)
            case "NOTIFY_SUCCESS":
                yield DialogueAct("booked")
            case "NOTIFY_FAILURE":
                yield DialogueAct("booking_failed" if booking else "offer_none")
            case "OFFER_INTENT":
                yield DialogueAct("offer_booking")
            case "REQ_MORE":
                yield DialogueAct("reqmore")
            case "GOODBYE":
                yield DialogueAct("bye")
