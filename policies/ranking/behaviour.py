"""What everybody did with each candidate, added up: counts by content type and key, smoothed where they are few."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memory.tastes import NOTHING, Counts

STRENGTH = 10.0
"""Shown so often, a candidate's own rate weighs as much as that of its content type: a new one is neither buried nor
believed after its first success."""
RATE = 0.3
"""The rate of a content type of which nothing is known."""
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Counts of everybody by content type and key."""

    kinds: Mapping[str, Mapping[str, Counts]] = field(default_factory=dict)

    def shown(self, kind: str, keys: Sequence[str]) -> NDArray[np.float64]:
        """(N,) how often each was said."""
        counts = self.kinds.get(kind, {})
        return np.array([counts.get(key, NOTHING).shown for key in keys], dtype=np.float64)

    def rates(self, kind: str, keys: Sequence[str]) -> NDArray[np.float64]:
        """(N,) the share that was taken up, drawn towards the content type's own: (positive + m r) / (shown + m)."""
        counts = self.kinds.get(kind, {})
        shown = sum(c.shown for c in counts.values())
        general = (sum(c.positive for c in counts.values()) + STRENGTH * RATE) / (shown + STRENGTH)
        found = [counts.get(key, NOTHING) for key in keys]
        rates = [(min(c.positive, c.shown) + STRENGTH * general) / (c.shown + STRENGTH) for c in found]
        return np.array(rates, dtype=np.float64)

    def to_json(self) -> str:
        """As JSON; ``from_json`` gives an equal value."""
        kinds = {kind: {key: list(counts) for key, counts in keys.items()} for kind, keys in self.kinds.items()}
        return json.dumps({"format": FORMAT, "kinds": kinds}, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> Behaviour:
        """Read what ``to_json`` wrote; ValueError where it is damaged."""
        try:
            raw = json.loads(text)
            if raw["format"] != FORMAT:
                raise ValueError(f"format {raw['format']}, this version reads {FORMAT}")
            kinds = {
                kind: {key: Counts(*(float(value) for value in counts)) for key, counts in keys.items()}
                for kind, keys in raw["kinds"].items()
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not counts of behaviour ({error!r})") from None
        if not all(0 <= value < float("inf") for keys in kinds.values() for c in keys.values() for value in c):
            raise ValueError("counts of behaviour are numbers of 0 or more")
        return cls(kinds)

    @classmethod
    def of(cls, counted: Iterable[tuple[str, str, str]]) -> Behaviour:
        """From (content type, key, field of Counts) of everything that happened."""
        kinds: dict[str, dict[str, Counts]] = {}
        for kind, key, what in counted:
            keys = kinds.setdefault(kind, {})
            keys[key] = keys.get(key, NOTHING).plus(what)
        return cls(kinds)
