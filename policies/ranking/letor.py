"""Ranking data on disk: LETOR / LibSVM rows, with ``qid:`` in the row or LightGBM's ``.query`` file beside the rows.

A row is ``label [qid:Q] index:value ...  [# comment]``; a feature that a row does not name is 0, as in every reader of
this format. Files may be plain or .xz.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAX_INDEX = 65_535
"""The highest feature index; a higher one is a damaged file rather than a feature."""
MAX_LABEL = 30
"""The highest relevance: its gain 2^30 - 1 still fits what LightGBM adds up."""

Progress = Callable[[int], None]


class LetorError(ValueError):
    """A file of ranking data can't be read; the message names the file, the line and what to do."""


@dataclass(frozen=True)
class RankingData:
    """Judged candidates, one query's after the other's.

    ``features`` (N, F) float32, NaN where a feature is missing; ``labels`` (N,) int32 relevance from 0;
    ``groups`` (Q,) int64 candidates of each query, all above 0, summing to N; ``names`` of the F features;
    ``weights`` (N,) float32 importance of each candidate, or None for all alike.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int32]
    groups: NDArray[np.int64]
    names: tuple[str, ...]
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        rows, columns = self.features.shape
        if self.labels.shape != (rows,) or int(self.groups.sum()) != rows or (self.groups < 1).any():
            raise ValueError(f"{rows} rows, {len(self.labels)} labels, groups of {int(self.groups.sum())} rows")
        if len(self.names) != columns or len(set(self.names)) != columns:
            raise ValueError(f"{columns} features need as many different names, not {len(set(self.names))}")
        if self.weights is not None and self.weights.shape != (rows,):
            raise ValueError(f"{len(self.weights)} weights for {rows} rows")

    @property
    def starts(self) -> NDArray[np.int64]:
        """(Q,) first row of each query."""
        return np.concatenate([[0], np.cumsum(self.groups)[:-1]]).astype(np.int64)

    def queries(self, chosen: Sequence[int] | NDArray[np.int64]) -> RankingData:
        """The data of the queries with these numbers, in this order."""
        starts = self.starts
        rows = np.concatenate([np.arange(starts[q], starts[q] + self.groups[q]) for q in chosen])
        weights = None if self.weights is None else self.weights[rows]
        return RankingData(self.features[rows], self.labels[rows], self.groups[list(chosen)], self.names, weights)

    def columns(self, chosen: Sequence[int] | NDArray[np.int64]) -> RankingData:
        """The same rows with only the features of these numbers, in this order."""
        names = tuple(self.names[c] for c in chosen)
        return RankingData(
            np.ascontiguousarray(self.features[:, list(chosen)]), self.labels, self.groups, names, self.weights
        )


def read_letor(path: str | Path, *, progress: Progress = lambda rows: None) -> RankingData:
    """Read ``path``; the queries are told by ``qid:`` in every row, or by PATH (without .xz) + ``.query``.

    Features are named by their index; there are as many as the highest says, counted from 1, or from 0 where a row
    uses it (see ``aligned`` for several files). ``progress`` hears of every 10,000th row.

    Raises LetorError, with file and line, for a bad number, a value that is not finite, a label that is not a whole
    number from 0 to 30, an index twice in a row or outside 0-65,535, rows with and without qid, a qid that comes
    back after another one, group sizes that don't fit the rows, or a file without rows.
    """
    path = Path(path)
    labels: list[int] = []
    queries: list[str] = []
    indices: list[NDArray[np.int32]] = []
    values: list[NDArray[np.float32]] = []
    for number, line in _lines(path):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"{path}:{number}"
        labels.append(_label(words[0], where))
        features = words[1:]
        if features and features[0].startswith("qid:"):
            queries.append(features.pop(0)[4:])
        if queries and len(queries) != len(labels):
            raise LetorError(f"{where}: some rows have a qid and some have none: give every row its qid:")
        if queries and not queries[-1]:
            raise LetorError(f"{where}: qid: without a name")
        index, value = _features(features, where)
        indices.append(index)
        values.append(value)
        if len(labels) % 10_000 == 0:
            progress(len(labels))
    if not labels:
        raise LetorError(f"{path}: no rows in there: write 'label qid:1 1:0.5 2:0.25' a line")
    groups = _groups_of(queries, path) if queries else _query_file(path, len(labels))
    matrix, names = _dense(indices, values, path)
    return RankingData(matrix, np.array(labels, dtype=np.int32), groups, names)


def aligned(parts: Sequence[RankingData]) -> list[RankingData]:
    """The same data with the features of all ``parts``, in the order of their indices; 0 where a part has none."""
    names = sorted({name for part in parts for name in part.names}, key=int)
    column = {name: number for number, name in enumerate(names)}
    result = []
    for part in parts:
        features = np.zeros((len(part.labels), len(names)), dtype=np.float32)
        features[:, [column[name] for name in part.names]] = part.features
        result.append(RankingData(features, part.labels, part.groups, tuple(names), part.weights))
    return result


def concatenated(parts: Sequence[RankingData]) -> RankingData:
    """One part's queries after the other's; ValueError when their features differ, or only some have weights."""
    weights = [part.weights for part in parts if part.weights is not None]
    if len({part.names for part in parts}) != 1 or len(weights) not in (0, len(parts)):
        raise ValueError("only data with the same features, and all with weights or none, can be put together")
    return RankingData(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.groups for part in parts]),
        parts[0].names,
        np.concatenate(weights) if weights else None,
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a plain or .xz file."""
    opened = lzma.open if path.suffix == ".xz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            yield from enumerate(file, start=1)
    except FileNotFoundError:
        raise LetorError(f"{path}: no such file") from None
    except (lzma.LZMAError, EOFError) as error:
        raise LetorError(f"{path}: not a whole .xz file ({error})") from None
    except UnicodeDecodeError as error:
        raise LetorError(f"{path}: not a text file ({error}); unpack it, or name it .xz if it is one") from None


