"""Lasting preferences: what people say of themselves once ("I'm vegetarian") and mean for every search.

An assistant declares them in task.yml under ``preferences``: how they are said, and which rows of the entity table
they leave. The belief state knows nothing of them, so trained policies stay valid; they narrow the entity search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from bot.assistant_yaml import YamlMap, did_you_mean
from memory.ontology import BoolArray

_FIELDS = ("column", "value", "you", "phrase", "said", "taken_back")


@dataclass(frozen=True, slots=True)
class Preference:
    """One preference: a row of the table suits it when the cell of ``column`` lists ``value`` (commas between items).

    ``you`` ("you are vegetarian") and ``phrase`` ("vegetarian dishes") word it in replies; ``said`` and ``taken_back``
    are sentences in the first person that state and withdraw it. "I am X" and "I don't X" are withdrawn by their
    opposites without being listed.
    """

    name: str
    column: str
    value: str
    you: str
    phrase: str
    said: tuple[str, ...]
    taken_back: tuple[str, ...] = ()


def read_preferences(content: YamlMap) -> tuple[Preference, ...]:
    """The ``preferences`` of task.yml; AssistantError names the line of whatever is wrong."""
    declared = content.take("preferences", "dict", YamlMap(content.file, 0), required=False)
    found = []
    for name in declared:
        entry = declared.take(name, "dict")
        entry.only(_FIELDS)
        texts = {key: entry.take(key, "str") for key in ("column", "value", "you", "phrase")}
        said = entry.take("said", "list").texts("sentences that state a preference")
        taken_back = entry.take("taken_back", "list").texts("sentences") if "taken_back" in entry else ()
        if not said:
            raise entry.error("said", f"nothing states the preference {name!r}", "List at least one sentence")
        for key, sentences in (("said", said), ("taken_back", taken_back)):
            for sentence in sentences:
                if not _words(sentence):
                    raise entry.error(key, f"{sentence!r} has no word that tells anything", "Write a whole sentence")
        found.append(Preference(name, **texts, said=said, taken_back=taken_back))
    return tuple(found)


def check_preferences(
    content: YamlMap, preferences: Iterable[Preference], table: Mapping[str, tuple[str, ...]]
) -> None:
    """AssistantError when a preference names a column that the table lacks, or a value that no row lists."""
    for preference in preferences:
        entry = content["preferences"][preference.name]
        if preference.column not in table:
            problem = f"the table has no column {preference.column!r}"
            raise entry.error("column", problem, did_you_mean(preference.column, table))
        if not suited(preference, table).any():
            items = {item for cell in table[preference.column] for item in _items(cell)}
            problem = f"no row's {preference.column} lists {preference.value!r}"
            raise entry.error("value", problem, did_you_mean(preference.value, items))


def suited(preference: Preference, table: Mapping[str, tuple[str, ...]]) -> BoolArray:
    """(E,) the rows of the table that suit a preference."""
    return np.array([preference.value in _items(cell) for cell in table[preference.column]], dtype=np.bool_)


def _items(cell: str) -> list[str]:
    return [item.strip() for item in cell.split(",")]


class PreferenceFilter:
    """The rows that are left for what a conversation prefers; names it doesn't know leave all."""

    def __init__(self, preferences: Iterable[Preference], table: Mapping[str, tuple[str, ...]]) -> None:
        self._known = {preference.name: preference for preference in preferences}
        self._suited = {name: suited(preference, table) for name, preference in self._known.items()}

    def known(self, names: Iterable[str]) -> tuple[Preference, ...]:
        """The declared ones among ``names``; a log may hold others from before task.yml changed."""
        return tuple(self._known[name] for name in names if name in self._known)

    def eligible(self, names: Iterable[str]) -> BoolArray | None:
        """(E,) whether a row suits all preferences; None when there are none."""
        masks = [self._suited[preference.name] for preference in self.known(names)]
        return np.logical_and.reduce(masks) if masks else None

    def met(self, row: Mapping[str, str], names: Iterable[str]) -> tuple[Preference, ...]:
        """The declared ones among ``names`` that a row of the table (column -> cell) suits."""
        return tuple(p for p in self.known(names) if p.value in _items(row[p.column]))

    def worded(self, names: Iterable[str]) -> dict[str, str]:
        """``you`` and ``phrase`` of several preferences, joined by "and", for the replies' placeholders."""
        known = self.known(names)
        return {"you": " and ".join(p.you for p in known), "phrase": " and ".join(p.phrase for p in known)}


