"""``rejoinder benchmark blending``: how much is lost until each way to blend pools knows its users? Resumable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bot.commands.benchmark_policies import finished_runs
from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from policies.ranking.pools_methods import METHODS, SCENES, chosen, measure_decisions, run_blending

Rows = Mapping[tuple[str, str, int], Mapping[str, Any]]
COLUMNS = (
    "scene",
    "method",
    "last 20 turns, % (95 %)",
    "all turns, %",
    "after half-time, %",
    "of fixed",
    "of hindsight",
)


def blending(seeds: int, first_seed: int, methods: tuple[str, ...], out: Path, *, as_json: bool) -> None:
    """Run what isn't in ``out`` yet, report all methods, write a table (.md) and curves (.png) beside it."""
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise CommandError(f"--methods {unknown[0]}: there are {'; '.join(METHODS)} (divide them with ;)")
    wanted = [
        (scene, method, seed)
        for seed in range(first_seed, first_seed + seeds)
        for scene in SCENES
        for method in dict.fromkeys((*methods, "fixed", "fixed, hindsight"))
    ]
    rows = _run(wanted, out, quiet=as_json)
    cells = _cells(rows, wanted)
    speed = measure_decisions()
    page, picture = out.with_suffix(".md"), out.with_suffix(".png")
    page.write_text(_markdown(cells), encoding="utf-8")
    drawn = _draw(rows, wanted, picture)
    said = {"runs": str(out), "table": str(page), "curves": str(picture) if drawn else None}
    if as_json:
        clean = [{name: value for name, value in cell.items() if name != "shown"} for cell in cells]
        print_json({"seeds": seeds, "cells": clean, "decision": asdict(speed), **said})
        return
    print_table(f"regret, in % of the oracle's reward, {seeds} seeds", COLUMNS, [cell["shown"] for cell in cells])
    console.print(
        f"a decision: {speed.p50_us:.0f} us (p50), {speed.p99_us:.0f} us (p99); pools' order kept in "
        f"{100 * speed.order_kept:.1f} % of {speed.decisions} slates"
    )
    console.print(f"written: {page}" + (f", {picture}" if drawn else "; no curves without matplotlib"), markup=False)


def _run(wanted: Sequence[tuple[str, str, int]], out: Path, *, quiet: bool) -> Rows:
    """Every wanted run; each is on disk before the next begins."""
    done = finished_runs(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[tuple[str, str, int], Mapping[str, Any]] = {}
    with counted("blending", len(wanted), hidden=quiet) as advance, out.open("a", encoding="utf-8") as file:
        if file.tell() and not out.read_bytes().endswith(b"\n"):
            file.write("\n")  # an interruption cut the last line short
        for scene, method, seed in wanted:
            key = json.dumps([scene, method, seed, chosen(method)], sort_keys=True)
            if key not in done:
                done[key] = {"key": key, **asdict(run_blending(scene, method, seed))}
                file.write(json.dumps(done[key]) + "\n")
                file.flush()
            rows[scene, method, seed] = done[key]
            advance()
    return rows


def _cells(rows: Rows, wanted: Sequence[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Means over seeds with 95 % bootstrap intervals, and the row of the table."""
    cells = []
    seeds = list(dict.fromkeys(seed for _, _, seed in wanted))
    for scene, method in dict.fromkeys((scene, method) for scene, method, _ in wanted):
        cell: dict[str, Any] = {"scene": scene, "method": method, "seeds": len(seeds)}
        for name in ("last20", "cumulative", "after"):
            values = np.array([rows[scene, method, seed][name] for seed in seeds])
            low, high = _interval(values, np.ones_like(values))
            cell |= {name: float(values.mean()), f"{name}_ci": [low, high]}
        shown = [scene, method, _percent(cell["last20"], cell["last20_ci"])]
        shown += [f"{100 * cell['cumulative']:.1f}", _percent(cell["after"], cell["after_ci"])]
        for name, rival in (("of_fixed", "fixed"), ("of_hindsight", "fixed, hindsight")):
            own, its = ([_after(rows[scene, m, seed]) for seed in seeds] for m in (method, rival))
            cell[name] = sum(own) / sum(its)
            cell[f"{name}_ci"] = list(_interval(np.array(own), np.array(its)))
            shown.append(f"{cell[name]:.2f}")
        cells.append({**cell, "shown": shown})
    return cells


def _after(row: Mapping[str, Any]) -> float:
    """Regret after half-time, in reward."""
    curve = row["curve"]
    return float(sum(curve[len(curve) // 2 :]))


def _interval(above: np.ndarray[Any, np.dtype[Any]], below: np.ndarray[Any, np.dtype[Any]]) -> tuple[float, float]:
    """95 % bootstrap interval over seeds of sum(``above``) / sum(``below``), both of the same seeds."""
    drawn = np.random.default_rng(0).integers(len(above), size=(2000, len(above)))
    low, high = np.quantile(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _percent(value: float, interval: Sequence[float]) -> str:
    return f"{100 * value:.1f} ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})"


def _markdown(cells: Sequence[Mapping[str, Any]]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(cell["shown"] for cell in cells)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _draw(rows: Rows, wanted: Sequence[tuple[str, str, int]], path: Path) -> bool:
    """Regret over turns, a panel a scene: mean and 95 % bootstrap interval; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    from policies.curves import bootstrap_interval

    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, len(SCENES), squeeze=False, sharey=True)[0]
    seeds = list(dict.fromkeys(seed for _, _, seed in wanted))
    for scene, axes in zip(SCENES, panels, strict=True):
        for place, method in enumerate(dict.fromkeys(method for _, method, _ in wanted)):
            table = np.array([rows[scene, method, seed]["curve"] for seed in seeds], dtype=np.float32)
            low, high = bootstrap_interval(table)
            turns, color = np.arange(1, table.shape[1] + 1), f"C{place % 10}"
            axes.fill_between(turns, low, high, color=color, alpha=0.15, lw=0)
            axes.plot(turns, table.mean(axis=0), color=color, lw=1.2, label=method)
        axes.set(title=scene, xlabel="turns", ylim=(0, None))
    panels[0].set_ylabel("regret a turn, in reward")
    panels[-1].legend(fontsize=7)
    figure.savefig(path, dpi=120)
    return True
