"""``rejoinder log export``: the conversations as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from bot.stored_log import all_ids, opened_log
from memory.store import EventStore

COLUMNS = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())


def export(config: Config, folder: Path, *, as_json: bool) -> None:
    """Write all tables; a conversation that can't be read is counted and left out."""
    if find_spec("pyarrow") is None:
        raise CommandError("Parquet needs pyarrow: pip install 'rejoinder[data]'")
    from bot.reporting.parquet import write_parquet
    from bot.reporting.tables import Tables, conversation_tables

    if folder.exists() and not folder.is_dir():
        raise CommandError(f"{folder}: not a folder; give --parquet a folder")
    skipped: list[str] = []

    def tables(store: EventStore, ids: list[str]) -> Iterator[Tables]:
        for name in ids:
            try:
                events = store.load(name)
            except ValueError:
                skipped.append(name)
                events = []
            yield conversation_tables(name, events)

    columns = (TextColumn("exporting"), *COLUMNS)
    with (
        opened_log(config) as store,
        Progress(*columns, console=console, transient=True, disable=as_json) as bar,
    ):
        ids = list(all_ids(store))
        task = bar.add_task("", total=len(ids))
        written = write_parquet(tables(store, ids), folder, lambda: bar.advance(task))
    report = {"folder": str(folder), "conversations": len(ids), "rows": written, "skipped": skipped}
    if as_json:
        print_json(report)
        return
    print_table(
        f"{len(ids)} conversations in {folder}", ["file", "rows"], [[f"{n}.parquet", r] for n, r in written.items()]
    )
    if skipped:
        console.print(
            f"{len(skipped)} conversations were left out: written by a newer version; upgrade and export again"
        )
