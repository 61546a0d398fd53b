"""Rasa's markup of entities in sentences: `[two](number:2)`, `[Rome]{"entity": "city", "role": "to"}`."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.rasa.project import NluEntity

_MARKUP = re.compile(
    r"\[(?P<text>[^\]]+?)\]"
    r"(?:\((?P<entity>[^:)]+?)(?::(?P<value>[^)]+))?\)|(?P<body>\{[^}]+?\})|(?P<bodies>\[\s*\{.*?\}\s*\]))"
)
_FIELDS = ("entity", "value", "role", "group")


def read_annotations(text: str) -> tuple[str, tuple[NluEntity, ...]]:
    """A sentence without markup and its entities, offsets in code points of that sentence.

    ValueError when a `{...}` or `[{...}]` is not JSON with an `entity`. Brackets that are no markup stay as they are.
    """
    pieces: list[str] = []
    entities: list[NluEntity] = []
    position = length = 0
    for match in _MARKUP.finditer(text):
        pieces.append(text[position : match.start()])
        length += len(pieces[-1])
        words = match["text"]
        for body in _bodies(match):
            value = body.get("value")
            entities.append(
                NluEntity(
                    str(body["entity"]).strip(),
                    words if value is None else str(value),
                    length,
                    length + len(words),
                    None if body.get("role") is None else str(body["role"]),
                    None if body.get("group") is None else str(body["group"]),
                )
            )
        pieces.append(words)
        length += len(words)
        position = match.end()
    return "".join([*pieces, text[position:]]), tuple(entities)


def _bodies(match: re.Match[str]) -> list[dict[str, Any]]:
    if match["entity"] is not None:
        return [{"entity": match["entity"], "value": match["value"]}]
    written = match["body"] or match["bodies"]
    try:
        value = json.loads(written)
    except ValueError:
        raise ValueError(f"{written} after [{match['text']}] is not JSON") from None
    bodies = value if isinstance(value, list) else [value]
    for body in bodies:
        if not isinstance(body, dict) or not body.get("entity"):
            raise ValueError(f"{written} after [{match['text']}] names no entity")
        wrong = sorted(set(body) - set(_FIELDS))
        if wrong:
            raise ValueError(f"{written} after [{match['text']}] has the unknown key {wrong[0]!r}")
    return bodies
