"""A conversation as one of Rasa's test stories, to be pasted into a project's tests/."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

_UNSAID = ("action_listen", "action_session_start", "action_extract_slots")
"""Actions that stories don't tell."""


def story_yaml(conversation_id: str, events: Iterable[Mapping[str, Any]], *, all_sessions: bool) -> str:
    """Rasa's events (its JSON) as YAML with one story a session, by default the latest one only."""
    sessions = _sessions(events)
    if not all_sessions:
        sessions = sessions[-1:]
    names = [conversation_id, *(f"{conversation_id}, story {number}" for number in range(2, len(sessions) + 1))]
    stories = [
        {"story": name, "steps": [step for event in session for step in _steps(event)]}
        for name, session in zip(names, sessions, strict=False)
    ]
    out = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 120
    yaml.dump({"version": DoubleQuotedScalarString("3.1"), "stories": stories}, out)
    return out.getvalue()


def _sessions(events: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    sessions: list[list[Mapping[str, Any]]] = [[]]
    for event in events:
        if event["event"] == "session_started" and any(True for told in sessions[-1] for _ in _steps(told)):
            sessions.append([])
        sessions[-1].append(event)
    return sessions


def _steps(event: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    match event["event"]:
        case "user":
            return (_user(event),)
        case "action" if event.get("name") and event["name"] not in _UNSAID:
            return ({"action": event["name"]},)
        case "action" if event.get("action_text"):
            return ({"bot": event["action_text"]},)
        case "slot" if event["name"] != "requested_slot":
            return ({"slot_was_set": [{event["name"]: event.get("value")}]},)
        case "active_loop":
            return ({"active_loop": event.get("name")},)
        case _:
            return ()


def _user(event: Mapping[str, Any]) -> dict[str, Any]:
    parsed = event.get("parse_data") or {}
    step: dict[str, Any] = {"user": event.get("text") or "", "intent": (parsed.get("intent") or {}).get("name")}
    entities = [_entity(entity) for entity in parsed.get("entities") or ()]
    if entities:
        step["entities"] = entities
    return step


def _entity(entity: Mapping[str, Any]) -> dict[str, Any]:
    more = {key: entity[key] for key in ("role", "group") if entity.get(key) is not None}
    return {entity["entity"]: entity.get("value"), **more}
