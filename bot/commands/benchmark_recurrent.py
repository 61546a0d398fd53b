"""``rejoinder benchmark recurrent``: which memory lets a policy without a belief tracker succeed?"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.report import print_json, print_table


def recurrent(task: str, cores: tuple[str, ...], seeds: int, steps: int | None, out: Path, *, as_json: bool) -> None:
    """Train with every memory and seed what isn't in ``out`` yet, and report; CommandError for an unknown name."""
    try:
        from simulator.memory_runs import TASKS, run_memory
    except ImportError:
        raise CommandError("these train a network: run `make setup`, or install rejoinder[train]") from None
    from policies.recurrent_cores import core_named

    if task not in TASKS:
        raise CommandError(f"--task {task}: there are {', '.join(TASKS)}")
    try:
        for core in cores:
            core_named(core)  # type: ignore[arg-type]
    except ValueError as error:
        raise CommandError(f"--cores: {error}") from None
    steps = steps or TASKS[task].config.steps
    done = _finished(out)
    with counted("memories", len(cores) * seeds, hidden=as_json) as advance:
        for seed, core in product(range(seeds), cores):
            if (task, core, seed, steps) not in done:
                run = asdict(run_memory(TASKS[task], core, seed, steps))  # type: ignore[arg-type]
                done[task, core, seed, steps] = run
                out.parent.mkdir(parents=True, exist_ok=True)
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"task": task, "core": core, "seed": seed, "steps": steps, **run}) + "\n")
            advance()
    rows: list[dict[str, Any]] = []
    for core in cores:
        runs = [done[task, core, seed, steps] for seed in range(seeds)]
        means = {name: sum(run[name] for run in runs) / seeds for name in ("success", "reward", "seconds")}
        worst = min(run["success"] for run in runs)
        rows.append({"core": core, "seeds": seeds, **means, "worst": worst, "by_seed": runs})
    if as_json:
        print_json({"task": task, "cores": rows})
        return
    names = ["core", "seeds", "success", "worst", "reward", "seconds"]
    titles = ["memory", "seeds", "success", "worst seed", "reward", "CPU s a run"]
    print_table(f"recurrent policies: {task}", titles, [[row[name] for name in names] for row in rows])


def _finished(out: Path) -> dict[tuple[str, str, int, int], dict[str, float]]:
    """The runs in ``out`` by task, memory, seed and steps; CommandError where a line is none."""
    done: dict[tuple[str, str, int, int], dict[str, float]] = {}
    for number, line in enumerate(out.read_text(encoding="utf-8").splitlines() if out.exists() else [], 1):
        try:
            row = json.loads(line)
            key = (row["task"], row["core"], row["seed"], row["steps"])
            done[key] = {name: float(row[name]) for name in ("reward", "success", "seconds")}
        except (ValueError, KeyError, TypeError):
            raise CommandError(f"{out}, line {number}: this is no finished run; delete the line or the file") from None
    return done
