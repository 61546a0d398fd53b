"""What a CoCoA worker keeps and answers: its columns, its coefficients, one local solve a round.

A worker sees no other's data. Each round it gets one vector (the gradient w) and gives one back (what its step changes
in A a), with a few numbers for the certificate and the line search beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from policies.optimize.columns import Array, Columns, Index, partition
from policies.optimize.local_solvers import solve_locally
from policies.optimize.losses import Problem, Separable


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """A round's message to every worker.

    ``w`` (M,): the gradient of f at A y. First the worker moves to a + ``accept`` (its last proposal - a), then it
    solves around y = a + ``momentum`` (a - the a before). ``curvature``, ``coupling``: see ``local_solvers``;
    ``passes`` over the worker's columns; ``fractions`` (J,) of its new step that the line search wants to know.
    """

    round: int
    w: Array
    accept: float
    momentum: float
    curvature: float
    coupling: float
    passes: float
    fractions: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """``step`` (M,) = A_k (proposal - a), ``extra`` (M,) or None the part of it that is momentum; sums over columns.

    ``own``: sum of g at a; ``values`` (J,): at the asked fractions of the step; ``conjugate``: sum of g* at
    -A_k^T w; ``slope``: the largest |A_k^T w|; ``solved``: |A_k (proposal - y)|^2.
    """

    step: Array
    own: float
    values: Array
    conjugate: float
    slope: float
    solved: float


class Part:
    """One worker's columns and coefficients; ``exchange`` is a round."""

    def __init__(self, columns: Columns, separable: Separable, number: int, seed: int, *, compiled: bool = True):
        self.columns, self.separable = columns, separable
        self.norms = columns.squared_norms()
        self.number, self.seed, self.compiled = number, seed, compiled
        self.a = _start(separable)
        self.before = self.a.copy()
        self.proposal = self.a.copy()
        self.step = np.zeros(columns.height)
        self.drift = np.zeros(columns.height)

    def exchange(self, ask: Ask) -> Reply:
        """Accept the last proposal as far as told, say what the certificate needs, and propose the next."""
        self.before, self.a = self.a, self.a + ask.accept * (self.proposal - self.a)
        self.drift = ask.accept * self.step
        slopes = self.columns.dot(ask.w)
        center = self.a + ask.momentum * (self.a - self.before)
        point = np.clip(center, self.separable.lower, self.separable.upper)
        moved = self.columns.combine(point - center) if ask.momentum else np.zeros(self.columns.height)
        new, moved = solve_locally(
            self.columns, self.norms, self.separable, ask.w, center, (point, moved), self._order(ask),
            ask.curvature, ask.coupling, compiled=self.compiled,
        )  # fmt: skip
        self.proposal, self.step = new, moved + ask.momentum * self.drift
        points = self.a + np.outer(np.array(ask.fractions, dtype=np.float64), new - self.a)
        return Reply(
            self.step,
            float(self.separable.values(self.a).sum()),
            np.asarray(self.separable.values(points).sum(axis=1)),
            float(self.separable.conjugates(-slopes).sum()),
            float(np.abs(slopes).max(initial=0.0)),
            float(moved @ moved),
        )

    def coefficients(self) -> Array:
        """(N_k,): a as it stands."""
        return self.a

    def _order(self, ask: Ask) -> Index:
        """Columns in random order, a fresh one each pass, the same wherever the worker lives."""
        random = np.random.default_rng((self.seed, ask.round, self.number))
        wanted = max(1, round(ask.passes * self.columns.count)) if self.columns.count else 0
        passes = [random.permutation(self.columns.count) for _ in range(-(-wanted // max(1, self.columns.count)))]
        return np.concatenate([*passes, np.zeros(0)]).astype(np.int64)[:wanted]


def _start(separable: Separable) -> Array:
    """Where a begins: 0, or the middle for the entropy, whose slope has no bound at the ends."""
    return np.full(len(separable.linear), 0.5 if separable.entropy else 0.0)


class Workers(Protocol):
    """K workers, wherever they are."""

    parts: list[Index]

    def exchange(self, ask: Ask) -> list[Reply]:
        """One round; ``WorkerError`` where a worker doesn't answer."""

    def coefficients(self) -> Array:
        """(N,): all coefficients, in the problem's order."""

    def close(self) -> None:
        """Let the workers go."""


def gathered(parts: Sequence[Index], pieces: Sequence[Array]) -> Array:
    """(N,): ``pieces`` of every worker put where ``parts`` say they belong."""
    whole = np.zeros(sum(len(part) for part in parts))
    for part, piece in zip(parts, pieces, strict=True):
        whole[part] = piece
    return whole


class SimulatedWorkers:
    """K workers in this process, one after the other: the same iterates as K machines."""

    def __init__(self, problem: Problem, count: int, seed: int = 0, *, compiled: bool = True):
        self.parts = partition(problem.columns.count, count, seed)
        self._workers = [
            Part(problem.columns.chosen(which), problem.separable.chosen(which), k, seed, compiled=compiled)
            for k, which in enumerate(self.parts)
        ]

    def exchange(self, ask: Ask) -> list[Reply]:
        """One round."""
        return [worker.exchange(ask) for worker in self._workers]

    def coefficients(self) -> Array:
        """(N,): all coefficients, in the problem's order."""
        return gathered(self.parts, [worker.coefficients() for worker in self._workers])

    def close(self) -> None:
        """Nothing to let go."""
