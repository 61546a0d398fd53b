"""Forms, those of format 2 with their slot mappings included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bot.assistant_yaml import AssistantError, YamlList, YamlMap, describe
from bot.rasa.project import Form
from bot.rasa.reading.files import Notes

FormMappings = dict[str, list[YamlMap]]
"""Slot mappings that forms of format 2 hold: slot -> mappings as format 3 has them, conditions included."""


def read_forms(
    entries: Iterable[tuple[YamlMap | YamlList, str, Any, int]], notes: Notes
) -> tuple[dict[str, Form], FormMappings]:
    """Forms by name from (file, name, settings, line); AssistantError names what is wrong with one."""
    forms: dict[str, Form] = {}
    mappings: FormMappings = {}
    for owner, name, body, line in entries:
        if body is None:
            notes.add(owner.file, line, f"form {name!r} names no slots", "its slots come from validate_" + name)
            forms[name] = Form(name, ())
            continue
        old = "required_slots" not in body or isinstance(body["required_slots"], YamlMap)
        if not old:
            body.only(("required_slots", "ignored_intents"))
            slots = body.take("required_slots", "list").texts("required slots")
        else:
            slots = _old_slots(name, body, mappings, notes)
        forms[name] = Form(name, tuple(dict.fromkeys(slots)), _ignored(body))
    return forms, mappings


def _ignored(body: YamlMap) -> tuple[str, ...]:
    value = body.get("ignored_intents")
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) else body.take("ignored_intents", "list").texts("ignored intents")
    return tuple(names)


def _old_slots(form: str, body: YamlMap, mappings: FormMappings, notes: Notes) -> tuple[str, ...]:
    """The slots of a form of format 2, `slot: [mapping, ...]`, whose mappings are gathered in ``mappings``."""
    slots = body.get("required_slots", body)
    if slots is None:
        return ()
    if not isinstance(slots, YamlMap):
        raise body.error("required_slots", f"'required_slots' is {describe(slots)}", "Write `- slot` lines")
    found = []
    for slot, rules in slots.items():
        if slot in ("ignored_intents", "required_slots"):
            continue
        if not isinstance(rules, YamlList):
            problem = f"form {form!r}: {slot!r} is {describe(rules)}"
            raise AssistantError(slots.file, slots.lines[slot], problem, "Write `required_slots:` and `- slot` lines")
        notes.add(slots.file, slots.lines[slot], f"slot mappings in form {form!r} (format 2)", "read as the slot's own")
        mappings.setdefault(slot, []).extend(_moved(form, slot, rule) for rule in rules.maps("slot mappings"))
        found.append(slot)
    return tuple(found)


def _moved(form: str, slot: str, rule: YamlMap) -> YamlMap:
    """A form's mapping as the slot's own: in this form, and what isn't from an entity only while the slot is asked."""
    moved = YamlMap(rule.file, rule.line)
    condition = YamlMap(rule.file, rule.line)
    condition["active_loop"] = form
    if rule.get("type") in ("from_text", "from_intent"):
        condition["requested_slot"] = slot
    conditions = YamlList(rule.file, rule.line)
    conditions.append(condition)
    conditions.lines.append(rule.line)
    for key, value in [*rule.items(), ("conditions", conditions)]:
        moved[key] = value
        moved.lines[key] = rule.lines.get(key, rule.line)
    return moved
