"""The reward of the dialogue benchmarks: a bonus for success at the end, a small cost for every turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memory.ontology import BoolArray
from memory.turn import FloatArray


@dataclass(frozen=True, slots=True)
class Reward:
    """``success`` is paid once at the end of a dialogue whose goal is fulfilled, ``turn`` for every system turn.

    The defaults are PyDial's (Casanueva et al. 2017): +20 and -1, so a return lies in [-25, 19].
    """

    success: float = 20.0
    turn: float = -1.0

    def __call__(self, done: BoolArray, fulfilled: BoolArray) -> FloatArray:
        """(B,) reward of one step."""
        return np.where(done & fulfilled, self.turn + self.success, self.turn).astype(np.float32)

    def bounds(self, max_turns: int) -> tuple[float, float]:
        """Smallest and largest possible return of a dialogue."""
        worst, best = max_turns * min(self.turn, 0.0), max(self.turn, self.turn * max_turns)
        return worst + min(self.success, 0.0), best + max(self.success, 0.0)
