"""Typing errors for training sentences, so that the models have met misspelt words before a user writes one."""

from __future__ import annotations

import random
from dataclasses import replace

from bot.assistant import Example
from bot.nlu.tokens import tokenize

_NEIGHBOURS = {
    "a": "sqz", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
_VOWELS = "aeiou"


def misspell(word: str, rng: random.Random) -> str:
    """One typing error in a word of letters: swap, drop, double, neighbouring key or another vowel."""
    i = rng.randrange(1, len(word) - 1) if len(word) > 3 else rng.randrange(len(word))
    letter = word[i].lower()
    match rng.choice(("swap", "drop", "drop", "double", "key", "vowel")):
        case "swap" if i + 1 < len(word):
            return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        case "drop":
            return word[:i] + word[i + 1 :]
        case "double":
            return word[:i] + word[i] + word[i:]
        case "vowel" if letter in _VOWELS:
            return word[:i] + rng.choice(_VOWELS) + word[i + 1 :]
        case _:
            return word[:i] + rng.choice(_NEIGHBOURS.get(letter, letter)) + word[i + 1 :]


def with_typos(example: Example, rng: random.Random, share: float = 0.3) -> Example | None:
    """A copy with errors in about ``share`` of its words of four letters and more (at least one); None if it has none.

    Offsets of the entities follow; their values, which are the right ones, stay.
    """
    words = [t for t in tokenize(example.text) if len(t.text) >= 4 and t.text.isalpha()]
    if not words:
        return None
    chosen = [w for w in words if rng.random() < share] or [rng.choice(words)]
    text, entities = example.text, list(example.entities)
    for word in sorted(chosen, key=lambda w: -w.start):
        wrong = misspell(word.text, rng)
        text = text[: word.start] + wrong + text[word.end :]
        shift = len(wrong) - (word.end - word.start)
        entities = [
            replace(
                e,
                start=e.start + shift * (e.start > word.start),
                end=e.end + shift * (e.end > word.start),
            )
            for e in entities
        ]
    return Example(text, example.intent, tuple(entities))
