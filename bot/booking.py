"""What a booking must satisfy before it is made, and its reference number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from bot.assistant import Assistant
from bot.hours import is_open
from memory.conversation import Conversation
from memory.dialogue import SystemAct
from memory.events import Booked
from policies.matching import ACCEPT

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without the letters and digits that people mix up on the phone."""


def checked(assistant: Assistant, act: SystemAct, state: Conversation, timestamp: float) -> SystemAct:
    """``act``, or ``booking_failed`` with the open slot whose value makes the booking impossible.

    What can't be booked is said as soon as it is known, not after everything else was asked.
    """
    if act.kind not in ("request_open", "confirm_booking", "booked") or act.entity is None:
        return act
    ontology, confidence = assistant.ontology, state.belief.open_confidence[0]
    known = {s: v for s, v in details(assistant, state).items() if confidence[ontology.open_index[s]] > ACCEPT}
    people = known.get("people", "")
    if people and not (people.isdecimal() and 1 <= int(people[:9]) <= assistant.task.party_limit):
        return replace(act, kind="booking_failed", slot="people")
    hours = ontology.entities.get("hours")
    today = datetime.fromtimestamp(timestamp, UTC).date()
    if hours and {"day", "time"} <= known.keys():
        row = ontology.entity_index[act.entity.lower()]
        if not is_open(hours[row], known["day"], known["time"], today):
            return replace(act, kind="booking_failed", slot="time")
    return act


def details(assistant: Assistant, state: Conversation) -> dict[str, str]:
    """Open slot -> value, as far as known."""
    values = {slot: state.open_value(assistant.ontology, slot) for slot in assistant.ontology.open_slots}
    return {slot: value for slot, value in values.items() if value is not None}


def booked(
    assistant: Assistant, act: SystemAct, state: Conversation, timestamp: float, rng: np.random.Generator
) -> Booked:
    """The booking as an event; its reference is drawn from the turn's generator, so a re-run gives the same one."""
    reference = "".join(_ALPHABET[i] for i in rng.integers(len(_ALPHABET), size=8))
    return Booked(timestamp, reference, act.entity or "", details(assistant, state))
