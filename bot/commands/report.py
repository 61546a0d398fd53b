"""``rejoinder report``: how conversations end, what moves it, and what fixing each failure is worth."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.config import Config
from bot.errors import CommandError
from bot.log_filter import turn_filter
from bot.rasa.reading.files import is_rasa_project
from bot.report import console, print_json, print_table
from bot.reporting.dialogues import Dialogue, dialogues
from bot.reporting.metrics import report_of
from bot.reporting.page import html_page
from bot.stored_log import all_ids, opened_log
from policies.files import write_atomically


def report(config: Config, out: Path, since: str, until: str, *, as_json: bool) -> None:
    """Read the log, write the page to ``out`` and print the figures."""
    try:
        period = turn_filter({"since": since, "until": until})
    except ValueError as error:
        raise CommandError(f"--{error}") from None
    if out.is_dir():
        raise CommandError(f"{out}: is a folder; give --out a file such as {out / 'report.html'}")
    tasks = not is_rasa_project(config.assistant)
    found, skipped = _read(config, tasks=tasks, quiet=as_json)
    start, end = period.since or float("-inf"), period.until or float("inf")
    figures = report_of([d for d in found if start <= d.started < end], tasks=tasks)
    figures |= {"assistant": config.assistant.name, "skipped": skipped, "page": str(out)}
    plots: dict[str, str] = {}
    if find_spec("matplotlib") is not None:
        from bot.reporting.plots import plots_of

        plots = plots_of(figures)
    page = html_page(figures, f"{config.assistant.name}: how conversations go", plots)
    write_atomically(out, page.encode("utf-8", "replace"))
    if out.is_file():  # not a device
        out.chmod(0o644)  # it holds sums, nobody's words
    if as_json:
        print_json(figures)
    else:
        _print(figures)


def _read(config: Config, *, tasks: bool, quiet: bool) -> tuple[list[Dialogue], int]:
    """Every dialogue of the log, and how many conversations can't be read by this version."""
    found: list[Dialogue] = []
    skipped = 0
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with (
        opened_log(config) as store,
        Progress(*columns, console=console, transient=True, disable=quiet) as bar,
    ):
        for name in bar.track(list(all_ids(store))):
            try:
                events = store.load(name)
            except ValueError:
                skipped += 1
                continue
            found += dialogues(name, events, config.learning.silence_seconds, tasks=tasks)
    return found, skipped


def _print(figures: dict[str, Any]) -> None:
    if not figures["dialogues"]:
        console.print(f"no dialogues in this period; the page is {figures['page']}")
        return
    rows = [[name, *_share(share)] for name, share in figures["metrics"].items()]
    rows += [[f"success, {row['group']}", *_share(row["success"])] for row in figures["versions"]]
    print_table(f"{figures['dialogues']} dialogues", ["", "rate %", "95 % interval", "of"], rows)
    failures = [
        [row["reason"], row["dialogues"], "-" if row["worth"] is None else f"{row['worth']:.1f}"]
        for row in figures["failures"]
    ]
    if failures:
        print_table("what fixing it is worth", ["failure", "dialogues", "more successes"], failures)
    console.print(f"the page: {figures['page']}")


def _share(share: dict[str, Any]) -> list[Any]:
    interval = f"{100 * share['low']:.1f} to {100 * share['high']:.1f}"
    return ["-" if share["rate"] is None else f"{100 * share['rate']:.1f}", interval, share["of"]]
