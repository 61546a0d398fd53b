"""Labelled sparse examples: the reader of LIBSVM's text format, and made-up data of the papers' kind."""

from __future__ import annotations

import gzip
import lzma
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from policies.optimize.columns import Array, Columns


class LibsvmError(ValueError):
    """A file that isn't LIBSVM's format, or holds nothing to learn from; names file, line and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """``rows``: n examples as columns of height d (the features); ``labels`` (n,): as written in the file."""

    rows: Columns
    labels: Array

    @property
    def classes(self) -> Array:
        """The different labels, ascending."""
        return np.unique(self.labels)


def read_libsvm(path: Path) -> Examples:
    """Read ``label index:value ...`` lines (indices from 1, ascending); ``.xz`` and ``.gz`` are unpacked; # comments.

    LibsvmError for a line that is something else, a number that isn't finite, and a file without examples. OSError
    where the file can't be read.
    """
    opened: Callable[..., IO[str]] = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix.lower(), open)  # type: ignore[assignment]
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            return _parse(lines, path)
    except (lzma.LZMAError, gzip.BadGzipFile, EOFError) as error:
        raise LibsvmError(f"{path}: damaged: {error}; fetch it again") from error
    except UnicodeDecodeError as error:
        raise LibsvmError(f"{path}: not a text file; write `label index:value ...` lines") from error


def _parse(lines: IO[str] | Iterable[str], path: Path) -> Examples:
    labels, starts, rows, values = array("d"), array("q", [0]), array("q"), array("d")
    for number, line in enumerate(lines, 1):
        label, *features = line.partition("#")[0].split() or [""]
        if not label:
            continue
        last = 0
        try:
            labels.append(float(label))
            for feature in features:
                index, _, value = feature.partition(":")
                place = int(index)
                if place <= last:
                    raise LibsvmError(f"{path}, line {number}: index {place} after {last}; write them ascending from 1")
                rows.append(place - 1)
                values.append(float(value))
                last = place
        except ValueError as error:
            if isinstance(error, LibsvmError):
                raise
            raise LibsvmError(f"{path}, line {number}: {error}; write `label index:value ...`") from error
        if not np.isfinite(labels[-1]) or not np.isfinite(values[starts[-1] :]).all():
            raise LibsvmError(
                f"{path}, line {number}: a number that isn't finite; remove the line or fill the value in"
            )
        starts.append(len(rows))
    if not labels:
        raise LibsvmError(f"{path}: no examples; write `label index:value ...` lines")
    indices = np.frombuffer(rows, dtype=np.int64) if rows else np.zeros(0, dtype=np.int64)
    numbers = np.frombuffer(values) if values else np.zeros(0)
    height = int(indices.max()) + 1 if len(indices) else 1
    return Examples(Columns(np.frombuffer(starts, dtype=np.int64), indices, numbers, height), np.frombuffer(labels))


def zipf_examples(
    count: int = 20_000, features: int = 50_000, per_example: int = 20, seed: int = 0, noise: float = 0.05
) -> Examples:
    """Made-up bags of words: features drawn by Zipf's law, rows of length 1, labels of a linear rule with ``noise``.

    Shapes as in text classification (rcv1 of the CoCoA papers): most features are rare. ``noise``: share of labels
    drawn at random. Labels -1 and 1.
    """
    random = np.random.default_rng((seed, 1))
    weights = 1.0 / np.arange(1, features + 1)
    drawn = np.searchsorted(np.cumsum(weights) / weights.sum(), random.random((count, per_example))).astype(np.int64)
    keys = np.unique(np.arange(count, dtype=np.int64)[:, None] * features + drawn)  # a word counts once in an example
    owners, rows = np.divmod(keys, features)
    starts = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=count)))).astype(np.int64)
    bags = Columns(starts, rows, np.ones(len(rows)), features)
    bags = bags.scaled(1 / np.sqrt(np.maximum(bags.squared_norms(), 1e-12)))
    scores = bags.dot(random.standard_normal(features))
    flipped = random.random(count) < noise
    labels = np.where(flipped, random.choice([-1.0, 1.0], count), np.where(scores >= np.median(scores), 1.0, -1.0))
    return Examples(bags, labels)
