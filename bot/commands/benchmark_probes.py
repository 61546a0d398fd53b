"""``rejoinder benchmark probes``: does every variant of the learner find the known optimum of every probe?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot.errors import CommandError
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from simulator.probe_runs import ProbeRun


def probes(seeds: int, variant: str | None, *, as_json: bool) -> None:
    """Run all probes with ``seeds`` seeds and report; CommandError when a run misses the optimum or takes over 10 s."""
    try:
        from simulator.probe_runs import VARIANTS, run_probe
    except ImportError:
        raise CommandError("the probes train a network: run `make setup`, or install rejoinder[train]") from None
    from simulator.probes import PROBES

    if variant is not None and variant not in VARIANTS:
        raise CommandError(f"--variant {variant}: there are {', '.join(VARIANTS)}")
    chosen = list(VARIANTS) if variant is None else [variant]
    rows: list[dict[str, Any]] = []
    with counted("probes", len(chosen) * len(PROBES) * seeds, hidden=as_json) as advance:
        for name in chosen:
            for probe in PROBES:
                runs: list[ProbeRun] = []
                for seed in range(seeds):
                    runs.append(run_probe(probe, VARIANTS[name], seed))
                    advance()
                rows.append({
                    "variant": name, "probe": probe.name, "solved": sum(run.solves(probe) for run in runs),
                    "seeds": seeds, "optimum": probe.optimum, "worst": min(run.reward for run in runs),
                    "seconds": max(run.seconds for run in runs),
                })  # fmt: skip
    _report(rows, as_json=as_json)


def _report(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"probes": rows})
    else:
        shown = [
            [
                row["variant"],
                row["probe"],
                f"{row['solved']}/{row['seeds']}",
                row["optimum"],
                row["worst"],
                row["seconds"],
            ]
            for row in rows
        ]
        columns = ["variant", "probe", "solved", "optimum", "worst seed", "CPU s, slowest"]
        print_table("probe environments: the optimum after the last step", columns, shown)
    failed = [f"{r['variant']} on {r['probe']}" for r in rows if r["solved"] < r["seeds"] or r["seconds"] > 10]
    if failed:
        raise CommandError(f"not every seed found the optimum within 10 s: {', '.join(failed)}")


@contextmanager
def counted(what: str, steps: int, *, hidden: bool) -> Iterator[Callable[[], None]]:
    """A progress bar over ``steps`` runs; call what it gives after each."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=hidden, console=console) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda: progress.advance(task)
