"""The event log: what a conversation's state is folded from, kept on SQLite.

``EventStore`` is the contract; ``SqliteStore`` keeps one file in WAL mode, synced at every commit;
``memory.store_postgres`` keeps the same on PostgreSQL, ``memory.store_opening`` chooses. The errors:

    StoreUnavailable            nothing can be kept now (disk full or failing, closed)
      StoreFull                 too many turns wait for the disk
      StoreVersionError         the file was written by a newer version
    SequenceConflict            the conversation grew since its state was read
    DuplicateMessage            this message id is stored already
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from memory.dialogue import BotResponse
from memory.events import BotUttered, Event, UserUttered, event_from_json
from memory.store_rows import ERASE, DuplicateMessage, SequenceConflict, storable, write_events
from memory.store_schema import StoreUnavailable, StoreVersionError, open_for_reading, open_for_writing
from memory.store_turns import TurnFilter
from memory.store_writer import GroupCommitWriter, StoreFull

__all__ = [
    "ConversationSummary",
    "DuplicateMessage",
    "EventStore",
    "SearchHit",
    "SequenceConflict",
    "SqliteStore",
    "StoreFull",
    "StoreUnavailable",
    "StoreVersionError",
    "StoredTurn",
]


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """One handled message: its exact text and the events it led to, the user's first."""

    text: str
    events: tuple[Event, ...]

    @property
    def replies(self) -> list[BotResponse]:
        """What was answered."""
        return [reply for event in self.events if isinstance(event, BotUttered) for reply in event.replies]


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One message that matches a search; matched words stand in ``[brackets]`` in ``snippet``.

    ``turn`` counts the conversation's user messages from 1.
    """

    conversation_id: str
    seq: int
    who: str
    snippet: str
    timestamp: float
    turn: int


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """One line of the list of conversations; times in seconds since the epoch, ``mood`` -1 to 1."""

    id: str
    channel: str
    started: float
    last_time: float
    last_text: str
    turns: int
    mood: float
    bookings: int
    handed_off: bool


class EventStore(Protocol):
    """An append-only log of events, numbered per conversation from 0 without gaps."""

    async def append(self, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
        """Keep ``events`` as numbers ``expected_seq``...; returns once they are durable, all or none.

        Raises:
            SequenceConflict: the conversation does not have exactly ``expected_seq`` events.
            DuplicateMessage: a user message among them carries an id stored already.
            StoreFull, StoreUnavailable: nothing was kept.
        """

    async def delete(self, conversation_id: str) -> None:
        """Erase a conversation with all that was derived from it; durable on return, nothing happens to an unknown one.

        Raises StoreUnavailable, StoreFull.
        """

    async def replace(self, conversation_id: str, events: Sequence[Event]) -> None:
        """Erase a conversation and keep ``events`` in its place, in one transaction; durable on return.

        Raises DuplicateMessage (everything stays as it was), StoreUnavailable, StoreFull.
        """

    def load(self, conversation_id: str) -> list[Event]:
        """All events in order; empty for an unknown conversation. This and all reads may raise StoreUnavailable."""

    def count(self, conversation_id: str) -> int:
        """How many events a conversation has; 0 for an unknown one."""

    def find_turn(self, conversation_id: str, message_id: str) -> StoredTurn | None:
        """The stored turn of a message id, or None."""

    def search(self, query: str, limit: int = 20, only: TurnFilter | None = None) -> list[SearchHit]:
        """Messages of users and bot that match ``query`` (words, "phrases", OR, or any text), best first.

        With ``only``, in such turns; an empty query then finds their user messages, latest first.
        """

    def conversation_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """The ids greater than ``after`` by code points, in that order: pages through everything."""

    def conversations(self, limit: int = 50, before: float | None = None) -> list[ConversationSummary]:
        """The latest conversations, newest first; ``before`` (seconds since the epoch) pages on."""

    def check(self) -> str | None:
        """None when the log can be read and written, else the reason why not."""

    @property
    def waiting(self) -> int:
        """Appends waiting for the disk."""

    def close(self) -> None:
        """Commit what waits and leave one clean file; idempotent."""


class SqliteStore:
    """The event log in one SQLite file.

    Args:
        path: the file; it and its folder are made when missing.
        capacity: turns that may wait for the disk before StoreFull.
        synchronous: SQLite's setting; FULL survives a power cut, NORMAL may lose the last turns in one.
        writer: the writer's class (tests replace it to prove that they would notice).

    Raises:
        StoreVersionError: the file was written by a newer version.
        StoreUnavailable: the file can't be opened or is no event log.
    """

    def __init__(
        self,
        path: str | Path,
        capacity: int = 4096,
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
        writer: type[GroupCommitWriter] = GroupCommitWriter,
    ) -> None:
        self.path = Path(path)
        self._db = open_for_writing(self.path, synchronous)
        self._writer = writer(self._db, write_events, capacity)
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False

    async def append(self, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
        """See ``EventStore``; ValueError for an id that UTF-8 can't hold."""
        check_ids(conversation_id, events)
        await self._writer.submit(conversation_id, expected_seq, tuple(events))

    async def delete(self, conversation_id: str) -> None:
        """See ``EventStore``; freed pages are overwritten with zeros."""
        await self._writer.submit(storable(conversation_id), ERASE, ())

    async def replace(self, conversation_id: str, events: Sequence[Event]) -> None:
        """See ``EventStore``; ValueError for an id that UTF-8 can't hold."""
        check_ids(conversation_id, events)
        await self._writer.submit(conversation_id, ERASE, tuple(events))

    def load(self, conversation_id: str) -> list[Event]:
        """See ``EventStore``."""
        rows = self._read(
            "SELECT payload FROM events WHERE conversation_id = ? ORDER BY seq", storable(conversation_id)
        )
        return [event_from_json(row[0]) for row in rows]

    def count(self, conversation_id: str) -> int:
        """See ``EventStore``."""
        rows = self._read("SELECT max(seq) FROM events WHERE conversation_id = ?", storable(conversation_id))
        return 0 if rows[0][0] is None else int(rows[0][0]) + 1

    def find_turn(self, conversation_id: str, message_id: str) -> StoredTurn | None:
        """See ``EventStore``."""
        conversation_id, message_id = storable(conversation_id), storable(message_id)
        found = self._read(
            "SELECT seq FROM messages WHERE conversation_id = ? AND message_id = ? AND who = 'user'",
            conversation_id,
            message_id,
        )
        if not found:
            return None
        rows = self._read(_TURN, conversation_id, found[0]["seq"], conversation_id, found[0]["seq"])
        events = tuple(event_from_json(row["payload"]) for row in rows)
        first = events[0]
        assert isinstance(first, UserUttered)
        return StoredTurn(first.text, events)

    def search(self, query: str, limit: int = 20, only: TurnFilter | None = None) -> list[SearchHit]:
        """See ``EventStore``; FTS5's language is understood, and what it can't parse is searched for word by word."""
        query, conditions = storable(query).strip(), only.conditions() if only else []
        where = "".join(f" AND {sql}" for sql, _ in conditions)
        values = [value for _, value in conditions]
        if not query:
            rows = self._read(_LATEST.format(where), *values, limit) if conditions else []
            return [SearchHit(*row) for row in rows]
        searched = (_SEARCH_TURNS if conditions else _SEARCH).format(where)
        try:
            rows = self._read(searched, query, *values, limit)
        except StoreUnavailable:  # far more often the query's syntax than the disk
            rows = self._read(searched, quote_terms(query), *values, limit)
        return [SearchHit(*row) for row in rows]

    def conversation_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """See ``EventStore``."""
        rows = self._read("SELECT id FROM conversations WHERE id > ? ORDER BY id LIMIT ?", storable(after), limit)
        return [row[0] for row in rows]

    def conversations(self, limit: int = 50, before: float | None = None) -> list[ConversationSummary]:
        """See ``EventStore``."""
        rows = self._read(
            f"SELECT {', '.join(_SUMMARY)} FROM conversations WHERE last_time < ? ORDER BY last_time DESC, id LIMIT ?",
            float("inf") if before is None else before,
            limit,
        )
        return [ConversationSummary(**{**dict(row), "handed_off": bool(row["handed_off"])}) for row in rows]

    def check(self) -> str | None:
        """See ``EventStore``."""
        if not self._writer.alive:
            return "the event log is closed or its writer has ended"
        try:
            self._read("SELECT 1 FROM events LIMIT 1")
        except StoreUnavailable as error:
            return str(error)
        return None

    @property
    def waiting(self) -> int:
        """See ``EventStore``."""
        return self._writer.waiting

    def close(self) -> None:
        """See ``EventStore``: the write-ahead log is merged into the file."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
        self._writer.close()
        for reader in self._readers:
            reader.close()
        try:
            self._db.execute("PRAGMA optimize")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # a full or failing disk: what was committed stays in the write-ahead log
        finally:
            self._db.close()

    def _read(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open_reader()
        try:
            return connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the event log can't be read: {error}") from error

    def _open_reader(self) -> sqlite3.Connection:
        with self._guard:
            if self._closed:
                raise StoreUnavailable("the event log is closed")
            connection = open_for_reading(self.path)
            self._readers.append(connection)
        self._local.connection = connection
        return connection


def check_ids(conversation_id: str, events: Sequence[Event]) -> None:
    """ValueError for an id of the conversation or of a message that UTF-8 can't hold."""
    for name in (conversation_id, *(e.message_id for e in events if isinstance(e, UserUttered))):
        if storable(name) != name:
            raise ValueError(f"the id {name!r} contains NUL or a lone surrogate: choose another id")


