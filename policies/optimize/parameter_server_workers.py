"""What a parameter server's workers do, and all of it in one process: the reference that Ray's processes must equal.

The work is divided into numbered parts; a worker owns some of them. What it learns from may lie in stores (a replay),
divided into the same parts. The result depends on the parts, and on the number of workers only by rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from policies.optimize.parameter_server import (
    Pulled,
    ServerSettings,
    Shard,
    State,
    Vector,
    cut,
    division,
    joined,
)

PartStates = dict[int, State]
"""By number of the part."""
Ask = Callable[[str, Mapping[int, Any]], dict[int, Any]]
"""Calls a method of the stores with an argument for each part; the answers by part."""


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """The mean gradient (d,) of ``weight`` examples, and numbers to report."""

    vector: Vector
    weight: float
    figures: dict[str, float] = field(default_factory=dict)


class Worker(Protocol):
    """Computes gradients of its parts; a function of its state, the update and the parameters."""

    def gradient(self, update: int, parameters: Vector, average: Vector) -> Gradient:
        """The gradient of update number ``update`` (from 0) at ``parameters`` (d,); ``average`` (d,): the slow copy."""
        ...

    def state(self) -> PartStates:
        """Of each of its parts, all that decides what follows."""
        ...

    def load_state(self, states: Mapping[int, State]) -> None:
        """Go on where ``states`` was taken."""
        ...


class Store(Protocol):
    """Holds data of its parts; its methods take and return mappings by part."""

    def state(self) -> PartStates:
        """See ``Worker``."""
        ...

    def load_state(self, states: Mapping[int, State]) -> None:
        """See ``Worker``."""
        ...


@dataclass(frozen=True)
class Program:
    """What is run: ``worker(parts, ask)`` and ``store(parts)`` make one for the parts that it owns; both travel."""

    parts: int
    worker: Callable[[Sequence[int], Ask], Worker]
    store: Callable[[Sequence[int]], Store] | None = None


@dataclass(frozen=True)
class Sizes:
    """How many ``workers``, ``servers`` and ``stores``; ``staleness``: None for synchronous updates, else how many
    updates the fastest worker may be ahead of the slowest (stale synchronous parallel, Ho et al. 2013).
    """

    workers: int = 1
    servers: int = 1
    stores: int = 1
    staleness: int | None = None


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything a training depends on; fits any number of servers, workers and stores of the same parts."""

    server: State
    workers: PartStates
    stores: PartStates

    @property
    def updates(self) -> int:
        """How many are done."""
        return int(self.server["updates"][0])


class Group(Protocol):
    """Servers, workers and stores, wherever they are."""

    sizes: Sizes

    def advance(self, first: int, rates: Sequence[float]) -> list[dict[str, float]]:
        """The updates from number ``first`` on, one for each learning rate; the means of their workers' figures.

        ``WorkerError`` where something died or doesn't answer: then ``recover``.
        """
        ...

    def pull(self) -> Pulled:
        """The whole parameters and their slow copy."""
        ...

    def snapshot(self) -> Snapshot:
        """All states as they are between two calls of ``advance``."""
        ...

    def recover(self, snapshot: Snapshot) -> None:
        """Replace what is dead, and put everything where ``snapshot`` was taken."""
        ...

    def close(self) -> None:
        """Let everything go."""
        ...


