"""A replay in shards, to live in stores of their own: each keeps and samples the steps of its parts (numpy only)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.dqn_config import DQNConfig
from policies.replay import Batch
from policies.resume import State, part, prefixed


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """One step of a part's E environments, as ``NStepReplay.add`` takes it."""

    features: FloatArray
    masks: BoolArray
    actions: IntArray
    rewards: FloatArray
    done: BoolArray
    heads: BoolArray | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """New ``steps`` to keep, then ``size`` transitions wanted, drawn with a generator of ``seed``.

    ``errors`` (M,): of the transitions drawn last, for a prioritised replay; ``progress``: see ``sample``.
    """

    steps: Sequence[ReplayStep]
    size: int
    seed: tuple[int, ...]
    progress: float = 0.0
    errors: FloatArray | None = None


class ReplayShard:
    """The replays of ``parts`` of ``lanes``; each holds its share of the environments and of the capacity."""

    def __init__(self, config: DQNConfig, lanes: int, inputs: int, actions: int, parts: Sequence[int]) -> None:
        share = replace(config, num_envs=config.num_envs // lanes, capacity=config.capacity // lanes)
        self._replays = {number: share.replay(inputs, actions) for number in parts}
        self._drawn: dict[int, NDArray[np.int64]] = {}

    def exchange(self, requests: Mapping[int, Request]) -> dict[int, Batch]:
        """Take in what is new of each part and give back what it asks for."""
        return {number: self._exchange(number, request) for number, request in requests.items()}

    def state(self) -> dict[int, State]:
        """Of each part, its replay and which transitions were drawn last."""
        none = np.zeros(0, dtype=np.int64)
        return {
            number: {**prefixed("replay", replay.state()), "drawn": self._drawn.get(number, none)}
            for number, replay in self._replays.items()
        }

    def load_state(self, states: Mapping[int, Mapping[str, NDArray[Any]]]) -> None:
        """Go on where ``states`` was taken."""
        for number, state in states.items():
            self._replays[number].load_state(part("replay", state))
            self._drawn[number] = np.array(state["drawn"])

    def _exchange(self, number: int, request: Request) -> Batch:
        replay = self._replays[number]
        if request.errors is not None and len(self._drawn.get(number, ())):
            replay.reprioritise(_drawn(self._drawn[number]), request.errors)
        for step in request.steps:
            replay.add(step.features, step.masks, step.actions, step.rewards, step.done, step.heads)
        batch = replay.sample(request.size, np.random.default_rng(request.seed), request.progress)
        if batch.slots is not None:
            self._drawn[number] = batch.slots
        return batch


def joined_batches(batches: Sequence[Batch]) -> Batch:
    """Several batches as one, in order."""
    columns: dict[str, Any] = {}
    for field in fields(Batch):
        values = [getattr(batch, field.name) for batch in batches]
        columns[field.name] = None if values[0] is None else np.concatenate(values)
    return Batch(**columns)


def _drawn(slots: NDArray[np.int64]) -> Batch:
    """A batch of which only the slots matter."""
    none = np.zeros(0, dtype=np.float32)
    return Batch(
        none[:, None], none.astype(np.int32), none, none, none[:, None], none.astype(np.bool_)[:, None], slots=slots
    )
