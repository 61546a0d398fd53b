"""``rejoinder benchmark babi``: a story memory trained with several seeds and judged as it is served; resumable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from bot.commands.benchmark_policies import finished_runs
from bot.interruption import INTERRUPTED
from bot.memory_report import draw_curves, summary, training_progress
from bot.memory_training import MemoryRun, Trained, digests, finish, train_run
from bot.report import console, print_json, print_table
from bot.story_questions import judge, told_in

if TYPE_CHECKING:
    from memory.dnc.babi import Story

JUDGED = ("held_out", "renamed", "test", "test_renamed")
"""On a twentieth of the training files, the same with made-up names, on test files, the same with made-up names."""


@dataclass(frozen=True, slots=True)
class BabiPlan:
    """What the command line asks for.

    Args:
        run: of seed 0; the others differ in their seed and folder (``run.out/seed-1``).
        seeds: how many.
        test: test files or folders of them; none judges on the twentieth that is held out alone.
    """

    run: MemoryRun
    seeds: int
    test: tuple[Path, ...]


def babi(plan: BabiPlan, *, as_json: bool) -> None:
    """Train the seeds that aren't finished, each from its last checkpoint, and report all of them.

    Writes below ``plan.run.out``: ``runs.jsonl``, ``table.md``, ``curves.png`` and each seed's memory. Interrupted, it
    keeps the seed under way and exits with 130; the same command goes on.
    """
    path = plan.run.out / "runs.jsonl"
    tests = told_in(plan.test)
    runs = [seed_of(plan.run, seed) for seed in range(plan.seeds)]
    keys = [run_key(run, tests) for run in runs]
    done = finished_runs(path)
    for run, key in zip(runs, keys, strict=True):
        if key not in done:
            done[key] = {"key": key, **train_and_judge(run, tests, quiet=as_json)}
            _append(path, done[key])
    rows = [done[key] for key in keys]
    report = over_seeds(rows)
    page, picture = plan.run.out / "table.md", plan.run.out / "curves.png"
    page.write_text(markdown(rows, report), encoding="utf-8")
    draw_curves({f"seed {row['seed']}": row["curve"] for row in rows}, picture)
    if as_json:
        print_json(report | {"runs": str(path), "table": str(page), "curves": str(picture)})
        return
    columns, cells = table(rows, report)
    print_table(f"{plan.seeds} seeds, {plan.run.training.steps} updates", columns, cells)
    console.print(f"written: {path}, {page}, {picture}", markup=False, soft_wrap=True)


def seed_of(run: MemoryRun, seed: int) -> MemoryRun:
    """``run`` with another seed and a folder of its own."""
    return replace(run, out=run.out / f"seed-{seed}", training=replace(run.training, seed=seed))


def train_and_judge(run: MemoryRun, tests: Sequence[Story], *, quiet: bool) -> dict[str, Any]:
    """One seed from its last checkpoint to its row; typer.Exit when it was interrupted."""
    with training_progress(f"seed {run.training.seed}", run.training.steps, quiet=quiet) as shown:
        trained = train_run(run, resume=True, shown=shown)
    if trained.interrupted:
        if quiet:
            print_json({"interrupted": True, "seed": run.training.seed, "steps": trained.steps})
        else:
            console.print(f"interrupted: {trained.steps} updates of seed {run.training.seed} are kept in "
                          f"{run.checkpoint}; the same command goes on", markup=False, soft_wrap=True)  # fmt: skip
        raise typer.Exit(INTERRUPTED)
    judged = _judged(run, trained, tests, quiet=quiet)
    row = {"seed": run.training.seed, "seconds": trained.record["seconds"], **judged}
    return row | {"curve": trained.record["curve"], "machine": trained.record["machine"]}


def _judged(run: MemoryRun, trained: Trained, tests: Sequence[Story], *, quiet: bool) -> dict[str, Any]:
    """Export, and judge what was exported, as it is served, on every set of stories in ``JUDGED``."""
    from memory.dnc.reader import StoryMemory
    from memory.dnc.renaming import renamed
    from memory.dnc.training import evaluate

    finish(run, trained, summary(evaluate(trained.model, trained.material.judging)))
    memory = StoryMemory.load(run.out)
    held_out = trained.material.held_out
    sets: dict[str, Sequence[Story]] = {"held_out": held_out, "test": tests}
    judged = {}
    for name, stories in sets.items():
        if stories:
            others = [renamed(story, memory.lexicon, seed) for seed, story in enumerate(stories)]
            judged[name] = summary(judge(memory, stories, f"judging: {name}", quiet=quiet)[0])
            label = "renamed" if name == "held_out" else f"{name}_renamed"
            judged[label] = summary(judge(memory, others, f"judging: {label}", quiet=quiet)[0])
    return judged


def over_seeds(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean errors over the seeds with 95 % bootstrap intervals, the best, failed tasks by seed, mean error by task.

    On test files where there are any, else on what was held out; ``held_out_error`` and ``renamed_error`` (names
    replaced by made-up words) beside it. All in percent.
    """
    from policies.curves import bootstrap_interval

    main = "test" if all("test" in row for row in rows) else "held_out"
    other = "test_renamed" if main == "test" else "renamed"
    values = np.array([row[main]["mean_error"] for row in rows])
    low, high = (float(end[0]) for end in bootstrap_interval(values[:, None].astype(np.float32)))
    tasks = {
        task: round(float(np.mean([row[main]["tasks"][task] for row in rows])), 3) for task in rows[0][main]["tasks"]
    }
    return {
        "judged_on": main, "seeds": [row["seed"] for row in rows], "mean_error": round(float(values.mean()), 3),
        "mean_error_ci": [round(low, 3), round(high, 3)], "best": float(values.min()),
        "by_seed": values.tolist(), "failed": [row[main]["failed"] for row in rows], "tasks": tasks,
        "held_out_error": round(float(np.mean([row["held_out"]["mean_error"] for row in rows])), 3),
        "renamed_error": round(float(np.mean([row[other]["mean_error"] for row in rows])), 3),
        "seconds": [row["seconds"] for row in rows],
    }  # fmt: skip