class LocalGroup:
    """All in this process, one worker after the other; synchronous."""

    def __init__(self, program: Program, parameters: Vector, settings: ServerSettings, sizes: Sizes | None = None):
        self.sizes = sizes or Sizes()
        self._spans = division(len(parameters), self.sizes.servers)
        self._shards = [Shard(parameters[span.start : span.stop], settings) for span in self._spans]
        self._shares = division(program.parts, self.sizes.workers)
        self._stored = division(program.parts, self.sizes.stores) if program.store is not None else []
        self._owners = owners(self._stored)
        self._stores = [] if program.store is None else [program.store(tuple(share)) for share in self._stored]
        self._workers = [program.worker(tuple(share), self._ask) for share in self._shares]

    def advance(self, first: int, rates: Sequence[float]) -> list[dict[str, float]]:
        """See ``Group``."""
        figures = []
        for update, rate in enumerate(rates, first):
            whole = self.pull()
            gradients = [worker.gradient(update, whole.parameters, whole.average) for worker in self._workers]
            squares = [
                shard.combine(update, [(g.weight, g.vector[span.start : span.stop]) for g in gradients])
                for shard, span in zip(self._shards, self._spans, strict=True)
            ]
            for shard in self._shards:
                shard.apply(update, squares, rate)
            figures.append(mean_figures([(g.weight, g.figures) for g in gradients], squares))
        return figures

    def pull(self) -> Pulled:
        """See ``Group``."""
        return whole([shard.pull() for shard in self._shards])

    def snapshot(self) -> Snapshot:
        """See ``Group``."""
        return Snapshot(
            joined([shard.state() for shard in self._shards]),
            merged([worker.state() for worker in self._workers]),
            merged([store.state() for store in self._stores]),
        )

    def recover(self, snapshot: Snapshot) -> None:
        """See ``Group``; nothing dies here."""
        for shard, state in zip(self._shards, cut(snapshot.server, len(self._shards)), strict=True):
            shard.load_state(state)
        for worker, share in zip(self._workers, self._shares, strict=True):
            worker.load_state(of_parts(snapshot.workers, share))
        for store, share in zip(self._stores, self._stored, strict=True):
            store.load_state(of_parts(snapshot.stores, share))

    def close(self) -> None:
        """See ``Group``: nothing to let go."""

    def _ask(self, method: str, arguments: Mapping[int, Any]) -> dict[int, Any]:
        answers: dict[int, Any] = {}
        for store, own in by_owner(self._owners, arguments).items():
            answers.update(getattr(self._stores[store], method)(own))
        return answers


def of_parts(states: PartStates, share: Sequence[int]) -> PartStates:
    """The states of the parts in ``share``."""
    return {part: states[part] for part in share if part in states}


def owners(shares: Sequence[Sequence[int]]) -> list[int]:
    """Who owns each part, where owner i has ``shares[i]``."""
    return [owner for owner, share in enumerate(shares) for _ in share]


def by_owner(owned: Sequence[int], arguments: Mapping[int, Any]) -> dict[int, dict[int, Any]]:
    """Arguments by part, put together by owner."""
    sorted_out: dict[int, dict[int, Any]] = {}
    for part, argument in arguments.items():
        sorted_out.setdefault(owned[part], {})[part] = argument
    return sorted_out


def whole(pulled: Sequence[Pulled]) -> Pulled:
    """The shards' parts as one."""
    return Pulled(
        min(part.updates for part in pulled),
        np.concatenate([part.parameters for part in pulled]),
        np.concatenate([part.average for part in pulled]),
    )


def merged(states: Sequence[PartStates]) -> PartStates:
    """All parts' states."""
    return {part: state for states_of_one in states for part, state in states_of_one.items()}


def mean_figures(told: Sequence[tuple[float, Mapping[str, float]]], squares: Sequence[float]) -> dict[str, float]:
    """The workers' figures, averaged by weight, and ``gradient_norm`` of all shards before clipping."""
    total = sum(weight for weight, _ in told)
    names = told[0][1]
    means = {name: sum(weight * figures[name] for weight, figures in told) / total for name in names}
    return {**means, "gradient_norm": float(np.sqrt(sum(squares)))}


class Clocks:
    """Which worker may go on: stale synchronous parallel (Ho et al. 2013).

    The updates ``first`` to ``last`` - 1 go around the ``workers``; each does its own in order, and none starts one
    while another is more than ``staleness`` rounds behind.
    """

    def __init__(self, workers: int, staleness: int, first: int, last: int) -> None:
        self._staleness = staleness
        self._waiting = [list(range(first + (w - first) % workers, last, workers)) for w in range(workers)]
        self._running: dict[int, int] = {}
        self._workers = workers

    def ready(self) -> list[tuple[int, int]]:
        """(worker, update) of all that may begin now; they count as begun."""
        rounds = [update // self._workers for update in self._running.values()]
        rounds += [waiting[0] // self._workers for waiting in self._waiting if waiting]
        begun = []
        for worker, waiting in enumerate(self._waiting):
            if waiting and worker not in self._running and waiting[0] // self._workers - min(rounds) <= self._staleness:
                self._running[worker] = waiting.pop(0)
                begun.append((worker, self._running[worker]))
        return begun

    def done(self, worker: int) -> None:
        """The worker's update is applied."""
        del self._running[worker]

    @property
    def busy(self) -> bool:
        """Whether anything is under way or left."""
        return bool(self._running) or any(self._waiting)
