"""Whether a paraphrase says what was meant: nothing lost, nothing invented. It errs on the side of refusing.

What is compared are the facts that a text can carry: the values that were filled in, known values and names of the
assistant, numbers (digits and words), times, days, months, prices, links, placeholders, capitalised names, negation,
and whether it is a question. A text that differs in one of them is not a paraphrase. A statement made of none of these
("the parking is good") can't be noticed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence

import ahocorasick

MOST_GROWTH, MOST_CHARACTERS = 2.0, 600
"""How many times as long as the original a paraphrase may be, and how long at all."""
_COUNTED = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty
    """.split()  # noqa: SIM905
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(_COUNTED)} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
    "hundred": "100", "thousand": "1000", "half": "1/2", "quarter": "1/4", "dozen": "12", "both": "2", "noon": "noon",
    "midnight": "midnight", "first": "1st", "second": "2nd", "third": "3rd", "once": "once", "twice": "twice",
}  # fmt: skip
_MOMENTS = frozenset(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august
    september october november december today tonight tomorrow yesterday morning afternoon evening weekend am
    pm north south east west centre center free cheap expensive closed open
    """.split()  # noqa: SIM905
)
_NEGATIONS = frozenset(
    """
    no not never none nothing nobody nowhere neither nor without cannot unable unfortunately
    """.split()  # noqa: SIM905
)
_BEGINNINGS = frozenset(
    """
    a about actually all also alright am an and any anything are as at because but by can certainly could did
    do does enjoy fine for from glad good got great had happily happy has have hello here here's hi how i i'd
    i'll i'm i've if in is it it's its just let let's looks may maybe might much my nice of oh ok okay on or
    our perfect perhaps please right see shall she should sorry so sounds speaking sure thank thanks that
    that's the their them then there there's these they they're this those to try unfortunately very was we
    we'd we'll we're we've welcome well were what what's when where which who why will with would yes you
    you'd you'll you're you've your
    """.split()  # noqa: SIM905
)
"""Words that may begin a sentence with a capital letter; any other new one might be a name."""
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MARK = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|<[^<>]*>|https?://\S+|\S+@\S+|[£$€¥%#&*_|\\~^`=+]")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…\"“(]\s*|\n\s*)([^\W\d_]+)")


class ParaphraseCheck:
    """Compares texts, knowing the ``values`` of an assistant: its slots' values and the names of its entities."""

    def __init__(self, values: Collection[str] = ()) -> None:
        self._known = ahocorasick.Automaton()
        for value in values:
            if folded := _folded(value):
                self._known.add_word(folded, folded)
        self._known.make_automaton()

    def complaint(self, original: str, paraphrase: str, facts: Sequence[str] = ()) -> str | None:
        """Why ``paraphrase`` can't stand for ``original``; None when it can.

        ``facts``: the values that ``original`` was filled with; those that it holds must be kept, capitals aside.
        """
        text = paraphrase.strip()
        if not text:
            return "it is empty"
        if "\n" in text or not text.isprintable():
            return "it has several lines or control characters"
        if len(text) > min(MOST_CHARACTERS, MOST_GROWTH * len(original) + 20):
            return "it is too long"
        for fact in facts:
            if fact and fact.lower() in original.lower() and fact.lower() not in text.lower():
                return f"it lost {fact!r}"
        for what, found in self._kinds().items():
            before, after = found(original), found(text)
            if lost := before - after:
                return f"it lost {what} {next(iter(lost))!r}"
            if invented := after - before:
                return f"it invented {what} {next(iter(invented))!r}"
        if _numbers(original) != _numbers(text):
            return "it has the numbers in another order"
        if lost_names := _names(original) - set(_words(text)):
            return f"it lost the name {min(lost_names)!r}"
        if new_names := _names(text, _BEGINNINGS) - set(_words(original)):
            return f"it invented the name {min(new_names)!r}"
        return None

    def _kinds(self) -> dict[str, Callable[[str], Counter[str]]]:
        """What must be the same in both texts, by its name in complaints."""
        return {
            "the mark": lambda text: Counter(_MARK.findall(text)),
            "the number": lambda text: Counter(_numbers(text)),
            "the value": self._values,
            "the moment or place": lambda text: Counter(word for word in _words(text) if word in _MOMENTS),
            "the negation": lambda text: Counter(["no"] if _denies(text) else []),
            "the question": lambda text: Counter(["?"] if "?" in text else []),
        }

    def _values(self, text: str) -> Counter[str]:
        """The known values in ``text``, the longest where they overlap, each once: it may be repeated by a pronoun."""
        if not len(self._known):
            return Counter()
        folded = f" {_folded(text)} "
        found: list[tuple[int, int, str]] = []
        for end, value in self._known.iter(folded):
            start = end - len(value) + 1
            if folded[start - 1] == " " and folded[end + 1] == " ":
                found.append((start, end, value))
        kept = [
            value
            for start, end, value in found
            if not any(s <= start and end <= e and (s, e) != (start, end) for s, e, _ in found)
        ]
        return Counter(dict.fromkeys(kept, 1))


def _folded(text: str) -> str:
    """Small letters and digits with single spaces."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def _numbers(text: str) -> list[str]:
    """Digits as they stand, and words of number as digits, in the order of the text."""
    found = [(match.start(), match[0]) for match in _NUMBER.finditer(text)]
    found += [(m.start(), _NUMBER_WORDS[m[0].lower()]) for m in _WORD.finditer(text) if m[0].lower() in _NUMBER_WORDS]
    return [number for _, number in sorted(found)]


def _names(text: str, beginnings: frozenset[str] | None = None) -> set[str]:
    """Capitalised words, made small: those within sentences, with ``beginnings`` also first words that are none."""
    starts = {match.start(1) for match in _SENTENCE_START.finditer(text)}
    found = set()
    for match in _WORD.finditer(text):
        word = match[0].lower().replace("’", "'")
        if not match[0][0].isupper() or word.split("'")[0] == "i":
            continue
        if match.start() not in starts or (beginnings is not None and word not in beginnings):
            found.add(word)
    return found


def _denies(text: str) -> bool:
    return any(word in _NEGATIONS or word.endswith("n't") for word in _words(text))
