"""The event log on PostgreSQL: the same promises as on SQLite, for several servers on one database.

Every append is one transaction, committed with ``synchronous_commit`` before anybody hears of it, and one at a time
in a conversation (an advisory lock by the conversation's id). Lost connections are replaced; when one is lost during a
commit, the log is asked whether the append is in it. Needs ``pip install 'rejoinder[postgres]'``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg

from memory.events import Event, UserUttered, event_from_json, event_to_json
from memory.store import ConversationSummary, SearchHit, StoredTurn, check_ids
from memory.store_postgres_rows import folded, write_events
from memory.store_postgres_schema import Connections, first_line, make_tables
from memory.store_rows import ERASE, DuplicateMessage, SequenceConflict, storable
from memory.store_schema import StoreUnavailable
from memory.store_turns import TurnFilter
from memory.store_writer import StoreFull

Rows = list[tuple[object, ...]]


class PostgresStore:
    """An ``EventStore`` in a PostgreSQL database.

    Args:
        url: ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``, or any libpq connection string.
        capacity: appends that may wait before StoreFull.
        writers: appends committed at the same time, each on a connection of its own.

    Raises:
        StoreVersionError: the tables were written by a newer version.
        StoreUnavailable: no connection, or the tables can't be made.
    """

    def __init__(self, url: str, capacity: int = 4096, writers: int = 8) -> None:
        self._connections = Connections(url)
        self.shown = self._connections.shown
        """The address without user and password."""
        make_tables(self._connections)
        self._executor = ThreadPoolExecutor(writers, thread_name_prefix="event-log-writer")
        self._capacity = capacity
        self._pending = 0
        self._guard = threading.Lock()
        self._closed = False

    async def append(self, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
        """See ``EventStore``; ValueError for an id that UTF-8 can't hold."""
        check_ids(conversation_id, events)
        await self._submit(conversation_id, expected_seq, tuple(events))

    async def delete(self, conversation_id: str) -> None:
        """See ``EventStore``; the disk space is overwritten when PostgreSQL vacuums."""
        await self._submit(storable(conversation_id), ERASE, ())

    async def replace(self, conversation_id: str, events: Sequence[Event]) -> None:
        """See ``EventStore``; ValueError for an id that UTF-8 can't hold."""
        check_ids(conversation_id, events)
        await self._submit(conversation_id, ERASE, tuple(events))

    async def _submit(self, conversation_id: str, expected_seq: int, events: tuple[Event, ...]) -> None:
        with self._guard:
            if self._closed:
                raise StoreUnavailable("the event log is closed")
            if self._pending >= self._capacity:
                raise StoreFull(f"{self._capacity} turns are waiting for the database: retry in a second")
            self._pending += 1
            future = self._executor.submit(self.commit, conversation_id, expected_seq, events)
        future.add_done_callback(self._settled)
        await asyncio.wrap_future(future)

    def _settled(self, _: Future[None]) -> None:
        with self._guard:
            self._pending -= 1

    def commit(self, conversation_id: str, expected_seq: int, events: tuple[Event, ...]) -> None:
        """One append; committed on return. A lost connection is replaced once. Raises as ``EventStore.append`` does."""
        lost = False
        for fresh in (False, True):
            with self._connections.take(fresh=fresh) as connection:
                try:
                    write_events(connection, conversation_id, expected_seq, events)
                except (SequenceConflict, DuplicateMessage):
                    if lost and self._has(conversation_id, expected_seq, events):
                        return  # the commit whose answer never came
                    raise
                except psycopg.Error as error:
                    lost = connection.closed
                    if fresh or not lost:
                        raise StoreUnavailable(f"the event log can't be written: {first_line(error)}") from error
                else:
                    return

    def _has(self, conversation_id: str, seq: int, events: tuple[Event, ...]) -> bool:
        rows = self._read(
            "SELECT payload FROM events WHERE conversation_id = %s AND seq >= %s AND seq < %s ORDER BY seq",
            conversation_id,
            seq,
            seq + len(events),
        )
        return [row[0] for row in rows] == [event_to_json(event) for event in events]

    def load(self, conversation_id: str) -> list[Event]:
        """See ``EventStore``."""
        sql = "SELECT payload FROM events WHERE conversation_id = %s ORDER BY seq"
        return [event_from_json(str(row[0])) for row in self._read(sql, storable(conversation_id))]

    def count(self, conversation_id: str) -> int:
        """See ``EventStore``."""
        rows = self._read(
            "SELECT coalesce(max(seq) + 1, 0) FROM events WHERE conversation_id = %s", storable(conversation_id)
        )
        return int(str(rows[0][0]))

    def find_turn(self, conversation_id: str, message_id: str) -> StoredTurn | None:
        """See ``EventStore``."""
        rows = self._read(_TURN, storable(conversation_id), storable(message_id))
        if not rows:
            return None
        events = tuple(event_from_json(str(row[0])) for row in rows)
        first = events[0]
        assert isinstance(first, UserUttered)
        return StoredTurn(first.text, events)

    def search(self, query: str, limit: int = 20, only: TurnFilter | None = None) -> list[SearchHit]:
        """See ``EventStore``; the language is PostgreSQL's ``websearch_to_tsquery``, in which nothing is an error."""
        query, conditions = folded(storable(query)).strip(), only.conditions() if only else []
        where = "".join(f" AND {sql}" for sql, _ in conditions).replace("?", "%s")
        values = [value for _, value in conditions]
        if query:
            rows = self._read(_SEARCH.format(where), query, query, *values, limit)
        else:
            rows = self._read(_LATEST.format(where), *values, limit) if conditions else []
        return [SearchHit(*row) for row in rows]  # type: ignore[arg-type]

    def conversation_ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """See ``EventStore``."""
        sql = "SELECT id FROM conversations WHERE id > %s ORDER BY id LIMIT %s"
        return [str(row[0]) for row in self._read(sql, storable(after), limit)]

    def conversations(self, limit: int = 50, before: float | None = None) -> list[ConversationSummary]:
        """See ``EventStore``."""
        rows = self._read(_LIST, float("inf") if before is None else before, limit)
        return [ConversationSummary(*row) for row in rows]  # type: ignore[arg-type]

    def check(self) -> str | None:
        """See ``EventStore``."""
        if self._closed:
            return "the event log is closed"
        try:
            self._read("SELECT 1 FROM events LIMIT 1")
        except StoreUnavailable as error:
            return str(error)
        return None

    @property
    def waiting(self) -> int:
        """See ``EventStore``."""
        return self._pending

    def close(self) -> None:
        """See ``EventStore``: what waits is committed, every connection ended."""
        with self._guard:
            self._closed = True
        self._executor.shutdown(wait=True)
        self._connections.close()

    def _read(self, sql: str, *parameters: object) -> Rows:
        """All rows; asked again on a new connection when the one at hand turns out to be lost."""
        for fresh in (False, True):
            with self._connections.take(fresh=fresh) as connection:
                try:
                    return connection.execute(sql, parameters).fetchall()  # type: ignore[call-overload, no-any-return, unused-ignore]
                except psycopg.Error as error:
                    if fresh or not connection.closed:
                        raise StoreUnavailable(f"the event log can't be read: {first_line(error)}") from error
        raise AssertionError("unreachable: the second attempt returns or raises")


