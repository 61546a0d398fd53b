"""Capping, cleaning and cutting a message into tokens. Offsets always count code points of the cleaned text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

MAX_CHARACTERS = 1000
"""A message is cut here before anything else looks at it."""

_TOKEN = re.compile(r"\d+(?:[:.,/]\d+)+|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]|_")
_CLEAN = {**dict.fromkeys(range(0xD800, 0xE000), " "), **dict.fromkeys((*range(32), 127), " "), 0x2019: "'"}
_SEGMENT = re.compile(
    r"[.!?;,:\n]+(?=\s|$)|\s+[-–—]+\s+|"
    r"(?<!anything)(?<!everything)\s(?=(?:and|but|then|because|so|also|plus)\s)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or mark; ``lower`` has the same length as ``text``."""

    text: str
    lower: str
    start: int
    end: int


def clean(text: str, limit: int = MAX_CHARACTERS) -> str:
    """At most ``limit`` code points; lone surrogates and control characters become spaces (offsets stay)."""
    return text[:limit].translate(_CLEAN)


def lower(text: str) -> str:
    """Lower case without changing the length, so that offsets stay valid."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def tokenize(text: str) -> list[Token]:
    """Words (with inner apostrophes), numbers (7, 19:30, 5/12) and single marks of a cleaned text."""
    lowered = lower(text)
    return [Token(m[0], lowered[m.start() : m.end()], m.start(), m.end()) for m in _TOKEN.finditer(text)]


def segments(text: str, limit: int = 6) -> list[tuple[int, int]]:
    """Offsets of the clauses of ``text``, cut at punctuation and conjunctions, at most ``limit``, none empty."""
    cuts = [0, *(m.end() for m in _SEGMENT.finditer(text)), len(text)]
    spans = []
    for start, end in pairwise(cuts):
        piece = text[start:end]
        left = start + len(piece) - len(piece.lstrip())
        right = left + len(piece.strip())
        if any(c.isalnum() for c in text[left:right]):
            spans.append((left, right))
    return spans[:limit]
