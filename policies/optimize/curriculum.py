"""Short sequences first, longer ones once those are learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CurriculumSettings:
    """How lengths grow.

    Args:
        shortest, longest: lengths, both included; at least 1.
        target: the mean loss of the last ``window`` updates that must be reached before longer sequences come.
        window: updates at one length before it can grow; at least 1.
        growth: how much longer each time; at least 1.
        review: share of the draws that are uniform over the lengths already reached: nothing is forgotten.
        preview: share of the draws that are uniform over all lengths (the "mix" strategy of Zaremba and Sutskever).

    Raises:
        ValueError: a number is out of its range, or review and preview are more than 1 together.
    """

    shortest: int
    longest: int
    target: float
    window: int = 10
    growth: int = 1
    review: float = 0.2
    preview: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(f"lengths {self.shortest} to {self.longest}: give 1 <= shortest <= longest")
        if self.window < 1 or self.growth < 1:
            raise ValueError(f"window {self.window}, growth {self.growth}: give whole numbers of at least 1")
        if min(self.review, self.preview) < 0 or self.review + self.preview > 1:
            raise ValueError(f"review {self.review}, preview {self.preview}: give shares that add up to at most 1")


class Curriculum:
    """Draws the lengths of the next examples and is told how well they were learned.

    W. Zaremba and I. Sutskever, "Learning to execute" (2014), section 4: the "combined" strategy draws some examples
    at the length reached so far and some over all lengths, so that the state is not laid out for short ones alone.
    The same settings, seed and losses give the same draws.
    """

    def __init__(self, settings: CurriculumSettings, seed: int) -> None:
        self.settings = settings
        self.length = settings.shortest
        self._losses: list[float] = []
        self._rng = np.random.default_rng(seed)

    @property
    def finished(self) -> bool:
        """Whether the longest length is reached."""
        return self.length >= self.settings.longest

    def draw(self, count: int) -> NDArray[np.int64]:
        """(count,) lengths of the next examples."""
        s = self.settings
        kind = self._rng.random(count)
        reached = self._rng.integers(s.shortest, self.length, count, endpoint=True)
        anywhere = self._rng.integers(s.shortest, s.longest, count, endpoint=True)
        return np.where(kind < s.preview, anywhere, np.where(kind < s.preview + s.review, reached, self.length))

    def report(self, loss: float) -> bool:
        """Take in the loss of an update; True when lengths grow from now on. A loss of NaN never meets the target."""
        self._losses = [*self._losses, loss][-self.settings.window :]
        full = len(self._losses) == self.settings.window
        if self.finished or not full or not np.mean(self._losses) <= self.settings.target:
            return False
        self.length = min(self.length + self.settings.growth, self.settings.longest)
        self._losses = []
        return True

    def state(self) -> dict[str, Any]:
        """All that changes, as JSON values: `restored` goes on from it with the same draws."""
        return {"length": self.length, "losses": list(self._losses), "rng": self._rng.bit_generator.state}

    @classmethod
    def restored(cls, settings: CurriculumSettings, state: Mapping[str, Any]) -> Curriculum:
        """The curriculum whose `state` was ``state``; ValueError when its length is outside of the settings' range."""
        if not settings.shortest <= state["length"] <= settings.longest:
            raise ValueError(
                f"length {state['length']} of the saved curriculum is outside {settings.shortest} to "
                f"{settings.longest}: resume with the settings it was saved under, or start anew"
            )
        curriculum = cls(settings, 0)
        curriculum.length, curriculum._losses = state["length"], list(state["losses"])
        curriculum._rng.bit_generator.state = state["rng"]
        return curriculum
