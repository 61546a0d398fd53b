"""``rejoinder batch``: scores that change slowly, worked out from the log and put where servers look them up."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.assistant import load_assistant
from bot.batch.scores import Offer, catalogue_of, offers, tables_of
from bot.batch.served_scores import SCORES
from bot.config import Config
from bot.errors import CommandError
from bot.rasa.reading.files import is_rasa_project
from bot.report import console, print_json, print_table
from bot.stored_log import all_ids, opened_log
from memory.key_values import write_key_values


def batch(config: Config, out: Path | None, days: float, *, as_json: bool) -> None:
    """Read the offers of the last ``days``, score, and replace the store of scores in one step."""
    if is_rasa_project(config.assistant):
        raise CommandError(f"{config.assistant}: a Rasa project has no table of venues to score; nothing to do")
    catalogue = catalogue_of(load_assistant(config.assistant).ontology)
    path, now = out or config.model_dir / SCORES, time.time()
    if path.is_dir():
        raise CommandError(f"{path}: is a folder; give --out a file such as {path / SCORES}")
    skipped = 0
    found: list[Offer] = []
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with (
        opened_log(config) as store,
        Progress(*columns, console=console, transient=True, disable=as_json) as bar,
    ):
        ids = list(all_ids(store))
        for name in bar.track(ids):
            try:
                found += [offer for offer in offers(name, store.load(name)) if now - offer.time <= days * 86400]
            except ValueError:  # an event of a newer version
                skipped += 1
    tables = tables_of(found, catalogue, now)
    booked = Counter(offer.booked for offer in found)[True]
    counts = {"conversations": len(ids), "skipped": skipped, "offers": len(found), "bookings": booked}
    about = {"made_at": now, "assistant": config.assistant.name, "days": days, **counts}
    pairs = write_key_values(path, tables, about)
    rows = {name: len(table) for name, table in tables.items()}
    if as_json:
        print_json({"file": str(path), **counts, "pairs": pairs, "keys": rows, "seconds": time.time() - now})
        return
    title = f"{len(found)} offers in {len(ids)} conversations, {booked} booked: {path}"
    print_table(title, ["table", "keys"], [[name, count] for name, count in rows.items()])
