"""Sentences as a few known words and many identities: an open vocabulary for a memory with a fixed one.

A word of the closed class (verbs, prepositions, question words) has an embedding of its own. Every other word is a
*name* of something: in each story it is bound to one of ``identities`` exchangeable slots, drawn anew every time, so
that the network can only learn what is said about a thing, never which thing it is. "Priya / umbrella / pharmacy" are
then as good as "Mary / football / kitchen".

Names that stand side by side ("pink rectangle", "box of chocolates") are one name, but not across an article or a comma
("I gave Tom the book", "milk, bread"); plurals are read as their singular. One thing may have several names: after "the
blue bag" the bare "bag" is the same one; "my sister's phone" is only hers, never "the phone"; "my brother Tom" is
called both "Tom" and "brother" from then on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"[0-9]+(?:[:.][0-9]+)+|[^\W_]+(?:'[^\W_]+)*(?:-[^\W_]+)*|,")
_DROPPED = frozenset({"the", "a", "an"})
_BREAK = ","
"""Stands for an article or a comma: names on its two sides are two."""
_IRREGULAR = {
    "mice": "mouse", "wolves": "wolf", "people": "person", "children": "child", "feet": "foot", "geese": "goose",
    "knives": "knife", "shelves": "shelf", "scarves": "scarf", "loaves": "loaf", "men": "man", "women": "woman",
    "cookies": "cookie", "movies": "movie", "brownies": "brownie", "hoodies": "hoodie", "smoothies": "smoothie",
}  # fmt: skip
_CONTRACTIONS = {
    "i'm": "i am", "i've": "i have", "i'll": "i will", "i'd": "i would", "it's": "it is", "he's": "he is",
    "she's": "she is", "they're": "they are", "we're": "we are", "you're": "you are", "that's": "that is",
    "where's": "where is", "who's": "who is", "what's": "what is", "when's": "when is", "isn't": "is not",
    "don't": "do not", "didn't": "did not", "doesn't": "does not", "can't": "can not", "won't": "will not",
    "wasn't": "was not", "aren't": "are not", "there's": "there is", "here's": "here is", "we've": "we have",
    "we'll": "we will", "they've": "they have", "he'll": "he will", "she'll": "she will", "it'll": "it will",
    "they'll": "they will", "haven't": "have not", "hasn't": "has not", "hadn't": "had not", "weren't": "were not",
    "couldn't": "could not", "wouldn't": "would not", "we'd": "we would", "he'd": "he would", "she'd": "she would",
}  # fmt: skip
_ALONE = frozenset({"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"})
"""Names that are never part of a longer one: "on Friday Tom arrives" names two."""
_AFTER_IS = frozenset(
    {"in", "at", "on", "not", "my", "going", "gone", "under", "behind", "with", "from", "here", "there", "back",
     "still", "now", "either", "moving", "called"}
)  # fmt: skip
"""What tells that "Tom's" is "Tom is", as an article does."""
KIN = frozenset(
    {"brother", "sister", "mother", "father", "mum", "mom", "dad", "aunt", "uncle", "niece", "nephew", "cousin",
     "son", "daughter", "wife", "husband", "partner", "grandmother", "grandfather", "grandma", "grandpa", "granny",
     "friend", "colleague", "neighbour", "neighbor", "boss", "girlfriend", "boyfriend", "flatmate", "roommate"}
)  # fmt: skip
"""Who a person is to somebody: a name after it is that person's ("my brother Tom")."""
END = "<end>"
UNKNOWN = "unknown"
NOTHING_SAID = (END, UNKNOWN)
END_INDEX, UNKNOWN_INDEX = 1, 2


def words_of(sentence: str) -> list[str]:
    """The words of a sentence, lower case, contractions opened, articles and possessive endings dropped."""
    return [word.removesuffix("'s") for word in _spoken(sentence) if word != _BREAK]


