"""Sparse columns that a coordinate method walks through, and how they are divided among workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Index = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """N sparse columns of height M, compressed: column i is ``rows[starts[i]:starts[i + 1]]`` with those ``values``.

    starts (N + 1,) int64; rows (nnz,) int64; values (nnz,) float64. A CSR matrix read by examples has the examples as
    columns, a CSC matrix the features.
    """

    starts: Index
    rows: Index
    values: Array
    height: int

    @property
    def count(self) -> int:
        """N."""
        return len(self.starts) - 1

    @property
    def owners(self) -> Index:
        """(nnz,): the column of every stored value."""
        return np.repeat(np.arange(self.count, dtype=np.int64), np.diff(self.starts))

    def dot(self, vector: Array) -> Array:
        """(N,): the inner product of every column with ``vector`` (M,)."""
        return _summed(self.owners, self.values * vector[self.rows], self.count)

    def combine(self, coefficients: Array) -> Array:
        """(M,): the sum of the columns, each times its coefficient (N,)."""
        weights = self.values * np.repeat(coefficients, np.diff(self.starts))
        return _summed(self.rows, weights, self.height)

    def squared_norms(self) -> Array:
        """(N,): the squared Euclidean norm of every column."""
        return _summed(self.owners, self.values**2, self.count)

    def scaled(self, factors: Array) -> Columns:
        """Every column times its factor (N,)."""
        return Columns(self.starts, self.rows, self.values * np.repeat(factors, np.diff(self.starts)), self.height)

    def transposed(self) -> Columns:
        """The same matrix by rows: M columns of height N (CSR <-> CSC)."""
        order = np.argsort(self.rows, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(self.rows, minlength=self.height)))).astype(np.int64)
        return Columns(starts, self.owners[order], self.values[order], self.count)

    def chosen(self, which: Index) -> Columns:
        """The columns ``which``, in that order."""
        lengths = np.diff(self.starts)[which]
        starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        places = np.arange(starts[-1], dtype=np.int64) + np.repeat(self.starts[which] - starts[:-1], lengths)
        return Columns(starts, self.rows[places], self.values[places], self.height)

    def dense(self) -> Array:
        """(M, N): for tests and small data."""
        matrix = np.zeros((self.height, self.count))
        np.add.at(matrix, (self.rows, self.owners), self.values)
        return matrix


def _summed(places: Index, weights: Array, count: int) -> Array:
    """(count,): the sum of the ``weights`` that belong to each place."""
    return np.asarray(np.bincount(places, weights=weights, minlength=count), dtype=np.float64)


def columns_of(matrix: Array) -> Columns:
    """The columns of a dense ``matrix`` (M, N), zeros left out."""
    owners, rows = np.nonzero(np.asarray(matrix, dtype=np.float64).T)
    counts = np.bincount(owners, minlength=matrix.shape[1])
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Columns(starts, rows.astype(np.int64), np.asarray(matrix, dtype=np.float64).T[owners, rows], len(matrix))


def partition(count: int, workers: int, seed: int) -> list[Index]:
    """``count`` columns divided at random into ``workers`` parts whose sizes differ by at most one.

    With fewer columns than workers some parts are empty, which every method survives. ValueError for fewer than one
    worker.
    """
    if workers < 1:
        raise ValueError(f"{workers} workers: at least one is needed")
    order = np.random.default_rng((seed, 2)).permutation(count).astype(np.int64)
    return [np.sort(part) for part in np.array_split(order, workers)]
