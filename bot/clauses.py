"""A sentence as people type it, made plain, and the clauses of it that could each be a sentence."""

from __future__ import annotations

import re

_UNSEEN = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_LEADING = re.compile(r"^[^\w/'\"<({]+")
_CONTRACTED = (
    (re.compile(r"\b(where|what|who|when|how|that|there|he|she)s\b", re.IGNORECASE), r"\1's"),
    (re.compile(r"\b(i)(m|ve)\b", re.IGNORECASE), r"\1'\2"),
    (re.compile(r"\b(do|did|does|is|are|was|were|has|have|had|ca|wo|could|would|should)nt\b", re.IGNORECASE), r"\1n't"),
    (re.compile(r"\br\b(?= (?:my|our|the|we|they))"), "are"),
    (re.compile(r"\bu\b"), "you"),
    (re.compile(r"^(?:were|wher|whre|wehre)(?='s|'re| (?:is|are|was|did|does|do|am|has|have)\b)", re.I), "where"),
    (re.compile(r"^(?:wat|wht|waht)(?='s|'re| (?:is|are|was|did|does|do|am|has|have)\b)", re.I), "what"),
)

_ASKS = (
    r"find|book|show|get me|give me|reserve|recommend|suggest|search|look|please|can|could|would|do you|is there|"
    r"are there|what|where|when|which|who|how|i'd|let's"
)
_SAYS = r"i|i'm|i've|i'll|we|we're|he|she|they|it|it's|my|our|the|(?-i:[A-Z][\w-]+)"
_JOINT = re.compile(
    r"(?:\s*[,;]\s*(?:(?:and|but|so|also)\s+)*|\s+(?:and|but|so)\s+(?:also\s+)?)"
    rf"(?=(?:(?:then|later|please)\s+)*(?:{_ASKS}|{_SAYS})\b)",
    re.IGNORECASE,
)
_ASKED_ON = re.compile(r"(?:what|how|can|could|would|do you|is there|are there)\b", re.IGNORECASE)


def plain(sentence: str) -> str:
    """The sentence with straight apostrophes, those that were left out, and without emoji and the like in front.

    Characters that can't be seen (controls, marks of the writing direction) go too.
    """
    text = _UNSEEN.sub("", sentence).replace("\u2019", "'").strip()
    text = _LEADING.sub("", text) or text
    for pattern, written in _CONTRACTED:
        text = pattern.sub(written, text)
    return text


def clauses(sentence: str) -> tuple[tuple[int, int], ...]:
    """Where the parts between "and", "but", "so" and commas begin and end, where what follows begins like a sentence.

    They are candidates: "Tom" is one of "Tom and Anna went to the market".
    """
    joints = [match.span() for match in _JOINT.finditer(sentence) if match.start() > 0]
    begins = [0, *(end for _, end in joints)]
    return tuple(zip(begins, [*(begin for begin, _ in joints), len(sentence)], strict=True))


def asks_on(sentence: str) -> bool:
    """Whether a question follows on the first clause: "my card was declined, what now"."""
    return any(_ASKED_ON.match(sentence, begin) for begin, _ in clauses(sentence)[1:])
