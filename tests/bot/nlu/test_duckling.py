"""Numbers, party sizes, times and days: a table of cases, and properties that hold for any text."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.nlu.duckling import find_readings
from bot.nlu.duckling_days import WEEKDAYS, find_days
from bot.nlu.duckling_numbers import find_numbers, find_people, number
from bot.nlu.duckling_times import find_times

TODAY = date(2026, 11, 23)
WORDS = [
    "half", "quarter", "past", "to", "at", "for", "7", "two", "19:30", "the", "5th", "of", "december", "friday",
    "people", "in", "days", "am", "pm", ".", ",", "/", ":", "-", "99", "of", "us", "me", "and", "my", "wife"
]  # fmt: skip
KINDS = ("people", "time", "day", "number")


def cases() -> list[tuple[str, str | None, str, str]]:
    found = []
    lines = (Path(__file__).parent / "duckling_cases.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.strip() and not line.startswith("#"):
            kind, asked, text, expected = (part.strip() for part in line.split("|"))
            found.append((kind, None if asked == "-" else asked, text, expected))
    return found


def test_there_are_many_cases() -> None:
    assert len(cases()) >= 300


@pytest.mark.parametrize(("kind", "asked", "text", "expected"), cases())
def test_case(kind: str, asked: str | None, text: str, expected: str) -> None:
    values = [r.value for r in find_readings(text, TODAY, asked) if r.kind == kind]
    wanted = [] if expected == "-" else expected.split(",")[:1]
    assert values == wanted, f"{text!r} asked {asked}: {values}"


@given(st.text(max_size=200), st.sampled_from([None, *KINDS]))
def test_any_text_is_read_without_an_error(text: str, asked: str | None) -> None:
    readings = find_readings(text, TODAY, asked)
    for reading in readings:
        assert 0 <= reading.start < reading.end <= len(text)
        assert reading.kind in KINDS


@given(
    st.lists(
        st.sampled_from(WORDS),
        max_size=12,
    )
)
def test_any_mixture_of_its_own_words_is_read_without_an_error(words: list[str]) -> None:
    for reading in find_readings(" ".join(words), TODAY, None):
        if reading.kind == "time":
            hour, minute = map(int, reading.value.split(":"))
            assert 0 <= hour < 24
            assert 0 <= minute < 60
        elif reading.kind == "people":
            assert int(reading.value) > 0
        elif reading.kind == "day":
            assert reading.value in (*WEEKDAYS, "today", "tomorrow") or date.fromisoformat(reading.value) >= date(
                2000, 1, 1
            )


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_on_the_24_hour_clock_survives(hour: int, minute: int) -> None:
    written = f"{hour:02d}:{minute:02d}"
    values = [value for _, _, value in find_times(f"at {written} please", bare=False)]
    ambiguous = 10 <= hour <= 10
    assert values == ([f"{hour + 12:02d}:{minute:02d}"] if ambiguous else [written])


@given(st.integers(1, 12), st.integers(0, 59), st.sampled_from(["am", "pm"]))
def test_a_time_with_am_or_pm_survives(hour: int, minute: int, half: str) -> None:
    values = [value for _, _, value in find_times(f"{hour}:{minute:02d}{half}", bare=False)]
    assert values == [f"{hour % 12 + (12 if half == 'pm' else 0):02d}:{minute:02d}"]


@given(st.dates(min_value=TODAY, max_value=TODAY + timedelta(days=364)))
def test_a_date_within_a_year_survives(day: date) -> None:
    for written in (day.isoformat(), f"{day.day} {day.strftime('%B').lower()}", f"{day.day}/{day.month}"):
        assert [value for _, _, value in find_days(written, TODAY, bare=False)] == [day.isoformat()]


@given(st.integers(1, 20))
def test_a_party_size_survives(size: int) -> None:
    assert [value for _, _, value in find_people(f"table for {size}", bare=False)] == [str(size)]
    assert [value for _, _, value in find_people(f"{size} people", bare=False)] == [str(size)]


@given(st.integers(0, 999))
def test_a_number_survives(value: int) -> None:
    assert [int(v) for _, _, v in find_numbers(f"it is {value}.")] == [value]
    assert number(str(value)) == value


def test_a_word_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        number("plenty")


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(["7 ", "at ", "half past ", "for two ", "the 5th of ", "friday ", "one and ", "9:", "me and "]))
def test_repetition_is_read_in_bounded_time(piece: str) -> None:
    text = (piece * 1000)[:1000]
    started = time.perf_counter()
    find_readings(text, TODAY, "time")
    assert time.perf_counter() - started < 1.0