@dataclass(frozen=True, slots=True)
class HeardPreferences:
    """What a sentence says about preferences, and ``rest``: the sentence without that."""

    stated: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    rest: str = ""


_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_SPOKEN = {
    "i'm": "i am", "im": "i am", "we're": "i am", "we": "i", "are": "am", "don't": "do not", "dont": "do not",
    "doesn't": "do not", "can't": "can not", "i've": "i have", "i'd": "i would", "i'll": "i will", "ain't": "am not",
    "isn't": "am not", "aren't": "am not", "stop": "stopped", "haven't": "have not",
}  # fmt: skip
_FILLERS = frozenset(
    re.findall(
        r"\w+",
        "a an the any also actually really very strictly strict just now still always both all currently totally of "
        "completely basically pretty rather mostly committed proud devout practising myself",
    )
)
_UNSURE = frozenset(
    re.findall(
        r"\w+",
        "if whether unless suppose supposing imagine pretend wish think thinks thought say says",
    )
)
_AFTERWARDS = re.compile(r"[\s,]*\b(?:any ?more|any longer|again|too|as well|by the way|btw|now)\b", re.IGNORECASE)
_FOR_A_WHILE = re.compile(r"\s*\b(?:on|during|today|tonight|tomorrow|friendly|in)\b|\s*-", re.IGNORECASE)
_LED_BY = re.compile(
    r"(?:^|(?<=[\s,;:]))(?:(?:please|can you|could you|also|and|but|so|since|because|as|that|this|remember|note|keep|"
    r"bear|in|mind|don't|do not|forget|you|know|the fact|i told|i said|i mentioned|about|me|being)\b[\s,;:]*)+$",
    re.IGNORECASE,
)
_LOOSE = re.compile(r"^(?:[\s,;:.!\u2013-]|\b(?:and|but|so|then)\b)+|[\s,;:\u2013-]+$", re.IGNORECASE)

_NOTHING = re.compile(
    r"\W*(?:please|thanks|thank you|(?:(?:my|our|the) [\w'-]+(?: [\w'-]+)?|he|she|they|(?-i:[A-Z]\w+)) "
    r"(?:is|are|does|do|isn't|aren't|doesn't|don't)(?: not| too)?)?\W*",
    re.IGNORECASE,
)
"""What is left of a sentence and says nothing alone: "please", "my wife is"."""
_COORDINATED = frozenset({"and", "or", "nor"})


