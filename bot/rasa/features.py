"""How slots and messages appear in the states that policies decide from (Rasa's featurisation, by names)."""

from __future__ import annotations

from typing import Any

from bot.rasa.project import RasaDomain, Slot, StoryEntity
from memory.dialogue import NLUResult

OTHER = "__other__"
"""A value that a categorical slot doesn't list."""

SESSION_METADATA = "session_started_metadata"


def initial_slots(domain: RasaDomain) -> dict[str, Any]:
    """Every slot with its initial value, those included that Rasa adds by itself."""
    slots = {name: slot.initial_value for name, slot in domain.slots.items()}
    if domain.forms:
        slots.setdefault("requested_slot", None)
    slots.setdefault(SESSION_METADATA, None)
    return slots


def slot_feature(slot: Slot | None, value: Any) -> str | None:
    """What states say of a slot's value; None when it is not set or doesn't influence the conversation."""
    if slot is None or not slot.influence_conversation or value is None:
        return None
    match slot.type:
        case "text":
            return "set"
        case "list":
            return "set" if value else None
        case "bool":
            return "true" if _truth(value) else "false"
        case "categorical":
            folded = str(value).lower()
            return folded if folded in {known.lower() for known in slot.values} else OTHER
        case "float":
            return _number(slot, value)
        case "any":
            return None


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in ("true", "yes", "1", "1.0")
    return bool(value)


def _number(slot: Slot, value: Any) -> str | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return f"{min(max(number, slot.minimum), slot.maximum):g}"


def user_features(domain: RasaDomain, nlu: NLUResult) -> tuple[str | None, tuple[str, ...]]:
    """The intent (of a retrieval intent the part before the slash) and the names of entities that influence."""
    intent = nlu.intents[0][0].partition("/")[0] if nlu.intents else None
    if not nlu.entities:
        return intent, ()
    told = [StoryEntity(entity.name, entity.value, entity.role, entity.group) for entity in nlu.entities]
    return intent, entity_features(domain, intent, told)


def entity_features(domain: RasaDomain, intent: str | None, entities: list[StoryEntity]) -> tuple[str, ...]:
    """Sorted names: ``city``, with a role also ``city#to``, with a group also ``city##1``."""
    known = domain.intents.get(intent) if intent is not None else None
    wanted = known.entities if known is not None else None
    names: set[str] = set()
    for entity in entities:
        kind = domain.entities.get(entity.entity)
        if kind is not None and not kind.influence_conversation:
            continue
        if wanted is not None and entity.entity not in wanted:
            continue
        names.add(entity.entity)
        if entity.role:
            names.add(f"{entity.entity}#{entity.role}")
        if entity.group:
            names.add(f"{entity.entity}##{entity.group}")
    return tuple(sorted(names))