_TURN = """
WITH asked AS (
    SELECT conversation_id, seq FROM messages WHERE conversation_id = %s AND message_id = %s AND who = 'user'
), after AS (
    SELECT min(e.seq) AS seq FROM events e JOIN asked a ON e.conversation_id = a.conversation_id AND e.seq > a.seq
    WHERE e.type = 'UserUttered'
)
SELECT e.payload FROM events e JOIN asked a ON e.conversation_id = a.conversation_id AND e.seq >= a.seq, after
WHERE e.type != 'FeedbackGiven' AND (after.seq IS NULL OR e.seq < after.seq) ORDER BY e.seq
"""

_COUNTED = "(SELECT count(*) FROM turns u WHERE u.conversation_id = {0}.conversation_id AND u.seq <= {0}.seq)"
_MARKS = "StartSel=[, StopSel=], MaxWords=16, MinWords=8, ShortWord=0, FragmentDelimiter=…"

_SEARCH = f"""
SELECT f.conversation_id, f.seq, f.who, ts_headline('stemmed', f.text, websearch_to_tsquery('stemmed', %s), '{_MARKS}'),
    f.timestamp, {_COUNTED.format("f")}
FROM (
    SELECT m.*, ts_rank_cd(m.words, q.query) AS rank
    FROM websearch_to_tsquery('stemmed', %s) AS q (query) JOIN messages m ON m.words @@ q.query
    LEFT JOIN turns t ON t.conversation_id = m.conversation_id AND t.seq = (
        SELECT max(seq) FROM turns x WHERE x.conversation_id = m.conversation_id AND x.seq <= m.seq
    )
    WHERE true{{}} ORDER BY rank DESC, m.timestamp DESC, m.conversation_id, m.seq LIMIT %s
) AS f
ORDER BY f.rank DESC, f.timestamp DESC, f.conversation_id, f.seq
"""
_LATEST = f"""
SELECT m.conversation_id, m.seq, m.who, substr(m.text, 1, 200), m.timestamp, {_COUNTED.format("m")}
FROM turns t JOIN messages m ON m.conversation_id = t.conversation_id AND m.seq = t.seq AND m.who = 'user'
WHERE true{{}} ORDER BY t.timestamp DESC, t.conversation_id, t.seq DESC LIMIT %s
"""
_LIST = """
SELECT id, channel, started, last_time, last_text, turns, mood, bookings, handed_off FROM conversations
WHERE last_time < %s ORDER BY last_time DESC, id LIMIT %s
"""
