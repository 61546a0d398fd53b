"""What a user was shown and what they did with it: the record that rankers learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Action = Literal["clicked", "accepted", "booked", "thumbs_up", "thumbs_down"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that could be said or offered: its key, its content type, and its features by name (NaN: unknown)."""

    key: str
    kind: str
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Slate:
    """The candidates shown in one turn, from the first place to the last, and the actions on them by key.

    ``query`` names the turn, once in all data; ``propensities`` by key: the probability with which a candidate was put
    where it was, 1 where nothing is said.
    """

    query: str
    shown: tuple[Candidate, ...]
    actions: Mapping[str, frozenset[Action]]
    propensities: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        keys = [candidate.key for candidate in self.shown]
        if len(set(keys)) != len(keys):
            raise ValueError(f"slate {self.query}: a candidate is shown twice")
        if unknown := set(self.actions) - set(keys):
            raise ValueError(f"slate {self.query}: actions on {sorted(unknown)}, which was not shown")
        for key, probability in (self.propensities or {}).items():
            if not 0 < probability <= 1:
                raise ValueError(f"slate {self.query}: propensity of {key} is {probability}: it is above 0, at most 1")
