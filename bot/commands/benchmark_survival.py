"""``rejoinder benchmark survival``: an LSTM of hazards against Cox's model, cross-validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.report import print_json, print_table
from policies.ranking.latent.survival import (
    Array,
    CoxModel,
    Flags,
    calibration_error,
    concordance,
    read_survival,
)
from policies.ranking.latent.visits import draw_visits, summary

TABLES = {
    "rossi": ("week", "arrest", ()),
    "lung": ("time", "status", ("inst",)),
    "larynx": ("time", "death", ()),
    "regression": ("T", "E", ()),
}
"""Data sets of lifelines: columns of time and event, and columns that name places."""
FOLDS, SIMULATED_USERS = 5, 600


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One data set: histories for the LSTM, ``features`` (N, F) for Cox; ``earlier``: times between a user's visits."""

    name: str
    histories: Sequence[Array]
    features: Array
    times: Array
    happened: Flags
    earlier: Sequence[Array] | None = None

    def cox_rows(self, seen: Flags) -> tuple[Array, Array, Flags]:
        """Features, times and outcomes of the users ``seen``, after each of their visits, as the LSTM has them."""
        features, times, happened = self.features[seen], self.times[seen], self.happened[seen]
        if self.earlier is None:
            return features, times, happened
        users = np.flatnonzero(seen).tolist()
        more = [summary(self.histories[n][:end]) for n in users for end in range(1, len(self.histories[n]))]
        gaps = np.concatenate([self.earlier[n] for n in users])
        known = np.concatenate([happened, np.ones(len(gaps), dtype=bool)])
        return np.concatenate([features, more]), np.concatenate([times, gaps]), known


def survival(data: Path | None, seeds: int, *, as_json: bool) -> None:
    """Compare both models on simulated users and on the tables of ``data``; CommandError where there is none."""
    try:
        from policies.ranking.latent import return_times  # noqa: F401
    except ImportError:
        raise CommandError("this benchmark trains a network: run `make setup`, or install rejoinder[train]") from None
    tables = _tables(data)
    rows = []
    with counted("folds", (1 + len(tables)) * seeds * FOLDS, hidden=as_json) as advance:
        for name in ("simulated users", *(case.name for case in tables)):
            results = []
            for seed in range(seeds):
                case = next((c for c in tables if c.name == name), None) or _simulated(seed)
                fold = np.random.default_rng(seed).permutation(len(case.times)) % FOLDS
                scores = []
                for k in range(FOLDS):
                    scores.append(_scores(case, fold != k, fold == k, seed))
                    advance()
                results.append(np.mean(scores, axis=0))
            rows.append(_row(name, len(case.times), np.array(results)))
    if as_json:
        print_json({"seeds": seeds, "sets": rows})
        return
    columns = ["data", "rows", "Cox C", "LSTM C", "difference (95 %)", "Cox calibration", "LSTM calibration"]
    shown = [
        [
            row["name"], row["rows"], row["cox"], row["lstm"],
            f"{row['difference']:+.3f} ({row['difference_ci'][0]:+.3f} to {row['difference_ci'][1]:+.3f})",
            row["cox_calibration"], row["lstm_calibration"],
        ]
        for row in rows
    ]  # fmt: skip
    print_table(f"time to the event, {FOLDS} folds x {seeds} seeds", columns, shown)


def _tables(data: Path | None) -> list[_Case]:
    if data is None:
        return []
    found = []
    for name, (time, event, without) in TABLES.items():
        path = data / f"{name}.csv"
        if path.is_file():
            table = read_survival(path, time, event, without)
            found.append(
                _Case(name, [row[None] for row in table.features], table.features, table.times, table.happened)
            )
    if not found:
        raise CommandError(f"--data {data}: none of {', '.join(f'{name}.csv' for name in TABLES)} is there")
    return found


def _simulated(seed: int) -> _Case:
    visits = draw_visits(SIMULATED_USERS, seed)
    summaries = np.array([summary(history) for history in visits.histories])
    return _Case("simulated users", visits.histories, summaries, visits.times, visits.happened, visits.gaps)


def _scores(case: _Case, seen: Flags, held: Flags, seed: int) -> tuple[float, float, float, float]:
    """Concordance and calibration error of Cox and LSTM on ``held`` rows after fitting on ``seen``."""
    from policies.ranking.latent.return_times import HazardSettings, fit_return_times

    def histories(rows: Flags) -> list[Array]:
        return [case.histories[n] for n in np.flatnonzero(rows).tolist()]

    earlier = None if case.earlier is None else [case.earlier[n] for n in np.flatnonzero(seen).tolist()]
    cox = CoxModel.fit(*case.cox_rows(seen))
    settings = HazardSettings(seed=seed)
    lstm = fit_return_times(histories(seen), case.times[seen], case.happened[seen], settings, earlier)
    times, happened, at = case.times[held], case.happened[held], float(np.median(case.times))
    return (
        concordance(times, happened, cox.risk(case.features[held])),
        concordance(times, happened, lstm.risk(histories(held))),
        calibration_error(times, happened, cox.survival(case.features[held], at), at),
        calibration_error(times, happened, lstm.survival(histories(held), at), at),
    )


def _row(name: str, rows: int, results: Array) -> dict[str, Any]:
    """``results`` (seeds, 4) as means, and the interval of the difference over seeds."""
    difference = results[:, 1] - results[:, 0]
    drawn = np.random.default_rng(0).integers(len(difference), size=(2000, len(difference)))
    low, high = np.quantile(difference[drawn].mean(axis=1), [0.025, 0.975])
    cox, lstm, cox_gap, lstm_gap = (float(value) for value in results.mean(axis=0))
    return {
        "name": name, "rows": rows, "cox": cox, "lstm": lstm, "difference": float(difference.mean()),
        "difference_ci": [float(low), float(high)], "cox_calibration": cox_gap, "lstm_calibration": lstm_gap,
    }  # fmt: skip
