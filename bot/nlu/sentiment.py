"""The mood of a message: VADER's compound score (Hutto & Gilbert 2014) behind a cap on what it is handed.

VADER's cost grows with the square of the number of words and emoji, so both are bounded here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

MAX_WORDS = 64
MAX_EMOJI = 16
MAX_WORD = 40


@cache
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def sentiment(text: str) -> float:
    """Compound score of ``text`` from -1 (angry) to 1 (happy); 0 for an empty text."""
    words, emoji = [], 0
    for word in text[:1000].split()[:MAX_WORDS]:
        symbols = sum(ord(c) > 0x2190 for c in word)
        if symbols and emoji + symbols > MAX_EMOJI:
            continue
        emoji += symbols
        words.append(word[:MAX_WORD])
    if not words:
        return 0.0
    return float(_analyzer().polarity_scores(" ".join(words))["compound"])
