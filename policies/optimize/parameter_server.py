"""A parameter server's arithmetic: flat parameters cut into shards, each with the optimiser's state of its part.

Li et al. (2014), "Scaling distributed machine learning with the parameter server". A shard adds up the workers'
gradients of its part, the squared norms of all shards together say how far to clip, then each moves its part. numpy
only: ``parameter_server_ray`` puts shards into processes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
State = dict[str, NDArray[Any]]
Part = tuple[float, Vector]
"""A gradient (d,) and how many examples it is the mean of."""
OptimizerName = Literal["adam", "rmsprop", "sgd"]

_SLOTS: dict[OptimizerName, tuple[str, ...]] = {
    "adam": ("mean", "square"), "rmsprop": ("mean", "square", "step"), "sgd": ("step",),
}  # fmt: skip


class ServerSettingsError(ValueError):
    """Settings out of range; the message names them and says what to give."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How shards move their parameters.

    ``optimizer``: "adam" (Kingma and Ba 2015), "rmsprop" (Graves 2013, centred, with ``momentum``) or "sgd" (with
    ``momentum``). ``decay``: of Adam's two running means; RMSProp uses the second for both. ``clip``: the largest
    Euclidean norm of a whole gradient, all shards together. ``average``: the share by which a slow copy of the
    parameters follows them at each update (1: it equals them).
    """

    optimizer: OptimizerName = "adam"
    decay: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0
    epsilon: float = 1e-8
    clip: float = np.inf
    average: float = 1.0

    def __post_init__(self) -> None:
        if self.optimizer not in _SLOTS:
            raise ServerSettingsError(f"optimizer = {self.optimizer!r}: choose among {', '.join(_SLOTS)}")
        if not (all(0 <= decay < 1 for decay in self.decay) and 0 <= self.momentum < 1):
            raise ServerSettingsError(f"decay = {self.decay}, momentum = {self.momentum}: give numbers in [0, 1)")
        if not (self.clip > 0 and self.epsilon > 0 and 0 < self.average <= 1):
            raise ServerSettingsError(
                f"clip = {self.clip}, epsilon = {self.epsilon}, average = {self.average}: "
                "give clip and epsilon above 0, average in (0, 1]"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Pulled:
    """A shard's part after ``updates`` updates: parameters (d,) and their slow copy (d,)."""

    updates: int
    parameters: Vector
    average: Vector


def division(count: int, shares: int) -> list[range]:
    """``count`` things cut into ``shares`` runs whose lengths differ by at most 1; ValueError where one gets none."""
    if not 1 <= shares <= count:
        raise ValueError(f"{count} parts can't be divided among {shares}: give 1 to {count}")
    cuts = [count * share // shares for share in range(shares + 1)]
    return [range(low, high) for low, high in pairwise(cuts)]


class Shard:
    """One server's part of the parameters (d,) with the optimiser's state of it."""

    def __init__(self, parameters: Vector, settings: ServerSettings) -> None:
        self.settings = settings
        self.parameters = np.array(parameters, dtype=np.float32)
        self.average = self.parameters.copy()
        self.slots = {name: np.zeros_like(self.parameters) for name in _SLOTS[settings.optimizer]}
        self.updates = 0
        self._waiting: dict[int, Vector] = {}

    def combine(self, key: int, parts: Sequence[Part]) -> float:
        """Keep the mean of the workers' gradients (in their order, by weight) under ``key``; its squared norm."""
        total = sum(weight for weight, _ in parts)
        combined = np.zeros_like(self.parameters)
        for weight, gradient in parts:
            combined += np.float32(weight / total) * gradient
        self._waiting[key] = combined
        return float(np.dot(combined, combined))

    def apply(self, key: int, squares: Sequence[float], rate: float) -> Pulled:
        """Move along what is kept under ``key``; ``squares``: of all shards, so that the whole gradient is clipped.

        FloatingPointError where they aren't finite: then no shard moves.
        """
        gradient = self._waiting.pop(key)
        norm = float(np.sqrt(sum(squares)))
        if not np.isfinite(norm):
            raise FloatingPointError(f"the gradient of update {key} is not finite (norm {norm})")
        gradient = gradient * np.float32(min(1.0, self.settings.clip / (norm + 1e-6)))
        self.updates += 1
        match self.settings.optimizer:
            case "adam":
                self._adam(gradient, rate)
            case "rmsprop":
                self._rmsprop(gradient, rate)
            case "sgd":
                self.slots["step"] = (
                    np.float32(self.settings.momentum) * self.slots["step"] - np.float32(rate) * gradient
                )
                self.parameters = self.parameters + self.slots["step"]
        self.average = self.average + np.float32(self.settings.average) * (self.parameters - self.average)
        return self.pull()

    def pull(self) -> Pulled:
        """The part as it is; its arrays are never changed later."""
        return Pulled(self.updates, self.parameters, self.average)

    def state(self) -> State:
        """Parameters, slow copy and the optimiser's state, each (d,), and the number of updates."""
        return {
            "parameters": self.parameters, "average": self.average, **self.slots, "updates": np.array([self.updates]),
        }  # fmt: skip

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on where ``state`` was taken, whatever has been kept since; KeyError for another optimiser's."""
        self.parameters, self.average = np.array(state["parameters"]), np.array(state["average"])
        self.slots = {name: np.array(state[name]) for name in self.slots}
        self.updates = int(state["updates"][0])
        self._waiting.clear()

    def _adam(self, gradient: Vector, rate: float) -> None:
        first, second = self.settings.decay
        mean = np.float32(first) * self.slots["mean"] + np.float32(1 - first) * gradient
        square = np.float32(second) * self.slots["square"] + np.float32(1 - second) * gradient * gradient
        root = np.sqrt(square) / np.float32(np.sqrt(1 - second**self.updates)) + np.float32(self.settings.epsilon)
        step = np.float32(rate / (1 - first**self.updates)) * mean / root
        self.parameters = self.parameters - step.astype(np.float32, copy=False)
        self.slots = {"mean": mean, "square": square}

    def _rmsprop(self, gradient: Vector, rate: float) -> None:
        decay = self.settings.decay[1]
        mean = np.float32(decay) * self.slots["mean"] + np.float32(1 - decay) * gradient
        square = np.float32(decay) * self.slots["square"] + np.float32(1 - decay) * gradient * gradient
        root = np.sqrt(np.maximum(square - mean * mean, 0) + np.float32(self.settings.epsilon))
        step = np.float32(self.settings.momentum) * self.slots["step"] - np.float32(rate) * gradient / root
        self.parameters = self.parameters + step
        self.slots = {"mean": mean, "square": square, "step": step}


def joined(shards: Sequence[Mapping[str, NDArray[Any]]]) -> State:
    """The states of all shards as one of the whole vector, so that it can be cut differently next time."""
    whole = {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0] if name != "updates"}
    return {**whole, "updates": shards[0]["updates"]}


def cut(state: Mapping[str, NDArray[Any]], shards: int) -> list[State]:
    """What ``joined`` made, for ``shards`` shards."""
    spans = division(len(state["parameters"]), shards)
    return [
        {
            name: array if name == "updates" else array[span.start : span.stop].copy()
            for name, array in state.items()
        }
        for span in spans
    ]  # fmt: skip
