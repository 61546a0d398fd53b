"""``rejoinder tune thresholds``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot.assistant import load_assistant
from bot.config import Config
from bot.errors import CommandError
from bot.learning.settings import TUNED_FILE
from bot.learning.tuning import Search, TrialLog, check, header, plot, run
from bot.report import console, print_json, print_table
from bot.task import task_of
from policies.files import write_atomically


def thresholds(
    config: Config, search: Search, check_dialogues: int, check_seeds: int, trials_file: Path | None, *, as_json: bool
) -> None:
    """Search, check on fresh users, and write table, PNG and the settings; a search cut short goes on next time."""
    if find_spec("sklearn") is None:
        raise CommandError("tuning needs scikit-learn: run `make setup`, or install rejoinder[train]")
    assistant, max_turns = load_assistant(config.assistant), config.training.max_turns
    path = trials_file or config.model_dir / "thresholds.jsonl"
    log = TrialLog(path, header(assistant.ontology, search, max_turns))
    steps = max(search.trials * len(search.rates) - len(log.trials), 0) + check_seeds * len(search.rates)
    task = task_of(assistant)
    with _progress(steps, hidden=as_json) as advance:
        best = run(assistant.ontology, task, search, log, max_turns=max_turns, advance=advance)
        rows = check(assistant.ontology, task, best, check_dialogues, check_seeds, max_turns=max_turns, advance=advance)
    report: dict[str, Any] = {
        "ontology": assistant.ontology.fingerprint, "trials": len(log.trials), "trials_file": str(path),
        "dialogues": search.dialogues, "check": {"dialogues": check_dialogues, "seeds": check_seeds}, "rows": rows,
    }  # fmt: skip
    write_atomically(config.model_dir / TUNED_FILE, json.dumps(report, indent=1).encode())
    picture = path.with_suffix(".png")
    plot(log.trials, rows, picture)
    if as_json:
        print_json({**report, "picture": str(picture)})
    else:
        _show(report, picture)


def search_of(rates: str, trials: int, dialogues: int, margin: float, acquisition: str, seed: int) -> Search:
    """The search that the command line describes; CommandError for a bad error rate or acquisition."""
    try:
        parsed = tuple(sorted({float(rate) for rate in rates.split(",")}))
    except ValueError:
        raise CommandError(f"--error-rates {rates!r}: write numbers such as 0,0.15,0.3") from None
    if not all(0 <= rate <= 0.9 for rate in parsed):
        raise CommandError(f"--error-rates {rates!r}: each must lie between 0 and 0.9")
    match acquisition:
        case "ucb" | "thompson":
            return Search(parsed, trials, dialogues, margin, acquisition, seed)
    raise CommandError(f"--acquisition {acquisition!r}: there is ucb and thompson")


def _show(report: dict[str, Any], picture: Path) -> None:
    table = []
    for row in report["rows"]:
        for metric, scale in (("reward", 1), ("success", 100)):
            cells = [
                f"{e['mean'] * scale:.2f} [{e['low'] * scale:.2f}, {e['high'] * scale:.2f}]"
                for e in (row[metric][name] for name in ("default", "tuned", "difference"))
            ]
            table.append([f"{row['error_rate']:.0%}", metric + (" %" if scale == 100 else ""), *cells])
    seeds, dialogues = report["check"]["seeds"], report["check"]["dialogues"]
    title = f"rule policy on fresh users, {seeds} seeds of {dialogues} dialogues, mean [95 % interval]"
    print_table(title, ["errors", "", "default", "tuned", "difference"], table)
    names = list(report["rows"][0]["setting"])
    settings = [[f"{row['error_rate']:.0%}", *row["setting"].values()] for row in report["rows"]]
    print_table("tuned settings", ["errors", *names], settings)
    console.print(f"trials: {report['trials_file']}   picture: {picture}")


@contextmanager
def _progress(steps: int, *, hidden: bool) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("tuning"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=hidden, console=console) as progress:
        task = progress.add_task("tuning", total=steps)
        yield lambda: progress.advance(task)
