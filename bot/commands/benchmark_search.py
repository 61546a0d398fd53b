"""``rejoinder benchmark search``: are new documents buried, and are recorded queries understood? Resumable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bot.commands.benchmark_policies import finished_runs
from bot.commands.benchmark_probes import counted
from bot.report import console, print_json, print_table
from policies.ranking.search.labelled_queries import Labelled, QueryReport, evaluate_queries, read_queries
from policies.ranking.search.simulation import METHODS, ColdStartScene, run_cold_start

QUICK = ColdStartScene(documents=8, searches=100, grown=7, days=8)
TAUGHT = (0, 500, 2000, 10**9)
"""Choices after which recorded queries are searched for."""
Rows = Mapping[str, list[Mapping[str, Any]]]
COLUMNS = ("method", "shown, day 0", "shown, day 7", "clicked, day 0", "clicked, day 7", "clicks, % of the best (95 %)")


def search(seeds: int, out: Path, queries: Path | None, *, quick: bool, as_json: bool) -> None:
    """Run what isn't in ``out`` yet and report every method; a table (.md) and curves (.png) are written beside it.

    ``queries``: a file of recorded queries with their categories, to search for as well.
    """
    recorded = [] if queries is None else read_queries(queries)
    scene, seeds = (QUICK, min(seeds, 2)) if quick else (ColdStartScene(), seeds)
    rows = _run(scene, seeds, out, quiet=as_json)
    understood = _understood(recorded, quiet=as_json)
    cells = [_cell(method, rows[method]) for method in METHODS]
    shown = [_shown(cell) for cell in cells]
    page, picture = out.with_suffix(".md"), out.with_suffix(".png")
    lines = [COLUMNS, ["---"] * len(COLUMNS), *shown]
    page.write_text("".join(f"| {' | '.join(line)} |\n" for line in lines), encoding="utf-8")
    drawn = _draw(rows, picture)
    fair = _fair(next(iter(rows.values())))
    if as_json:
        said = {"runs": str(out), "table": str(page), "curves": str(picture) if drawn else None}
        found = [asdict(report) for report in understood]
        print_json({
            "seeds": seeds, "scene": asdict(scene), "fair": fair, "methods": cells, "queries": found, **said,
        })  # fmt: skip
        return
    print_table(f"new documents' share in %, {seeds} seeds (95 % intervals)", COLUMNS, shown)
    console.print(
        f"in the order of true appeal they get {100 * fair['impressions']:.1f} % of what is shown and "
        f"{100 * fair['clicks']:.1f} % of the clicks"
    )
    if understood:
        columns = ["choices learned from", "queries", "first", "among five", "category", "CPU ms, median"]
        print_table("recorded queries", columns, [list(asdict(report).values()) for report in understood])
    console.print(f"written: {page}" + (f", {picture}" if drawn else "; no curves without matplotlib"), markup=False)


def _understood(recorded: list[Labelled], *, quiet: bool) -> list[QueryReport]:
    if not recorded:
        return []
    with counted("queries", len(TAUGHT), hidden=quiet) as advance:
        return evaluate_queries(recorded, TAUGHT, progress=advance)


def _run(scene: ColdStartScene, seeds: int, out: Path, *, quiet: bool) -> Rows:
    """Every method's runs; each is on disk before the next begins."""
    done = finished_runs(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[Mapping[str, Any]]] = {method: [] for method in METHODS}
    days = seeds * len(METHODS) * (scene.grown + scene.days)
    with counted("days", days, hidden=quiet) as advance, out.open("a", encoding="utf-8") as file:
        if file.tell() and not out.read_bytes().endswith(b"\n"):
            file.write("\n")  # an interruption cut the last line short
        for seed in range(seeds):
            for method, settings in METHODS.items():
                key = json.dumps([method, seed, settings, asdict(scene)], sort_keys=True)
                if key not in done:
                    done[key] = {"key": key, **asdict(run_cold_start(scene, method, seed, advance))}
                    file.write(json.dumps(done[key]) + "\n")
                    file.flush()
                else:
                    for _ in range(scene.grown + scene.days):
                        advance()
                rows[method].append(done[key])
    return rows


def _cell(method: str, runs: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over seeds with 95 % bootstrap intervals, as shares."""
    cell: dict[str, Any] = {"method": method}
    for name in ("impressions", "clicks"):
        for day in (0, 7):
            values = np.array([run[name][day] for run in runs])
            cell[f"{name}_day_{day}"] = float(values.mean())
            cell[f"{name}_day_{day}_ci"] = _interval(values, np.ones(len(values)))
        cell[name] = np.mean([run[name] for run in runs], axis=0).tolist()
    earned, best = (np.array([sum(run[name]) for run in runs]) for name in ("earned", "best"))
    cell["of_best"] = float(earned.sum() / best.sum())
    cell["of_best_ci"] = _interval(earned, best)
    return cell


def _interval(above: np.ndarray[Any, Any], below: np.ndarray[Any, Any]) -> list[float]:
    """95 % bootstrap interval over seeds of sum(``above``) / sum(``below``)."""
    drawn = np.random.default_rng(0).integers(len(above), size=(2000, len(above)))
    low, high = np.quantile(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), [0.025, 0.975])
    return [float(low), float(high)]


def _fair(runs: list[Mapping[str, Any]]) -> dict[str, float]:
    return {name: float(np.mean([run[f"fair_{name}"] for run in runs])) for name in ("impressions", "clicks")}


def _shown(cell: Mapping[str, Any]) -> list[str]:
    names = ("impressions_day_0", "impressions_day_7", "clicks_day_0", "clicks_day_7", "of_best")
    ends = {name: cell[f"{name}_ci"] for name in names}
    return [cell["method"]] + [
        f"{100 * cell[name]:.1f} ({100 * ends[name][0]:.1f}-{100 * ends[name][1]:.1f})" for name in names
    ]


def _draw(rows: Rows, path: Path) -> bool:
    """New documents' share by day, mean and 95 % bootstrap interval; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    from policies.curves import bootstrap_interval

    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, 2, squeeze=False)[0]
    for axes, name in zip(panels, ("impressions", "clicks"), strict=True):
        for place, (method, runs) in enumerate(rows.items()):
            table = np.array([run[name] for run in runs], dtype=np.float32)
            low, high = bootstrap_interval(table)
            days = np.arange(table.shape[1])
            axes.fill_between(days, low, high, color=f"C{place}", alpha=0.15, lw=0)
            axes.plot(days, table.mean(axis=0), color=f"C{place}", label=method)
        axes.axhline(_fair(next(iter(rows.values())))[name], ls="--", color="grey", label="in order of true appeal")
        axes.set(xlabel="days since they came", ylabel=f"new documents' share of {name}", ylim=(0, None))
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=120)
    return True
