"""Sentences as a few known words and many identities: an open vocabulary for a memory with a fixed one.

A word of the closed class (verbs, prepositions, question words) has an embedding of its own. Every other word is a
*name* of something: in each story it is bound to one of ``identities`` exchangeable slots, drawn anew every time, so
that the network can only learn what is said about a thing, never which thing it is. "Priya / umbrella / pharmacy" are
then as good as "Mary / football / kitchen". Names that stand side by side ("pink rectangle", "box of chocolates") are
one name, plurals are read as their singular.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?(?:-[a-z0-9]+)*")
_DROPPED = frozenset({"the", "a", "an"})
_IRREGULAR = {
    "mice": "mouse",
    "wolves": "wolf",
    "people": "person",
    "children": "child",
    "feet": "foot",
    "geese": "goose",
}
_CONTRACTIONS = {
    "i'm": "i am", "i've": "i have", "i'll": "i will", "i'd": "i would", "it's": "it is", "he's": "he is",
    "she's": "she is", "they're": "they are", "we're": "we are", "you're": "you are", "that's": "that is",
    "where's": "where is", "who's": "who is", "what's": "what is", "when's": "when is", "isn't": "is not",
    "don't": "do not", "didn't": "did not", "doesn't": "does not", "can't": "can not", "won't": "will not",
    "wasn't": "was not", "aren't": "are not",
}  # fmt: skip
END = "<end>"
UNKNOWN = "unknown"
NOTHING_SAID = (END, UNKNOWN)
END_INDEX, UNKNOWN_INDEX = 1, 2


def words_of(sentence: str) -> list[str]:
    """The words of a sentence, lower case, contractions opened, articles dropped."""
    spoken: list[str] = []
    for token in _TOKEN.findall(sentence.lower().replace("’", "'")):
        spoken.extend(_CONTRACTIONS.get(token, token).split())
    return [word.removesuffix("'s") for word in spoken if word not in _DROPPED]


def singular(word: str) -> str:
    """The form under which a name is kept: "wolves" and "wolf" are the same thing."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@dataclass(frozen=True)
class Lexicon:
    """The closed class: words with a meaning of their own.

    Args:
        words: closed-class words; index 0 is padding, 1 the end of an answer.
        meaningful: names that also carry a meaning (a kitchen is where the hungry go): they are bound to an identity
            *and* keep an embedding.
    """

    words: tuple[str, ...]
    meaningful: tuple[str, ...] = ()
    index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        order = ("", *NOTHING_SAID, *self.words, *self.meaningful)
        object.__setattr__(self, "index", {word: position for position, word in enumerate(order)})

    def __len__(self) -> int:
        return len(self.index)

    @property
    def entries(self) -> tuple[str, ...]:
        """All words in the order of their indices."""
        return tuple(self.index)

    def is_name(self, word: str) -> bool:
        """Whether a word names something rather than being of the closed class."""
        return word not in self.index or word in self.meaningful

    def parts(self, sentence: str) -> list[str]:
        """Closed-class words and names of a sentence; neighbouring names are one, and "box of chocolates" is too."""
        parts: list[str] = []
        previous_name = False
        words = words_of(sentence)
        position = 0
        while position < len(words):
            word = words[position]
            if not self.is_name(word):
                joins = (
                    word == "of" and previous_name and position + 1 < len(words) and self.is_name(words[position + 1])
                )
                if joins:
                    parts[-1] += " of " + singular(words[position + 1])
                    position += 2
                    continue
                parts.append(word)
                previous_name = False
            elif previous_name:
                parts[-1] += " " + singular(word)
            else:
                parts.append(singular(word))
                previous_name = True
            position += 1
        return parts


@dataclass
class Names:
    """The names of one story in the order of their first mention: name -> number, at most ``limit`` of them."""

    lexicon: Lexicon
    limit: int
    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The number of a name, a new one for a new name; the last number is shared when there are too many."""
        known = self.numbers.get(name)
        if known is None:
            known = min(len(self.numbers), self.limit - 1)
            self.numbers[name] = known
        return known

    def encode(self, sentence: str, length: int) -> list[int]:
        """Indices of a sentence, cut to ``length``: below ``len(lexicon)`` a closed-class word, above it a name."""
        indices = []
        for part in self.lexicon.parts(sentence)[:length]:
            closed = self.lexicon.index.get(part)
            named = closed is None or part in self.lexicon.meaningful
            indices.append(len(self.lexicon) + self.number(part) if named else int(closed or 0))
        return indices

    def encode_answer(self, answer: Iterable[str], slots: int) -> list[int]:
        """Indices of the words of an answer, padded with the end of an answer."""
        found: list[int] = []
        for word in answer:
            key = singular(word.lower())
            if key in self.numbers:
                found.append(len(self.lexicon) + self.numbers[key])
            elif word.lower() in self.lexicon.index:
                found.append(self.lexicon.index[word.lower()])
            elif key in self.lexicon.index:
                found.append(self.lexicon.index[key])
            else:
                found.append(len(self.lexicon) + self.number(key))
        return (found + [self.lexicon.index[END]] * slots)[:slots]

    def meanings(self) -> list[int]:
        """For each number the lexicon's index of a meaningful name, 0 for the others."""
        values = [0] * self.limit
        for name, number in self.numbers.items():
            if name in self.lexicon.meaningful:
                values[number] = self.lexicon.index[name]
        return values


_OFFICIAL = """
above afraid after afternoon afterwards and are back before below bigger bored carrying color did discarded do does
down dropped east either evening fit fits following from gave get give go got grabbed handed he how hungry in inside is
journeyed left longer many maybe morning moved no north not objects of or passed picked put received right she south
than that then there they thirsty this tired to took travelled up was went west what where who why will with yes
yesterday you none one two three nothing n s e w it i my me bring brought
"""
_MEANINGFUL = ("kitchen", "bedroom", "garden", "apple", "milk", "football", "pajama")


def babi_lexicon(more: Sequence[str] = ()) -> Lexicon:
    """The closed class of the bAbI tasks, and ``more`` words."""
    words = tuple(dict.fromkeys((*_OFFICIAL.split(), *more)))
    return Lexicon(tuple(word for word in words if word not in _MEANINGFUL and word not in NOTHING_SAID), _MEANINGFUL)
