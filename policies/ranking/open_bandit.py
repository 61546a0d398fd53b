"""The Open Bandit Dataset (Saito et al. 2021, arXiv:2008.07146; CC BY 4.0): fashion items in three slots of a page.

A folder with ``random/CAMPAIGN/CAMPAIGN.csv`` and ``bts/CAMPAIGN/CAMPAIGN.csv`` (plain or .xz): the same visitors'
stream, served by a uniformly random policy and by Bernoulli Thompson sampling. Each row is an item at a position, the
probability of that item there, and whether it was clicked. So each log can estimate the other policy, whose own log
tells what it earned.
"""

from __future__ import annotations

import csv
import io
import lzma
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from policies.ranking.offline_evaluation import Array, LoggedFeedback, OfflineEvaluationError

POLICIES = ("random", "bts")
COLUMNS = ("item_id", "position", "click", "propensity_score")
USER_COLUMNS = tuple(f"user_feature_{f}" for f in range(4))


class OpenBanditError(OfflineEvaluationError):
    """The files are not as the data set's description says; names file, line and column."""


@dataclass(frozen=True, slots=True)
class Impression:
    """One row: ``item`` at ``position`` (from 1), ``click``, its logged probability, the visitor's four features."""

    item: int
    position: int
    click: int
    propensity: float
    user: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Campaign:
    """The logs of one campaign, ``feedback[policy]`` with one-hot visitor features as contexts."""

    name: str
    feedback: dict[str, LoggedFeedback]

    def target(self, policy: str, log: str) -> Array:
        """(N, A) what ``policy`` does in each row of the log of ``log``.

        ``random`` is uniform. ``bts`` learned while it served, from clicks alone and without looking at the visitor:
        its mean over the time of its log is estimated by how often it showed each item at each position.
        """
        rows = self.feedback[log]
        assert rows.positions is not None
        if policy == "random":
            return np.full((len(rows.actions), rows.action_count), 1 / rows.action_count)
        shown = self.feedback[policy]
        assert shown.positions is not None
        width = int(max(rows.positions.max(), shown.positions.max())) + 1
        counts = np.zeros((width, rows.action_count))
        np.add.at(counts, (shown.positions, shown.actions), 1.0)
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.where(totals > 0, counts / np.maximum(totals, 1), 1 / rows.action_count)
        return np.asarray(shares[rows.positions])


def read_open_bandit(folder: Path) -> list[Campaign]:
    """All campaigns that both policies served; OpenBanditError where there is none or a row is damaged."""
    if not folder.is_dir():
        raise OpenBanditError(f"{folder}: there is no such folder; give the one that holds random/ and bts/")
    names = [{p.name for p in (folder / policy).glob("*") if p.is_dir()} for policy in POLICIES]
    common = sorted(set.intersection(*names))
    found = [name for name in common if all(_file(folder / policy / name, name) is not None for policy in POLICIES)]
    if not found:
        raise OpenBanditError(
            f"{folder}: no campaign has both random/NAME/NAME.csv and bts/NAME/NAME.csv (or .csv.xz); "
            "give the folder that holds random/ and bts/"
        )
    return [_campaign(folder, name) for name in found]


def read_impressions(path: Path) -> list[Impression]:
    """The rows of one file, plain or .xz; OpenBanditError with file and line for what can't be."""
    try:
        text = (lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()).decode("utf-8")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        missing = [name for name in (*COLUMNS, *USER_COLUMNS) if name not in (reader.fieldnames or ())]
        if missing:
            raise OpenBanditError(f"{path}, line 1: column {missing[0]} is missing; is this an Open Bandit log?")
        rows = [_impression(row, path, reader.line_num) for row in reader]
    except (UnicodeDecodeError, lzma.LZMAError, EOFError, csv.Error) as error:
        raise OpenBanditError(f"{path}: the file can't be read as CSV ({error}); fetch it again") from None
    if not rows:
        raise OpenBanditError(f"{path}: the log has no rows; there is nothing to estimate from")
    return rows


def _impression(row: dict[str, str | None], path: Path, line: int) -> Impression:
    def number(column: str, low: float, high: float, *, whole: bool) -> float:
        text = row[column]
        try:
            value = float(text or "")
        except ValueError:
            raise OpenBanditError(f"{path}, line {line}, {column}: {text!r} is not a number") from None
        if not low <= value <= high or (whole and value != int(value)):  # also false for NaN
            kind = "a whole number" if whole else "a number"
            raise OpenBanditError(f"{path}, line {line}, {column}: {text} must be {kind} from {low:g} to {high:g}")
        return value

    propensity = number("propensity_score", 0, 1, whole=False)
    if propensity == 0:
        raise OpenBanditError(f"{path}, line {line}, propensity_score: 0 can't be, the item was shown; drop the row")
    item, position, click = (
        int(number(column, low, high, whole=True)) for column, low, high in (
            ("item_id", 0, 1e6), ("position", 1, 1000), ("click", 0, 1),
        )
    )  # fmt: skip
    return Impression(item, position, click, propensity, tuple(row[name] or "" for name in USER_COLUMNS))


def _campaign(folder: Path, name: str) -> Campaign:
    logs: dict[str, list[Impression]] = {}
    for policy in POLICIES:
        path = _file(folder / policy / name, name)
        assert path is not None
        logs[policy] = read_impressions(path)
    items = sorted({row.item for rows in logs.values() for row in rows})
    index = {item: a for a, item in enumerate(items)}
    known = [sorted({row.user[f] for rows in logs.values() for row in rows}) for f in range(len(USER_COLUMNS))]
    feedback = {
        policy: LoggedFeedback.of(
            [index[row.item] for row in rows],
            [row.click for row in rows],
            [row.propensity for row in rows],
            len(items),
            [row.position - 1 for row in rows],
            _one_hot(rows, known),
        )
        for policy, rows in logs.items()
    }
    return Campaign(name, feedback)


def _one_hot(rows: Iterable[Impression], known: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """(N, F) visitor features."""
    columns: dict[tuple[int, str], int] = {}
    for f, values in enumerate(known):
        for value in values:
            columns[f, value] = len(columns)
    rows = list(rows)
    contexts = np.zeros((len(rows), len(columns)))
    for n, row in enumerate(rows):
        for f, value in enumerate(row.user):
            contexts[n, columns[f, value]] = 1.0
    return contexts


def _file(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / f"{name}.csv", folder / f"{name}.csv.xz") if p.is_file()), None)
