"""Errors of a story memory by task: as a report, as a table, as the line below a progress bar, and as curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from bot.report import console, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from memory.dnc.training import StoryTraining

FAILED = 5.0
"""Percent of error above which a task counts as failed (Weston et al. 2015)."""


def summary(errors: Mapping[int, float]) -> dict[str, Any]:
    """Of errors in [0, 1]: ``mean_error`` in percent over tasks, ``failed`` (tasks over 5 %), ``tasks`` in percent."""
    percent = {str(task): round(100 * error, 3) for task, error in errors.items()}
    return {
        "mean_error": round(float(np.mean(list(percent.values()))), 3),
        "failed": sum(error > FAILED for error in percent.values()),
        "tasks": percent,
    }


def show(report: Mapping[str, Any], title: str) -> None:
    """A table of the errors in a ``summary``."""
    rows = [[task, f"{error:.1f} %"] for task, error in report["tasks"].items()]
    rows.append(["mean", f"{report['mean_error']:.2f} %"])
    rows.append(["failed (> 5 %)", str(report["failed"])])
    print_table(title, ["task", "error"], rows)


def by_task(errors: Mapping[int, float]) -> Text:
    """All tasks with their errors in percent, the failed ones in red: ``mean 1.4 | 1 0.0 · 2 0.3 · 3 6.1``."""
    line = Text(f"error %: mean {100 * float(np.mean(list(errors.values()))):.1f} | ", style="bold")
    for place, (task, error) in enumerate(errors.items()):
        line.append(" · " if place else "", style="not bold dim")
        line.append(f"{task} ", style="not bold dim")
        line.append(f"{100 * error:.1f}", style="not bold " + ("red" if 100 * error > FAILED else "green"))
    return line


@contextmanager
def training_progress(label: str, steps: int, *, quiet: bool) -> Iterator[Callable[[StoryTraining], None]]:
    """Yields what to call after every update: it shows a bar with the time left, and below it every task's error."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    if quiet:
        yield lambda training: None
        return
    bar = Progress(*columns, console=console)
    shown = bar.add_task(label, total=steps)
    with Live(bar, console=console, transient=True, refresh_per_second=4) as live:

        def update(training: StoryTraining) -> None:
            bar.update(shown, completed=training.progress.step)
            live.update(Group(bar, by_task(training.progress.error)))

        yield update


def draw_curve(curve: Sequence[Mapping[str, Any]], path: Path) -> None:
    """PNG of the running error by task over updates: each task thin, the mean bold, the worst at the end named."""
    draw_curves({"": curve}, path)


def draw_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """One panel for each named curve (a seed's, say) as ``draw_curve``; a run too short for a curve is left empty."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.0, 4.2 * len(curves)), 4), layout="constrained")
    panels = figure.subplots(1, len(curves), squeeze=False, sharey=True)[0]
    for axes, (name, curve) in zip(panels, curves.items(), strict=True):
        steps = [point["step"] for point in curve]
        tasks = list(curve[-1]["error"]) if curve else []
        table = 100 * np.array([[point["error"][task] for task in tasks] for point in curve]).reshape(
            len(curve), len(tasks)
        )
        worst = sorted(range(len(tasks)), key=lambda column: -table[-1, column])[:3]
        for column, task in enumerate(tasks):
            named = column in worst and len(tasks) > 1
            label = f"task {task}: {table[-1, column]:.1f} %" if named else None
            axes.plot(steps, table[:, column], lw=1.2 if named else 0.6, alpha=1 if named else 0.4, label=label)
        if curve:
            mean = table.mean(axis=1)
            axes.plot(steps, mean, color="black", lw=2.5, label=f"mean: {mean[-1]:.1f} %")
            axes.legend(fontsize=8)
        axes.set(title=name, xlabel="updates", ylim=(0, 100))
    panels[0].set_ylabel("error while training, %")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
