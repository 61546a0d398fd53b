"""One dialogue's acts by names, for people to read."""

from __future__ import annotations

from simulator.pydial.dialogues import BenchmarkDialogues
from simulator.pydial.domain import DONTCARE
from simulator.pydial.state import NAME_NONE
from simulator.pydial.tables import S_BYE, S_INFORM, USER_ACTS

SYSTEM_ACTS = ("hello", "request", "confirm", "select", "inform", "reqmore", "bye", "null")


def _item(dialogues: BenchmarkDialogues, slot: int, value: int) -> str:
    tables, domain = dialogues.tables, dialogues.domain
    if slot == tables.type_slot:
        return "type"
    inform = -1 if slot < 0 else int(tables.inform_of[slot])
    name = "" if slot < 0 else domain.slots[slot]
    if slot < 0:
        return f"={DONTCARE}"
    if value < 0 or inform < 0:
        return name
    return f'{name}="{dialogues.value_name(inform, value)}"'


def user_line(dialogues: BenchmarkDialogues, row: int = 0) -> str:
    """What the user of ``row`` really said, e.g. ``user: inform(food="thai")``; "" after a system's goodbye."""
    state = dialogues.state
    if state.over[row] and state.system_act[row] == S_BYE:
        return ""
    count = int(state.user_items[row])
    pairs = zip(state.user_slot[row, :count], state.user_value[row, :count], strict=True)
    items = ",".join(_item(dialogues, int(slot), int(value)) for slot, value in pairs)
    return f"user: {USER_ACTS[state.user_act[row]]}({items})"


def system_line(dialogues: BenchmarkDialogues, row: int = 0) -> str:
    """The system's last act, e.g. ``system: inform(name="x",area="north")``."""
    state, tables = dialogues.state, dialogues.tables
    act = int(state.system_act[row])
    if act == S_INFORM:
        offer = int(state.offer[row])
        name = "none" if offer == NAME_NONE else dialogues.value_name(tables.name, offer)
        parts = [f'name="{name}"'] + (["no others"] if state.exhausted[row] else [])
        count = int(state.told[row])
        pairs = zip(state.told_slot[row, :count], state.told_value[row, :count], strict=True)
        parts += [_item(dialogues, int(slot), int(value)) for slot, value in pairs]
    else:
        about = int(state.about[row])
        values = [int(v) for v in (state.first[row], state.second[row]) if v >= 0]
        parts = [_item(dialogues, about, value) for value in values or [-1]] if about >= 0 else []
    return f"system: {SYSTEM_ACTS[act]}({','.join(parts)})"
