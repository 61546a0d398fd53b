from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.conversation import MOOD_MEMORY
from memory.events import Booked, Event, FeedbackGiven, HandedOff, UserUttered
from memory.store import (
    DuplicateMessage,
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


def test_what_was_appended_is_loaded_in_order(store: SqliteStore) -> None:
    first, second = turn(), turn("no, italian", "m2")
    append(store, "a", 0, first)
    append(store, "b", 0, turn("other"))
    append(store, "a", 3, second)
    assert [repr(e) for e in store.load("a")] == [repr(e) for e in (*first, *second)]
    assert store.load("unknown") == []


@pytest.mark.parametrize("seq", [0, 2, 4, 100])
def test_a_wrong_sequence_number_is_refused_and_nothing_is_kept(store: SqliteStore, seq: int) -> None:
    append(store, "a", 0, turn())
    with pytest.raises(SequenceConflict):
        append(store, "a", seq, turn("late", "m2"))
    assert len(store.load("a")) == 3
    assert store.search("late") == []
    assert store.conversations()[0].turns == 1


def test_a_message_id_is_kept_once_per_conversation(store: SqliteStore) -> None:
    append(store, "a", 0, turn())
    with pytest.raises(DuplicateMessage):
        append(store, "a", 3, turn("again"))
    append(store, "b", 0, turn("another conversation may use the id"))
    assert len(store.load("a")) == 3
    assert len(store.load("b")) == 3


def test_find_turn_returns_exactly_the_events_of_one_turn(store: SqliteStore) -> None:
    append(store, "a", 0, turn("one", "m1", "first"))
    append(store, "a", 3, [*turn("two", "m2", "second"), Booked(2.0, "R1", "Bangkok", {"time": "19:00"})])
    append(store, "a", 7, [FeedbackGiven(3.0, "m1", 1)])
    append(store, "a", 8, turn("three", "m3", "third"))
    found = store.find_turn("a", "m2")
    assert found is not None
    assert found.text == "two"
    assert [type(e).__name__ for e in found.events] == ["UserUttered", "Decided", "BotUttered", "Booked"]
    assert [reply.text for reply in found.replies] == ["second"]
    assert store.find_turn("a", "m9") is None
    assert store.find_turn("b", "m1") is None


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


def test_ids_that_utf8_cannot_hold_are_refused_by_name(store: SqliteStore) -> None:
    for conversation, message_id in (("\ud800", "m"), ("a", "\udfff"), ("a\x00b", "m")):
        with pytest.raises(ValueError, match="choose another id"):
            append(store, conversation, 0, turn(message_id=message_id))
    assert store.load("\ud800") == []
    assert store.find_turn("a", "\ud800") is None


def test_search_stems_words_and_marks_them(store: SqliteStore) -> None:
    append(store, "a", 0, turn("hello", "m1", "hello to you"))
    append(store, "a", 3, turn("I was looking for cheap food", "m2", "Prezzo serves it", at=7.0))
    (hit,) = store.search("look foods")
    assert (hit.conversation_id, hit.seq, hit.who, hit.timestamp, hit.turn) == ("a", 3, "user", 7.0, 2)
    assert hit.snippet == "I was [looking] for cheap [food]"
    assert [h.who for h in store.search("prezzo OR hello", limit=9)].count("bot") == 2
    assert store.search("") == []


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


def test_conversations_are_listed_latest_first_with_their_sums(store: SqliteStore) -> None:
    append(store, "old", 0, turn(at=10.0))
    append(store, "new", 0, turn("one", "m1", "first", at=20.0))
    append(store, "new", 3, [*turn("two", "m2", "second", at=30.0), Booked(31.0, "R", "Bangkok", {})])
    append(store, "new", 7, [HandedOff(32.0, "asked")])
    new, old = store.conversations()
    assert (new.id, new.channel, new.started, new.last_time, new.last_text) == ("new", "rest", 20.0, 32.0, "second")
    assert (new.turns, new.bookings, new.handed_off, old.handed_off) == (2, 1, True, False)
    once = (1 - MOOD_MEMORY) * 0.5
    assert new.mood == pytest.approx(MOOD_MEMORY * once + once)
    assert [c.id for c in store.conversations(limit=1)] == ["new"]
    assert [c.id for c in store.conversations(before=32.0)] == ["old"]


def test_the_mood_of_the_list_is_the_mood_of_the_fold(store: SqliteStore) -> None:
    mood = 0.0
    for k in range(5):
        events = turn(message_id=f"m{k}")
        assert isinstance(events[0], UserUttered)
        mood = MOOD_MEMORY * mood + (1 - MOOD_MEMORY) * events[0].nlu.sentiment
        append(store, "a", 3 * k, events)
    assert store.conversations()[0].mood == pytest.approx(mood)


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


def test_one_bad_append_does_not_touch_its_neighbours_in_the_batch(store: SqliteStore) -> None:
    async def run() -> list[BaseException | None]:
        appends = [store.append("same", 0, turn(message_id=f"m{i}")) for i in range(20)]
        others = [store.append(f"c{i}", 0, turn()) for i in range(20)]
        return await asyncio.gather(*appends, *others, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert [o for o in outcomes if o is None] == [None] * 21
    assert all(isinstance(o, SequenceConflict) for o in outcomes if o is not None)
    assert len(store.load("same")) == 3


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


def test_reads_work_from_many_threads_at_once(store: SqliteStore) -> None:
    append(store, "a", 0, turn())
    sizes: list[int] = []
    threads = [threading.Thread(target=lambda: sizes.append(len(store.load("a")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [3] * 8


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


def test_an_append_whose_caller_left_is_still_whole(store: SqliteStore) -> None:
    async def run() -> None:
        task = asyncio.ensure_future(store.append("a", 0, turn()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    append(store, "b", 0, turn())
    assert len(store.load("a")) in (0, 3)
