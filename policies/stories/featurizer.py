"""Story states as numbers: multi-hot vectors over the names that the stories use (numpy only; serving uses it)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from memory.turn import FloatArray
from policies.stories.state import History, StoryState

MAX_HISTORY = 8
"""States that a policy sees, the present one included, unless the project's config.yml says otherwise: more than Rasa's
memory needs, for attention can leave out what doesn't matter."""


@dataclass(frozen=True, slots=True)
class StoryVocabulary:
    """The names that have a feature; everything else is unknown. ``slots`` are texts ``name=feature``."""

    intents: tuple[str, ...]
    entities: tuple[str, ...]
    actions: tuple[str, ...]
    slots: tuple[str, ...]
    loops: tuple[str, ...]
    requested: tuple[str, ...]

    @classmethod
    def of(cls, states: Iterable[StoryState]) -> StoryVocabulary:
        """All names in ``states``, sorted."""
        found: dict[str, set[str]] = {name: set() for name in cls.__slots__}
        for state in states:
            found["intents"] |= {state.intent} if state.intent else set()
            found["entities"].update(state.entities)
            found["actions"] |= {state.previous_action} if state.previous_action else set()
            found["slots"].update(f"{name}={feature}" for name, feature in state.slots.items())
            found["loops"] |= {state.active_loop} if state.active_loop else set()
            found["requested"] |= {state.requested_slot} if state.requested_slot else set()
        return cls(**{name: tuple(sorted(names)) for name, names in found.items()})

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> StoryVocabulary:
        """Inverse of ``asdict``; TypeError or KeyError when a name is missing or unknown."""
        return cls(**{name: tuple(str(text) for text in names) for name, names in fields.items()})

    def to_json(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)


class StoryFeaturizer:
    """A history as an array (max_history, width): one row a state, the present one last, zeros before the beginning.

    A row is [there is a state, the user spoke, intents, unknown intent, entities, previous action, unknown action,
    slots, active loop, requested slot]. A name without a feature changes nothing but the "unknown" features of intent
    and action, so that a policy can learn not to be sure there.
    """

    def __init__(self, vocabulary: StoryVocabulary, max_history: int = MAX_HISTORY) -> None:
        if max_history < 1:
            raise ValueError(f"max_history is {max_history}: a policy sees at least the present state")
        self.vocabulary, self.max_history = vocabulary, max_history
        self._places: dict[str, dict[str, int]] = {}
        width = 2
        for kind in ("intents", "entities", "actions", "slots", "loops", "requested"):
            names = getattr(vocabulary, kind)
            self._places[kind] = {name: width + n for n, name in enumerate(names)}
            width += len(names)
            if kind in ("intents", "actions"):
                self._places[kind][""] = width
                width += 1
        self.width = width
        self.unknown_intent = self._places["intents"][""]
        self.intent_columns = slice(2, 2 + len(vocabulary.intents) + 1)

    @property
    def size(self) -> int:
        """Numbers of a whole history."""
        return self.max_history * self.width

    def row(self, state: StoryState) -> FloatArray:
        """(width,) one state."""
        row = np.zeros(self.width, dtype=np.float32)
        row[0] = 1.0
        places = self._places
        if state.intent is not None or state.text is not None:
            row[1] = 1.0
            row[places["intents"].get(state.intent or "", self.unknown_intent)] = 1.0
        if state.previous_action is not None:
            row[places["actions"].get(state.previous_action, places["actions"][""])] = 1.0
        for kind, names in (
            ("entities", state.entities),
            ("slots", [f"{name}={feature}" for name, feature in state.slots.items()]),
            ("loops", [state.active_loop] if state.active_loop else ()),
            ("requested", [state.requested_slot] if state.requested_slot else ()),
        ):
            for name in names:
                place = places[kind].get(name)
                if place is not None:
                    row[place] = 1.0
        return row

    def __call__(self, history: History) -> FloatArray:
        """(max_history, width) of the latest states of ``history``, without the empty one before the first action."""
        begins = len(history) > 1 and history[0].previous_action is None and history[0].intent is None
        seen = history[1 if begins else 0 :][-self.max_history :]
        features = np.zeros((self.max_history, self.width), dtype=np.float32)
        for place, state in enumerate(seen, start=self.max_history - len(seen)):
            features[place] = self.row(state)
        return features

    def batch(self, histories: Sequence[History]) -> FloatArray:
        """(N, max_history, width)."""
        return np.stack([self(history) for history in histories])
