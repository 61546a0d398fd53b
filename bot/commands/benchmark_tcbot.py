"""``rejoinder benchmark tcbot``: learn TC-Bot's movie task within some hundreds of dialogues; resumable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bot.commands.benchmark_policies import finished_runs
from bot.errors import CommandError
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from simulator.tcbot.benchmark import Job

PUBLISHED = (0.91, 8500)
"""The share of success in the last 50 dialogues to beat, TC-Bot's, and the dialogues it took."""


def tcbot(folder: Path | None, seeds: int, dialogues: int, test_dialogues: int, out: Path, *, as_json: bool) -> None:
    """Run what isn't in ``out`` yet, then report the means over seeds and each seed."""
    jobs = _jobs(folder, seeds, dialogues, test_dialogues)
    done = finished_runs(out)
    missing = [job for job in jobs if _key(job) not in done]
    if missing and len(missing) < len(jobs) and not as_json:
        console.print(f"{len(jobs) - len(missing)} of {len(jobs)} runs are in {out} already", markup=False)
    _run(missing, out, done, quiet=as_json)
    from simulator.tcbot.benchmark import summary

    report = summary([done[_key(job)] for job in jobs])
    if as_json:
        print_json({**report, "runs": str(out)})
    else:
        _table(report)


def _jobs(folder: Path | None, seeds: int, dialogues: int, test_dialogues: int) -> list[Job]:
    try:
        from simulator.tcbot.benchmark import Job
        from simulator.tcbot.task import TaskError, find_task, load_task
    except ImportError:
        raise CommandError("this benchmark needs numba and torch: install rejoinder[train]") from None
    try:
        path = folder or find_task()
        load_task(path)
    except TaskError as error:
        raise CommandError(str(error)) from None
    return [Job(str(path), seed, dialogues, test_dialogues) for seed in range(seeds)]


def _key(job: Job) -> str:
    """Equal for runs that can't differ: the same job on the same files with the same settings of the learner."""
    from simulator.tcbot.learner import default_settings
    from simulator.tcbot.task import task_files

    parts = {
        **asdict(job), "folder": [hashlib.sha256(path.read_bytes()).hexdigest() for path in task_files(job.folder)],
        "settings": asdict(default_settings(job.dialogues, job.seed)),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _run(jobs: Sequence[Job], out: Path, done: dict[str, dict[str, Any]], *, quiet: bool) -> None:
    """One run after the other; each result is on disk before the next begins."""
    from simulator.tcbot.benchmark import run_job

    out.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=quiet, console=console) as progress, out.open("a", encoding="utf-8") as file:
        for job in jobs:
            task = progress.add_task(f"seed {job.seed}", total=1.0)

            def watch(share: float, task: Any = task) -> None:
                progress.update(task, completed=share)

            row = {"key": _key(job), **run_job(job, watch)}
            file.write(json.dumps(row) + "\n")
            file.flush()
            done[row["key"]] = row


def _table(report: dict[str, Any]) -> None:
    rows = [
        [f"seed {one['seed']}", *(f"{100 * one[name]:.1f}" for name in ("last50", "best50", "success")),
         f"{one['reward']:.1f}", f"{one['turns']:.1f}", f"{one['seconds']:.0f}"]
        for one in report["by_seed"]
    ]  # fmt: skip
    (last_low, last_high), (low, high) = report["last50_ci"], report["success_ci"]
    rows.append([
        "mean (95 %)", f"{100 * report['last50']:.1f} ({100 * last_low:.1f}-{100 * last_high:.1f})",
        f"{100 * report['best50']:.1f}", f"{100 * report['success']:.1f} ({100 * low:.1f}-{100 * high:.1f})",
        f"{report['reward']:.1f}", f"{report['turns']:.1f}", "",
    ])  # fmt: skip
    share, count = PUBLISHED
    rows.append([f"TC-Bot, {count:,} dialogues", f"{100 * share:.0f}", "", "", "", "", ""])
    columns = ["run", "last 50 %", "best 50 %", "test %", "reward", "turns", "s"]
    print_table(f"success within {report['dialogues']} dialogues, and of greedy test dialogues", columns, rows)
