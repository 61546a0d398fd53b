"""The tables of the event log on PostgreSQL, and the connections to it.

The same tables as on SQLite (``memory.store_schema``), in a schema of their own. Words are stemmed as there, by a
stemmer for English, and none is left out, so that a search finds the same messages on both.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from memory.events import SCHEMA_VERSION
from memory.store_schema import StoreUnavailable, StoreVersionError

TABLES_VERSION = 1
"""Grows with every change of the tables below."""

SCHEMA = "rejoinder"
CONNECT_SECONDS, STATEMENT_SECONDS = 2, 5
"""The longest that a connection and a statement may take: a turn must fail in time, not hang."""

SLOW_SECONDS, AWAY_SECONDS = 0.5, 2.0
"""A host that is silent, instead of refusing, is left alone for a while: every attempt holds its caller up."""

_SESSION = f"""
SET search_path TO {SCHEMA};
SET synchronous_commit TO on;
SET default_transaction_isolation TO 'read committed';
SET statement_timeout TO {STATEMENT_SECONDS * 1000};
SET timezone TO 'UTC';
SET client_min_messages TO warning
"""

_ONE_AT_A_TIME = 0x52656A6F696E6465
"""Key of the advisory lock under which the tables are made."""

_TABLES = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
    f"SET LOCAL search_path TO {SCHEMA}",
    "CREATE TABLE version (tables integer NOT NULL, events integer NOT NULL)",
    "CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = snowball, Language = english)",
    "CREATE TEXT SEARCH CONFIGURATION stemmed (COPY = pg_catalog.english)",
    "ALTER TEXT SEARCH CONFIGURATION stemmed ALTER MAPPING REPLACE english_stem WITH stems",
    """CREATE TABLE events (
        conversation_id text COLLATE "C" NOT NULL,
        seq integer NOT NULL,
        type text NOT NULL,
        timestamp double precision NOT NULL,
        payload text NOT NULL,
        PRIMARY KEY (conversation_id, seq)
    )""",
    """CREATE TABLE messages (
        conversation_id text COLLATE "C" NOT NULL,
        seq integer NOT NULL,
        who text NOT NULL CHECK (who IN ('user', 'bot')),
        message_id text COLLATE "C",
        text text NOT NULL,
        timestamp double precision NOT NULL,
        words tsvector NOT NULL
    )""",
    "CREATE INDEX messages_in_order ON messages (conversation_id, seq)",
    "CREATE UNIQUE INDEX one_turn_per_message ON messages (conversation_id, message_id) WHERE who = 'user'",
    "CREATE INDEX messages_words ON messages USING gin (words)",
    """CREATE TABLE turns (
        conversation_id text COLLATE "C" NOT NULL,
        seq integer NOT NULL,
        message_id text COLLATE "C" NOT NULL,
        timestamp double precision NOT NULL,
        channel text NOT NULL,
        intent text NOT NULL,
        sentiment double precision NOT NULL,
        action text NOT NULL,
        failed boolean NOT NULL,
        feedback integer NOT NULL,
        PRIMARY KEY (conversation_id, seq)
    )""",
    "CREATE INDEX turns_by_time ON turns (timestamp)",
    """CREATE TABLE conversations (
        id text COLLATE "C" PRIMARY KEY,
        channel text NOT NULL,
        started double precision NOT NULL,
        last_time double precision NOT NULL,
        last_text text NOT NULL,
        turns integer NOT NULL,
        mood double precision NOT NULL,
        bookings integer NOT NULL,
        handed_off boolean NOT NULL
    )""",
    "CREATE INDEX conversations_by_time ON conversations (last_time)",
    """CREATE TABLE bookings (
        conversation_id text COLLATE "C" NOT NULL,
        seq integer NOT NULL,
        reference text NOT NULL,
        entity text NOT NULL,
        details text NOT NULL,
        timestamp double precision NOT NULL,
        PRIMARY KEY (conversation_id, seq)
    )""",
    f"INSERT INTO version VALUES ({TABLES_VERSION}, {SCHEMA_VERSION})",
)

# it warns of every aborted pipeline, and a repeated message aborts one
logging.getLogger("psycopg").setLevel(logging.ERROR)

Connection = psycopg.Connection[tuple[Any, ...]]


def shown(url: str) -> str:
    """``url`` without user and password, for messages."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return "the PostgreSQL address"
    where = f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"
    return f"postgresql://{where}/{parts.get('dbname') or ''}"


