"""How messages fill slots: the slot mappings of the domain, as Rasa's ``action_extract_slots`` applies them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bot.rasa.conversation import REQUESTED, RasaConversation, UserTurn
from bot.rasa.features import SESSION_METADATA
from bot.rasa.project import RasaDomain, Slot, SlotMapping
from memory.dialogue import Entity

_BUILT_IN = frozenset({REQUESTED, SESSION_METADATA})


def entity_slots(domain: RasaDomain, entities: Iterable[Entity]) -> list[tuple[str, Any]]:
    """The slots that a story's entities fill: ``from_entity`` mappings without conditions."""
    entities = tuple(entities)
    if not entities or not domain.store_entities_as_slots:
        return []
    filled = []
    for slot in domain.slots.values():
        mappings = [m for m in slot.mappings if m.type == "from_entity" and not m.conditions]
        values = [value for mapping in mappings for value in _entity_values(mapping, entities)]
        if values:
            filled.append((slot.name, values if slot.type == "list" else values[-1]))
    return filled


def extracted_slots(domain: RasaDomain, state: RasaConversation) -> list[tuple[str, Any]]:
    """The slots that the latest message fills, in the domain's order; the first mapping that gives a value wins.

    Custom mappings give nothing here: their actions are run by the engine (``custom_mappings``).
    """
    turn = state.latest
    if turn is None:
        return []
    filled = []
    for slot in domain.slots.values():
        if slot.name in _BUILT_IN:
            continue
        for mapping in slot.mappings:
            values = _values(domain, state, turn, slot, mapping)
            if values:
                filled.append((slot.name, values if slot.type == "list" else values[-1]))
                break
    return filled


def custom_mappings(domain: RasaDomain, state: RasaConversation) -> list[str]:
    """The actions of custom mappings that apply to the latest message, each once."""
    actions: dict[str, None] = {}
    for slot in domain.slots.values():
        for mapping in slot.mappings:
            if mapping.type == "custom" and mapping.action and _applies(domain, state, slot, mapping):
                actions[mapping.action] = None
    return list(actions)


def _values(domain: RasaDomain, state: RasaConversation, turn: UserTurn, slot: Slot, mapping: SlotMapping) -> list[Any]:
    if not _applies(domain, state, slot, mapping):
        return []
    match mapping.type:
        case "from_entity":
            return [] if _ambiguous(domain, state, slot, mapping) else _entity_values(mapping, turn.nlu.entities)
        case "from_text":
            return [turn.nlu.text] if turn.nlu.text else []
        case "from_intent":
            return [mapping.value]
        case "from_trigger_intent":
            running = state.active_loop is not None and state.active_loop in {c.active_loop for c in mapping.conditions}
            return [] if running else [mapping.value]
        case "custom":
            return []


def _entity_values(mapping: SlotMapping, entities: Iterable[Entity]) -> list[Any]:
    return [
        entity.value
        for entity in entities
        if entity.name == mapping.entity
        and (mapping.role is None or entity.role == mapping.role)
        and (mapping.group is None or entity.group == mapping.group)
    ]


def _applies(domain: RasaDomain, state: RasaConversation, slot: Slot, mapping: SlotMapping) -> bool:
    """Whether intent and conditions are the mapping's."""
    intent = state.latest.intent if state.latest else None
    if mapping.intents:
        if intent not in mapping.intents:
            return False
    elif intent in mapping.not_intents or _ignored(domain, state, mapping, intent):
        return False
    return mapping.type == "from_trigger_intent" or _conditions_hold(state, slot, mapping)


def _ignored(domain: RasaDomain, state: RasaConversation, mapping: SlotMapping, intent: str | None) -> bool:
    """Whether the running form doesn't read messages of this intent."""
    form = domain.forms.get(state.active_loop) if state.active_loop else None
    if form is None:
        return False
    if mapping.conditions and all(condition.active_loop != form.name for condition in mapping.conditions):
        return False
    return "*" in form.ignored_intents or intent in form.ignored_intents


def _conditions_hold(state: RasaConversation, slot: Slot, mapping: SlotMapping) -> bool:
    if not mapping.conditions:
        return True
    if state.active_loop is not None and state.loop_rejected and state.requested_slot == slot.name:
        return False
    return any(
        condition.active_loop == state.active_loop
        and (state.active_loop is None or condition.requested_slot in (None, state.requested_slot))
        for condition in mapping.conditions
    )


def _ambiguous(domain: RasaDomain, state: RasaConversation, slot: Slot, mapping: SlotMapping) -> bool:
    """Whether the entity could fill several slots of the running form: then only the one that was asked for."""
    form = domain.forms.get(state.active_loop) if state.active_loop else None
    if form is None or state.requested_slot == slot.name or slot.name not in form.required_slots:
        return False
    wanted = (mapping.entity, mapping.role, mapping.group)
    others = (domain.slots[name] for name in form.required_slots if name != slot.name and name in domain.slots)
    return any(
        other.type == "from_entity" and (other.entity, other.role, other.group) == wanted
        for each in others
        for other in each.mappings
    )
