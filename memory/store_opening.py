"""From an address to an event log: a path is a SQLite file, ``postgresql://...`` a database."""

from __future__ import annotations

from pathlib import Path

from memory.store import EventStore, SqliteStore
from memory.store_schema import StoreUnavailable

StoreAddress = Path | str
"""A file, or the URL of a PostgreSQL database."""


def is_database_url(address: StoreAddress) -> bool:
    """Whether ``address`` is PostgreSQL's."""
    return isinstance(address, str) and address.startswith(("postgresql://", "postgres://"))


def open_store(address: StoreAddress) -> EventStore:
    """Open the event log at ``address``; a missing file, or missing tables, are made.

    Raises:
        StoreVersionError: it was written by a newer version.
        StoreUnavailable: it can't be opened, or the PostgreSQL client isn't installed.
    """
    if not is_database_url(address):
        return SqliteStore(address)
    try:
        from memory.store_postgres import PostgresStore
    except ImportError as error:
        raise StoreUnavailable(
            f"the store is on PostgreSQL, but its client can't be loaded ({error}): pip install 'rejoinder[postgres]'"
        ) from None
    return PostgresStore(str(address))


def shown_address(address: StoreAddress) -> str:
    """``address`` for messages: without user and password."""
    if not is_database_url(address):
        return str(address)
    from memory.store_postgres_schema import shown

    return shown(str(address))
