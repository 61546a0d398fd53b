"""``rejoinder log export-slates``: what could have been said, what was, and what people did next."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from bot.selection_log import logged_slates
from memory.store_opening import is_database_url
from policies.files import open_atomically
from policies.ranking.logged_slates import LoggedSlate, slate_to_json


def export_slates(config: Config, out: Path | None, *, as_json: bool) -> None:
    """Write the slates of the latest conversations as JSON lines to ``out`` (None: to the standard output)."""
    if out is None and as_json:
        raise CommandError("--json reports what was written: give a file with --out, or leave --json out")
    if out is not None and out.is_dir():
        raise CommandError(f"{out}: is a folder; give --out a file such as {out / 'slates.jsonl'}")
    counts: Counter[tuple[str, str]] = Counter()
    with nullcontext() if as_json or out is None else console.status("reading conversations"):
        if out is None:
            for logged in slates_of(config):
                sys.stdout.write(slate_to_json(logged) + "\n")
            return
        with open_atomically(out) as file:
            for logged in slates_of(config):
                file.write(slate_to_json(logged).encode() + b"\n")
                counts[logged.slate.kind, "slates"] += 1
                counts[logged.slate.kind, "with_feedback"] += bool(logged.feedback)
                counts.update((logged.slate.kind, action) for action, *_ in logged.feedback)
    kinds = {kind: {what: n for (k, what), n in sorted(counts.items()) if k == kind} for kind, _ in sorted(counts)}
    if as_json:
        print_json({"file": str(out), "kinds": kinds})
        return
    rows = [(kind, found["slates"], found["with_feedback"]) for kind, found in kinds.items()]
    print_table(f"written to {out}", ["content type", "slates", "with feedback"], rows)


def slates_of(config: Config, now: float | None = None) -> Iterator[LoggedSlate]:
    """The slates of the ``selection.max_conversations`` latest conversations; CommandError where there are none."""
    from bot.learning.experience import latest_conversations

    address = config.store_address
    if not is_database_url(address) and not Path(address).exists():
        raise CommandError(f"{address}: no conversations yet; `rejoinder serve` or `rejoinder chat` makes some")
    moment = time.time() if now is None else now
    for conversation, events in latest_conversations(address, config.selection.max_conversations):
        yield from logged_slates(conversation, events, moment)
