"""One thread that writes: appends wait in a bounded queue and are committed in groups.

A commit under ``synchronous=FULL`` costs one flush of the disk whatever it holds, so the writer takes everything
that waits, writes it inside one ``BEGIN IMMEDIATE .. COMMIT`` with one savepoint an append, and only then tells
the waiting callers. An append that breaks a constraint rolls back alone.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from memory.events import Event
from memory.store_rows import ERASE
from memory.store_schema import BUSY_TIMEOUT_MS, StoreUnavailable

Write = Callable[[Database, str, int, Sequence[Event]], None]
"""Writes one append inside an open transaction; raises to undo it."""


CHECKPOINT_MS = 250
"""How long the log waits for readers before it is left for later."""


class StoreFull(StoreUnavailable):
    """The queue of waiting appends is full: come back later."""


@dataclass(frozen=True, slots=True)
class Append:
    """Events that one caller wants committed; ``done`` belongs to ``loop``."""

    conversation_id: str
    expected_seq: int
    events: Sequence[Event]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


Outcome = tuple[Append, Exception | None]


class GroupCommitWriter:
    """The writer thread; ``write`` is called on it only.

    Args:
        db: the one writing connection.
        write: how one append becomes rows.
        capacity: appends that may wait; one more raises StoreFull.
        max_batch: most appends of one transaction.
    """

    def __init__(self, db: Database, write: Write, capacity: int = 4096, max_batch: int = 256) -> None:
        self._db = db
        self._write = write
        self._queue: queue.Queue[Append | None] = queue.Queue(capacity)
        self._max_batch = max_batch
        self._closed = False
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="event-log-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Appends not yet taken by the writer."""
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        """Whether appends are still taken."""
        return not self._closed and self._thread.is_alive()

    def submit(self, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> asyncio.Future[None]:
        """Queue one append; the future ends after its commit.

        Raises:
            StoreFull: too many appends are waiting.
            StoreUnavailable: the writer was closed.
        """
        loop = asyncio.get_running_loop()
        append = Append(conversation_id, expected_seq, events, loop, loop.create_future())
        with self._guard:
            if self._closed:
                raise StoreUnavailable("the event log is closed")
            try:
                self._queue.put_nowait(append)
            except queue.Full:
                raise StoreFull(f"{self._queue.maxsize} turns are waiting for the disk: retry in a second") from None
        return append.done

    def close(self) -> None:
        """Commit what waits, then end the thread; idempotent."""
        with self._guard:
            already, self._closed = self._closed, True
        if not already:
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, ended = self._drain(first)
            self.settle(batch)
            if ended:
                return

    def _drain(self, first: Append) -> tuple[list[Append], bool]:
        batch = [first]
        while len(batch) < self._max_batch:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def settle(self, batch: Sequence[Append]) -> None:
        """Commit a batch, then answer its callers: nobody hears of success before the disk does."""
        answer(self.commit(batch))

    def commit(self, batch: Sequence[Append]) -> list[Outcome]:
        """One transaction; returns each append with what went wrong, or None."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            outcomes: list[Outcome] = [(append, self._one(append)) for append in batch]
            self._db.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            failure = StoreUnavailable(f"the event log can't be written: {error}")
            return [(append, failure) for append in batch]
        if any(append.expected_seq == ERASE for append in batch):
            self._empty_log()
        return outcomes

    def _one(self, append: Append) -> Exception | None:
        self._db.execute("SAVEPOINT one_append")
        try:
            self._write(self._db, append.conversation_id, append.expected_seq, append.events)
        except Exception as error:
            if not self._db.conn.in_transaction:
                raise  # the disk is full or failing: SQLite has undone the whole batch
            self._db.execute("ROLLBACK TO one_append")
            self._db.execute("RELEASE one_append")
            return StoreUnavailable(f"the event log can't be written: {error}") if _is_fault(error) else error
        self._db.execute("RELEASE one_append")
        return None

    def _empty_log(self) -> None:
        """What was erased is in the write-ahead log too, unless a reader at work keeps it there for a while."""
        try:
            self._db.execute(f"PRAGMA busy_timeout = {CHECKPOINT_MS}")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        except sqlite3.Error:
            return  # erased it is, and durably: the next checkpoint empties the log

    def _roll_back(self) -> None:
        try:
            if self._db.conn.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            return  # the connection is beyond repair; every later batch reports it


def _is_fault(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error)


def answer(outcomes: Sequence[Outcome]) -> None:
    """End the futures of appends on their own event loops."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, answers)
        except RuntimeError:
            continue  # that loop has ended; its callers are gone with it


def _resolve(outcomes: Sequence[Outcome]) -> None:
    for append, error in outcomes:
        if append.done.cancelled():
            continue
        if error is None:
            append.done.set_result(None)
        else:
            append.done.set_exception(error)
