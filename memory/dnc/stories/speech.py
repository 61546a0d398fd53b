"""How a user tells a bot things: several wordings, lead-ins, contractions, small talk, careless spelling."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from memory.dnc.babi import Question

Lines = list[str | Question]
NOT_TOLD = ("unknown",)
"""The answer to a question about something that was never said."""
_LEAD_INS = (
    "Remember that ", "By the way, ", "Just so you know, ", "Well, ", "Oh, ", "Please note that ", "FYI, ", "And ",
    "Also, ", "So ",
)  # fmt: skip
_ASIDES = (
    "Nice weather today.", "How are you?", "Thanks for your help.", "I had a long day.", "That was a great film.",
    "I need some coffee.", "You are very kind.", "It rained all morning.", "I slept well.", "This is fun.",
    "Let me think.", "Never mind.", "I am a bit tired.", "The traffic was awful.",
)  # fmt: skip
STRANGE = (
    "accidentally", "stupidly", "carefully", "secretly", "probably", "unfortunately", "luckily", "hastily", "sadly",
    "definitely", "eventually", "reluctantly", "quickly", "silently", "cleverly", "apparently",
)  # fmt: skip
"""Words that name nothing and that the encoder isn't to know: it must read past what it has never seen."""
_TRAILING = (
    " by mistake", " last night", " this morning", " before work", " after lunch", " for you", " again", " for now",
    " earlier today", " last week", " on the way", " with a friend", " at noon", " yesterday",
)  # fmt: skip
_CONTRACTED = {
    "I am ": "I'm ", "I will ": "I'll ", "I have ": "I've ", "She is ": "She's ", "He is ": "He's ", "It is ": "It's ",
    "Where is ": "Where's ", "Who is ": "Who's ", "What is ": "What's ", "When is ": "When's ", "did not ": "didn't ",
    "They are ": "They're ", "does not ": "doesn't ", "she is ": "she's ", "he is ": "he's ", "it is ": "it's ",
}  # fmt: skip
_LOWERED = ("The", "My", "On", "Then", "She", "He", "It", "They", "We", "Now", "Later")


@dataclass(frozen=True)
class Person:
    """Somebody who does things: ``name`` as one is called, the pronouns, the answer that means this person."""

    name: str
    subject: str
    object: str
    answer: str

    @property
    def start(self) -> str:
        """The name at the start of a sentence: "My sister"."""
        return self.name[0].upper() + self.name[1:]

    @property
    def own(self) -> bool:
        """Whether it is the user."""
        return self.subject == "I"


USER = Person("I", "I", "me", "you")


class Talk:
    """A conversation as it grows: what was said so far and the questions asked.

    Args:
        draw: the random draws.
        not_told: the share of questions about something that was never said.
        aside: the chance of small talk before a statement.
    """

    def __init__(self, draw: random.Random, not_told: float = 0.15, aside: float = 0.1) -> None:
        self.lines: Lines = []
        self.draw, self.not_told, self.aside = draw, not_told, aside
        self.said = 0
        self.careless = draw.random() < 0.3

    def say(self, wordings: Sequence[str]) -> int:
        """Say something in one of its wordings, perhaps after small talk; its position among the statements."""
        if self.draw.random() < self.aside:
            self._put(self.draw.choice(_ASIDES))
        text = self._strange(self.draw.choice(wordings))
        if self.draw.random() < 0.15:
            first = text.split(maxsplit=1)[0]
            lowered = text[0].lower() + text[1:] if first in _LOWERED else text
            text = self.draw.choice(_LEAD_INS) + lowered
        return self._put(text)

    def go_on(self, wordings: Sequence[str]) -> int:
        """Say something about who or what was just spoken of ("then she ..."): directly after it."""
        return self._put(self.draw.choice(wordings))

    def ask(self, wordings: Sequence[str], answer: tuple[str, ...], supporting: tuple[int, ...]) -> None:
        """Ask a question in one of its wordings."""
        self.lines.append(Question(self._spelt(self.draw.choice(wordings)), answer, supporting))

    def ask_not_told(self, wordings: Sequence[str]) -> None:
        """Ask what can't be answered from what was said."""
        self.ask(wordings, NOT_TOLD, ())

    def unanswerable(self) -> bool:
        """Draw whether the next question is about something never said."""
        return self.draw.random() < self.not_told

    def _strange(self, text: str) -> str:
        """Now and then a word that was never heard, or a phrase that tells nothing."""
        kind = self.draw.random()
        if kind < 0.03 and text.startswith("I "):
            return f"I {self.draw.choice(STRANGE)} {text[2:]}"
        if kind < 0.05:
            first = text.split(maxsplit=1)[0]
            rest = text[0].lower() + text[1:] if first in _LOWERED else text
            return f"{self.draw.choice(STRANGE).capitalize()}, {rest}"
        if kind < 0.09:
            return text.rstrip(".") + self.draw.choice(_TRAILING) + "."
        return text

    def _put(self, text: str) -> int:
        self.lines.append(self._spelt(text))
        self.said += 1
        return self.said - 1

    def _spelt(self, text: str) -> str:
        if self.draw.random() < 0.5:
            for full, short in _CONTRACTED.items():
                text = re.sub(rf"\b{full}", short, text)
        if self.careless:
            text = text.lower()
            if self.draw.random() < 0.5:
                text = text.rstrip(".?")
        return text


def filled(texts: Sequence[str], **values: str) -> tuple[str, ...]:
    """Wordings with their blanks filled."""
    return tuple(text.format(**values) for text in texts)


def one(thing: str) -> str:
    """A thing with its indefinite article."""
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"


def listed(items: Sequence[str], draw: random.Random) -> str:
    """ "a, b and c", or "a and b and c"."""
    if len(items) < 3 or draw.random() < 0.3:
        return " and ".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]
