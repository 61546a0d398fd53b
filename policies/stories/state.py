"""What a story policy sees: the conversation as a sequence of states, one before every action.

Names follow Rasa's tracker featurizer: a state holds the latest user turn (only after the user spoke), the action
before, the slots that influence the conversation and the active loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

LISTEN = "action_listen"


@dataclass(frozen=True, slots=True)
class StoryState:
    """One state. ``slots`` maps the slots that are set to a feature text: "set" for a text or list slot, the value in
    lower case for a categorical one, "true"/"false" for a bool, the value as a number's text for a float."""

    intent: str | None = None
    entities: tuple[str, ...] = ()
    """Sorted names; with a role or group `city#to`, `city##1`."""
    text: str | None = None
    """The user's words, in end-to-end stories only."""
    previous_action: str | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    active_loop: str | None = None
    requested_slot: str | None = None

    def key(self) -> tuple[object, ...]:
        """A hashable form."""
        return (
            self.intent, self.entities, self.text, self.previous_action,
            tuple(sorted(self.slots.items())), self.active_loop, self.requested_slot,
        )  # fmt: skip


History = Sequence[StoryState]
"""States from the oldest to the present one."""


@dataclass(frozen=True, slots=True)
class StoryExample:
    """In this history the stories do this."""

    history: tuple[StoryState, ...]
    action: str
    story: str = ""


@dataclass(frozen=True, slots=True)
class StoryPrediction:
    """A probability per action (missing ones: 0), and which policy said so; ``certain`` for rules and memory."""

    probabilities: Mapping[str, float]
    policy: str
    certain: bool = False

    @property
    def best(self) -> tuple[str | None, float]:
        """The most probable action, the first of equals; (None, 0) when the policy abstains."""
        if not self.probabilities:
            return None, 0.0
        name = max(self.probabilities, key=lambda action: self.probabilities[action])
        return name, self.probabilities[name]


class StoryPolicy(Protocol):
    """Decides the next action from the history; pure."""

    name: str

    def predict(self, history: History) -> StoryPrediction:
        """Probabilities of the next action; an empty prediction abstains."""
