"""``rejoinder benchmark memory``: which training aids do memory machines need? Run by run, resumable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.commands.benchmark_policies import finished_runs
from bot.errors import CommandError
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from policies.aided_training import AidedRun

COLUMNS = (
    "machine",
    "aids",
    "wrong bits % (95 %)",
    "longest, wrong bits % (95 %)",
    "seeds below 1 %",
    "after steps",
    "s",
)


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What the command line asks for."""

    task: str
    machines: tuple[str, ...]
    aids: tuple[str, ...]
    seeds: int
    steps: int
    longest: int
    out: Path


def memory(plan: MemoryPlan, *, as_json: bool) -> None:
    """Run what isn't in ``plan.out`` yet, report every cell, write a table (.md) and curves (.png) beside it."""
    runs = _runs(plan)
    done = finished_runs(plan.out)
    missing = [run for run in runs.values() if _key(run) not in done]
    if missing and len(missing) < len(runs) and not as_json:
        console.print(f"{len(runs) - len(missing)} of {len(runs)} runs are in {plan.out} already", markup=False)
    _run(missing, plan.out, done, quiet=as_json)
    rows = {names: done[_key(run)] for names, run in runs.items()}
    cells = [
        _cell(machine, aid, [rows[machine, aid, seed] for seed in range(plan.seeds)])
        for machine in plan.machines
        for aid in plan.aids
    ]
    page, picture = (plan.out.with_name(f"{plan.out.stem}_{plan.task}{ending}") for ending in (".md", ".png"))
    page.write_text(_markdown(cells), encoding="utf-8")
    _draw(plan, rows, picture)
    if as_json:
        cells = [{name: value for name, value in cell.items() if name != "shown"} for cell in cells]
        print_json(
            {"task": plan.task, "cells": cells, "runs": str(plan.out), "table": str(page), "curves": str(picture)}
        )
    else:
        print_table(
            f"{plan.task}: {plan.seeds} seeds, {plan.steps} updates", COLUMNS, [cell["shown"] for cell in cells]
        )
        console.print(f"written: {page}, {picture}", markup=False)


def _runs(plan: MemoryPlan) -> dict[tuple[str, str, int], AidedRun]:
    """The runs by machine, aid and seed; CommandError for a name that there isn't."""
    try:
        from policies.aided_training import AidedRun, MachineName, TaskName, aids_of
    except ImportError:
        raise CommandError("this benchmark trains networks: run `make setup`, or install rejoinder[train]") from None
    for option, names, known in (
        ("--task", (plan.task,), get_args(TaskName)),
        ("--machines", plan.machines, get_args(MachineName)),
    ):
        for name in names:
            if name not in known:
                raise CommandError(f"{option} {name}: say one of {', '.join(known)}")
    if plan.task == "associative-recall" and plan.longest < 2:
        raise CommandError("--longest 1: associative recall needs lists of at least 2 items")
    runs: dict[tuple[str, str, int], AidedRun] = {}
    for machine in plan.machines:
        for aid in plan.aids:
            try:
                aids = aids_of(aid)
            except ValueError as error:
                raise CommandError(f"--aids: {error}") from None
            for seed in range(plan.seeds):
                sizes = {"seed": seed, "steps": plan.steps, "longest": plan.longest}
                runs[machine, aid, seed] = AidedRun(plan.task, machine, aids, **sizes)  # type: ignore[arg-type]
    return runs


def _key(run: AidedRun) -> str:
    """Equal for runs that can't differ, under whichever name their aids were asked for."""
    parts = {**asdict(run), "aids": sorted(run.aids)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _run(runs: Sequence[AidedRun], out: Path, done: dict[str, dict[str, Any]], *, quiet: bool) -> None:
    """One run after the other; each result is on disk before the next begins."""
    import torch

    from policies.aided_training import train_aided

    torch.set_num_threads(1)  # more only wait for each other on matrices this small
    out.parent.mkdir(parents=True, exist_ok=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    steps = sum(run.steps for run in runs)
    with Progress(*columns, disable=quiet, console=console) as progress, out.open("a", encoding="utf-8") as file:
        if file.tell() and not out.read_bytes().endswith(b"\n"):
            file.write("\n")  # an interruption cut the last line short
        bar = progress.add_task("updates", total=steps)
        for run in runs:
            if (key := _key(run)) in done:  # asked for under two names
                progress.advance(bar, run.steps)
                continue
            progress.update(bar, description=f"{run.machine} seed {run.seed}")
            said = {"task": run.task, "machine": run.machine, "aids": sorted(run.aids), "seed": run.seed}
            row = {"key": key, **said, **train_aided(run, lambda step: progress.advance(bar))}
            file.write(json.dumps(row) + "\n")
            file.flush()
            done[key] = row


def _cell(machine: str, aid: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over seeds with 95 % bootstrap intervals, and the row of the table."""
    from policies.curves import bootstrap_interval

    cell: dict[str, Any] = {"machine": machine, "aids": aid, "seeds": len(rows)}
    said = []
    for name in ("error", "longest_error"):
        values = np.array([[row[name]] for row in rows], dtype=np.float32)
        low, high = (float(end[0]) for end in bootstrap_interval(values))
        cell |= {name: float(values.mean()), f"{name}_ci": [low, high]}
        said.append(f"{100 * cell[name]:.1f} ({100 * low:.1f}-{100 * high:.1f})")
    learned = [row["learned_at"] for row in rows if row["learned_at"] is not None]
    after = float(np.median(learned)) if learned else None
    cell |= {"learned": len(learned), "learned_at": after, "seconds": float(np.mean([row["seconds"] for row in rows]))}
    cell["by_seed"] = [row["error"] for row in rows]
    shown_after = "-" if after is None else f"{after:.0f}"
    return {
        **cell,
        "shown": [machine, aid, *said, f"{len(learned)}/{len(rows)}", shown_after, f"{cell['seconds']:.0f}"],
    }


def _markdown(cells: Sequence[Mapping[str, Any]]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(cell["shown"] for cell in cells)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _draw(plan: MemoryPlan, rows: Mapping[tuple[str, str, int], Mapping[str, Any]], path: Path) -> None:
    """One panel for each machine: wrong bits over updates, mean and 95 % bootstrap interval of each condition."""
    from matplotlib.figure import Figure

    from policies.curves import bootstrap_interval

    figure = Figure(figsize=(5.5 * len(plan.machines), 4), layout="constrained")
    panels = figure.subplots(1, len(plan.machines), squeeze=False, sharey=True)[0]
    for machine, axes in zip(plan.machines, panels, strict=True):
        for place, aid in enumerate(plan.aids):
            curves = [rows[machine, aid, seed]["curve"] for seed in range(plan.seeds)]
            table = np.array([[point["error"] for point in curve] for curve in curves], dtype=np.float32)
            steps, color = [point["step"] for point in curves[0]], f"C{place % 10}"
            low, high = bootstrap_interval(table)
            axes.fill_between(steps, 100 * low, 100 * high, color=color, alpha=0.12, lw=0)
            axes.plot(steps, 100 * table.mean(axis=0), color=color, lw=1.2, ls="-" if place < 10 else "--", label=aid)
        axes.set(title=f"{machine}, {plan.task}", xlabel="updates", ylim=(0, None))
    panels[0].set_ylabel("wrong bits, %")
    panels[-1].legend(fontsize=7)
    figure.savefig(path, dpi=120)
