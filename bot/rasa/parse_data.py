"""A message's understanding in Rasa's JSON and back: the ``parse_data`` of user events, ``/model/parse``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memory.dialogue import Entity, NLUResult


def parse_data(
    nlu: NLUResult, message_id: str | None = None, metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """``{intent, entities, text, message_id, metadata, intent_ranking}``."""
    ranking = [{"name": name, "confidence": float(confidence)} for name, confidence in nlu.intents]
    return {
        "intent": ranking[0] if ranking else {"name": None, "confidence": 0.0},
        "entities": [_entity_json(entity) for entity in nlu.entities],
        "text": nlu.text,
        "message_id": message_id,
        "metadata": dict(metadata or {}),
        "intent_ranking": ranking,
    }


def _entity_json(entity: Entity) -> dict[str, Any]:
    told: dict[str, Any] = {
        "entity": entity.name,
        "start": entity.start,
        "end": entity.end,
        "confidence_entity": float(entity.confidence),
        "value": entity.value,
        "extractor": entity.source,
    }
    if entity.role is not None:
        told["role"] = entity.role
    if entity.group is not None:
        told["group"] = entity.group
    return told


def nlu_from_parse_data(fields: Mapping[str, Any]) -> NLUResult:
    """The result that a user event's JSON tells (``text`` and ``parse_data``); what is missing there stays empty.

    Raises:
        ValueError: a part has another form; the message names it.
    """
    told = fields.get("parse_data") or {}
    if not isinstance(told, Mapping):
        raise ValueError("parse_data must be a mapping with intent and entities")
    text = told.get("text") or fields.get("text") or ""
    if not isinstance(text, str):
        raise ValueError("text must be a string")
    intents = _intents(told)
    return NLUResult(text=text, intents=intents, entities=_entities(told.get("entities") or []))


def _intents(told: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    best = told.get("intent")
    ranked = told.get("intent_ranking") or []
    if isinstance(best, str):
        best = {"name": best}
    if best is not None and not isinstance(best, Mapping):
        raise ValueError("parse_data.intent must be a mapping with name and confidence")
    if not isinstance(ranked, list) or not all(isinstance(entry, Mapping) for entry in ranked):
        raise ValueError("parse_data.intent_ranking must be a list of mappings with name and confidence")
    intents: dict[str, float] = {}
    for entry in (best, *ranked):
        name = entry.get("name") if entry else None
        if entry and name:
            intents.setdefault(str(name), _confidence(entry, "confidence"))
    return tuple(intents.items())


def _entities(told: Any) -> tuple[Entity, ...]:
    if not isinstance(told, list) or not all(isinstance(entry, Mapping) and entry.get("entity") for entry in told):
        raise ValueError("parse_data.entities must be a list of mappings with entity and value")
    return tuple(
        Entity(
            name=str(entry["entity"]),
            value=entry.get("value"),
            start=_offset(entry, "start"),
            end=_offset(entry, "end"),
            confidence=_confidence(entry, "confidence_entity"),
            source=str(entry.get("extractor") or ""),
            role=entry.get("role"),
            group=entry.get("group"),
        )
        for entry in told
    )


def _confidence(entry: Mapping[str, Any], key: str) -> float:
    value = entry.get(key)
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{key} must be a number, not {value!r}")
    return float(value)


def _offset(entry: Mapping[str, Any], key: str) -> int:
    value = entry.get(key)
    return value if isinstance(value, int) else 0
