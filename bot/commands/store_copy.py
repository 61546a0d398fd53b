"""``rejoinder store copy``: conversations from one store into another."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json
from memory.store import EventStore
from memory.store_copying import CopyConflict, CopyReport, conversation_id_pages, copy_log
from memory.store_opening import StoreAddress, is_database_url, open_store, shown_address
from memory.store_schema import StoreUnavailable


def copy(config: Config, source: str | None, target: str | None, *, as_json: bool) -> None:
    """Copy what the target lacks, verify it, and say what is there now."""
    here = _address(source) if source else config.database
    there = _address(target) if target else config.store_address
    if here == there:
        raise CommandError(
            f"{shown_address(here)}: source and target are the same; give --to, or put the database's address into "
            f"the environment variable {config.store.url_variable}"
        )
    if not is_database_url(here) and not Path(here).is_file():
        raise CommandError(f"{here}: no such event log; give --from the file or the database to copy")
    opened = open_store(here)
    try:
        opened_target = open_store(there)
        try:
            report = _run(opened, opened_target, quiet=as_json)
        finally:
            opened_target.close()
    except CopyConflict as error:
        raise CommandError(f"{shown_address(there)}: {error}; copy into an empty store") from None
    except StoreUnavailable as error:
        if any(str(error).startswith(shown_address(address)) for address in (here, there)):
            raise
        raise CommandError(f"from {shown_address(here)} to {shown_address(there)}: {error}") from None
    finally:
        opened.close()
    if as_json:
        print_json({"from": shown_address(here), "to": shown_address(there), **asdict(report), "verified": True})
        return
    console.print(
        f"{report.conversations} conversations with {report.events} events are in {shown_address(there)} "
        f"({report.new_conversations} conversations and {report.new_events} events of them new), read back and equal; "
        f"sha256 {report.sha256}"
    )


def _address(text: str) -> StoreAddress:
    return text if is_database_url(text) else Path(text)


def _run(source: EventStore, target: EventStore, *, quiet: bool) -> CopyReport:
    columns = (TextColumn("copying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        total = sum(len(ids) for ids in conversation_id_pages(source, 10_000))
        task = bar.add_task("", total=total)
        return asyncio.run(copy_log(source, target, lambda done: bar.advance(task, done)))
