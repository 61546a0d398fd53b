"""``python -m tests.promises.serve_for_tests --db FILE|URL``: the real server with the small engine, one process.

``--trap`` breaks one mechanism on purpose; the promise's test must then fail.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.api_auth import api_auth
from bot.channels.access import Access
from bot.channels.push import PushChannel
from bot.channels.turns import Turns
from bot.channels.views import BeliefViews
from bot.conversations import Conversations
from bot.limits import ServerSettings
from bot.locks import ConversationLocks
from bot.server import create_app, serve
from memory.dialogue import UserMessage
from memory.events import Event
from memory.store import EventStore, SqliteStore, StoredTurn
from memory.store_opening import is_database_url
from memory.store_writer import Append, GroupCommitWriter, Outcome, answer
from tests.promises.engine_for_tests import ACTIONS, EngineForTests, parse


class NoLocks(ConversationLocks):
    """Trap: everybody may enter."""

    @asynccontextmanager
    async def hold(self, conversation_id: str) -> AsyncIterator[None]:
        yield


class SlowDisk(GroupCommitWriter):
    """Not a trap: a disk on which every commit takes some milliseconds longer."""

    def commit(self, batch: Sequence[Append]) -> list[Outcome]:
        time.sleep(0.02)
        return super().commit(batch)


class AckBeforeCommit(SlowDisk):
    """Trap: callers hear of success before the disk does."""

    def settle(self, batch: Sequence[Append]) -> None:
        answer([(append, None) for append in batch])
        self.commit(batch)


class CommitLater(SlowDisk):
    """Trap: callers hear of success at once, the disk gets everything after a while."""

    held: list[Append] = []

    def settle(self, batch: Sequence[Append]) -> None:
        answer([(append, None) for append in batch])
        self.held.extend(batch)
        if len(self.held) >= 50:
            self.commit(self.held)
            self.held.clear()


class ForgetfulConversations(Conversations):
    """Trap: message ids are not looked up (the unique index is dropped too)."""

    def _stored(self, message: UserMessage) -> StoredTurn | None:
        return None


TRAPS = ("no-locks", "no-dedupe", "ack-before-commit", "commit-later", "synchronous-off")


def file(path: Path, trap: str | None, slow: bool) -> SqliteStore:
    """The event log in a file, broken as ``trap`` says."""
    honest = SlowDisk if slow else GroupCommitWriter
    writer = {"ack-before-commit": AckBeforeCommit, "commit-later": CommitLater}.get(trap or "", honest)
    store = SqliteStore(path, writer=writer, synchronous="OFF" if trap == "synchronous-off" else "FULL")
    if trap == "no-dedupe":
        with sqlite3.connect(path) as db:
            db.execute("DROP INDEX one_turn_per_message")
    return store


def database(url: str, trap: str | None) -> EventStore:
    """The event log in a database, broken as ``trap`` says."""
    import psycopg

    from memory.store_postgres import PostgresStore

    class EarlyPostgresStore(PostgresStore):
        """Trap: callers hear of success before the database does."""

        async def append(self, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
            self.behind = asyncio.ensure_future(self._later(conversation_id, expected_seq, events))

        async def _later(self, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
            await asyncio.sleep(0.02)
            await super().append(conversation_id, expected_seq, events)

    store = EarlyPostgresStore(url) if trap == "ack-before-commit" else PostgresStore(url)
    if trap == "no-dedupe":
        with psycopg.connect(url) as connection:
            connection.execute("DROP INDEX rejoinder.one_turn_per_message")
    return store


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--sleep-ms", type=float, default=0)
    parser.add_argument("--turn-seconds", type=float, default=5)
    parser.add_argument("--max-in-flight", type=int, default=4096)
    parser.add_argument("--request-seconds", type=float, default=10)
    parser.add_argument("--inspect-token")
    parser.add_argument("--origin", action="append", default=[])
    parser.add_argument("--access-log", action="store_true")
    parser.add_argument("--auth-token")
    parser.add_argument("--jwt-secret")
    parser.add_argument("--jwt-method")
    parser.add_argument("--socketio", type=json.loads, help="Rasa's settings of the channel")
    parser.add_argument("--slow-disk", action="store_true")
    parser.add_argument("--trap", choices=TRAPS)
    args = parser.parse_args()
    store = database(args.db, args.trap) if is_database_url(args.db) else file(Path(args.db), args.trap, args.slow_disk)
    kind = ForgetfulConversations if args.trap == "no-dedupe" else Conversations
    locks = NoLocks() if args.trap == "no-locks" else ConversationLocks()
    engine = EngineForTests(args.sleep_ms)
    conversations = kind(engine, store, turn_seconds=args.turn_seconds, locks=locks)
    settings = ServerSettings(
        host=args.host,
        port=args.port,
        allowed_origins=tuple(args.origin),
        inspect_token=args.inspect_token,
        max_in_flight=args.max_in_flight,
        request_seconds=args.request_seconds,
        send_seconds=2.0,
        secret_file=None if is_database_url(args.db) else Path(args.db).with_suffix(".secret"),
        access_log=args.access_log,
    )
    views = BeliefViews(engine.ontology, ACTIONS)
    auth = api_auth(args.auth_token, args.jwt_secret, args.jwt_method)

    def connect(turns: Turns, access: Access) -> Sequence[PushChannel]:
        if args.socketio is None:
            return ()
        from bot.channels.socketio import SocketIOChannel, socketio_settings

        return (SocketIOChannel(turns, settings, socketio_settings(args.socketio)),)

    app = create_app(
        conversations, settings, parse=parse, views=views, model="test", version="0", auth=auth, connect=connect
    )
    serve(app, settings)


if __name__ == "__main__":
    main()
