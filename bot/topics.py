"""What a message asks to forget or to list: all that was told, the latest of it, or what mentions a topic."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

POLITE = r"^(?:(?:please|and|but|so|oh|ok|okay|well|also|by the way|btw)[,\s]+)*(?:can you |could you )?(?:please )?"
_END = r"[\s.!?]*$"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which statements are meant; ``topic`` in the user's words for "about" and "mine" (which has no other cue)."""

    scope: Literal["all", "latest", "about", "mine"]
    topic: str = ""


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(POLITE + pattern, re.IGNORECASE)


_FORGET = r"for?ge?t+"
_AWAY = rf"(?:{_FORGET}|delete|erase|clear|wipe)\s+"
_FORGET_ABOUT = _form(
    _AWAY + r"(?:everything|anything|all|what|whatever)\b.*?\babout\s+(?!me\b|myself\b)(?P<topic>.+?)" + _END
)
_FORGET_ALL = _form(
    _AWAY + r"(?:your memory\b|(?:about\s+)?(?:me|myself)" + _END + r"|(?:everything|all|what|whatever)\b"
    r"(?=.*\b(?:told|about|memory|know|remember|(?:have|stored|saved|got) (?:on|of) me)\b)(?!.*\babout\W*$))"
)
_FORGET_THAT = _form(
    _FORGET
    + r"\s+(?:about\s+)?(?:the fact\s+)?that\s+(?P<topic>(?:i|we|my|our|he|she|the|[a-z][\w'-]+)\b\s+\S.*?)"
    + _END
)
_FORGET_MINE = _form(_AWAY + r"(?:about\s+)?(?P<topic>(?:my|our)\s+\S.*?)" + _END)
_FORGET_LATEST = _form(
    r"(?:(?:no|sorry|wait|oops|actually|hang on|"
    r"that(?:'s| is| was) (?:wrong|not true|not right|nonsense|a (?:lie|mistake))|i (?:lied|was wrong))[,.\s]+)*"
    rf"(?:please )?(?:i\s+)?(?:{_FORGET}|scratch|strike|ignore|undo|delete|take|never\s*mind|"
    r"(?:don't|do not|dont) (?:remember|note|save|store|keep))\s+"
    r"(?:that|it|this|the last (?:one|thing|statement|sentence))(?:\s+(?:back|again|please|i (?:told you|said)))*"
    + _END
)
_FORGET_SAID = _form(_FORGET + r" (?:everything|all)(?:(?: that)? i(?:'ve| have)? (?:just )?said)?" + _END)

_LIST_ALL = _form(
    r"(?:what (?:all )?do you (?:still )?(?:(?:remember|recall)(?: (?:about|of|from) me)?|know (?:about|of|from) me)"
    r"|(?:tell me |show me |list )?(?:what|everything|all)(?: that)? (?:have i|did i|i've|i have|i) (?:just )?"
    r"(?:told|tell)(?: to)? you|what (?:have|did) i (?:just )?(?:say|said)"
    r"|do you (?:still )?(?:remember|know) (?:me|anything|something)(?: (?:about|of) me)?"
    r"|(?:tell me|show me|list) (?:what|everything|all)(?: that)? you (?:remember|know)(?: (?:about|of|from) me)?)"
    r"(?: so far| until now| before)?" + _END
)
_LIST_ABOUT = _form(
    r"(?:(?:tell me |show me )?what (?:did i|have i|i) (?:say|said|tell you|told you|mention|mentioned) about"
    r"|(?:did|have) i (?:say|said|tell you|told you|mention|mentioned) (?:anything|something) about"
    r"|did i (?:tell you|say anything|say something) about|what do you (?:remember|recall) about"
    r"|do you (?:remember|recall) (?:anything|something|what i said|what i told you) about"
    r"|what do you know about(?= my\b))"
    r"\s+(?!me\b)(?P<topic>.+?)" + _END
)