def _label(word: str, where: str) -> int:
    try:
        label = float(word)
    except ValueError:
        raise LetorError(f"{where}: {word!r} is no label: a row begins with its relevance, such as 0 or 2") from None
    if not (label.is_integer() and 0 <= label <= MAX_LABEL):
        raise LetorError(f"{where}: label {word}: relevance is a whole number from 0 to {MAX_LABEL}")
    return int(label)


def _features(words: Sequence[str], where: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Indices and values of one row's ``index:value`` words."""
    pairs = [word.split(":") for word in words]
    try:
        index = [int(i) for i, _ in pairs]
        values = np.array([float(v) for _, v in pairs], dtype=np.float64)
        if any("_" in word for word in words):  # Python reads 1_000 as a number, nobody else does
            raise ValueError
    except ValueError:
        wrong = next(word for word in words if not _is_pair(word))
        raise LetorError(f"{where}: {wrong!r} is no feature: write index:value, such as 3:0.25") from None
    if index and (min(index) < 0 or max(index) > MAX_INDEX):
        wrong_index = next(i for i in index if not 0 <= i <= MAX_INDEX)
        raise LetorError(f"{where}: feature index {wrong_index} is outside 0-{MAX_INDEX}")
    if len(set(index)) != len(index):
        twice = next(i for place, i in enumerate(index) if i in index[:place])
        raise LetorError(f"{where}: feature {twice} is there twice: keep one of them")
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if not np.isfinite(narrow).all():
        bad = int(np.flatnonzero(~np.isfinite(narrow))[0])
        raise LetorError(f"{where}: feature {index[bad]} is {pairs[bad][1]}: leave a missing feature out")
    return np.array(index, dtype=np.int32), narrow


def _is_pair(word: str) -> bool:
    index, _, value = word.partition(":")
    try:
        int(index), float(value)
    except ValueError:
        return False
    return "_" not in word


def _groups_of(queries: Sequence[str], path: Path) -> NDArray[np.int64]:
    """Sizes of the runs of equal qids; LetorError when a qid comes back."""
    sizes: dict[str, int] = {}
    last = None
    for row, query in enumerate(queries, start=1):
        if query != last and query in sizes:
            raise LetorError(f"{path}, row {row}: qid {query} comes back after another query: sort the rows by qid")
        sizes[query] = sizes.get(query, 0) + 1
        last = query
    return np.array(list(sizes.values()), dtype=np.int64)


def _query_file(path: Path, rows: int) -> NDArray[np.int64]:
    """Group sizes from LightGBM's side file."""
    stem = path.with_suffix("") if path.suffix == ".xz" else path
    beside = stem.with_name(stem.name + ".query")
    if not beside.exists():
        raise LetorError(f"{path}:1: no qid: in the rows and no {beside.name} beside them: add either")
    sizes: list[int] = []
    for number, line in _lines(beside):
        if not (word := line.strip()):
            continue
        if not (word.isascii() and word.isdecimal() and int(word) > 0):
            raise LetorError(f"{beside}:{number}: {word!r} is no group size: write a whole number above 0 a line")
        sizes.append(int(word))
    if sum(sizes) != rows:
        raise LetorError(f"{beside}: its sizes add up to {sum(sizes)}, {path.name} has {rows} rows")
    return np.array(sizes, dtype=np.int64)


def _dense(
    indices: Sequence[NDArray[np.int32]], values: Sequence[NDArray[np.float32]], path: Path
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """(N, F) matrix and names; F starts at index 1 unless a row uses index 0."""
    columns = np.concatenate(indices) if indices else np.zeros(0, dtype=np.int32)
    if not len(columns):
        raise LetorError(f"{path}: no row has a feature")
    rows = np.repeat(np.arange(len(indices)), [len(index) for index in indices])
    first = int(columns.min() > 0)
    size = int(columns.max()) + 1 - first
    matrix = np.zeros((len(indices), size), dtype=np.float32)
    matrix[rows, columns - first] = np.concatenate(values)
    return matrix, tuple(str(i + first) for i in range(size))
