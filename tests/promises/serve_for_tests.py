"""``python -m tests.promises.serve_for_tests --db FILE``: the real server with the small engine, one process.

``--trap`` breaks one mechanism on purpose; the promise's test must then fail.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.conversations import Conversations
from bot.limits import ServerSettings
from bot.locks import ConversationLocks
from bot.server import create_app, serve
from memory.dialogue import UserMessage
from memory.store import SqliteStore, StoredTurn
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--sleep-ms", type=float, default=0)
    parser.add_argument("--turn-seconds", type=float, default=5)
    parser.add_argument("--max-in-flight", type=int, default=4096)
    parser.add_argument("--request-seconds", type=float, default=10)
    parser.add_argument("--inspect-token")
    parser.add_argument("--origin", action="append", default=[])
    parser.add_argument("--access-log", action="store_true")
    parser.add_argument("--slow-disk", action="store_true")
    parser.add_argument("--trap", choices=TRAPS)
    args = parser.parse_args()
    honest = SlowDisk if args.slow_disk else GroupCommitWriter
    writer = {"ack-before-commit": AckBeforeCommit, "commit-later": CommitLater}.get(args.trap, honest)
    store = SqliteStore(args.db, writer=writer, synchronous="OFF" if args.trap == "synchronous-off" else "FULL")
    kind = ForgetfulConversations if args.trap == "no-dedupe" else Conversations
    if args.trap == "no-dedupe":
        with sqlite3.connect(args.db) as db:
            db.execute("DROP INDEX one_turn_per_message")
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
        secret_file=args.db.with_suffix(".secret"),
        access_log=args.access_log,
    )
    app = create_app(conversations, settings, parse=parse, model="test", version="0", actions=ACTIONS)
    serve(app, settings)


if __name__ == "__main__":
    main()