def table(rows: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns and cells: a row for each seed, and one for all of them."""
    sets = [name for name in JUDGED if all(name in row for row in rows)]
    columns = ["seed", *(f"{name.replace('_', ' ')} %" for name in sets), "failed", "tasks with errors", "s"]
    main = report["judged_on"]
    cells = []
    for row in rows:
        errors = ", ".join(f"{task}: {error:.1f}" for task, error in row[main]["tasks"].items() if error)
        means = [f"{row[name]['mean_error']:.2f}" for name in sets]
        cells.append([str(row["seed"]), *means, str(row[main]["failed"]), errors or "none", f"{row['seconds']:.0f}"])
    low, high = report["mean_error_ci"]
    means = [f"{np.mean([row[name]['mean_error'] for row in rows]):.2f}" for name in sets]
    means[sets.index(main)] += f" ({low:.2f}-{high:.2f})"
    failed = f"{np.mean(report['failed']):.1f}"
    return columns, [
        *cells,
        ["mean", *means, failed, f"best {report['best']:.2f}", f"{np.mean(report['seconds']):.0f}"],
    ]


def markdown(rows: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> str:
    """The table as Markdown."""
    columns, cells = table(rows, report)
    return "".join(f"| {' | '.join(line)} |\n" for line in (columns, ["---"] * len(columns), *cells))


def run_key(run: MemoryRun, tests: Sequence[Story]) -> str:
    """Equal for runs that learn from and are judged on the same."""
    parts = {
        "tasks": run.tasks, "data": digests(run), "generated": run.generated, "training": asdict(run.training),
        "tests": hashlib.sha256(repr(tests).encode()).hexdigest() if tests else None,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _append(path: Path, row: Mapping[str, Any]) -> None:
    """A line at the end; one that an interruption cut short is closed before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            file.write("\n")
        file.write(json.dumps(row) + "\n")
