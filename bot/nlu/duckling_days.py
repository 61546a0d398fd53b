"""Days: weekdays, today and tomorrow, and dates (read day first, the next one to come)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from rapidfuzz import fuzz, process

from bot.nlu.duckling_numbers import NUMBER, ORDINAL_WORDS, Span, number

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT = {
    "mon": 0, "tue": 1, "tues": 1, "weds": 2, "wednes": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4, "satur": 5,
}  # fmt: skip
_UNSURE = {"sat": 5, "sun": 6, "wed": 2}
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = {name: m for m, name in enumerate(_MONTHS, start=1)} | {name[:3]: m for m, name in enumerate(_MONTHS, start=1)}
_MONTH |= {"sept": 9}
_MONTH_WORD = "|".join(sorted(_MONTH, key=len, reverse=True))
_ORDINAL_WORD = "|".join(
    word for word in sorted(ORDINAL_WORDS, key=len, reverse=True) if word not in ("last", "zeroth")
)
_DAY = rf"(?P<d>\d{{1,2}}(?:st|nd|rd|th)?|{_ORDINAL_WORD})"
_LEAD = r"(?:(?:on|for|this|next|coming|this coming|the|on the|the following) )*"
_WEEKDAY_WORD = "|".join((*WEEKDAYS, *sorted(_SHORT, key=len, reverse=True)))

_ISO = re.compile(r"(?<!\d)(?P<y>20\d\d)-(?P<m>\d\d)-(?P<d>\d\d)(?!\d)")
_SLASHED = re.compile(r"(?<![\d/.:])(?P<d>\d{1,2})[/](?P<m>\d{1,2})(?:[/](?P<y>\d{4}|\d\d))?(?![\d/:])")
_DOTTED = re.compile(r"(?<![\d/.:])(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4}|\d\d)?(?![\d/:])")
_DAY_MONTH = re.compile(rf"\b(?:the )?{_DAY}(?: of)? (?P<mw>{_MONTH_WORD})\b\.?(?:,? (?P<y>20\d\d)\b)?")
_MONTH_DAY = re.compile(rf"\b(?P<mw>{_MONTH_WORD})\.? (?:the )?{_DAY}\b(?!:)(?:,? (?P<y>20\d\d)\b)?")
_THE_NTH = re.compile(
    rf"\b(?:on |for )?the (?P<d>\d{{1,2}}(?:st|nd|rd|th)|{_ORDINAL_WORD})\b"
    rf"(?! (?:one|place|option|restaurant|venue|time|floor|suggestion|street|avenue|of (?:them|those)))"
)
_WEEKDAY = re.compile(rf"\b(?P<w>{_WEEKDAY_WORD})s?\b(?:[ ,]+the {_DAY}\b)?")
_SHORT_WEEKDAY = re.compile(
    r"\b(?:on|for|this|next|coming) (?P<w>sat|sun|wed)\b|"
    r"^(?P<w2>sat|sun|wed)\b(?= (?:at|for|\d|evening|night)|[,.!?]?$)|"
    r"(?<=\d )(?P<w3>sat|sun|wed)\b|\b(?P<w4>sat|sun|wed) (?:at )?\d"
)
_TODAY = re.compile(
    r"\b(?:todays?|tonight|tonite|tonigt|2nite|2night|this (?:evening|afternoon|lunchtime|lunch|morning|noon)|"
    r"later on|right now|for now|straight away)\b"
)
_TOMORROW = re.compile(
    r"\b(?:tomorrow|tommorrow|tommorow|tomorow|tomorrw|tomorro|tmrw|tmr|tmrow|2moro|2morrow|2mrw|tom)\b(?:'?s)?"
    r"(?: (?:night|evening|afternoon|lunchtime|lunch|morning))?"
)
_AFTER_TOMORROW = re.compile(r"\b(?:the )?day after tom+or+ow\b|\bovermorrow\b")
_IN_DAYS = re.compile(
    rf"\bin (?P<n>{NUMBER}) days?(?:'?s?'? time)?\b|\b(?P<k>{NUMBER}) days from (?:now|today)\b|"
    rf"\bin (?P<a>a) (?:day|week)(?:'s time)?\b"
)
_FEASTS = {
    "christmas eve": (12, 24), "christmas day": (12, 25), "boxing day": (12, 26), "new year's eve": (12, 31),
    "new years eve": (12, 31), "new year's day": (1, 1), "valentine's day": (2, 14), "valentines day": (2, 14),
    "valentine's": (2, 14),
}  # fmt: skip
_FEAST = re.compile(rf"\b(?:{'|'.join(sorted(_FEASTS, key=len, reverse=True))})")
_WORD = re.compile(r"\b[a-z]{6,11}\b")
_FUZZY = (*WEEKDAYS, "tomorrow", "tonight")
_NOT_TYPOS = frozenset(("today", "toward", "towards", "borrow", "sundays", "sundae", "insight", "freddy", "friendly"))


def find_days(text: str, today: date, *, bare: bool) -> list[Span]:
    """Days of lower-case ``text``, seen from ``today``; with ``bare`` also "5th", "sat" or "sun" alone."""
    spans: list[Span] = []

    def add(start: int, end: int, value: str | None) -> None:
        if value is not None and all(end <= s or start >= e for s, e, _ in spans):
            spans.append((start, end, value))

    for pattern in (_ISO, _SLASHED, _DOTTED, _DAY_MONTH, _MONTH_DAY):
        for match in pattern.finditer(text):
            add(match.start(), match.end(), _date(match, today))
    for match in _FEAST.finditer(text):
        add(match.start(), match.end(), _next(today, *_FEASTS[match[0]]))
    for match in _AFTER_TOMORROW.finditer(text):
        add(match.start(), match.end(), (today + timedelta(days=2)).isoformat())
    for match in _IN_DAYS.finditer(text):
        days = number(match["n"] or match["k"]) if match["n"] or match["k"] else (7 if "week" in match[0] else 1)
        add(match.start(), match.end(), (today + timedelta(days=days)).isoformat())
    _named(text, add, bare=bare)
    for match in _THE_NTH.finditer(text):
        if not (bare or match["d"][0].isdigit() or match[0].startswith(("on ", "for "))):
            continue  # "the second" is rather one of several
        add(match.start(), match.end(), _next_nth(today, _day_number(match["d"])))
    if bare:
        for match in re.finditer(r"\b(\d{1,2})(?:st|nd|rd|th)\b", text):
            add(match.start(), match.end(), _next_nth(today, int(match[1])))
    return sorted(spans)


def _named(text: str, add: Callable[[int, int, str | None], None], *, bare: bool) -> None:
    for match in _TOMORROW.finditer(text):
        add(match.start(), match.end(), "tomorrow")
    for match in _WEEKDAY.finditer(text):
        add(match.start(), match.end(), _weekday(match["w"]))
    for match in _SHORT_WEEKDAY.finditer(text):
        name = match["w"] or match["w2"] or match["w3"] or match["w4"]
        start = text.index(name, match.start())
        add(start, start + len(name), WEEKDAYS[_UNSURE[name]])
    if bare:
        for match in re.finditer(r"\b(?:sat|sun|wed)\b", text):
            add(match.start(), match.end(), WEEKDAYS[_UNSURE[match[0]]])
    for match in _TODAY.finditer(text):
        add(match.start(), match.end(), "today")
    for match in _WORD.finditer(text):
        if match[0] not in _NOT_TYPOS and match[0] not in _FUZZY:
            close = process.extractOne(match[0], _FUZZY, scorer=fuzz.ratio, score_cutoff=83)
            if close is not None:
                add(match.start(), match.end(), "today" if close[0] == "tonight" else str(close[0]))


def _weekday(name: str) -> str:
    return name if name in WEEKDAYS else WEEKDAYS[_SHORT[name]]


def _day_number(words: str) -> int:
    return int(words.rstrip("stndrh")) if words[0].isdigit() else ORDINAL_WORDS[words]


def _date(match: re.Match[str], today: date) -> str | None:
    groups = match.groupdict()
    day = _day_number(groups["d"])
    month = _MONTH[groups["mw"]] if groups.get("mw") else int(groups["m"])
    if not groups.get("y"):
        return _next(today, month, day)
    year = int(groups["y"])
    return _iso(year + 2000 if year < 100 else year, month, day)


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _next(today: date, month: int, day: int) -> str | None:
    """The next such date from today on (the 29th of February may be years away)."""
    candidates = (_iso(today.year + years, month, day) for years in range(9) if today.year + years <= date.max.year)
    return next((found for found in candidates if found is not None and found >= today.isoformat()), None)


def _next_nth(today: date, day: int) -> str | None:
    """The next month, from today on, that has such a day."""
    for months in range(13):
        month = today.month - 1 + months
        found = _iso(today.year + month // 12, month % 12 + 1, day) if today.year + month // 12 <= 9999 else None
        if found is not None and found >= today.isoformat():
            return found
    return None
