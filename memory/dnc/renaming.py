"""Stories told with made-up names: does a memory know what is said, or only of whom it was said while it learnt?"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from memory.dnc.babi import Question, Story
from memory.dnc.words import Lexicon, singular

MOTIVES = 20
"""The task that asks for what a place or thing is for: names with a meaning keep it there."""
_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_CONSONANTS, _VOWELS = "bdfgklmnprtvz", "aeiou"


def renamed(story: Story, lexicon: Lexicon, seed: int = 0) -> Story:
    """``story`` with every name replaced by a made-up word, the same one throughout the story.

    Names are all words that ``lexicon`` doesn't hold; "pink rectangle" becomes two made-up words, "wolves" and "wolf"
    the same one. In task 20 the names of ``lexicon.meaningful`` stay, since its answers follow from their meaning.

    Args:
        story: any story, its questions included.
        lexicon: what isn't a name.
        seed: of the made-up words; no two names of a story get the same one.
    """
    draw = random.Random(seed)
    kept = set(lexicon.meaningful) if story.task == MOTIVES else set()
    made: dict[str, str] = {}

    def word(found: re.Match[str]) -> str:
        name = found[0].lower()
        if name in ("a", "an", "the") or name in kept or not lexicon.is_name(name):
            return found[0]
        root = singular(name)
        if root not in made:
            made[root] = _made_up(draw, set(made.values()))
        return made[root].capitalize() if found[0][0].isupper() else made[root]

    def said(line: str | Question) -> str | Question:
        if isinstance(line, Question):
            answer = tuple(_WORD.sub(word, part) for part in line.answer)
            return replace(line, text=_WORD.sub(word, line.text), answer=answer)
        return _WORD.sub(word, line)

    return replace(story, lines=tuple(said(line) for line in story.lines))


def _made_up(draw: random.Random, taken: set[str]) -> str:
    """Three syllables and an x: no English word, no plural, nothing that any story holds."""
    while True:
        made = "".join(draw.choice(_CONSONANTS) + draw.choice(_VOWELS) for _ in range(3)) + "x"
        if made not in taken:
            return made
