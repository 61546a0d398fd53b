from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.events import Event
from memory.store import (
    SequenceConflict,
    SqliteStore,
    StoreFull,
    StoreUnavailable,
    StoreVersionError,
    quote_terms,
)
from memory.store_writer import GroupCommitWriter
from tests.memory.event_factory import joined, turn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "log.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    opened.close()


def append(store: SqliteStore, conversation: str, seq: int, events: list[Event]) -> None:
    async def run() -> None:
        await store.append(conversation, seq, events)

    asyncio.run(run())


@given(text=st.text() | st.text(st.characters(categories=["Cs"]), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_text_is_kept_exactly_lone_surrogates_and_nul_too(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    text = joined(text)
    store = SqliteStore(tmp_path_factory.mktemp("s") / "log.sqlite3", synchronous="OFF")
    try:
        append(store, "a", 0, turn(text, "m1", text))
        found = store.find_turn("a", "m1")
        assert found is not None
        assert found.text == text
        assert found.replies[0].text == text
    finally:
        store.close()


@given(st.text(max_size=30) | st.text(alphabet='"*:^-+()NEARANDOR \x00\ud800', max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_query_is_an_error(searched: SqliteStore, query: str) -> None:
    searched.search(query)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path_factory.mktemp("search") / "log.sqlite3")
    append(opened, "a", 0, turn('what\'s "on" tonight?', "m1"))
    yield opened
    opened.close()


def test_a_query_with_fts_syntax_errors_is_searched_word_by_word(searched: SqliteStore) -> None:
    assert len(searched.search("what's \"on")) == 1
    assert quote_terms('a"b c') == '"a""b" "c"'


def test_many_writers_each_commit_once_and_share_commits(path: Path) -> None:
    batches: list[int] = []

    class Counting(GroupCommitWriter):
        def commit(self, batch):  # type: ignore[no-untyped-def]
            batches.append(len(batch))
            return super().commit(batch)

    store = SqliteStore(path, writer=Counting)

    async def run() -> None:
        await asyncio.gather(*(store.append(f"c{i}", 0, turn()) for i in range(200)))

    asyncio.run(run())
    assert sum(batches) == 200
    assert len(batches) < 100
    assert len(store.conversations(limit=500)) == 200
    store.close()


def test_a_full_queue_refuses_instead_of_growing(path: Path) -> None:
    gate = threading.Event()

    class Stuck(GroupCommitWriter):
        def settle(self, batch):  # type: ignore[no-untyped-def]
            gate.wait(10)
            super().settle(batch)

    store = SqliteStore(path, capacity=4, writer=Stuck)

    async def run() -> None:
        tasks = [asyncio.ensure_future(store.append("first", 0, turn()))]
        await asyncio.sleep(0.1)  # the writer has taken it
        tasks += [asyncio.ensure_future(store.append(f"c{i}", 0, turn())) for i in range(4)]
        await asyncio.sleep(0)
        assert store.waiting == 4
        with pytest.raises(StoreFull):
            await store.append("one too many", 0, turn())
        gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert len(store.conversations()) == 5
    store.close()


def test_a_failing_disk_is_reported_and_left_as_it_was(path: Path) -> None:
    store = SqliteStore(path)
    append(store, "a", 0, turn())
    store._db.execute("PRAGMA max_page_count = 1")  # SQLite's own "disk full"
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full"):
        append(store, "b", 0, turn("x" * 100_000))
    assert store.load("b") == []
    assert store.search("x" * 100) == []
    store._db.execute("PRAGMA max_page_count = 1000000")
    append(store, "b", 0, turn("after the disk was cleared"))
    assert len(store.load("b")) == 3
    assert store.check() is None
    store.close()


def test_closing_leaves_one_clean_file_and_refuses_further_work(path: Path) -> None:
    store = SqliteStore(path)
    append(store, "a", 0, turn())
    assert store.check() is None
    store.load("a")
    store.close()
    store.close()
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]
    assert store.check() is not None
    with pytest.raises(StoreUnavailable):
        append(store, "a", 3, turn(message_id="m2"))
    again = SqliteStore(path)
    assert len(again.load("a")) == 3
    again.close()


def test_two_processes_may_share_a_file_and_never_both_win(path: Path, store: SqliteStore) -> None:
    other = SqliteStore(path)
    append(store, "a", 0, turn())
    with pytest.raises(SequenceConflict):
        append(other, "a", 0, turn(message_id="m2"))
    append(other, "a", 3, turn(message_id="m2"))
    assert len(store.load("a")) == 6
    other.close()


def test_every_commit_is_synced_in_wal_mode(store: SqliteStore) -> None:
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2


@pytest.mark.parametrize(
    "newer",
    [
        "PRAGMA user_version = 999",
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('rejoinder', 'teleport', '2030')",
    ],
)
def test_a_file_of_a_newer_version_is_refused_and_not_touched(path: Path, newer: str) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute(newer)
    with pytest.raises(StoreVersionError, match="written by a newer version"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_refused_with_the_remedy(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database " * 100)
    with pytest.raises(StoreUnavailable, match="move the file away"):
        SqliteStore(path)
    with pytest.raises(StoreUnavailable, match="check the folder"):
        SqliteStore(path / "below a file" / "x.sqlite3")
