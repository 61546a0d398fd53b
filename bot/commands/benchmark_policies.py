"""``rejoinder benchmark policies``: train and test policies in benchmark environments, cell by cell, resumable."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.commands.benchmark_simulator import open_domain
from bot.errors import CommandError
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from simulator.pydial.benchmark import Job


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks for."""

    domains: tuple[str, ...]
    files: tuple[Path | None, Path | None]
    envs: tuple[int, ...]
    policies: tuple[str, ...]
    seeds: int
    dialogues: int | None
    seconds: float | None
    test_dialogues: int
    processes: int | None
    out: Path


def policies(plan: Plan, *, as_json: bool) -> None:
    """Run what isn't in ``plan.out`` yet, then report every cell."""
    jobs = _jobs(plan)
    done = finished_runs(plan.out)
    missing = [job for job in jobs if _key(job) not in done]
    if missing:
        kept = len(jobs) - len(missing)
        if kept and not as_json:
            console.print(f"{kept} of {len(jobs)} runs are in {plan.out} already", markup=False)
        _run(missing, plan, done, quiet=as_json)
    from simulator.pydial.benchmark import cells

    summary = cells(done[_key(job)] for job in jobs)
    if as_json:
        print_json({"cells": summary, "runs": str(plan.out)})
    else:
        _table(summary)


def _jobs(plan: Plan) -> list[Job]:
    worlds = _worlds(plan)
    from simulator.pydial.benchmark import POLICIES, Job
    from simulator.pydial.settings import environment

    for policy in plan.policies:
        if policy not in POLICIES:
            raise CommandError(f"policy {policy!r}: say one of {', '.join(POLICIES)}")
    try:
        for env in plan.envs:
            environment(env)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if plan.dialogues is not None and plan.seconds is not None:
        raise CommandError("give --dialogues or --seconds, not both")
    if "imitation" in plan.policies and plan.seconds is not None:
        raise CommandError("imitation needs a number of dialogues: give --dialogues instead of --seconds")
    dialogues = 4000 if plan.dialogues is None and plan.seconds is None else plan.dialogues
    return [
        Job(name, *files, env, policy, seed, dialogues, plan.seconds, plan.test_dialogues)
        for name, files in worlds.items()
        for env in plan.envs
        for policy in plan.policies
        for seed in range(plan.seeds)
    ]


def _worlds(plan: Plan) -> dict[str, tuple[str, str]]:
    """Each domain's name and its two files, all of them readable."""
    if any(plan.files):
        domain = open_domain("", plan.files)
        return {domain.name: (str(plan.files[0]), str(plan.files[1]))}
    for name in plan.domains:
        open_domain(name, (None, None))
    from simulator.pydial.domain import find_domain

    return {name: (str(ontology), str(table)) for name in plan.domains for ontology, table in [find_domain(name)]}


def _key(job: Job) -> str:
    """Equal for runs that can't differ: the same job on the same files with the same settings of the learner."""
    from simulator.pydial.benchmark import settings_of

    settings = settings_of(job)
    parts = {
        **asdict(job), "ontology": _digest(job.ontology), "table": _digest(job.table),
        "settings": None if settings is None else asdict(settings),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


_ROW = b'{"key"'
"""How a finished run begins."""


def finished_runs(path: Path) -> dict[str, dict[str, Any]]:
    """Rows by key; a last line that an interruption cut short is ignored. CommandError for a file of something else,
    which is not added to.
    """
    if not path.exists():
        return {}
    rows = {}
    content = path.read_bytes()
    if content and not content.startswith(_ROW[: len(content)]):
        raise CommandError(f"{path}: is no file of finished runs; give --out another file")
    for line in content.decode("utf-8", "replace").splitlines():
        try:
            row = json.loads(line)
            rows[row["key"]] = row
        except (json.JSONDecodeError, KeyError, TypeError):
            continue
    return rows


def _run(jobs: Sequence[Job], plan: Plan, done: dict[str, dict[str, Any]], *, quiet: bool) -> None:
    """Run jobs in processes of their own; each result is on disk before the next is waited for."""
    processes = plan.processes or (1 if plan.seconds is not None else os.cpu_count() or 1)
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    with _progress(len(jobs), quiet=quiet) as advance, plan.out.open("a", encoding="utf-8") as file:
        for job, row in _results(jobs, min(processes, len(jobs))):
            row = {"key": _key(job), **row}
            file.write(json.dumps(row) + "\n")
            file.flush()
            done[row["key"]] = row
            advance(f"{job.domain} env{job.env} {job.policy} seed {job.seed}")


def _results(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Results as they come; Ctrl-C ends the processes and keeps what is written."""
    from simulator.pydial.benchmark import run_job

    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    running: dict[Future[dict[str, Any]], Job] = {pool.submit(run_job, job): job for job in jobs}
    try:
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Any]:
    """Yields ``advance(what was finished)``."""
    columns = (
        TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[last]}"),
    )  # fmt: skip
    with Progress(*columns, disable=quiet, console=console) as progress:
        task = progress.add_task("runs", total=total, last="")
        yield lambda last: progress.update(task, advance=1, last=last)


def _table(rows: Sequence[dict[str, Any]]) -> None:
    from simulator.pydial.published import BEST_LEARNED

    shown = []
    for row in rows:
        best = BEST_LEARNED.get((row["domain"], row["env"]))
        low, high = row["success_ci"]
        shown.append([
            f"{row['domain']} env{row['env']}", row["policy"], row["dialogues"], row["seconds"], row["seeds"],
            f"{100 * row['success']:.1f} ({100 * low:.1f}-{100 * high:.1f})",
            f"{row['reward']:.2f} ({row['reward_ci'][0]:.2f}-{row['reward_ci'][1]:.2f})",
            f"{row['turns']:.1f}", "-" if best is None else f"{best[0]} / {best[1]}",
        ])  # fmt: skip
    columns = [
        "cell",
        "policy",
        "dialogues",
        "s",
        "seeds",
        "success % (95 %)",
        "reward (95 %)",
        "turns",
        "best published",
    ]
    print_table("greedy policies after training, on test dialogues of their own (95 % intervals)", columns, shown)
