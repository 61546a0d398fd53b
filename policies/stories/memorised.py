"""Stories learned by heart: the same states, the same action (Rasa's MemoizationPolicy and its augmented variant)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policies.stories.state import History, StoryExample, StoryPrediction, StoryState

_Key = tuple[object, ...]


class MemorisedPolicy:
    """Does what a story did after exactly the same last states; abstains where there is no such story or two disagree.

    Args:
        examples: the stories' decisions.
        max_history: how many states must be equal, the present one included.
        forgetful: when nothing is found, forget the oldest states one by one, and the slots that were set then.
    """

    def __init__(self, examples: Iterable[StoryExample], max_history: int = 5, *, forgetful: bool = False) -> None:
        if max_history < 1:
            raise ValueError(f"max_history is {max_history}: give at least 1")
        self.name = "AugmentedMemoizationPolicy" if forgetful else "MemoizationPolicy"
        self.max_history = max_history
        self.forgetful = forgetful
        told: dict[_Key, str | None] = {}
        for example in examples:
            key = _key(example.history[-max_history:])
            told[key] = example.action if told.get(key, example.action) == example.action else None
        self._actions = {key: action for key, action in told.items() if action is not None}

    def predict(self, history: History) -> StoryPrediction:
        """Certain, or empty."""
        recent = tuple(history[-self.max_history :])
        action = self._actions.get(_key(recent))
        if action is None and self.forgetful:
            shorter = (_forgotten(history, len(history) - kept) for kept in range(len(recent), 0, -1))
            found = (self._actions.get(_key(states)) for states in shorter)
            action = next((action for action in found if action is not None), None)
        return StoryPrediction({action: 1.0} if action is not None else {}, self.name, certain=True)


def _key(states: Iterable[StoryState]) -> _Key:
    return tuple(state.key() for state in states)


def _forgotten(history: History, first: int) -> tuple[StoryState, ...]:
    """The states from ``first`` on as if the conversation had begun there: without slots that were set before."""
    old = history[first - 1].slots if first else {}
    kept = [replace(s, slots={k: v for k, v in s.slots.items() if old.get(k) != v}) for s in history[first:]]
    return (StoryState(), *kept)[-len(history) :]
