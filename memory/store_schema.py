"""The tables of the event log on SQLite and how a database file is opened.

``events`` is the record; ``messages``, ``turns``, ``conversations`` and ``bookings`` are derived from it in the same
transaction, so that search, listing and exactly-once delivery need no second pass. Migrations are
sqlite-utils' own (table ``_sqlite_migrations``); ``PRAGMA user_version`` carries the version of the events' JSON.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from memory.events import SCHEMA_VERSION, event_from_json
from memory.store_rows import write_turns

BUSY_TIMEOUT_MS = 5_000
"""How long a connection waits for another process's write lock."""

migrations = Migrations("rejoinder")


_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY)


class StoreUnavailable(Exception):
    """The store can't keep anything right now: the disk is full or failing, the file is locked or closed."""


class StoreVersionError(StoreUnavailable):
    """The file was written by a newer version of this program."""


@migrations()
def create_event_log(db: Database) -> None:
    """Version 1: events, messages with full-text search, conversations, bookings."""
    for statement in _VERSION_1:
        db.execute(statement)


@migrations()
def create_turns(db: Database) -> None:
    """Version 2: what is known of each turn, for searches; logs of before are read through once."""
    db.execute(_TURNS)
    db.execute("CREATE INDEX turns_by_time ON turns (timestamp)")
    ids = [row[0] for row in db.execute("SELECT DISTINCT conversation_id FROM events").fetchall()]
    for conversation_id in ids:
        rows = db.execute("SELECT payload FROM events WHERE conversation_id = ? ORDER BY seq", [conversation_id])
        write_turns(db, conversation_id, 0, [event_from_json(row[0]) for row in rows.fetchall()])


_TURNS = """CREATE TABLE turns (
    conversation_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    timestamp REAL NOT NULL,
    channel TEXT NOT NULL,
    intent TEXT NOT NULL,
    sentiment REAL NOT NULL,
    action TEXT NOT NULL,
    failed INTEGER NOT NULL,
    feedback INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, seq)
) WITHOUT ROWID"""

_VERSION_1 = (
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        conversation_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        type TEXT NOT NULL,
        timestamp REAL NOT NULL,
        payload TEXT NOT NULL,
        UNIQUE (conversation_id, seq)
    )""",
    """CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        conversation_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        who TEXT NOT NULL CHECK (who IN ('user', 'bot')),
        message_id TEXT,
        text TEXT NOT NULL,
        timestamp REAL NOT NULL
    )""",
    "CREATE UNIQUE INDEX one_turn_per_message ON messages (conversation_id, message_id) WHERE who = 'user'",
    """CREATE VIRTUAL TABLE messages_fts USING fts5 (
        text, content = 'messages', content_rowid = 'id', tokenize = 'porter unicode61'
    )""",
    """CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        channel TEXT NOT NULL,
        started REAL NOT NULL,
        last_time REAL NOT NULL,
        last_text TEXT NOT NULL,
        turns INTEGER NOT NULL,
        mood REAL NOT NULL,
        bookings INTEGER NOT NULL,
        handed_off INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX conversations_by_time ON conversations (last_time)",
    """CREATE TABLE bookings (
        conversation_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        reference TEXT NOT NULL,
        entity TEXT NOT NULL,
        details TEXT NOT NULL,
        timestamp REAL NOT NULL,
        PRIMARY KEY (conversation_id, seq)
    ) WITHOUT ROWID""",
)


def open_for_writing(path: Path, synchronous: str = "FULL") -> Database:
    """The one writing connection: schema up to date, WAL, every commit synced.

    Raises:
        StoreVersionError: the file belongs to a newer version.
        StoreUnavailable: the file can't be opened or is no SQLite database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"{path}: cannot open the event log: {error}; check the folder and its rights") from None
    try:
        db = Database(connection)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA temp_store = MEMORY")
        _migrate(db, path)
    except sqlite3.Error as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING:  # nothing is wrong with the file
            raise StoreUnavailable(
                f"{path}: can't be opened now: {error}; is the disk full, or the file in use?"
            ) from None
        raise StoreUnavailable(f"{path}: not a usable event log: {error}; move the file away to start anew") from None
    except StoreVersionError:
        connection.close()
        raise
    return db


def _migrate(db: Database, path: Path) -> None:
    known = {migration.name for migration in migrations.pending(db)}
    applied = {migration.name for migration in migrations.applied(db)}
    ours = {create_event_log.__name__, create_turns.__name__}
    unknown = sorted(applied - known - ours)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if unknown or version > SCHEMA_VERSION:
        what = f"schema step {unknown[0]!r}" if unknown else f"event version {version}"
        raise StoreVersionError(
            f"{path}: written by a newer version ({what}; this one knows event version {SCHEMA_VERSION}): "
            "upgrade, or point the store at another file"
        )
    migrations.apply(db)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A read-only connection, closable from any thread; WAL readers never wait for the writer.

    Raises:
        StoreUnavailable: the file can't be opened.
    """
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path}: cannot read the event log: {error}") from None
    connection.row_factory = sqlite3.Row
    return connection
