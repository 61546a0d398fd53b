"""Times of day. Twelve-hour times without am/pm are read towards opening hours (11:00 to 23:00)."""

from __future__ import annotations

import re

from bot.nlu.duckling_numbers import NUMBER, Span, number

_HOUR_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_HOUR = rf"(?:[01]?\d|2[0-4]|{_HOUR_WORDS})"
_HALF = (
    r"(?:\s*(?P<half>a\.?m\b\.?|p\.?m\b\.?)|"
    r"\s+(?P<part>(?:in the |this )(?:morning|afternoon|evening)|at night|tonight|at lunch(?:time)?|for lunch|"
    r"for dinner|at dinner ?time))?"
)
_MINUTE_WORDS = "fifteen|thirty|forty[- ]five|twenty[- ]five|thirty[- ]five|fifty[- ]five|twenty|forty|fifty|ten|five"
_OCLOCK = r"(?:\s*o'?\s?clock|\s*o’clock|\s*sharp)"

_CLOCK = re.compile(
    rf"(?<![\d:.,/-])\b(?P<h>[01]?\d|2[0-4])\s?[:.h]\s?(?P<m>[0-5]\d)(?![\d:./])(?:\s?h(?:rs|ours)?\b)?{_HALF}"
)
_MILITARY = re.compile(r"(?<![\d:.,/-])\b(?P<h>[01]\d|2[0-4])(?P<m>[0-5]\d)\s?(?:h|hrs|hours)\b")
_MERIDIEM = re.compile(
    rf"(?<![\d:.,/-])\b(?P<h>{_HOUR})(?:\s(?P<mw>[0-5]\d|{_MINUTE_WORDS}))?{_HALF.removesuffix('?')}(?![\w])"
)
_MERIDIEM_4 = re.compile(r"(?<![\d:.,/-])\b(?P<h>1[0-2]|0?[1-9])(?P<m>[0-5]\d)\s?(?P<half>a\.?m\b\.?|p\.?m\b\.?)")
_PAST = re.compile(
    rf"\b(?:at |a )?(?P<n>half|quarter|{NUMBER})(?: minutes| mins)?(?: an?)?[ -]?(?P<dir>past|to|after|before|till) "
    rf"(?P<h>{_HOUR})(?:ish)?\b(?![:.]\d)(?!\s*(?:people|ppl|persons|of us|guests)){_HALF}"
)
_HALF_EIGHT = re.compile(rf"\bhalf[- ](?P<h>{_HOUR})\b(?![:.]\d){_HALF}")
_WORDED = re.compile(
    rf"\b(?P<h>{_HOUR_WORDS})[ -](?P<mw>{_MINUTE_WORDS}|oh five)\b(?! (?:people|persons|ppl|guests|of us)){_HALF}"
)
_ISH = re.compile(rf"(?<![\d:.,/-])\b(?P<h>{_HOUR})(?:[:.](?P<m>[0-5]\d))?\s?-?ish\b{_HALF}")
_SHARP = re.compile(rf"(?<![\d:.,/-])\b(?P<h>{_HOUR}){_OCLOCK}(?!\w){_HALF}")
_NO_HOUR = (
    r"(?!\s*(?:people|persons?|ppl|pax|guests|adults|of us|friends|diners|minutes|mins|days|%|pounds|quid|euro|-|/|"
    r"th\b|st\b|nd\b|rd\b|\w+ (?:street|road|lane)))"
)
_FRAMED = re.compile(
    rf"(?:@|\b(?:at|around|about|by|from|after|before|circa|approximately|say|until|till|towards?|near(?:er)?|"
    rf"make it|time[:,]?|time is|time to|for)) ?(?:around |about |like |say |roughly )?"
    rf"(?P<h>{_HOUR})\b(?![:.,]?\d){_NO_HOUR}{_HALF}"
)
_NAMED = re.compile(r"\b(?:at )?(?P<name>noon|midday|mid[- ]day|midnight|twelve noon)\b")
_BARE = re.compile(rf"(?<![\d:.,/-])\b(?P<h>{_HOUR})\b(?![:.,/-]?\d)")
_BARE_4 = re.compile(r"(?<![\d:.,/-])\b(?P<h>[01]?\d|2[0-3]) ?(?P<m>00|15|30|45)\b(?![:.,/-]?\d)")
_PATTERNS = (
    _CLOCK, _MILITARY, _MERIDIEM_4, _PAST, _HALF_EIGHT, _WORDED, _MERIDIEM, _ISH, _SHARP, _NAMED,
)  # fmt: skip
_MINUTES = {"half": 30, "quarter": 15}


def find_times(text: str, *, bare: bool) -> list[Span]:
    """Times of lower-case ``text`` as ``HH:MM``; with ``bare`` also "7" or "7 30" alone.

    "for 7" counts as a time only when it was asked for; "at 7" always does.
    """
    spans: list[Span] = []
    for pattern in (*_PATTERNS, _FRAMED, *((_BARE_4, _BARE) if bare else ())):
        for match in pattern.finditer(text):
            start, end = match.span()
            if pattern is _FRAMED:
                if match[0].startswith("for ") and not bare:
                    continue
                start = match.start("h")
            elif pattern is _MERIDIEM and not bare and not match["half"] and text[:start].endswith("for "):
                continue  # "for four tonight" are people
            elif text[start:end].startswith(("at ", "a ")):
                start += text[start:end].index(" ") + 1
            value = _value(match)
            if value is not None and all(end <= s or start >= e for s, e, _ in spans):
                spans.append((start, end, value))
    return sorted(spans)


def _value(match: re.Match[str]) -> str | None:
    groups = match.groupdict()
    if groups.get("name"):
        return "00:00" if groups["name"] == "midnight" else "12:00"
    explicit = str(groups["h"]).startswith("0") or match.re is _MILITARY
    hour = _hour(number(str(groups["h"])), groups.get("half") or groups.get("part") or "", explicit=explicit)
    minute = 30 if match.re is _HALF_EIGHT else _minute(groups)
    if groups.get("n"):
        offset = _MINUTES.get(str(groups["n"])) or number(str(groups["n"]))
        if not 0 < offset < 60:
            return None
        minute = -offset if groups["dir"] in ("to", "before", "till") else offset
    hour, minute = divmod((60 * hour + minute) % (24 * 60), 60)
    return f"{hour:02d}:{minute:02d}"


def _minute(groups: dict[str, str | None]) -> int:
    if groups.get("m"):
        return int(groups["m"] or 0)
    words = groups.get("mw")
    if not words:
        return 0
    return 5 if words == "oh five" else number(words)


def _hour(hour: int, part: str, *, explicit: bool) -> int:
    """Resolve the half of the day: am/pm if told, else towards opening hours."""
    if hour in (0, 24) or hour > 12:
        return hour % 24
    if part.startswith("a") and "night" not in part and "lunch" not in part and "dinner" not in part:
        return hour % 12
    if "morning" in part:
        return hour % 12
    if "lunch" in part:
        return hour if hour >= 11 else hour + 12
    if part:
        return hour % 12 + 12
    if explicit:
        return hour
    return hour if hour >= 11 else hour + 12
