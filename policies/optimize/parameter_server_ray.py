"""A parameter server's shards, workers and stores as Ray actors, on this machine or a cluster. Needs the extra [ray].

What travels are object references: a worker's gradient leaves it in one piece for each server, straight to that
server, and the moved parameters go straight back. The driver only says what depends on what, so several synchronous
updates are under way without its waiting in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from policies.optimize.parameter_server import (
    Part,
    Pulled,
    ServerSettings,
    Shard,
    State,
    Vector,
    cut,
    division,
    joined,
)
from policies.optimize.parameter_server_workers import (
    Clocks,
    PartStates,
    Program,
    Sizes,
    Snapshot,
    by_owner,
    mean_figures,
    merged,
    of_parts,
    owners,
    whole,
)
from policies.optimize.ray_connection import WorkerError, connected

PATIENCE = 600.0
"""Seconds without an answer after which an actor counts as dead."""
PING_SECONDS = 60.0

Told = tuple[float, dict[str, float]]


class RayGroup:
    """See ``parameter_server_workers.Group``: K workers, S servers and stores in processes of their own.

    Synchronously, the same numbers as a ``LocalGroup`` of the same ``sizes``. Actors are spread over the nodes and
    reserve no cores: more of them than cores share what there is.
    """

    def __init__(
        self, program: Program, parameters: Vector, settings: ServerSettings, sizes: Sizes,
        *, address: str | None = None, without: str = "--distributed", patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        """``address``: a Ray cluster's (None: one of this machine's own, started here).

        WorkerError where Ray isn't installed, nothing answers at ``address``, or an actor doesn't come up.
        """
        self._ray = connected(address, without)
        self.sizes, self._program, self._settings, self._patience = sizes, program, settings, patience
        self._spans = division(len(parameters), sizes.servers)
        self._shares = division(program.parts, sizes.workers)
        self._stored = division(program.parts, sizes.stores) if program.store is not None else []
        self._first = parameters
        self._servers = [self._server(number) for number in range(sizes.servers)]
        self._stores = [self._store(number) for number in range(len(self._stored))]
        self._workers = [self._worker(number) for number in range(sizes.workers)]
        self._pulled: list[Any] = []
        self.delays: list[int] = []
        """Of each asynchronous update: how many others were applied between its pull and its push."""

    def advance(self, first: int, rates: Sequence[float]) -> list[dict[str, float]]:
        """See ``Group``; FloatingPointError for a gradient or a loss that isn't finite."""
        if self.sizes.staleness is None:
            return self._synchronous(first, rates)
        return self._asynchronous(first, rates, self.sizes.staleness)

    def pull(self) -> Pulled:
        """See ``Group``."""
        return whole(self._answered([server.pull.remote() for server in self._servers]))

    def snapshot(self) -> Snapshot:
        """See ``Group``."""
        server: list[State] = self._answered([server.state.remote() for server in self._servers])
        workers: list[PartStates] = self._answered([worker.state.remote() for worker in self._workers])
        stores: list[PartStates] = self._answered([store.state.remote() for store in self._stores])
        return Snapshot(joined(server), merged(workers), merged(stores))

    def recover(self, snapshot: Snapshot) -> None:
        """See ``Group``."""
        self._pulled = []
        for actors, make in (
            (self._servers, self._server), (self._stores, self._store), (self._workers, self._worker),
        ):  # fmt: skip
            self._replace_dead(actors, make)
        self._answered([worker.connect.remote(self._stores) for worker in self._workers])
        parts = cut(snapshot.server, len(self._servers))
        calls = [server.load_state.remote(state) for server, state in zip(self._servers, parts, strict=True)]
        for actors, shares, states in (
            (self._workers, self._shares, snapshot.workers), (self._stores, self._stored, snapshot.stores),
        ):  # fmt: skip
            for actor, share in zip(actors, shares, strict=True):
                calls.append(actor.load_state.remote(of_parts(states, share)))
        self._answered(calls)

    def nodes(self) -> dict[str, list[str]]:
        """The nodes on which ``servers``, ``stores`` and ``workers`` live."""
        kinds = {"servers": self._servers, "stores": self._stores, "workers": self._workers}
        return {kind: self._answered([actor.node.remote() for actor in actors]) for kind, actors in kinds.items()}

    def close(self) -> None:
        """End the actors; a cluster that was there before goes on."""
        for actor in (*self._workers, *self._servers, *self._stores):
            self._ray.kill(actor)
        self._workers, self._servers, self._stores, self._pulled = [], [], [], []

    def _synchronous(self, first: int, rates: Sequence[float]) -> list[dict[str, float]]:
        told: list[list[Any]] = []
        squared: list[list[Any]] = []
        pulled = self._pulled or [server.pull.remote() for server in self._servers]
        for update, rate in enumerate(rates, first):
            computed = [self._compute(worker, update, pulled) for worker in self._workers]
            told.append([figures for figures, *_ in computed])
            squares = [
                server.combine.remote(update, *(parts[number] for _, *parts in computed))
                for number, server in enumerate(self._servers)
            ]
            squared.append(squares)
            pulled = [server.apply.remote(update, rate, *squares) for server in self._servers]
        self._answered(pulled)
        self._pulled = pulled
        figures: list[list[Told]] = [self._answered(row) for row in told]
        norms: list[list[float]] = [self._answered(row) for row in squared]
        return [mean_figures(row, squares) for row, squares in zip(figures, norms, strict=True)]

    def _asynchronous(self, first: int, rates: Sequence[float], staleness: int) -> list[dict[str, float]]:
        """Each update is one worker's; a worker begins its next as soon as its last is applied and ``Clocks`` allow."""
        clocks = Clocks(len(self._workers), staleness, first, first + len(rates))
        under_way: dict[Any, tuple[int, int, Any, list[Any]]] = {}
        figures: dict[int, dict[str, float]] = {}
        self._pulled = []
        while clocks.busy:
            for worker, update in clocks.ready():
                pulled = [server.pull.remote() for server in self._servers]
                told, *parts = self._compute(self._workers[worker], update, pulled)
                squares = [
                    server.combine.remote(update, part) for server, part in zip(self._servers, parts, strict=True)
                ]
                rate = rates[update - first]
                applied = [server.apply_late.remote(update, rate, pulled[0], *squares) for server in self._servers]
                under_way[applied[0]] = (worker, update, told, [*applied, *squares])
            ready, _ = self._ray.wait(list(under_way), num_returns=1, timeout=self._patience)
            if not ready:
                raise WorkerError(f"no Ray worker answered within {self._patience:g} s")
            worker, update, told, rest = under_way.pop(ready[0])
            delays_and_squares = self._answered(rest)
            self.delays.append(max(delays_and_squares[: len(self._servers)]))
            figures[update] = mean_figures(self._answered([told]), delays_and_squares[len(self._servers) :])
            clocks.done(worker)
        return [figures[update] for update in sorted(figures)]

    def _compute(self, worker: Any, update: int, pulled: Sequence[Any]) -> list[Any]:
        """References to (weight, figures) and to the gradient's part for each server."""
        returns = len(self._servers) + 1
        references: list[Any] = worker.gradient.options(num_returns=returns).remote(update, *pulled)
        return references

    def _answered(self, calls: Sequence[Any]) -> list[Any]:
        """What the calls returned; WorkerError for whatever Ray says, unless it is the work itself that failed."""
        errors = self._ray.exceptions
        try:
            return list(self._ray.get(list(calls), timeout=self._patience))
        except errors.GetTimeoutError as error:
            raise WorkerError(f"no Ray worker answered within {self._patience:g} s") from error
        except errors.RayTaskError as error:
            cause = _cause(error)
            if isinstance(cause, errors.RayError):
                raise WorkerError(f"a Ray worker died: {_first_line(cause)}") from error
            raise cause from error
        except errors.RayError as error:
            raise WorkerError(f"a Ray worker died: {_first_line(error)}; see `ray status`") from error

    def _replace_dead(self, actors: list[Any], make: Callable[[int], Any]) -> None:
        waiting = {actor.node.remote(): number for number, actor in enumerate(actors)}
        alive, _ = (
            self._ray.wait(list(waiting), num_returns=len(waiting), timeout=PING_SECONDS) if waiting else ([], [])
        )
        for call, number in waiting.items():
            try:
                if call not in alive:
                    raise WorkerError("silent")
                self._answered([call])
            except WorkerError:
                self._ray.kill(actors[number])
                actors[number] = make(number)

    def _server(self, number: int) -> Any:
        span = self._spans[number]
        return self._actor(_ServerHost).remote(self._first[span.start : span.stop], self._settings)

    def _store(self, number: int) -> Any:
        return self._actor(_StoreHost).remote(self._program.store, tuple(self._stored[number]))

    def _worker(self, number: int) -> Any:
        sizes = [len(span) for span in self._spans]
        share = tuple(self._shares[number])
        return self._actor(_WorkerHost).remote(self._program, share, sizes, self._stores, owners(self._stored))

    def _actor(self, kind: type) -> Any:
        return self._ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(kind)


