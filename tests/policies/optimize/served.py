"""Least squares on a parameter server: a program whose result is known, for the tests of its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from policies.optimize.parameter_server import State, Vector
from policies.optimize.parameter_server_workers import Ask, Gradient, PartStates, Program

PARTS, SIZE = 4, 12


def examples(part: int) -> tuple[Vector, Vector]:
    """(16, SIZE) inputs and (16,) targets of a part."""
    rng = np.random.default_rng([7, part])
    inputs = rng.normal(size=(16, SIZE)).astype(np.float32)
    return inputs, inputs @ np.arange(SIZE, dtype=np.float32)


class Rows:
    """A store: gives out the rows of its parts, and counts how often."""

    def __init__(self, parts: Sequence[int]) -> None:
        self.counts = dict.fromkeys(parts, 0)

    def draw(self, arguments: Mapping[int, int]) -> dict[int, tuple[int, Vector, Vector]]:
        """How often drawn before, inputs and targets."""
        drawn = {part: (self.counts[part], *examples(part)) for part in arguments}
        for part in arguments:
            self.counts[part] += 1
        return drawn

    def state(self) -> PartStates:
        """The counts."""
        return {part: {"count": np.array(count)} for part, count in self.counts.items()}

    def load_state(self, states: Mapping[int, State]) -> None:
        """Put the counts back."""
        self.counts.update({part: int(state["count"]) for part, state in states.items()})


class LeastSquares:
    """A worker whose targets drift with how often they were drawn, so that a lost or repeated update shows."""

    def __init__(self, parts: Sequence[int], ask: Ask) -> None:
        self.parts, self.ask = parts, ask

    def gradient(self, update: int, parameters: Vector, average: Vector) -> Gradient:
        """Of the mean squared error."""
        total, weight = np.zeros_like(parameters), 0
        for count, inputs, targets in self.ask("draw", dict.fromkeys(self.parts, update)).values():
            total += inputs.T @ (inputs @ parameters - targets - np.float32(0.01 * count))
            weight += len(targets)
        if update == 10_000:
            total[:] = np.nan
        return Gradient(total / np.float32(weight), weight, {"loss": float(np.abs(total).mean())})

    def state(self) -> PartStates:
        """Nothing to remember."""
        return {part: {} for part in self.parts}

    def load_state(self, states: Mapping[int, State]) -> None:
        """Nothing to remember."""


PROGRAM = Program(PARTS, LeastSquares, Rows)


class Onlooker:
    """A driver that looks every 5 updates and remembers the losses."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def until(self, update: int) -> int:
        """Multiples of 5."""
        return update // 5 * 5 + 5

    def reached(self, update: int, figures: list[dict[str, float]], group: Any) -> None:
        """Keep the losses."""
        self.losses += [row["loss"] for row in figures]

    def state(self) -> State:
        """The losses."""
        return {"losses": np.array(self.losses)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """The losses."""
        self.losses = list(state["losses"])
