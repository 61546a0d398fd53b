"""Numbers, party sizes, times and days in English text: a small grammar of regular expressions.

Every function is total: any text gives a (possibly empty) list, in time linear in its length for capped texts.
Normal forms: number and people ``"4"``; time ``"19:30"`` (24 hours); day a lower-case weekday, ``"today"``,
``"tomorrow"`` or an ISO date ``"2026-12-05"``. Offsets count code points of the text that was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bot.nlu.duckling_days import find_days
from bot.nlu.duckling_numbers import find_numbers, find_people
from bot.nlu.duckling_times import find_times
from bot.nlu.tokens import lower


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a span; ``kind`` is people, time, day or number; bare numbers may be anything asked for."""

    kind: str
    value: str
    start: int
    end: int
    bare: bool = False


def find_readings(text: str, today: date, requested: str | None = None) -> list[Reading]:
    """All readings of ``text``, longest first per kind, none of one kind overlapping.

    ``requested`` is the open slot that was just asked for: a bare number is then read as that slot (7 -> 19:00
    for time). Without it, a bare number is only a number.
    """
    lowered = lower(text)
    readings: list[Reading] = []
    for kind, spans in (
        ("time", find_times(lowered, bare=requested == "time")),
        ("day", find_days(lowered, today, bare=requested == "day")),
        ("people", find_people(lowered, bare=requested == "people")),
        ("number", find_numbers(lowered)),
    ):
        readings.extend(Reading(kind, value, start, end, kind == "number") for start, end, value in spans)
    return _resolve(readings, requested)


def _resolve(readings: Sequence[Reading], requested: str | None) -> list[Reading]:
    """Between kinds: the requested slot first, then the longer span, then time, day, people, number."""
    order = {"time": 0, "day": 1, "people": 2, "number": 3}
    ranked = sorted(readings, key=lambda r: (r.kind != requested, -(r.end - r.start), order[r.kind], r.start))
    kept: list[Reading] = []
    for reading in ranked:
        inside = [other for other in kept if reading.start < other.end and other.start < reading.end]
        if all(other.kind == "time" and reading.kind == "day" and reading.value == "today" for other in inside):
            kept.append(reading)  # "seven this evening" tells both a time and a day
    return sorted(kept, key=lambda r: r.start)
