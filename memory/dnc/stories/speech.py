"""How a user tells a bot things: several wordings, lead-ins, contractions, small talk, careless spelling."""

from __future__ import annotations

import random
from collections.abc import Sequence

from memory.dnc.babi import Question

Lines = list[str | Question]
NOT_TOLD = ("unknown",)
"""The answer to a question about something that was never said."""
_LEAD_INS = ("Remember that ", "By the way, ", "Just so you know, ", "Well, ", "Oh, ", "Please note that ", "FYI, ")
_ASIDES = (
    "Nice weather today.", "How are you?", "Thanks for your help.", "I had a long day.", "That was a great film.",
    "I need some coffee.", "You are very kind.", "It rained all morning.", "I slept well.", "This is fun.",
    "Let me think.", "Never mind.", "I am a bit tired.", "The traffic was awful.",
)  # fmt: skip
_CONTRACTED = {
    "I am ": "I'm ", "I will ": "I'll ", "I have put": "I've put", "She is ": "She's ", "He is ": "He's ",
    "Where is ": "Where's ", "Who is ": "Who's ", "What is ": "What's ", "did not ": "didn't ", "They are ": "They're ",
}  # fmt: skip


class Talk:
    """A conversation as it grows: what was said so far and the questions asked.

    Args:
        draw: the random draws.
        not_told: the share of questions about something that was never said.
        aside: the chance of small talk before a statement.
    """

    def __init__(self, draw: random.Random, not_told: float = 0.15, aside: float = 0.12) -> None:
        self.lines: Lines = []
        self.draw, self.not_told, self.aside = draw, not_told, aside
        self.said = 0
        self.careless = draw.random() < 0.3

    def say(self, wordings: Sequence[str]) -> int:
        """Say something in one of its wordings, perhaps after small talk; its position among the statements."""
        if self.draw.random() < self.aside:
            self._put(self.draw.choice(_ASIDES))
        text = self.draw.choice(wordings)
        if self.draw.random() < 0.15:
            first = text.split()[0]
            lowered = text[0].lower() + text[1:] if first in ("The", "My", "On", "Then", "She", "He") else text
            text = self.draw.choice(_LEAD_INS) + lowered
        return self._put(text)

    def ask(self, wordings: Sequence[str], answer: tuple[str, ...], supporting: tuple[int, ...]) -> None:
        """Ask a question in one of its wordings."""
        self.lines.append(Question(self._spelt(self.draw.choice(wordings)), answer, supporting))

    def ask_not_told(self, wordings: Sequence[str]) -> None:
        """Ask what can't be answered from what was said."""
        self.ask(wordings, NOT_TOLD, ())

    def unanswerable(self) -> bool:
        """Draw whether the next question is about something never said."""
        return self.draw.random() < self.not_told

    def _put(self, text: str) -> int:
        self.lines.append(self._spelt(text))
        self.said += 1
        return self.said - 1

    def _spelt(self, text: str) -> str:
        if self.draw.random() < 0.5:
            for full, short in _CONTRACTED.items():
                text = text.replace(full, short)
        if self.careless:
            text = text.lower()
            if self.draw.random() < 0.5:
                text = text.rstrip(".?")
        return text