class _Host:
    """What all actors answer."""

    def node(self) -> str:
        """The node that it lives on."""
        import ray

        return str(ray.get_runtime_context().get_node_id())


class _ServerHost(_Host):
    """A shard."""

    def __init__(self, parameters: Vector, settings: ServerSettings) -> None:
        self._shard = Shard(parameters, settings)

    def combine(self, update: int, *parts: Part) -> float:
        return self._shard.combine(update, parts)

    def apply(self, update: int, rate: float, *squares: float) -> Pulled:
        return self._shard.apply(update, squares, rate)

    def apply_late(self, update: int, rate: float, pulled: Pulled, *squares: float) -> int:
        """The delay: how many updates this one is late."""
        delay = self._shard.updates - pulled.updates
        self._shard.apply(update, squares, rate)
        return delay

    def pull(self) -> Pulled:
        return self._shard.pull()

    def state(self) -> State:
        return self._shard.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._shard.load_state(state)


class _StoreHost(_Host):
    """A store."""

    def __init__(self, make: Callable[[Sequence[int]], Any], share: Sequence[int]) -> None:
        self._store = make(share)

    def call(self, method: str, arguments: Mapping[int, Any]) -> dict[int, Any]:
        answers: dict[int, Any] = getattr(self._store, method)(arguments)
        return answers

    def state(self) -> PartStates:
        states: PartStates = self._store.state()
        return states

    def load_state(self, states: Mapping[int, State]) -> None:
        self._store.load_state(states)


