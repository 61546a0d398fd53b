"""A story model (``memory.dnc``) as a memory of statements: its states are a fold over them, the latest ones kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from bot.remembering import RecalledAnswer
from memory.conversation import REMEMBERED_STATEMENTS

State = TypeVar("State")


class Story(Protocol[State]):
    """A model that reads a story sentence by sentence; its states are immutable."""

    def empty(self) -> State:
        """Nothing was read."""

    def write(self, state: State, statement: str) -> State:
        """The state after one more sentence; pure."""

    def ask(self, state: State, question: str) -> RecalledAnswer:
        """The answer to a question about what was read."""

    def knows(self, state: State, sentence: str) -> float:
        """Share of the sentence's content words that were read, 0 to 1."""


class StoryStatements(Generic[State]):
    """Answers about statements with a story model.

    A conversation's state is extended by its new statements only; one that fell out of the ``capacity`` most recently
    used is read again from its statements, which the events hold.
    """

    def __init__(self, story: Story[State], capacity: int = 512) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}: give 1 or more")
        self.story = story
        self._capacity = capacity
        self._states: OrderedDict[tuple[str, ...], State] = OrderedDict()

    def ask(self, statements: tuple[str, ...], question: str) -> RecalledAnswer:
        """The model's answer to ``question``."""
        return self.story.ask(self._state(statements), question)

    def knows(self, statements: tuple[str, ...], sentence: str) -> float:
        """Share of the sentence's content words that occur in ``statements``, 0 to 1."""
        return self.story.knows(self._state(statements), sentence)

    def _state(self, statements: tuple[str, ...]) -> State:
        if not statements:
            return self.story.empty()
        # without the oldest of a full window, so that the window after it finds its predecessor
        key = statements[-(REMEMBERED_STATEMENTS - 1) :]
        if key in self._states:
            self._states.move_to_end(key)
            return self._states[key]
        state, unread = self._nearest(statements)
        for statement in unread:
            state = self.story.write(state, statement)
        self._states[key] = state
        if len(self._states) > self._capacity:
            self._states.popitem(last=False)
        return state

    def _nearest(self, statements: tuple[str, ...]) -> tuple[State, tuple[str, ...]]:
        for end in range(len(statements) - 1, 0, -1):
            known = self._states.get(statements[:end])
            if known is not None:
                return known, statements[end:]
        return self.story.empty(), statements
