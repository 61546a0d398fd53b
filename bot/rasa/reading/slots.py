"""Slots and how messages fill them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from bot.assistant_yaml import YamlMap, describe, did_you_mean
from bot.rasa.project import Condition, MappingType, Slot, SlotMapping, SlotType
from bot.rasa.reading.files import Notes, check_known, plain
from bot.rasa.reading.forms import FormMappings

TYPES: tuple[SlotType, ...] = get_args(SlotType)
MAPPING_TYPES: tuple[MappingType, ...] = get_args(MappingType)
_CLASSES: dict[str, SlotType] = {
    "TextSlot": "text", "BooleanSlot": "bool", "CategoricalSlot": "categorical", "FloatSlot": "float",
    "ListSlot": "list", "AnySlot": "any",
}  # fmt: skip
_OLD_TYPES = ("unfeaturized", "dict")
_KEYS = (
    "type", "influence_conversation", "initial_value", "values", "min_value", "max_value", "mappings", "auto_fill",
    "value_reset_delay", "validation", "description",
)  # fmt: skip


def read_slots(
    entries: Mapping[str, tuple[YamlMap, Any]],
    entities: Collection[str],
    moved: FormMappings,
    notes: Notes,
    *,
    old: bool = False,
) -> dict[str, Slot]:
    """Slots by name; ``moved`` are the mappings of format 2's forms. AssistantError for a slot without type etc.

    ``old``: in format 2 a slot is filled from the entity of its name unless it says `auto_fill: false`.
    """
    slots: dict[str, Slot] = {}
    for name, (owner, body) in entries.items():
        if body is None or (isinstance(body, YamlMap) and body.get("type") is None):
            raise owner.error(name, f"slot {name!r} has no type", f"Add `type:`, one of {', '.join(TYPES)}")
        if not isinstance(body, YamlMap):
            raise owner.error(name, f"slot {name!r} is {describe(body)}", "Write its settings: `type: text`")
        check_known(body, _KEYS, notes)
        slot = _slot(name, body, entities, moved.get(name, []), notes)
        if old and name in entities and not slot.mappings and body.get("auto_fill", True):
            notes.add(
                body.file, owner.lines[name], f"slot {name!r} without mappings (format 2)", "filled from its entity"
            )
            slot = replace(slot, mappings=(SlotMapping("from_entity", entity=name),))
        slots[name] = slot
    for name, mappings in moved.items():
        if name not in slots:
            raise mappings[0].error("type", f"a form fills the unknown slot {name!r}", did_you_mean(name, slots))
    return slots


def _slot(name: str, body: YamlMap, entities: Collection[str], moved: list[YamlMap], notes: Notes) -> Slot:
    kind = _type(name, body, notes)
    unfeaturized = body.get("type") in _OLD_TYPES
    mappings = [_mapping(name, rule, entities, notes) for rule in [*_rules(name, body), *moved]]
    return Slot(
        name,
        kind,
        influence_conversation=kind != "any" and not unfeaturized and bool(body.get("influence_conversation", True)),
        initial_value=_initial(body, kind),
        values=_values(name, body, notes) if kind == "categorical" else (),
        minimum=_bound(body, "min_value", 0.0),
        maximum=_bound(body, "max_value", 1.0),
        mappings=tuple(mappings),
    )


def _type(name: str, body: YamlMap, notes: Notes) -> SlotType:
    text = body.take("type", "str")
    if text in TYPES:
        return cast(SlotType, text)
    if text in _OLD_TYPES:
        notes.add(body.file, body.lines["type"], f"slot type {text!r} (format 2)", "read as `any`, without influence")
        return "any"
    if "." in text:
        known = _CLASSES.get(text.rsplit(".", maxsplit=1)[1])
        if known is None or not text.startswith("rasa."):
            notes.add(body.file, body.lines["type"], f"slot type {text!r}", "treated as `any`: it holds any value")
        return known or "any"
    raise body.error("type", f"slot {name!r} has the unknown type {text!r}", did_you_mean(text, TYPES))


def _initial(body: YamlMap, kind: SlotType) -> Any:
    value = body.get("initial_value")
    return (
        str(value)
        if kind == "text" and isinstance(value, int | float) and not isinstance(value, bool)
        else plain(value)
    )


def _values(name: str, body: YamlMap, notes: Notes) -> tuple[str, ...]:
    """A categorical slot's values as Rasa compares them, in lower case."""
    if not body.get("values"):
        notes.add(body.file, body.line, f"the categorical slot {name!r} has no values", "all its values count as other")
        return ()
    return tuple(dict.fromkeys(str(value).lower() for value in body.take("values", "list")))


def _bound(body: YamlMap, key: str, default: float) -> float:
    return float(body.take(key, "number", default, required=False))


def _rules(name: str, body: YamlMap) -> list[YamlMap]:
    value = body.get("mappings")
    if value is None:
        return []
    rules: list[YamlMap] = body.take("mappings", "list").maps(f"mappings of slot {name!r}")
    return rules


def _mapping(slot: str, rule: YamlMap, entities: Collection[str], notes: Notes) -> SlotMapping:
    if rule.get("type") is None:
        raise rule.error("type", f"a mapping of slot {slot!r} has no type", f"Add one of {', '.join(MAPPING_TYPES)}")
    kind = rule.take("type", "str")
    if kind not in MAPPING_TYPES:
        raise rule.error("type", f"unknown mapping {kind!r}", did_you_mean(kind, MAPPING_TYPES))
    rule.only(("type", "entity", "role", "group", "intent", "not_intent", "value", "action", "conditions"))
    entity = rule.take("entity", "str", None, required=kind == "from_entity")
    if kind == "from_entity" and entity is not None and entity not in entities:
        what = f"slot {slot!r} is filled from the unknown entity {entity!r}"
        notes.add(
            rule.file, rule.lines["entity"], what, f"this mapping never fills it. {did_you_mean(entity, entities)}"
        )
    if kind in ("from_intent", "from_trigger_intent") and "value" not in rule:
        raise rule.error("type", f"the {kind} mapping of slot {slot!r} has no value", "Add `value:`")
    return SlotMapping(
        cast(MappingType, kind),
        entity=entity,
        role=_text(rule, "role"),
        group=_text(rule, "group"),
        intents=_names(rule, "intent"),
        not_intents=_names(rule, "not_intent"),
        value=rule.get("value"),
        action=_text(rule, "action"),
        conditions=_conditions(rule),
    )


def _text(rule: YamlMap, key: str) -> str | None:
    value: str | None = rule.take(key, "str", required=False) if rule.get(key) is not None else None
    return value


def _names(rule: YamlMap, key: str) -> tuple[str, ...]:
    value = rule.get(key)
    if value is None or value == "None":
        return ()
    names: tuple[str, ...] = (value,) if isinstance(value, str) else rule.take(key, "list").texts("intents")
    return names


def _conditions(rule: YamlMap) -> tuple[Condition, ...]:
    if rule.get("conditions") is None:
        return ()
    found = []
    for condition in rule.take("conditions", "list").maps("conditions"):
        condition.only(("active_loop", "requested_slot"))
        if "active_loop" not in condition:
            raise condition.error(None, "a condition without active_loop", "Add `active_loop: form` or `null`")
        found.append(Condition(_text(condition, "active_loop"), _text(condition, "requested_slot")))
    return tuple(found)