def _spoken(sentence: str) -> list[str]:
    """Words, with a break for every article or comma; "Tom's" opened to "Tom is" where it means that."""
    spoken: list[str] = []
    tokens = _TOKEN.findall(sentence.lower().replace("\u2019", "'"))
    for position, token in enumerate(tokens):
        following = tokens[position + 1] if position + 1 < len(tokens) else ""
        if token in _DROPPED:
            spoken.append(_BREAK)
        elif token in _CONTRACTIONS:
            spoken.extend(_CONTRACTIONS[token].split())
        elif token.endswith("'s") and (following in _DROPPED or following in _AFTER_IS):
            spoken.extend((token.removesuffix("'s"), "is"))
        else:
            spoken.append(token)
    return spoken


def singular(word: str) -> str:
    """The form under which a name is kept: "wolves" and "wolf" are the same thing."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "ches", "shes", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")):
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
        naming = of = False
        words = _spoken(sentence)
        for position, word in enumerate(words):
            if word == _BREAK:
                naming = naming and of  # "the box of the chocolates" is one name all the same
                continue
            bare = word.removesuffix("'s")
            if not self.is_name(bare):
                of = bare == "of" and naming and self._named_next(words[position + 1 :])
                if not of:
                    naming = False
                    parts.append(bare)
                continue
            if naming and (of or not {word, parts[-1]} & _ALONE):
                parts[-1] += (" of " if of else " ") + self._kept(word, words[position + 1 :])
            else:
                parts.append(self._kept(word, words[position + 1 :]))
            naming, of = True, False
        return [part.removesuffix("'s") for part in parts]

    def _named_next(self, following: Sequence[str]) -> bool:
        found = next((word for word in following if word != _BREAK), "")
        return bool(found) and self.is_name(found.removesuffix("'s"))

    def _kept(self, word: str, following: Sequence[str]) -> str:
        """The singular; "my sisters phone", carelessly written, is "my sister's phone"."""
        careless = word not in KIN and singular(word) in KIN and bool(following) and self.is_name(following[0])
        return singular(word) + "'s" if careless and following[0] != _BREAK else singular(word)


@dataclass
class Names:
    """The names of one story in the order of their first mention: name -> number, at most ``limit`` numbers."""

    lexicon: Lexicon
    limit: int
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many things have a name."""
        return max(self.numbers.values(), default=-1) + 1

    def number(self, name: str) -> int:
        """The number of a name, a new one for a new name; the last number is shared when there are too many."""
        if name not in self.numbers:
            first, _, rest = name.partition(" ")
            if first in KIN and rest:
                known = self.numbers[rest] if rest in self.numbers else self.numbers.get(first)
                self.numbers[rest] = self._new() if known is None else known
                self.numbers[first] = self.numbers[rest]
                return self.numbers[rest]
            known = self._longer(name)
            self.numbers[name] = self._new() if known is None else known
        return self.numbers[name]

    def _new(self) -> int:
        return min(self.count, self.limit - 1)

    def _longer(self, name: str) -> int | None:
        """The number of the latest longer name of the same thing: "blue bag" for "bag"."""
        for known in reversed(self.numbers):
            if known.endswith(" " + name) and "'s" not in known and " of " not in known:
                return self.numbers[known]
        return None

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
            key = " ".join(map(singular, word.lower().split()))
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
yesterday you none one two three nothing nobody n s e w it i my me bring brought
"""
_MEANINGFUL = ("kitchen", "bedroom", "garden", "apple", "milk", "football", "pajama")


def babi_lexicon(more: Sequence[str] = ()) -> Lexicon:
    """The closed class of the bAbI tasks, and ``more`` words."""
    words = tuple(dict.fromkeys((*_OFFICIAL.split(), *more)))
    return Lexicon(tuple(word for word in words if word not in _MEANINGFUL and word not in NOTHING_SAID), _MEANINGFUL)


def reading_rules() -> dict[str, Any]:
    """What ``words_of``, ``singular`` and ``Names`` go by, as JSON values: for readers in other languages."""
    return {
        "token": _TOKEN.pattern,
        "dropped": sorted(_DROPPED),
        "break": _BREAK,
        "after_is": sorted(_AFTER_IS),
        "alone": sorted(_ALONE),
        "kin": sorted(KIN),
        "irregular": dict(_IRREGULAR),
        "contractions": dict(_CONTRACTIONS),
        "first_entries": ["", *NOTHING_SAID],
    }
