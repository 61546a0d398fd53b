"""Logs of older and newer versions, on both stores."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import psycopg
import pytest

from bot.learning.experience import latest_conversations
from memory.events import FeedbackGiven, HandedOff
from memory.store import SqliteStore, StoreUnavailable, StoreVersionError
from memory.store_opening import open_store
from memory.store_postgres import PostgresStore
from memory.store_postgres_schema import Connections
from memory.store_turns import TurnFilter
from tests.memory.event_factory import turn
from tests.postgresql import Postgres


def test_a_log_from_before_the_table_of_turns_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    store = SqliteStore(path)
    asyncio.run(store.append("a", 0, [*turn("thai"), *turn("more", "m2"), FeedbackGiven(3.0, "m1", -1)]))
    asyncio.run(store.append("a", 7, [HandedOff(4.0, "asked")]))
    store.close()
    with sqlite3.connect(path) as db:
        before = db.execute("SELECT * FROM turns ORDER BY seq").fetchall()
        db.execute("DROP TABLE turns")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'create_turns'")
    db.close()
    store = SqliteStore(path)
    assert [hit.seq for hit in store.search("", 9, TurnFilter(failed=True))] == [3]
    assert [hit.seq for hit in store.search("", 9, TurnFilter(feedback=-1))] == [0]
    store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT * FROM turns ORDER BY seq").fetchall() == before
    db.close()


def test_a_database_of_a_newer_version_is_refused_and_another_encoding_too(postgres: Postgres) -> None:
    url = postgres.fresh()
    PostgresStore(url).close()
    with psycopg.connect(url) as db:
        db.execute("UPDATE rejoinder.version SET tables = 99")
    with pytest.raises(StoreVersionError, match=r"newer version \(tables 99, .*upgrade"):
        PostgresStore(url)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreUnavailable, match="encoding is LATIN1: make one with"):
        PostgresStore(postgres.address("latin"))


def test_several_servers_may_make_the_tables_at_once(postgres: Postgres) -> None:
    url = postgres.fresh()

    async def together() -> list[PostgresStore]:
        return await asyncio.gather(*(asyncio.to_thread(PostgresStore, url) for _ in range(6)))

    stores = asyncio.run(together())
    assert all(store.check() is None for store in stores)
    for store in stores:
        store.close()


def test_a_database_that_is_silent_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def silent(*_: object, **__: object) -> None:
        tried.append(now[0])
        now[0] += 2.0
        raise psycopg.OperationalError("connection timeout expired")

    now = [100.0]
    monkeypatch.setattr("memory.store_postgres_schema.time.monotonic", lambda: now[0])
    monkeypatch.setattr(psycopg, "connect", silent)
    connections = Connections("postgresql://bot@10.0.0.1/bot")
    for wait in (0.0, 0.5, 1.0, 1.0):
        now[0] += wait
        with pytest.raises(StoreUnavailable, match="no connection"), connections.take():
            pass
    assert tried == [100.0, 104.5]


def test_learning_reads_the_latest_conversations_of_either_store(address: Path | str) -> None:
    store = open_store(address)
    for k, name in enumerate(("old", "new", "newest")):
        asyncio.run(store.append(name, 0, turn(at=float(k))))
    assert [name for name, _ in latest_conversations(address, 2)] == ["newest", "new"]
    assert len(dict(latest_conversations(address, 9))["old"]) == 3
    store.close()
