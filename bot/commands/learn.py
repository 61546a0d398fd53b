"""``rejoinder learn``: the policy goes on learning beside the server; and ``rejoinder log decisions``: who decided."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from bot.assistant import load_assistant
from bot.config import Config
from bot.errors import CommandError
from bot.learning.cycle import OnlineLearning
from bot.learning.decisions import decision_report
from bot.report import console, print_json, print_table
from bot.stored_log import require_log


def learn(config: Config, *, once: bool, status: bool, rollback: bool, as_json: bool) -> None:
    """Cycle until Ctrl-C, or do the one thing asked for."""
    if sum((once, status, rollback)) > 1:
        raise CommandError("--once, --status and --rollback exclude each other: give one of them")
    learning = OnlineLearning(config, load_assistant(config.assistant))
    if status:
        with _busy("reading finished dialogues", quiet=as_json):
            report = learning.status()
        _show_status(report, as_json=as_json)
    elif rollback:
        _show(learning.rollback(), as_json=as_json)
    elif once:
        _show(_cycle(learning, quiet=as_json), as_json=as_json)
    else:
        _forever(learning, config.learning.every_seconds, as_json=as_json)


def decisions(config: Config, *, as_json: bool) -> None:
    """Print how often each policy, layer and version decided, and how often it took over from another."""
    require_log(config)
    with _busy("reading conversations", quiet=as_json):
        report = decision_report(config.store_address, config.learning.max_conversations)
    if as_json:
        print_json(report)
        return
    rows = [[r["policy"], r["version"], r["decisions"], 100 * r["share"], r["takeovers"]] for r in report["deciders"]]
    title = f"{report['decisions']} decisions in {report['conversations']} conversations"
    print_table(title, ["policy", "version", "decisions", "share %", "took over"], rows)


def _forever(learning: OnlineLearning, seconds: float, *, as_json: bool) -> None:
    """Ctrl-C ends at once: a cycle cut short changes nothing."""
    waiting = False
    try:
        while True:
            report = _cycle(learning, quiet=as_json)
            if report["result"] != "waiting" or not waiting:
                _show(report, as_json=as_json)
            waiting = report["result"] == "waiting"
            time.sleep(seconds)
    except KeyboardInterrupt:
        console.print("stopped; the served policy stays as it is")


def _cycle(learning: OnlineLearning, *, quiet: bool) -> dict[str, Any]:
    if find_spec("torch") is None:
        raise CommandError("learning needs torch: run `make setup`, or install rejoinder[train]")
    with _progress(quiet=quiet) as update:
        try:
            return learning.cycle(progress=update)
        except FloatingPointError as error:
            raise CommandError(f"{error}: check `learning.rewards` in the configuration") from None


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    match report["result"]:
        case "waiting":
            new = report["dialogues"]["new"]
            console.print(f"{new} newly finished dialogues, training begins at {report['needed']}; {_serving(report)}")
        case "rolled back":
            console.print(f"rolled back from {report['from']}; {_serving(report)}")
        case result:
            gate = report["gate"]
            rows = [
                [f"against {name}", g["candidate"]["reward"], g["reference"]["reward"], _interval(g["difference"])]
                for name, g in gate.items()
            ]
            print_table(
                f"candidate {report['candidate']} {result}: simulated reward on the same users",
                ["", "candidate", "reference", "difference [95 %]"],
                rows,
            )
            console.print(_serving(report))


def _serving(report: dict[str, Any]) -> str:
    return f"served: {report['served']}"


def _interval(estimate: dict[str, float]) -> str:
    return f"{estimate['mean']:.2f} [{estimate['low']:.2f}, {estimate['high']:.2f}]"


def _show_status(status: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(status)
        return
    before = " <- ".join(reversed(status["history"])) or "nothing: it is the trained policy"
    console.print(f"served {status['served']}, before it {before}", markup=False)
    console.print(f"{status['new']} newly finished dialogues, training begins at {status['needed']}")
    rows = [
        [r["policy"], r["version"], r["dialogues"], r["reward"], 100 * r["booked"], 100 * r["handed_off"]]
        for r in status["versions"]
    ]
    if rows:
        columns = ["policy", "version", "dialogues", "reward", "booked %", "handed off %"]
        print_table("finished dialogues with real users", columns, rows)
    journal = [
        [_when(row["time"]), row["result"], row.get("candidate", ""), row["served"]] for row in status["journal"]
    ]
    if journal:
        print_table("latest cycles", ["when (UTC)", "result", "candidate", "served then"], journal)


def _when(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")


def _busy(what: str, *, quiet: bool) -> AbstractContextManager[object]:
    """A sign of life where the end can't be foreseen."""
    return nullcontext() if quiet else console.status(what)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.fields[detail]}"))
    with Progress(*columns, disable=quiet, console=console, transient=True) as progress:
        task = progress.add_task("cycle", total=1.0, detail="")
        yield lambda share, detail: progress.update(task, completed=share, detail=detail)
