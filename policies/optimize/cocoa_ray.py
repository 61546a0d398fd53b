"""CoCoA's workers as Ray actors: each keeps its columns in its own process, on this machine or others.

Needs the extra [ray]. Only what ``cocoa_workers.Ask`` and ``Reply`` hold travels between rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from policies.optimize.cocoa_workers import Ask, Part, Reply, gathered
from policies.optimize.columns import Array, partition
from policies.optimize.losses import Problem
from policies.optimize.ray_connection import WorkerError, connected


class RayWorkers:
    """K actors, each with its part of the problem; the same iterates as ``SimulatedWorkers`` of the same seed."""

    def __init__(self, problem: Problem, count: int, seed: int = 0, *, address: str | None = None):
        """``address``: a Ray cluster's (None: a cluster of this machine's own, started here).

        WorkerError where Ray isn't installed, or nothing answers at ``address``.
        """
        self._ray = connected(address)
        self.parts = partition(problem.columns.count, count, seed)
        actor = self._ray.remote(num_cpus=0)(Part)
        self._workers = [
            actor.remote(problem.columns.chosen(which), problem.separable.chosen(which), k, seed)
            for k, which in enumerate(self.parts)
        ]

    def exchange(self, ask: Ask) -> list[Reply]:
        """One round: ``ask`` is stored once and read by all."""
        shared = self._ray.put(ask)
        replies: list[Reply] = self._answered([worker.exchange.remote(shared) for worker in self._workers])
        return replies

    def coefficients(self) -> Array:
        """(N,): all coefficients, in the problem's order."""
        pieces = self._answered([worker.coefficients.remote() for worker in self._workers])
        return gathered(self.parts, [np.array(piece) for piece in pieces])

    def close(self) -> None:
        """End the actors; a cluster that was there before goes on."""
        for worker in self._workers:
            self._ray.kill(worker)
        self._workers = []

    def _answered(self, calls: list[Any]) -> list[Any]:
        try:
            return list(self._ray.get(calls))
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            raise WorkerError(f"a Ray worker failed: {first}; see `ray status`, or go without --ray") from error
