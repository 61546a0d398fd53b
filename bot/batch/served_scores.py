"""Batch scores at the moment of speaking: what ``rejoinder batch`` worked out last, looked up by memory map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memory.key_values import KeyValues
from policies.ranking.search.behaviour import content

SCORES = "scores.sqlite3"
"""The file beside an assistant's models."""
ANYBODY = ""
"""The key of a user of whom nothing is known."""

Column = NDArray[np.float64]


def query_key(query: str) -> str:
    """The key of a query in ``query_category``: its words that say what is wanted, sorted."""
    return " ".join(sorted(content(query)))


class BatchScores:
    """The tables of ``bot.batch.scores``; where there is no file yet, or no such key, nothing is known.

    KeyValuesError when the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._values = KeyValues(path)

    @property
    def made_at(self) -> float | None:
        """When the scores in use were made (seconds since the epoch); None without any."""
        made: float | None = self._values.about.get("made_at")
        return made

    def popularity(self, venues: Sequence[str], column: str = "choice_rate") -> Column:
        """(N,) how popular each venue is, by any column of the table; NaN for one that isn't known."""
        rows = self._values.get_many([("popularity", venue) for venue in venues])
        return np.array([np.nan if row is None else row[column] for row in rows], dtype=np.float64)

    def affinities(self, user: str, venues: Sequence[str]) -> Column:
        """(N,) how much ``user`` likes each venue; what anybody does for somebody unknown, NaN for an unknown venue."""
        row = self._of("affinity", user)
        return np.array([row.get(venue, np.nan) for venue in venues], dtype=np.float64)

    def needs(self, user: str) -> dict[str, float]:
        """Category -> probability that ``user`` wants it soon; empty where nothing is known."""
        return self._of("need", user)

    def categories(self, query: str) -> dict[str, float]:
        """Category -> share of what was chosen after such a query; empty for one that nobody has said."""
        found: dict[str, float] = self._values.get("query_category", query_key(query)) or {}
        return found

    def _of(self, table: str, user: str) -> dict[str, float]:
        own, general = self._values.get_many([(table, user), (table, ANYBODY)])
        row: dict[str, float] = own or general or {}
        return row

    def close(self) -> None:
        """Let go of the file."""
        self._values.close()
