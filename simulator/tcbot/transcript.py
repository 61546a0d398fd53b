"""One dialogue's acts by names, for people to read."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.tables import ANY, AVAILABLE, NO_MATCH, UNSAID

_VALUES = {ANY: "any", AVAILABLE: "available", NO_MATCH: "no match"}


def _items(dialogues: MovieDialogues, values: Iterable[int]) -> list[str]:
    pairs = zip(dialogues.task.slots, map(int, values), strict=True)
    return [f'{slot}="{_VALUES.get(v) or dialogues.words[v]}"' for slot, v in pairs if v != UNSAID]


def user_line(dialogues: MovieDialogues, row: int = 0) -> str:
    """The user's last act, e.g. ``user: request(moviename="deadpool",theater)``."""
    state, slots = dialogues.state, dialogues.task.slots
    asked = [slot for slot, open_request in zip(slots, state.asked[row], strict=True) if open_request]
    act = dialogues.task.acts[state.user_act[row]]
    return f"user: {act}({','.join([*_items(dialogues, state.said[row]), *asked])})"


def system_line(dialogues: MovieDialogues, row: int = 0) -> str:
    """The system's last act, e.g. ``system: inform(theater="carmike summit 16")``."""
    state, task = dialogues.state, dialogues.task
    wanted = [task.slots[state.wanted[row]]] if state.wanted[row] >= 0 else []
    return f"system: {task.acts[state.system_act[row]]}({','.join([*_items(dialogues, state.told[row]), *wanted])})"