_TURN = """
SELECT payload FROM events WHERE conversation_id = ? AND seq >= ? AND type != 'FeedbackGiven' AND seq < coalesce(
    (SELECT min(seq) FROM events WHERE conversation_id = ? AND seq > ? AND type = 'UserUttered'), 9e18
) ORDER BY seq
"""

_COUNTED = "(SELECT count(*) FROM turns u WHERE u.conversation_id = m.conversation_id AND u.seq <= m.seq)"
_FOUND = f"""
SELECT m.conversation_id, m.seq, m.who, snippet(messages_fts, 0, '[', ']', '…', 16), m.timestamp, {_COUNTED}
FROM messages_fts JOIN messages m ON m.id = messages_fts.rowid
"""
_SEARCH = _FOUND + "WHERE messages_fts MATCH ?{} ORDER BY rank LIMIT ?"
_SEARCH_TURNS = (
    _FOUND
    + """JOIN turns t ON t.conversation_id = m.conversation_id AND t.seq = (
    SELECT max(seq) FROM turns x WHERE x.conversation_id = m.conversation_id AND x.seq <= m.seq
) WHERE messages_fts MATCH ?{} ORDER BY rank LIMIT ?"""
)
_LATEST = f"""
SELECT m.conversation_id, m.seq, m.who, substr(m.text, 1, 200), m.timestamp, {_COUNTED}
FROM turns t JOIN messages m ON m.conversation_id = t.conversation_id AND m.seq = t.seq AND m.who = 'user'
WHERE 1{{}} ORDER BY t.timestamp DESC, t.conversation_id, t.seq DESC LIMIT ?
"""

_SUMMARY = ("id", "channel", "started", "last_time", "last_text", "turns", "mood", "bookings", "handed_off")


def quote_terms(query: str) -> str:
    """Each word as an FTS5 string, so that ``what's "on`` is a search and not a syntax error."""
    return " ".join('"{}"'.format(word.replace('"', '""')) for word in query.split())
