"""The configured event log, opened by commands that read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.config import Config
from bot.errors import CommandError
from memory.store import EventStore
from memory.store_opening import open_store


def require_log(config: Config) -> None:
    """CommandError when there is no event log yet."""
    if config.store_address == config.database and not config.database.exists():
        raise CommandError(f"{config.database}: no conversations yet; `rejoinder serve` or `rejoinder chat` makes some")


@contextmanager
def opened_log(config: Config) -> Iterator[EventStore]:
    """The event log, closed at the end.

    Raises:
        CommandError: there is none yet.
        StoreUnavailable: it can't be opened.
    """
    require_log(config)
    store = open_store(config.store_address)
    try:
        yield store
    finally:
        store.close()


def all_ids(store: EventStore, page: int = 1000) -> Iterator[str]:
    """Every conversation's id, by code points; those that begin meanwhile may be missing."""
    after = ""
    while ids := store.conversation_ids(after, page):
        yield from ids
        after = ids[-1]
