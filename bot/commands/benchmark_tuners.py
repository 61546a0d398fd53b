"""``rejoinder benchmark tuners``: does a Gaussian process find better settings, and sooner, than chance or a grid?"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.commands.benchmark_policies import finished_runs
from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from policies.optimize.comparison import Found
    from policies.optimize.samplers import Method

QUICK = ("branin", "hartmann 3", "ackley 5", "branin, noisy", "hartmann 3, noisy", "ackley 5, noisy")
QUICK_SEEDS = 5
Job = tuple[str, "Method", int, int]
"""Problem, method, seed, trials."""


@dataclass(frozen=True, slots=True)
class TunersPlan:
    """What the command line asks for; ``quick``: six problems and at most five seeds."""

    seeds: int
    trials: int
    processes: int
    out: Path
    quick: bool


def tuners(plan: TunersPlan, *, as_json: bool) -> None:
    """Run what isn't in ``plan.out`` yet, report all problems, write a table (.md) and traces (.png) beside it."""
    _require_optuna()
    from policies.optimize.comparison import compare, corrected, problems
    from policies.optimize.samplers import METHODS

    known = problems()
    chosen = [known[name] for name in (QUICK if plan.quick else known)]
    seeds = min(plan.seeds, QUICK_SEEDS) if plan.quick else plan.seeds
    jobs: list[Job] = [
        (problem.key, method, seed, plan.trials) for seed in range(seeds) for problem in chosen for method in METHODS
    ]
    runs = _run(jobs, plan, quiet=as_json)
    by_problem = {
        p.key: {m: [runs[p.key, m, seed, plan.trials] for seed in range(seeds)] for m in METHODS} for p in chosen
    }
    rows = [compare(problem, by_problem[problem.key]) for problem in chosen]
    totals = corrected(rows)
    page, picture = plan.out.with_suffix(".md"), plan.out.with_suffix(".png")
    page.write_text(_markdown(rows), encoding="utf-8")
    _draw({p.key: (p.minimum, by_problem[p.key]) for p in chosen}, picture)
    said = {"runs": str(plan.out), "table": str(page), "picture": str(picture)}
    report = {"seeds": seeds, "trials": plan.trials, "functions": rows, **totals, **said}
    if as_json:
        print_json(report)
    else:
        _show(report)


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
        import sklearn  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise CommandError(
            f"tuning needs {error.name}, which isn't installed: run `make setup`, or install rejoinder[train]"
        ) from None


def _run(jobs: Sequence[Job], plan: TunersPlan, *, quiet: bool) -> dict[Job, Found]:
    """Every wanted search; each is on disk before the next is waited for."""
    from policies.optimize.comparison import Found

    done = finished_runs(plan.out)
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    left = [job for job in jobs if json.dumps(job) not in done]
    with counted("searches", len(jobs), hidden=quiet) as advance, plan.out.open("a", encoding="utf-8") as file:
        if file.tell() and not plan.out.read_bytes().endswith(b"\n"):
            file.write("\n")  # an interruption cut the last line short
        for _ in range(len(jobs) - len(left)):
            advance()
        for job, found in _results(left, plan.processes):
            done[json.dumps(job)] = {"key": json.dumps(job), **asdict(found)}
            file.write(json.dumps(done[json.dumps(job)]) + "\n")
            file.flush()
            advance()
    return {
        job: Found(tuple(row["observed"]), tuple(row["true"]), row["seconds"])
        for job in jobs
        for row in [done[json.dumps(job)]]
    }


def run_search(job: Job) -> Found:
    """One search; a process's whole task."""
    from policies.optimize.comparison import problems, search

    name, method, seed, trials = job
    return search(problems()[name], method, seed, trials)


def _results(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Found]]:
    if processes == 1:
        yield from ((job, run_search(job)) for job in jobs)
        return
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    running: dict[Future[Found], Job] = {pool.submit(run_search, job): job for job in jobs}
    try:
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _cells(row: Mapping[str, Any]) -> list[str]:
    found, auc = row["best_found"], row["auc"]
    return [
        row["name"] + (" + noise" if row["noise"] else ""), str(row["dims"]),
        *(f"{found[method]:.3g}" for method in ("bayes", "random", "grid")),
        *(f"{auc[method]:.3g}" for method in ("bayes", "random", "grid")),
        f"{row['p_best_found']:.1e}", f"{row['p_auc']:.1e}",
        " > ".join("=".join(group) for group in row["ranking"]),
    ]  # fmt: skip


COLUMNS = (
    "problem", "dims", "found: bayes", "random", "grid", "area: bayes", "random", "grid", "p found", "p area",
    "ranking",
)  # fmt: skip


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(_cells(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _show(report: Mapping[str, Any]) -> None:
    title = f"above the minimum, medians of {report['seeds']} seeds, {report['trials']} trials; p: bayes below random"
    print_table(title, COLUMNS, [_cells(row) for row in report["functions"]])
    won, held = report["won"], report["won_holm"]
    console.print(
        f"bayes beats random with p < .01 in best found on {won['best_found']:.0%} of {report['problems']} problems, "
        f"in area on {won['auc']:.0%}; after Holm's correction {held['best_found']:.0%} and {held['auc']:.0%}"
    )
    console.print(f"written: {report['table']}, {report['picture']}", markup=False)


def _draw(problems: Mapping[str, tuple[float, Mapping[Method, Sequence[Found]]]], path: Path) -> None:
    """Best-seen traces above the minimum: median over seeds with its 95 % bootstrap interval, a panel a problem."""
    from matplotlib.figure import Figure

    from policies.optimize.judging import best_seen, median_interval

    columns = min(4, len(problems))
    lines = -(-len(problems) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.4 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).flatten()
    for axes in panels[len(problems) :]:
        axes.remove()
    for axes, (name, (minimum, rows)) in zip(panels, problems.items(), strict=False):
        for place, (method, runs) in enumerate(rows.items()):
            table = np.array([best_seen(run.observed, run.true) for run in runs]) - minimum
            bounds = np.array([median_interval(column, 300) for column in table.T])
            trials = np.arange(1, table.shape[1] + 1)
            axes.fill_between(trials, bounds[:, 0], bounds[:, 1], color=f"C{place}", alpha=0.2, lw=0)
            axes.plot(trials, np.median(table, axis=0), color=f"C{place}", lw=1.2, label=method)
        axes.set_title(name, fontsize=8)
        axes.set_yscale("symlog", linthresh=1e-3)
        axes.tick_params(labelsize=6)
    panels[0].legend(fontsize=6)
    figure.savefig(path, dpi=110)
