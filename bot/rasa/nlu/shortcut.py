"""Messages that name their intent: `/inform{"city": "Rome"}`, `/greet@0.9`."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

_SHORTCUT = re.compile(r"^/(?P<name>[^{@]+)(?:@(?P<confidence>[0-9.]+))?(?P<entities>\{.*\})?\Z", re.DOTALL)
MAX_ENTITIES = 64
"""Values in one message; more are not read."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What such a message says; ``entities`` are (name, value), ``start`` and ``end`` where they stand in it."""

    intent: str
    confidence: float = 1.0
    entities: tuple[tuple[str, Any], ...] = ()
    start: int = 0
    end: int = 0


def read_shortcut(text: str) -> Shortcut | None:
    """The shortcut in ``text``; None when it is none, its JSON is broken or it holds more than MAX_ENTITIES values.

    A list gives one entity per item; a confidence above 1 counts as 1.
    """
    stripped = text.strip()
    match = _SHORTCUT.match(stripped)
    if match is None or not match["name"].strip():
        return None
    try:
        confidence = min(float(match["confidence"] or 1.0), 1.0)
        body = json.loads(match["entities"] or "{}", parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    entities = tuple(
        (str(name), item) for name, value in body.items() for item in (value if isinstance(value, list) else [value])
    )
    if len(entities) > MAX_ENTITIES:
        return None
    lead = len(text) - len(text.lstrip())
    start, end = match.span("entities") if match["entities"] else (0, 0)
    return Shortcut(match["name"].strip(), confidence, entities, start + lead if end else 0, end + lead if end else 0)


def _finite(number: str) -> float:
    """A JSON number; ValueError for NaN and the infinities, which are none and can't be stored."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value
