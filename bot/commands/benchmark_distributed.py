"""``rejoinder benchmark distributed``: communication rounds of CoCoA and of tuned mini-batch methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from policies.optimize.cocoa import Run, Scheme, Stop, adding, averaging, safeguarded, solve
from policies.optimize.cocoa_ray import RayWorkers
from policies.optimize.cocoa_workers import SimulatedWorkers, Workers
from policies.optimize.libsvm import read_libsvm, zipf_examples
from policies.optimize.losses import CURVATURE, LOSSES, LossName, Problem, problem
from policies.optimize.minibatch import Tuned, fista, tuned_cd, tuned_sgd

GAP = 1e-3
COLUMNS = ("method", "tuned", "rounds to gap", "seconds", "objective", "duality gap", "MB")


@dataclass(frozen=True, slots=True)
class DistributedPlan:
    """What is compared; ``loss`` one of LOSSES; ``ray``: a cluster's address, "local", or None for the simulation."""

    data: Path | None
    loss: str
    l1: float
    l2: float
    workers: int
    quick: bool
    ray: str | None
    out: Path


def distributed(plan: DistributedPlan, *, as_json: bool) -> None:
    """Run every method to a relative gap of 1e-3, write table (.md) and curves (.png) beside ``plan.out``, print."""
    if plan.loss not in LOSSES:
        raise CommandError(f"--loss {plan.loss}: choose one of {', '.join(LOSSES)}")
    loss: LossName = plan.loss
    examples = read_libsvm(plan.data) if plan.data else zipf_examples(*((2_000, 5_000) if plan.quick else ()))
    posed = problem(examples, loss, plan.l1, plan.l2)
    results = _results(plan, posed, hidden=as_json)
    report = _report(plan, posed, results)
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    table = plan.out.with_suffix(".md")
    table.write_text(_markdown(report), encoding="utf-8")
    picture = plan.out.with_suffix(".png")
    report |= {"table": str(table), "picture": str(picture) if _draw(results, picture) else None}
    if as_json:
        print_json(report)
        return
    print_table(
        f"{report['data']}, {loss}, {plan.workers} workers", COLUMNS, [_cells(row) for row in report["methods"]]
    )
    for line in [*report["notes"], f"{table}" + (f", {picture}" if report["picture"] else "")]:
        console.print(line)


def _results(plan: DistributedPlan, posed: Problem, *, hidden: bool) -> list[tuple[Run, Tuned | None]]:
    """The methods' runs, CoCoA's first; the rivals know the optimum within 5 % of the gap, which favours them."""
    rounds = 100 if plan.quick else 400
    shares = (1.0,) if plan.quick else (1.0, 0.1)
    schemes = [averaging(plan.workers), adding(plan.workers), safeguarded()]
    results: list[tuple[Run, Tuned | None]] = []
    with counted("runs", 4 + 2 * (5 * len(shares) + 4), hidden=hidden) as advance:
        for scheme in schemes:
            results.append((_solved(plan, posed, scheme, Stop(GAP, rounds)), None))
            advance()
        near = solve(posed, safeguarded(), SimulatedWorkers(posed, plan.workers), Stop(GAP / 20, 10 * rounds))
        advance()
        stop = Stop(GAP, rounds, bound=near.objective - near.duality_gap)
        if np.isfinite(CURVATURE[posed.loss]):
            results.append((fista(posed, plan.workers, stop), None))
        for search in (tuned_sgd, tuned_cd):
            tuned = search(posed, plan.workers, stop, shares, each_trial=advance)
            results.append((tuned.run, tuned))
    return results


def _solved(plan: DistributedPlan, posed: Problem, scheme: Scheme, stop: Stop) -> Run:
    workers: Workers
    if plan.ray is None:
        workers = SimulatedWorkers(posed, plan.workers)
    else:
        workers = RayWorkers(posed, plan.workers, address=None if plan.ray == "local" else plan.ray)
    try:
        return solve(posed, scheme, workers, stop)
    finally:
        workers.close()


def _report(plan: DistributedPlan, posed: Problem, results: list[tuple[Run, Tuned | None]]) -> dict[str, Any]:
    methods = [_row(run, tuned) for run, tuned in results]
    own = next(run.rounds_to_gap for run, _ in results if run.method == "cocoa-safeguarded")
    rivals = [run.rounds if run.rounds_to_gap is None else run.rounds_to_gap for run, tuned in results if tuned]
    return {
        "data": plan.data.name if plan.data else "made-up Zipf data",
        "examples": len(posed.examples.labels),
        "features": posed.examples.rows.height,
        "loss": posed.loss,
        "l1": posed.l1,
        "l2": posed.l2,
        "workers": plan.workers,
        "engine": "simulation" if plan.ray is None else "ray",
        "divided_by": posed.division,
        "gap": GAP,
        "methods": methods,
        "fewer_rounds_than_best_tuned": min(rivals) / max(own, 1) if own is not None else None,
        "notes": _notes(plan, posed, results),
    }


def _row(run: Run, tuned: Tuned | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "method": run.method, "rounds_to_gap": run.rounds_to_gap, "rounds": run.rounds, "seconds": run.seconds,
        "objective": run.objective, "duality_gap": run.duality_gap, "bytes": run.bytes, "diverged": run.diverged,
    }  # fmt: skip
    if tuned is not None:
        row["tuned"] = {
            "setting": tuned.setting,
            "batch": tuned.share,
            "trials": len(tuned.trials),
            "on_edge": tuned.on_edge,
        }
    return row


def _notes(plan: DistributedPlan, posed: Problem, results: list[tuple[Run, Tuned | None]]) -> list[str]:
    """What about the data or the search a reader has to know."""
    notes = []
    if posed.loss != "squared" and len(posed.examples.classes) < 2:
        notes.append("all labels are of one class: nothing tells classes apart, whatever is learned")
    empty = max(0, plan.workers - posed.columns.count)
    if empty:
        notes.append(
            f"{empty} of {plan.workers} workers have nothing to do: only {posed.columns.count} {posed.division}"
        )
    if (posed.columns.squared_norms() == 0).any():
        notes.append(f"some {posed.division} are empty: they change nothing")
    notes += [f"the search of {run.method} ended at its edge: {t.setting:g}" for run, t in results if t and t.on_edge]
    notes += [
        f"{run.method} did not get there in {run.rounds} rounds" for run, _ in results if run.rounds_to_gap is None
    ]
    notes += [f"{run.method} diverged" for run, _ in results if run.diverged]
    return notes


def _cells(row: dict[str, Any]) -> list[str]:
    tuned = f"{row['tuned']['setting']:.3g} of {row['tuned']['trials']} trials" if "tuned" in row else "no"
    rounds = str(row["rounds_to_gap"]) if row["rounds_to_gap"] is not None else f"over {row['rounds']}"
    return [
        row["method"], tuned, rounds, f"{row['seconds']:.2f}", f"{row['objective']:.6f}", f"{row['duality_gap']:.1e}",
        f"{row['bytes'] / 1e6:.1f}",
    ]  # fmt: skip


def _markdown(report: dict[str, Any]) -> str:
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *(_cells(row) for row in report["methods"])]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _draw(results: list[tuple[Run, Tuned | None]], path: Path) -> bool:
    """Relative gap over rounds; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for run, _ in results:
        relative = np.minimum.accumulate(run.gaps) / max(abs(run.objective), 1e-12)
        axes.semilogy(np.arange(len(relative)), np.maximum(relative, 1e-9), marker=".", label=run.method)
    axes.axhline(GAP, color="grey", lw=0.8)
    axes.set(xlabel="rounds of communication", ylabel="gap / objective")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    return True