class PreferenceListener:
    """Hears preferences in sentences; one clause of a sentence may state one while the rest is a wish."""

    def __init__(self, preferences: Iterable[Preference]) -> None:
        self._patterns: list[tuple[tuple[str, ...], str, bool]] = []
        for preference in preferences:
            for sentence in preference.said:
                words = tuple(word for word, _, _ in _words(sentence))
                self._patterns.append((words, preference.name, True))
                self._patterns += [(opposite, preference.name, False) for opposite in _opposites(words)]
            for sentence in preference.taken_back:
                self._patterns.append((tuple(word for word, _, _ in _words(sentence)), preference.name, False))
        self._patterns.sort(key=lambda pattern: -len(pattern[0]))

    def hear(self, sentence: str, held: tuple[str, ...] = ()) -> HeardPreferences:
        """What ``sentence`` states, and what it withdraws of the preferences ``held``."""
        stated: list[str] = []
        withdrawn: list[str] = []
        while (found := self._find(sentence, held, stated, withdrawn)) is not None:
            name, holds, start, end = found
            names = [name]
            for other, until in self._coordinated(sentence, start, end):
                end = until
                names += [other] if holds or other in held else []
            names = names if holds else [n for n in names if n in held] or names
            (stated if holds else withdrawn).extend(names)
            sentence = _without(sentence, start, end)
        return HeardPreferences(tuple(stated), tuple(withdrawn), sentence)

    def asked(self, question: str) -> tuple[str, ...]:
        """Preferences that a question is about: "did I tell you that I'm vegan?", "am I vegan?"."""
        words = [word for word, _, _ in _words(question)]
        turned = ["i", "am", *words[2:]] if words[:2] == ["am", "i"] else words
        found = [name for pattern, name, holds in self._patterns if holds and _at(turned, pattern) is not None]
        return tuple(dict.fromkeys(found))

    def _find(
        self, sentence: str, held: tuple[str, ...], stated: list[str], withdrawn: list[str]
    ) -> tuple[str, bool, int, int] | None:
        tokens = _words(sentence)
        words = [word for word, _, _ in tokens]
        for pattern, name, holds in self._patterns:
            at = _at(words, pattern)
            if at is None or name in stated or name in withdrawn:
                continue
            before = [word for word in words[:at] if word not in ("that", "the", "fact")]
            start, end = tokens[at][1], tokens[at + len(pattern) - 1][2]
            if (before and before[-1] in _UNSURE) or _FOR_A_WHILE.match(sentence, end):
                continue
            forget = before[-1:] == ["forget"] and before[-2:-1] != ["not"]
            holds = holds and not forget
            together = [name, *(other for other, _ in self._coordinated(sentence, start, end))]
            if holds or forget or any(other in held for other in together):
                return name, holds, start, end
        return None

    def _coordinated(self, sentence: str, start: int, end: int) -> list[tuple[str, int]]:
        """Other preferences after "I am X" in ``sentence[start:end]``, and where each ends: "I am X and Y"."""
        found: list[tuple[str, int]] = []
        tokens = _words(sentence)
        if [word for word, at, _ in tokens if at >= start][:2] != ["i", "am"]:
            return found
        after = [token for token in tokens if token[1] >= end]
        while len(after) > 1 and after[0][0] in _COORDINATED:
            stated = ("i", "am", after[1][0])
            name = next((name for pattern, name, holds in self._patterns if holds and pattern == stated), None)
            if name is None:
                break
            found.append((name, after[1][2]))
            after = after[2:]
        return found


def _words(text: str) -> list[tuple[str, int, int]]:
    """Words in a common form with their offsets: contractions written out, fillers dropped, plural as singular."""
    found = []
    for match in _TOKEN.finditer(text):
        word = match[0].lower().replace("\u2019", "'")
        for part in _SPOKEN.get(word, word).split():
            if part not in _FILLERS:
                found.append((part[:-1] if len(part) > 4 and part.endswith("s") else part, match.start(), match.end()))
    return found


def _opposites(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    if words[:2] == ("i", "am"):
        return [("i", "am", *no, *words[2:]) for no in (("not",), ("no", "longer"), ("neither",))]
    if words[:3] == ("i", "do", "not"):
        return [("i", "do", *words[3:]), ("i", *words[3:])]
    return []


def _at(words: list[str], pattern: tuple[str, ...]) -> int | None:
    width = len(pattern)
    return next((i for i in range(len(words) - width + 1) if tuple(words[i : i + width]) == pattern), None)


def _without(sentence: str, start: int, end: int) -> str:
    """The sentence without a clause, the words that lead to it and those that trail it."""
    after = _AFTERWARDS.match(sentence, end)
    left = _LED_BY.sub("", sentence[:start])
    right = sentence[after.end() if after else end :]
    rest = _LOOSE.sub("", f"{left.rstrip(' ,;:')} {_LOOSE.sub('', right)}".strip())
    return "" if _NOTHING.fullmatch(rest) else rest
