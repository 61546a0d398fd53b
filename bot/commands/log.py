"""``rejoinder log``."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from memory.store import SqliteStore


def search(config: Config, query: str, limit: int, *, as_json: bool) -> None:
    """Print what matches ``query``, newest first."""
    if not config.database.exists():
        raise CommandError(f"{config.database}: no conversations yet; `rejoinder serve` or `rejoinder chat` makes some")
    store = SqliteStore(config.database)
    try:
        hits = store.search(query, limit)
    finally:
        store.close()
    if as_json:
        print_json({"query": query, "hits": [{name: getattr(hit, name) for name in hit.__slots__} for hit in hits]})
    elif not hits:
        console.print(f"nothing was said about {query!r}")
    else:
        rows = [(_time(hit.timestamp), hit.conversation_id, hit.who, hit.snippet) for hit in hits]
        print_table(f"{len(hits)} found", ["when (UTC)", "conversation", "who", "what"], rows)


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")