class _WorkerHost(_Host):
    """A worker."""

    def __init__(
        self, program: Program, share: Sequence[int], sizes: Sequence[int], stores: list[Any], owned: list[int]
    ) -> None:
        self._stores, self._owned = stores, owned
        self._cuts = np.cumsum([0, *sizes])
        self._worker = program.worker(share, self._ask)

    def connect(self, stores: list[Any]) -> None:
        self._stores = stores

    def gradient(self, update: int, *pulled: Pulled) -> tuple[Told | Part, ...]:
        parameters = whole(pulled)
        got = self._worker.gradient(update, parameters.parameters, parameters.average)
        parts = [(got.weight, got.vector[low:high].copy()) for low, high in pairwise(self._cuts)]
        return ((got.weight, got.figures), *parts)

    def state(self) -> PartStates:
        return self._worker.state()

    def load_state(self, states: Mapping[int, State]) -> None:
        self._worker.load_state(states)

    def _ask(self, method: str, arguments: Mapping[int, Any]) -> dict[int, Any]:
        import ray

        calls = [
            self._stores[store].call.remote(method, own) for store, own in by_owner(self._owned, arguments).items()
        ]
        return {part: answer for answers in ray.get(calls) for part, answer in answers.items()}


def _cause(error: Any) -> Exception:
    """What failed first, behind the failures of all that depended on it."""
    cause: Any = error
    while getattr(cause, "cause", None) is not None and isinstance(cause.cause, Exception):
        cause = cause.cause
    return cause if isinstance(cause, Exception) else RuntimeError(str(error))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
