"""Number words and party sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int, str]
"""(start, end, normal form)."""

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: n for n, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, start=2)}
_WORDS |= {"a couple of": 2, "a couple": 2, "couple of": 2, "a pair": 2, "half a dozen": 6, "a dozen": 12}
_ORDINALS = (
    "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
    "nineteenth", "twentieth",
)  # fmt: skip
ORDINAL_WORDS = {word: n for n, word in enumerate(_ORDINALS)} | {
    "thirtieth": 30, "last": -1,
    **{f"{tens}{joint}{_ORDINALS[n]}": base + n for tens, base in (("twenty", 20), ("thirty", 30))
       for n in range(1, 10) for joint in ("-", " ") if base + n <= 31},
}  # fmt: skip

_TENS_ONES = rf"(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_ONES[1:10])}))?"
_ONE_WORD = "|".join(sorted(_ONES, key=len, reverse=True))
NUMBER = rf"(?:half a dozen|a dozen|a couple(?: of)?|couple of|a pair|{_TENS_ONES}|{_ONE_WORD}|\d{{1,3}})"
"""A regular expression for a whole number up to 999 in digits or up to 99 in words."""

_PEOPLE = (
    r"(?:people|peoples|persons?|peple|poeple|ppl|pax|guests?|diners?|adults?|grown[- ]?ups?|friends|mates|"
    r"colleagues|heads?|folks|covers|seats|chairs|men|women|ladies|guys|of us|"
    r"in (?:total|all|our party|my party|the party)|altogether)"
)
_AGE = r"(?:kids?|child(?:ren)?|babies|baby|toddlers?|little ones?|teenagers?|infants?)"
_NOT_MORE = (
    r"(?![\d:.,]*\d|:|\s*(?:am|pm|a\.m|p\.m|o'?clock|ish|th|st|nd|rd|thirty|fifteen|minutes|mins|hours?|days?|"
    r"weeks?|pounds|quid|euros?|%|past|to \w|in the (?:evening|afternoon|morning))\b)"
)
_COMPANION = (
    r"(?:wife|husband|partner|girlfriend|boyfriend|mum|mother|dad|father|son|daughter|friend|mate|boss|fiancee?|"
    r"colleague|sister|brother|date|other half|better half)"
)

_SUM = re.compile(rf"\b({NUMBER})\s*(?:{_PEOPLE}\s*)?(?:and|plus|\+|with|,|&)\s*({NUMBER})\s*{_AGE}\b")
_ME_AND = re.compile(rf"\b(?:me|myself|i) (?:and|plus|\+|with) ({NUMBER}) (?:others?|more|{_PEOPLE}|{_AGE})\b")
_COUNTED = re.compile(rf"(?<![\d:.,/-])\b({NUMBER})\s*[- ]?(?:{_PEOPLE}|{_AGE}|seater)(?!\w)")
_FRAMED = re.compile(
    rf"\b(?:(?:party|table|group|booking|reservation|spot|seats?|room|dinner|lunch|meal) (?:of|for)|tables? 4|"
    rf"we(?: are|'re|re| will be|'ll be)(?: only| just)?|there(?: are|'s|s| will be|'ll be| is)(?: only| just)?|for)"
    rf"\s+(?:around |about |just |only |all |maybe |up to )?({NUMBER})\b{_NOT_MORE}"
)
_ALONE = re.compile(
    r"\b(?:(?:just|only|for)(?: for)? me(?! and| plus| with| to)|(?:just|only) (?:myself|one|1)|by myself|"
    r"on my own|alone|solo|table for one|single person)\b"
)
_PAIR = re.compile(
    rf"\b(?:(?:just )?(?:me|myself|i) (?:and|plus|with|&) (?:my|a|the|one) {_COMPANION}|"
    rf"my {_COMPANION} and (?:me|i|myself)|(?:the|just the|both|us) (?:two|both) of us|both of us|us two|"
    rf"(?:me|i) and (?:one other|another)|a couple(?! of)|the pair of us)\b"
)
_BARE = re.compile(rf"(?<![\d:.,/-])\b({NUMBER})\b(?![\d:.,/-]*\d)")
_ORDINAL = re.compile(rf"\b(?:{'|'.join(sorted(ORDINAL_WORDS, key=len, reverse=True))}|(\d{{1,3}})(?:st|nd|rd|th))\b")


def number(words: str) -> int:
    """The value of text that NUMBER matched; ValueError otherwise."""
    words = " ".join(words.split())
    if words.isdecimal() and words.isascii():
        return int(words)
    if words in _WORDS:
        return _WORDS[words]
    tens, _, ones = words.replace("-", " ").partition(" ")
    if tens in _TENS and ones in _ONES[1:10]:
        return _WORDS[tens] + _WORDS[ones]
    raise ValueError(f"not a number: {words!r}")


def find_numbers(text: str) -> Iterator[Span]:
    """Whole numbers and ordinals of lower-case ``text``."""
    ordinals = []
    for match in _ORDINAL.finditer(text):
        value = int(match[1]) if match[1] else ORDINAL_WORDS[match[0]]
        ordinals.append(match.end())
        yield match.start(), match.end(), str(value)
    for match in _BARE.finditer(text):
        if match.start() - 1 in ordinals and match[1] == "one":
            continue  # "the first one"
        yield match.start(), match.end(), str(number(match[1]))


def find_people(text: str, *, bare: bool) -> list[Span]:
    """Party sizes of lower-case ``text``; with ``bare`` also a number that nothing explains."""
    spans: list[Span] = []
    for pattern, count in (
        (_SUM, lambda m: number(m[1]) + number(m[2])),
        (_ME_AND, lambda m: number(m[1]) + 1),
        (_COUNTED, lambda m: number(m[1])),
        (_FRAMED, lambda m: number(m[1])),
        (_PAIR, lambda m: 2),
        (_ALONE, lambda m: 1),
        *(((_BARE, lambda m: number(m[1])),) if bare else ()),
    ):
        for match in pattern.finditer(text):
            start, end = match.span() if match.re.groups == 0 or match.re is _SUM else (match.start(1), match.end(1))
            if match.re in (_ME_AND, _COUNTED):
                start, end = match.span()
            size = count(match)
            if size > 0 and all(end <= s or start >= e for s, e, _ in spans):
                spans.append((start, end, str(size)))
    return sorted(spans)
