"""Opening hours as people write them in a table: ``12:00-23:00, closed monday``."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_DAY_MINUTES = 24 * 60


def weekday_of(day: str, today: date) -> str | None:
    """The weekday that a normal form (``friday``, ``today``, ``tomorrow``, ``2026-12-05``) means; None if unknown."""
    if day in WEEKDAYS:
        return day
    if day in ("today", "tomorrow"):
        return WEEKDAYS[(today + timedelta(days=day == "tomorrow")).weekday()]
    try:
        return WEEKDAYS[datetime.fromisoformat(day).weekday()]
    except ValueError:
        return None


def is_open(hours: str, day: str, time: str, today: date) -> bool:
    """Whether a table at ``time`` (``19:30``) on ``day`` fits ``hours``; what can't be read does not forbid."""
    weekday = weekday_of(day, today)
    closed = hours.lower().partition("closed")[2]
    if weekday is not None and weekday in closed:
        return False
    spans = _SPAN.findall(hours)
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", time)
    if not spans or match is None:
        return True
    minute = int(match[1]) * 60 + int(match[2])
    return any(_within(minute, [int(part) for part in span]) for span in spans)


def _within(minute: int, span: list[int]) -> bool:
    start, end = span[0] * 60 + span[1], span[2] * 60 + span[3]
    if end <= start:
        end += _DAY_MINUTES
    return start <= minute < end or start <= minute + _DAY_MINUTES < end
