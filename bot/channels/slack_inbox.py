"""The inbox: what Slack was told we have, on disk before it was told, until its reply has been delivered.

One row an event, keyed by Slack's event id and by (conversation, message): a repetition of either, whenever it comes,
finds the row there. The text is erased when the reply has been delivered; the ids stay for a week. The file is a SQLite
database of its own beside the event log, written by the same kind of group-committing thread.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bot.channels.slack_events import Received
from memory.events import Event
from memory.store_rows import ERASE
from memory.store_schema import BUSY_TIMEOUT_MS, StoreUnavailable, StoreVersionError
from memory.store_writer import GroupCommitWriter

KEEP_SECONDS = 7 * 86_400
"""How long delivered events are remembered; Slack gives up repeating one after some hours at most."""

_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS slack_inbox (
    id INTEGER PRIMARY KEY,
    event_key TEXT NOT NULL UNIQUE,
    conversation_id TEXT NOT NULL,
    unique_id TEXT NOT NULL,
    received REAL NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    body TEXT,
    UNIQUE (conversation_id, unique_id)
);
CREATE INDEX IF NOT EXISTS slack_waiting ON slack_inbox (id) WHERE body IS NOT NULL;
CREATE INDEX IF NOT EXISTS slack_received ON slack_inbox (received);
"""

Operation = Callable[[sqlite3.Connection], None]


class AlreadyReceived(Exception):
    """This event, or another one with the same message, is in the inbox."""


class Inbox:
    """See the module.

    Args:
        path: the file; made when missing.
        writer: the writer's class (tests replace it to prove that they would notice).
        clock: seconds since the epoch.

    Raises:
        StoreVersionError: the file was written by a newer version.
        StoreUnavailable: the file can't be opened or is no inbox. So may every method.
    """

    def __init__(
        self,
        path: Path,
        writer: type[GroupCommitWriter] = GroupCommitWriter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = _open(path)
        self._reader = sqlite3.connect(path, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000)
        self._reader.execute("PRAGMA query_only = ON")
        self._clock = clock
        self._operations: dict[str, Operation] = {}
        self._numbers = itertools.count()
        self._writer = writer(self._db, self._write)
        self._closed = False

    async def receive(self, event: Received) -> int:
        """Keep an event; its row's number, durable on return.

        Raises:
            AlreadyReceived: it is there already.
        """
        row: list[int] = []
        parameters = (event.key, event.conversation_id, event.unique_id, self._clock(), event.to_json())

        def insert(connection: sqlite3.Connection) -> None:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO slack_inbox (event_key, conversation_id, unique_id, received, body)"
                " VALUES (?, ?, ?, ?, ?)",
                parameters,
            )
            if cursor.rowcount == 0:
                raise AlreadyReceived(event.key)
            row.append(cursor.lastrowid or 0)

        await self._commit(insert)
        return row[0]

    async def deliver(self, row: int, parts: int) -> None:
        """Note that the first ``parts`` calls of a row's reply were made."""
        await self._commit(
            lambda connection: connection.execute("UPDATE slack_inbox SET delivered = ? WHERE id = ?", (parts, row))
        )

    async def finish(self, row: int) -> None:
        """Note that nothing more is to be done, and erase what was said."""
        await self._commit(
            lambda connection: connection.execute("UPDATE slack_inbox SET body = NULL WHERE id = ?", (row,))
        )

    async def forget_old(self) -> None:
        """Erase finished rows older than a week, and what the write-ahead log still holds of finished ones."""
        before = self._clock() - KEEP_SECONDS
        await self._commit(
            lambda connection: connection.execute(
                "DELETE FROM slack_inbox WHERE received < ? AND body IS NULL", (before,)
            ),
            ERASE,
        )

    def waiting(self) -> list[tuple[int, str]]:
        """(row, conversation) of all that is unfinished, in the order of arrival."""
        rows = self._read("SELECT id, conversation_id FROM slack_inbox WHERE body IS NOT NULL ORDER BY id")
        return [(row, conversation) for row, conversation in rows]

    def event(self, row: int) -> tuple[Received, int, float] | None:
        """(event, calls made, time of arrival) of an unfinished row, else None."""
        found = self._read("SELECT body, delivered, received FROM slack_inbox WHERE id = ? AND body IS NOT NULL", row)
        return (Received.from_json(found[0][0]), found[0][1], found[0][2]) if found else None

    def close(self) -> None:
        """Commit what waits and leave one clean file; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._writer.close()
        self._reader.close()
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # a full or failing disk: what was committed stays in the write-ahead log
        finally:
            self._db.close()

    async def _commit(self, operation: Operation | Callable[[sqlite3.Connection], object], kind: int = 0) -> None:
        name = str(next(self._numbers))
        self._operations[name] = operation  # type: ignore[assignment]
        try:
            await self._writer.submit(name, kind, ())
        except StoreUnavailable:
            self._operations.pop(name, None)  # it may not have been reached: a full queue, a failing disk
            raise

    def _write(self, db: Database, name: str, expected_seq: int, events: Sequence[Event]) -> None:
        self._operations.pop(name)(db.conn)

    def _read(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the Slack inbox can't be read: {error}") from error


def _open(path: Path) -> Database:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(
            f"{path}: cannot open the Slack inbox: {error}; check the folder and its rights"
        ) from None
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise StoreVersionError(f"{path}: a Slack inbox of a newer version ({version}): upgrade, or move it away")
        connection.executescript(_TABLE)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnavailable(f"{path}: not a usable Slack inbox: {error}; move the file away") from None
    except StoreVersionError:
        connection.close()
        raise
    return Database(connection)
