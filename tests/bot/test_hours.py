from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.hours import WEEKDAYS, is_open, weekday_of

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("hours", "day", "time", "expected"),
    [
        ("12:00-23:00", "friday", "19:30", True),
        ("12:00-23:00", "friday", "23:00", False),
        ("12:00-23:00", "friday", "11:59", False),
        ("12:00-22:00, closed monday", "monday", "19:00", False),
        ("12:00-22:00, closed monday", "today", "19:00", False),
        ("12:00-22:00, closed monday", "tomorrow", "19:00", True),
        ("12:00-22:00, closed tuesday", "tomorrow", "19:00", False),
        ("18:00-02:00", "saturday", "01:00", True),
        ("18:00-02:00", "saturday", "03:00", False),
        ("12:00-14:30, 18:00-22:00", "friday", "16:00", False),
        ("12:00-14:30, 18:00-22:00", "friday", "18:30", True),
        ("12:00-22:00, closed monday and sunday", "2026-11-29", "19:00", False),
        ("all day", "friday", "04:00", True),
        ("12:00-23:00", "someday", "late", True),
    ],
)
def test_is_open(hours: str, day: str, time: str, expected: bool) -> None:
    assert is_open(hours, day, time, MONDAY) is expected


@given(st.text(), st.text(), st.text())
def test_never_raises(hours: str, day: str, time: str) -> None:
    assert is_open(hours, day, time, MONDAY) in (True, False)
    assert weekday_of(day, MONDAY) in (None, *WEEKDAYS)