def forgetting(sentence: str) -> Wanted | None:
    """What a sentence asks to forget; None when it asks for nothing of the kind."""
    if (about := _FORGET_ABOUT.match(sentence)) is not None:
        return Wanted("about", about["topic"])
    if _FORGET_ALL.match(sentence) is not None:
        return Wanted("all")
    if _FORGET_LATEST.match(sentence) is not None:
        return Wanted("latest")
    if (that := _FORGET_THAT.match(sentence)) is not None:
        return Wanted("about", that["topic"])
    if (mine := _FORGET_MINE.match(sentence)) is not None:
        return Wanted("mine", mine["topic"])
    return None


def forgets_what_was_said(sentence: str) -> bool:
    """Whether it is "forget everything I said", which is also "start again" to the task."""
    return _FORGET_SAID.match(sentence) is not None


def listing(sentence: str) -> Wanted | None:
    """What a sentence asks to be told again; None when it asks for nothing of the kind."""
    if _LIST_ALL.match(sentence) is not None:
        return Wanted("all")
    about = _LIST_ABOUT.match(sentence)
    return Wanted("about", about["topic"]) if about is not None else None


_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the is am are was were be being been i me my mine we us our you your he she it they them his her their "
        "that this these those in on at to of about with for from by and or but what which where when who said told "
        "had has have do does did not no any every thing things all",
    )
)
_DETERMINERS = r"(?:my|our|the|an?|his|her|their)\b"
_REFERS = re.compile(
    r"^(?:(?:then|later|afterwards|after that|and|also|next|no|actually)[,\s]+)*"
    rf"(?:(?:he|she|they|it)\b|(?:i|we)\s+(?:(?!{_DETERMINERS})[\w']+\s+){{0,3}}?(?:it|them|him|her)\b)",
    re.IGNORECASE,
)


def content_words(text: str) -> frozenset[str]:
    """Words that name things, in lower case and singular."""
    words = (
        word.removesuffix("'s") for word in re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.lower().replace("\u2019", "'"))
    )
    return frozenset(w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words if w not in _STOP)


def mentioning(statements: Sequence[str], topic: str) -> tuple[str, ...]:
    """The statements with all words of ``topic``, or of one part of it joined by "and", "or" or a comma."""
    parts = [words for part in re.split(r",|\band\b|\bor\b", topic) if (words := content_words(part))]
    return tuple(text for text in statements if any(words <= content_words(text) for words in parts))


def with_references(statements: Sequence[str], found: Sequence[str]) -> tuple[str, ...]:
    """``found`` and what follows on it by a pronoun ("then I took it to the office"), in order."""
    chosen, referring = [], False
    for text in statements:
        referring = text in found or (referring and _REFERS.match(text) is not None)
        if referring:
            chosen.append(text)
    return tuple(chosen)


def relevant(statements: Sequence[str], question: str, limit: int = 16) -> tuple[str, ...]:
    """The statements that a question may be about, in order: those that share a word with it, what refers to them by
    a pronoun, then those that share one with these; the latest ``limit`` of them. A word that more than a quarter of
    the statements have tells nothing.
    """
    words_of = {text: content_words(text) for text in statements}
    count = Counter(word for text in statements for word in words_of[text])
    telling = {word for word, times in count.items() if times <= max(4, len(statements) // 4)}
    asked, chosen = set(content_words(question)) & count.keys(), list[str]()
    for _ in range(2):
        sharing = [text for text in statements if words_of[text] & asked]
        found = [text for text in with_references(statements, sharing) if text not in chosen]
        chosen += found[::-1][: limit - len(chosen)]
        asked = {word for text in chosen for word in words_of[text]} & telling
    return tuple(text for text in statements if text in chosen)


_TURNED = {"my": "your", "our": "your", "mine": "yours", "me": "you", "i": "you", "we": "you", "us": "you", "am": "are"}


def addressed(topic: str) -> str:
    """A topic as the bot says it: "my passport" becomes "your passport"."""
    return re.sub(r"[^\W_]+", lambda word: _TURNED.get(word[0].lower(), word[0]), topic)
