"""Whether an answer of the memory can be one at all: nobody is "pharmacy", nothing is "on Monday" as a place.

A network that reads a story may answer with a word of the right statement and of the wrong kind. The check knows a
few kinds of words and how the answer stands in the statements that it rests on; it only ever withholds an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from bot.topics import content_words

Kind = Literal["who", "where", "when", "count", "yes or no", "what"]

_DAY = (
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april|may|june|july|august|september|"
    r"october|november|december|today|tonight|tomorrow|yesterday"
)
_COUNT = (
    r"none|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    r"seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|dozen|\d+"
)
_SPAN = (
    r"morning|afternoon|evening|night|noon|midday|midnight|week|weekend|month|year|spring|summer|autumn|winter|fall|"
    r"christmas|easter|o'clock|half|quarter|past|am|pm|\d+(?:[:.]\d+)?(?:am|pm|st|nd|rd|th)?|first|second|third"
)
_IS_DAY = re.compile(rf"(?:next |this |last |on )?(?:{_DAY})(?: (?:{_SPAN}))?", re.IGNORECASE)
_IS_COUNT = re.compile(rf"(?:{_COUNT})(?:[ -](?:{_COUNT}))*", re.IGNORECASE)
_HAS_COUNT = re.compile(rf"\b(?:{_COUNT})\b", re.IGNORECASE)
_HAS_TIME = re.compile(rf"\b(?:{_DAY}|{_SPAN}|{_COUNT})\b", re.IGNORECASE)
_IS_YES_OR_NO = re.compile(r"(?:yes|no|maybe)", re.IGNORECASE)

_WORD = re.compile(
    r"\b(?P<word>who(?:se|m)?|where|when|how many|how much|wh(?:at|ich) (?:time|day)|what|which)\b", re.IGNORECASE
)
_ALTERNATIVES = re.compile(r"\bor\b", re.IGNORECASE)
_TOLD = re.compile(r"\b(?:tell|told|say|said|mention|mentioned|remember|recall)\b", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|never|no longer|cannot)\b|n't\b", re.IGNORECASE)
_PLACED = r"\b(?:in|into|inside|at|on|onto|under|behind)\s+(?:the|an?|my|our|his|her|their)\s+(?:[\w'-]+\s+)?"
_REACHED = r"\bto\s+(?:the|an?)\s+(?:[\w'-]+\s+)?"
_HANDED = re.compile(
    r"\b(?:gave|given|lent|handed|passed|sent|sold|showed|told|returned|spoke|talked|belongs?)\b", re.IGNORECASE
)
_WHENCE = r"\b(?:(?:after|before|during|until|till|since)\s+(?:the\s+|my\s+|our\s+)?|(?:on|in|at|by|around)\s+)"


def asked_kind(question: str) -> Kind | None:
    """What kind of answer a question wants; None where it doesn't say ("Did I tell you my password?")."""
    found = _WORD.search(question)
    if found is None:
        return None if _TOLD.search(question) or _ALTERNATIVES.search(question) else "yes or no"
    word = found["word"].lower()
    if word.startswith("who"):
        return "who"
    if word.endswith((" time", " day")):
        return "when"
    kinds: dict[str, Kind] = {"where": "where", "when": "when", "how many": "count", "what": "what", "which": "what"}
    return kinds.get(word)


def possible(question: str, answer: str, supporting: Iterable[str]) -> bool:
    """Whether ``answer`` can answer ``question``; ``supporting`` are the statements that it was read from.

    Withheld are an answer of another kind than was asked for, one that only repeats the question, and one that a
    statement denies ("my keys are not in the drawer") where the question doesn't.
    """
    kind, told = asked_kind(question), [text.replace("\u2019", "'") for text in supporting]
    if kind is None:
        return True
    parts = [part.strip() for part in answer.split(",")]
    agrees = _IS_YES_OR_NO.fullmatch(answer.strip()) is not None
    if kind == "yes or no":
        return agrees and not (answer.strip().lower() == "yes" and _denied(question, told))
    if (agrees and kind != "count") or not all(_fits(kind, part, told) for part in parts):
        return False
    repeated = content_words(answer) and content_words(answer) <= content_words(question)
    if repeated and kind != "count" and not _ALTERNATIVES.search(question):
        return False
    return not _denied(question, [text for text in told if all(_mentions(text, part) for part in parts)])


def _fits(kind: Kind, part: str, told: list[str]) -> bool:
    match kind:
        case "who":
            return not (_IS_DAY.fullmatch(part) or _IS_COUNT.fullmatch(part) or _stands_as_place(part, told))
        case "where":
            return _IS_DAY.fullmatch(part) is None
        case "when":
            return _HAS_TIME.search(part) is not None or any(_after(_WHENCE, part, text) for text in told)
        case "count":
            return _HAS_COUNT.search(part) is not None or part.lower() == "no"
        case _:
            return True


def _stands_as_place(part: str, told: list[str]) -> bool:
    """Whether every statement with the answer has it after "in the", or "to the" where nothing is handed over."""
    having = [text for text in told if _mentions(text, part)]
    return bool(having) and all(
        _after(_PLACED, part, text) or (_after(_REACHED, part, text) and not _HANDED.search(text)) for text in having
    )


def _denied(question: str, told: list[str]) -> bool:
    return not _DENIED.search(question) and bool(told) and _DENIED.search(told[0]) is not None


def _mentions(text: str, part: str) -> bool:
    return _after(r"\b", part, text)


def _after(lead: str, part: str, text: str) -> bool:
    return re.search(rf"{lead}{re.escape(part)}\b", text, re.IGNORECASE) is not None