class Connections:
    """As many connections as threads work at once; broken ones are replaced, idle ones kept.

    Raises:
        StoreUnavailable: ``url`` is no address of a PostgreSQL database.
    """

    def __init__(self, url: str) -> None:
        self.shown = shown(url)
        limits = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": STATEMENT_SECONDS * 1000}
        try:
            given = conninfo_to_dict(url)
            self._conninfo = make_conninfo(url, **{key: value for key, value in limits.items() if key not in given})
        except psycopg.Error:
            raise StoreUnavailable(
                "the store's address can't be read: write postgresql://USER@HOST:5432/DATABASE, special characters "
                "in percent form"
            ) from None
        self._idle: list[Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        self._away_until = 0.0

    @contextmanager
    def take(self, *, fresh: bool = False) -> Iterator[Connection]:
        """A connection in autocommit mode for this thread alone; ``fresh`` distrusts the idle ones.

        Raises StoreUnavailable when there is none to be had.
        """
        with self._guard:
            if self._closed:
                raise StoreUnavailable("the event log is closed")
            stale, self._idle = (self._idle, []) if fresh else ([], self._idle)
            connection = self._idle.pop() if self._idle else None
        for old in stale:
            _end(old)
        if connection is None:
            connection = self._open()
        try:
            yield connection
        finally:
            with self._guard:
                keep = not (self._closed or connection.closed)
                if keep:
                    self._idle.append(connection)
            if not keep:
                _end(connection)

    def _open(self) -> Connection:
        connection: Connection | None = None
        started = time.monotonic()
        if started < self._away_until:
            raise StoreUnavailable(f"{self.shown}: no connection: it did not answer a moment ago")
        try:
            connection = psycopg.connect(self._conninfo, autocommit=True)
            connection.execute(_SESSION)  # type: ignore[call-overload, unused-ignore]
        except psycopg.Error as error:
            if connection is not None:
                _end(connection)
            if (now := time.monotonic()) - started > SLOW_SECONDS:
                self._away_until = now + AWAY_SECONDS
            raise StoreUnavailable(f"{self.shown}: no connection: {first_line(error)}") from None
        return connection

    def close(self) -> None:
        """End the idle connections now, the others when they are given back; idempotent."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            _end(connection)


def _end(connection: Connection) -> None:
    with suppress(psycopg.Error):
        connection.close()


def first_line(error: Exception) -> str:
    """PostgreSQL's message without its context."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def make_tables(connections: Connections) -> None:
    """Make the tables where they are missing; several processes may start at once.

    Raises:
        StoreVersionError: the tables belong to a newer version.
        StoreUnavailable: they can't be made or read.
    """
    with connections.take() as connection:
        try:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_AT_A_TIME])
                _check_encoding(connection, connections.shown)
                if connection.execute("SELECT to_regclass(%s)", [f"{SCHEMA}.version"]).fetchone() == (None,):
                    for statement in _TABLES:
                        connection.execute(statement)  # type: ignore[call-overload, unused-ignore]
                found = connection.execute("SELECT tables, events FROM version").fetchone() or (0, 0)
        except psycopg.Error as error:
            raise StoreUnavailable(
                f"{connections.shown}: the event log's tables can't be made or read: {first_line(error)}; the user "
                "needs the right to create a schema in this database"
            ) from None
    if found[0] > TABLES_VERSION or found[1] > SCHEMA_VERSION:
        raise StoreVersionError(
            f"{connections.shown}: written by a newer version (tables {found[0]}, events {found[1]}; this one knows "
            f"{TABLES_VERSION} and {SCHEMA_VERSION}): upgrade, or point the store at another database"
        )


def _check_encoding(connection: Connection, where: str) -> None:
    found = connection.execute("SHOW server_encoding").fetchone()
    if found != ("UTF8",):
        raise StoreUnavailable(
            f"{where}: the database's encoding is {found[0] if found else 'unknown'}: make one with "
            "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )
