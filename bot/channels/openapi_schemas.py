"""JSON Schemas of what the API's operations take: query, body, and the kinds of their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

JSON = "application/json"
YAML = "application/x-yaml"

IDENTIFIER: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]+$",
}
"""What ``bot.wire.check_id`` lets pass."""
FAILURE: Schema = {
    "type": "object",
    "required": ["version", "status", "message", "reason", "details", "help", "code"],
    "properties": {
        "version": {"type": "string"},
        "status": {"const": "failure"},
        "message": {"type": "string"},
        "reason": {"type": "string"},
        "details": {"type": "object"},
        "help": {"type": ["string", "null"]},
        "code": {"type": "integer"},
    },
}
"""Rasa's error body."""

_ID: dict[str, Any] = {**IDENTIFIER}
_OPTIONAL_ID: dict[str, Any] = {**IDENTIFIER, "type": ["string", "null"]}
_OPTIONAL_OBJECT = {"type": ["object", "null"]}
_OPTIONAL_TEXT = {"type": ["string", "null"]}
_OPTIONAL_NUMBER = {"type": ["number", "null"]}
_FLAG = {"type": "string", "enum": ["true", "false"]}
_INCLUDE = {"include_events": {"type": "string", "enum": ["ALL", "APPLIED", "AFTER_RESTART", "NONE"]}}
_UNTIL = {"until": {"type": "number", "minimum": 0, "maximum": 10**11}}
_SINCE_EPOCH_MS = 2**53


@dataclass(frozen=True, slots=True)
class Operation:
    """What one operation takes and answers with; ``body`` None where it takes none."""

    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    takes: str = JSON
    answers: tuple[str, ...] = (JSON,)


def operations(max_message_chars: int) -> dict[tuple[str, str], Operation]:
    """All operations that take more than their path, by method and path."""
    said = "[^\\u0000]*"
    text: dict[str, Any] = {
        "type": "string",
        "minLength": 1,
        "maxLength": max_message_chars,
        "pattern": f"^{said}[^\\s\\u0000]{said}$",
    }
    return {**_channels(text), **_operations(text), **_of_projects(text)}


def _channels(text: Schema) -> dict[tuple[str, str], Operation]:
    said = {
        "sender": _ID,
        "message": text,
        "message_id": _OPTIONAL_ID,
        "metadata": _OPTIONAL_OBJECT,
        "input_channel": _OPTIONAL_ID,
    }
    thumb = {
        "conversation_id": _ID,
        "message_id": _ID,
        "value": {"type": "integer", "enum": [1, -1]},
        "comment": {**text, "type": ["string", "null"]},
    }
    page = {"limit": {"type": "integer", "minimum": 1, "maximum": 500}}
    before = {"before": {"type": "integer", "minimum": -1, "maximum": _SINCE_EPOCH_MS}}
    return {
        ("POST", "/webhooks/rest/webhook"): Operation(
            {"stream": {"type": "string"}}, _object(said, "sender", "message"), answers=(JSON, "text/event-stream")
        ),
        ("POST", "/feedback"): Operation(body=_object(thumb, "conversation_id", "message_id", "value")),
        ("GET", "/conversations/{conversation}/messages"): Operation(
            {"after": {"type": "integer", "minimum": -1, "maximum": _SINCE_EPOCH_MS}}
        ),
        ("GET", "/inspect/api/conversations"): Operation({**page, **before}),
        ("GET", "/inspect/api/search"): Operation({**page, "q": {"type": "string"}}),
    }


def _operations(text: Schema) -> dict[tuple[str, str], Operation]:
    return {
        ("POST", "/model/parse"): Operation(body=_object({"text": text}, "text")),
        ("GET", "/conversations/{conversation}/tracker"): Operation({**_INCLUDE, **_UNTIL}),
        ("GET", "/domain"): Operation(answers=(JSON, YAML)),
        ("GET", "/metrics"): Operation(answers=("text/plain",)),
    }


def _of_projects(text: Schema) -> dict[tuple[str, str], Operation]:
    base = "/conversations/{conversation}"
    executed: dict[str, Any] = {"name": _ID, "policy": _OPTIONAL_ID, "confidence": _OPTIONAL_NUMBER}
    entities = {
        "type": ["object", "array", "null"],
        "items": _object({"entity": {"type": "string", "minLength": 1}}, "entity"),
    }
    message: dict[str, Any] = {
        "text": text,
        "sender": {"const": "user"},
        "parse_data": {**_PARSED, "type": ["object", "null"]},
    }
    events = {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": 1000}
    one_or_more = {"anyOf": [_EVENT, events]}
    return {
        ("POST", base + "/tracker/events"): Operation(_INCLUDE, one_or_more),
        ("PUT", base + "/tracker/events"): Operation(_INCLUDE, one_or_more),
        ("GET", base + "/story"): Operation({**_UNTIL, "all_sessions": _FLAG}, answers=("text/plain",)),
        ("POST", base + "/execute"): Operation(_INCLUDE, _object(executed, "name")),
        ("POST", base + "/trigger_intent"): Operation(_INCLUDE, _object({"name": _ID, "entities": entities}, "name")),
        ("POST", base + "/predict"): Operation(_INCLUDE),
        ("POST", base + "/messages"): Operation(_INCLUDE, _object(message, "text", "sender")),
        ("POST", "/model/predict"): Operation(_INCLUDE, one_or_more),
        ("POST", "/model/test/stories"): Operation({"e2e": _FLAG}, _STORIES, takes=YAML),
    }


def _object(properties: Mapping[str, Schema], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_RANKED: Schema = {"type": "object", "properties": {"name": _OPTIONAL_TEXT, "confidence": _OPTIONAL_NUMBER}}
_PARSED = _object(
    {
        "intent": {**_RANKED, "type": ["object", "string", "null"]},
        "intent_ranking": {"type": ["array", "null"], "items": _RANKED},
        "entities": {
            "type": ["array", "null"],
            "items": _object({"entity": {"type": "string", "minLength": 1}}, "entity"),
        },
        "text": _OPTIONAL_TEXT,
    }
)
_STAMPED = {"timestamp": {"type": ["number", "null"], "minimum": 0, "maximum": 10**11}, "metadata": _OPTIONAL_OBJECT}


def _event(names: tuple[str, ...], properties: Mapping[str, Schema] | None = None, *required: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"event": {"type": "string", "enum": list(names)}, **_STAMPED, **(properties or {})}
    return _object(fields, "event", *required)


_BUTTONS = {"type": ["array", "null"], "items": {"type": "object"}}
_SAID = {
    "type": ["object", "null"],
    "properties": {"image": _OPTIONAL_TEXT, "custom": _OPTIONAL_OBJECT, "buttons": _BUTTONS},
}
_PLAIN = ("restart", "reset_slots", "rewind", "undo", "pause", "resume", "session_started", "export")
_NAME = {"type": "string"}
_EVENT: Schema = {
    "anyOf": [
        _event(_PLAIN),
        _event(("slot",), {"name": _NAME, "value": {}}, "name", "value"),
        _event(("followup", "action_execution_rejected"), {"name": _NAME}, "name"),
        _event(("active_loop",), {"name": _OPTIONAL_TEXT}, "name"),
        _event(("action",), {"name": _NAME, "policy": _OPTIONAL_TEXT, "confidence": _OPTIONAL_NUMBER}, "name"),
        _event(("bot",), {"text": _OPTIONAL_TEXT, "data": _SAID}),
        _event(
            ("user",),
            {
                "text": _OPTIONAL_TEXT,
                "parse_data": {**_PARSED, "type": ["object", "null"]},
                "input_channel": _OPTIONAL_TEXT,
                "message_id": _OPTIONAL_ID,
            },
        ),
    ]
}
"""Rasa's events, the frequent ones; others are taken too."""

_INTENT = {"type": ["string", "number"]}
_STEP = {**_object({"intent": _INTENT}, "intent"), "additionalProperties": False}
_STORY = {
    **_object(
        {"story": {"type": ["string", "number"]}, "steps": {"type": "array", "minItems": 1, "items": _STEP}},
        "story",
        "steps",
    ),
    "additionalProperties": False,
}
_STORIES: Schema = {
    **_object(
        {"version": {"enum": ["3.0", "3.1"]}, "stories": {"type": "array", "minItems": 1, "items": _STORY}}, "stories"
    ),
    "additionalProperties": False,
}
"""Test stories, the simplest ones."""
