"""``rejoinder log search``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bot.config import Config
from bot.errors import CommandError
from bot.log_filter import turn_filter
from bot.report import console, print_json, print_table
from bot.stored_log import opened_log


def search(config: Config, query: str, limit: int, filters: Mapping[str, str], *, as_json: bool) -> None:
    """Print what matches ``query`` in turns that ``filters`` (see ``turn_filter``) let through."""
    try:
        only = turn_filter(filters)
    except ValueError as error:
        raise CommandError(f"--{error}") from None
    if not query.strip() and not only:
        raise CommandError("nothing to search for: give words, or a filter such as --failed or --since 7d")
    with opened_log(config) as store:
        hits = store.search(query, limit, only)
    if as_json:
        given = {name: value for name, value in filters.items() if value}
        found = [{name: getattr(hit, name) for name in hit.__slots__} for hit in hits]
        print_json({"query": query, "filters": given, "hits": found})
    elif not hits:
        console.print(f"nothing was said about {query!r}" if query.strip() else "no such turn")
    else:
        rows = [(_time(hit.timestamp), f"{hit.conversation_id} #{hit.turn}", hit.who, hit.snippet) for hit in hits]
        print_table(f"{len(hits)} found", ["when (UTC)", "conversation, turn", "who", "what"], rows)


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")
