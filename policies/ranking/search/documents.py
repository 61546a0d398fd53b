"""What can be found, and its text index: BM25 by SQLite's FTS5, and sentence embeddings where vectors are given."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MAX_WORDS = 64
"""Words of a query that are looked at: what somebody pastes must not become a query of a thousand terms."""
_WORD = re.compile(r"[^\W_]+")
_CATEGORY_WEIGHT, _TEXT_WEIGHT = 6.0, 1.0


@dataclass(frozen=True, slots=True)
class Document:
    """An entity or an FAQ entry: ``category`` is what kind of thing it is (a venue's food, an entry's topic).

    ``numbers``: what results can be sorted by (a price, a rating; NaN where unknown). ``added``: when it came to be
    known, in seconds; 0 for what has always been there.
    """

    key: str
    category: str
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    added: float = 0.0


def documents_of_table(
    columns: Mapping[str, Sequence[str]], key: str, category: str, numbers: Iterable[str] = ()
) -> list[Document]:
    """A document a row: ``columns`` by name (all of one length); its text is the whole row.

    ``numbers`` names columns to sort by; a cell that is no number is NaN. ValueError for a column that isn't there.
    """
    wanted = (key, category, *numbers)
    if missing := [name for name in wanted if name not in columns]:
        raise ValueError(f"the table has no column {missing[0]!r}: there are {', '.join(columns)}")
    rows = zip(*columns.values(), strict=True)
    found = []
    for cells in rows:
        row = dict(zip(columns, cells, strict=True))
        values = {name: _number(row[name]) for name in wanted[2:]}
        found.append(Document(row[key], row[category], " ".join(cells), values))
    return found


def words(text: str) -> list[str]:
    """The first MAX_WORDS words of ``text``, in small letters."""
    return _WORD.findall(text.lower())[:MAX_WORDS]


class Catalogue:
    """N documents in a fixed order, their C categories (sorted), and their texts, ready to be searched.

    ``vectors`` (N, D): sentence embeddings of the documents, of length 1. ValueError for two documents with one key,
    for none at all, or when ``vectors`` has another number of rows.
    """

    def __init__(self, documents: Sequence[Document], vectors: NDArray[np.floating] | None = None) -> None:
        keys = [document.key for document in documents]
        if not keys:
            raise ValueError("there is nothing to search: give at least one document")
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"two documents have the key {twice!r}: keys name documents, each once")
        if vectors is not None and len(vectors) != len(keys):
            raise ValueError(f"{len(vectors)} vectors for {len(keys)} documents: one each, in their order")
        self.documents = tuple(documents)
        self.position = {key: n for n, key in enumerate(keys)}
        self.categories = tuple(sorted({document.category for document in documents}))
        place = {name: c for c, name in enumerate(self.categories)}
        self.category_of = np.array([place[document.category] for document in documents])
        self.added = np.array([document.added for document in documents])
        self._names = [frozenset(words(name.replace("_", " "))) for name in self.categories]
        self._vectors = None if vectors is None else np.asarray(vectors, dtype=np.float32)
        self._index = _indexed(documents)

    def bm25(self, query: str) -> Array:
        """(N,) BM25 of each document, 0 without a word in common; a word of the category's name counts six times."""
        scores = np.zeros(len(self.documents))
        asked = dict.fromkeys(words(query))
        if not asked:
            return scores
        terms = " OR ".join(f'"{word}"' for word in asked)
        found = self._index.execute(
            "SELECT rowid, bm25(texts, ?, ?) FROM texts WHERE texts MATCH ?", (_CATEGORY_WEIGHT, _TEXT_WEIGHT, terms)
        )
        for row, score in found:
            scores[row] = -score  # FTS5's is negative, the best the least
        return np.maximum(scores, 0.0)

    def named(self, query: str) -> Array:
        """(C,) 1 for the categories whose whole name ``query`` says, else 0."""
        said = frozenset(words(query))
        return np.array([float(bool(name) and name <= said) for name in self._names])

    def similarity(self, vector: NDArray[np.floating] | None) -> Array:
        """(N,) cosine with the query's ``vector`` (D,), at least 0; all 0 where there are no vectors."""
        if vector is None or self._vectors is None:
            return np.zeros(len(self.documents))
        return np.asarray(np.maximum(self._vectors @ np.asarray(vector, dtype=np.float32), 0.0), dtype=np.float64)

    def by_category(self, values: Array) -> Array:
        """(C,) sums of ``values`` (N,) over the documents of each category."""
        sums = np.bincount(self.category_of, weights=values, minlength=len(self.categories))
        return np.asarray(sums, dtype=np.float64)

    def best_of_category(self, values: Array) -> Array:
        """(C,) the largest of ``values`` (N,), not negative, in each category."""
        best = np.zeros(len(self.categories))
        np.maximum.at(best, self.category_of, values)
        return best


def _indexed(documents: Sequence[Document]) -> sqlite3.Connection:
    # read from any thread; SQLite itself takes care of that in its serialised mode, which Python's build has
    index = sqlite3.connect(":memory:", check_same_thread=False)
    index.execute("CREATE VIRTUAL TABLE texts USING fts5(category, text, tokenize='porter unicode61')")
    rows = ((n, document.category, document.text) for n, document in enumerate(documents))
    index.executemany("INSERT INTO texts(rowid, category, text) VALUES (?, ?, ?)", rows)
    index.commit()
    return index


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
