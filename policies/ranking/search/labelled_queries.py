"""Recorded queries with what they were about: how well a search finds it by text alone, and after so many choices."""

from __future__ import annotations

import csv
import lzma
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from policies.ranking.search.documents import Catalogue, Document
from policies.ranking.search.search import Search

HELD_OUT = 0.2
Labelled = tuple[str, str]
"""What was said, and the category it was about."""


class QueryFileError(ValueError):
    """A file of labelled queries does not parse; the message names file, line and the remedy."""


@dataclass(frozen=True, slots=True)
class QueryReport:
    """After ``taught`` choices: share of the held-out ``queries`` whose category is found first, among the first five,
    and has the highest {query, category} score; median CPU milliseconds a search.
    """

    taught: int
    queries: int
    hit_1: float
    hit_5: float
    category: float
    cpu_p50_ms: float


def read_queries(path: Path) -> list[Labelled]:
    """The rows of a CSV file with the columns text and category (plain or .xz); QueryFileError for what is not one."""
    opened = lzma.open if path.suffix == ".xz" else open
    found: list[Labelled] = []
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if header[:2] != ["text", "category"]:
                raise QueryFileError(f"{path}:1: columns {header[:2]}: the first two must be text, category")
            for row in rows:
                if len(row) < 2 or not row[0].strip() or not row[1].strip():
                    raise QueryFileError(
                        f"{path}:{rows.line_num}: text or category is missing: fill it in or drop the row"
                    )
                found.append((row[0], row[1].strip()))
    except (UnicodeDecodeError, lzma.LZMAError, csv.Error, EOFError) as error:
        raise QueryFileError(f"{path}: no CSV file in UTF-8 ({error})") from None
    if len({category for _, category in found}) < 2 or len(found) < 20:
        raise QueryFileError(f"{path}: {len(found)} rows: at least 20 of two categories are needed")
    return found


def evaluate_queries(
    rows: Sequence[Labelled], taught: Sequence[int] = (0, 500, 2000, 10**9), *, seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> list[QueryReport]:  # fmt: skip
    """One document a category (its text is its name); a fifth of the rows judges, the others are choices people made.

    ``progress`` hears of every report, one for each of ``taught``.
    """
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    held = [rows[n] for n in order[: max(int(HELD_OUT * len(rows)), 1)]]
    known = [rows[n] for n in order[len(held) :]]
    names = sorted({category for _, category in rows})
    search = Search(Catalogue([Document(name, name, name.replace("_", " ")) for name in names]))
    reports, learned = [], 0
    for wanted in taught:
        for query, category in known[learned:wanted]:
            search.learn(query, [category], [category], 0.0)
        learned = max(learned, min(wanted, len(known)))
        reports.append(_report(search, held, learned))
        progress()
    return reports


def _report(search: Search, held: Sequence[Labelled], taught: int) -> QueryReport:
    rates = search.views.rates(0.0)
    first, five, scored, taken = 0, 0, 0, []
    for query, category in held:
        started = time.thread_time()
        found = search.find(query, 0.0, limit=5, rates=rates)
        taken.append(time.thread_time() - started)
        keys = [hit.key for hit in found.hits]
        first, five = first + (keys[0] == category), five + (category in keys)
        scored += max(found.categories, key=lambda name: found.categories[name]) == category
    count = len(held)
    return QueryReport(taught, count, first / count, five / count, scored / count, float(np.median(taken) * 1e3))
