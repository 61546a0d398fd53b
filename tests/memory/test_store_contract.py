"""What every event store promises, checked on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.conversation import MOOD_MEMORY
from memory.dialogue import Decision, NLUResult
from memory.events import Booked, BotUttered, Decided, Event, FeedbackGiven, HandedOff, TrackerEvent, UserUttered
from memory.store import DuplicateMessage, EventStore, SequenceConflict, StoreUnavailable
from memory.store_opening import open_store
from memory.store_turns import TurnFilter
from tests.memory.event_factory import joined, turn


@pytest.fixture
def store(address: Path | str) -> Iterator[EventStore]:
    opened = open_store(address)
    yield opened
    opened.close()


def append(store: EventStore, conversation: str, seq: int, events: list[Event]) -> None:
    async def run() -> None:
        await store.append(conversation, seq, events)

    asyncio.run(run())


def test_what_was_appended_is_loaded_in_order(store: EventStore) -> None:
    first, second = turn(), turn("no, italian", "m2")
    append(store, "a", 0, first)
    append(store, "b", 0, turn("other"))
    append(store, "a", 3, second)
    assert [repr(e) for e in store.load("a")] == [repr(e) for e in (*first, *second)]
    assert store.load("unknown") == []


def test_a_wrong_sequence_number_is_refused_and_nothing_is_kept(store: EventStore) -> None:
    append(store, "a", 0, turn())
    for seq in (0, 2, 4, 100):
        with pytest.raises(SequenceConflict):
            append(store, "a", seq, turn("late", "m2"))
    assert len(store.load("a")) == 3
    assert store.search("late") == []
    assert store.conversations()[0].turns == 1


def test_a_message_id_is_kept_once_per_conversation(store: EventStore) -> None:
    append(store, "a", 0, turn())
    with pytest.raises(DuplicateMessage):
        append(store, "a", 3, turn("again"))
    append(store, "b", 0, turn("another conversation may use the id"))
    assert len(store.load("a")) == 3
    assert len(store.load("b")) == 3


def test_find_turn_returns_exactly_the_events_of_one_turn(store: EventStore) -> None:
    append(store, "a", 0, turn("one", "m1", "first"))
    append(store, "a", 3, [*turn("two", "m2", "second"), Booked(2.0, "R1", "Bangkok", {"time": "19:00"})])
    append(store, "a", 7, [FeedbackGiven(3.0, "m1", 1)])
    append(store, "a", 8, turn("three", "m3", "third"))
    assert (store.count("a"), store.count("b")) == (11, 0)
    found = store.find_turn("a", "m2")
    assert found is not None
    assert found.text == "two"
    assert [type(e).__name__ for e in found.events] == ["UserUttered", "Decided", "BotUttered", "Booked"]
    assert [reply.text for reply in found.replies] == ["second"]
    assert store.find_turn("a", "m9") is None
    assert store.find_turn("b", "m1") is None


def test_ids_that_utf8_cannot_hold_are_refused_by_name(store: EventStore) -> None:
    for conversation, message_id in (("\ud800", "m"), ("a", "\udfff"), ("a\x00b", "m")):
        with pytest.raises(ValueError, match="choose another id"):
            append(store, conversation, 0, turn(message_id=message_id))
    assert store.load("\ud800") == []
    assert store.find_turn("a", "\ud800") is None


def test_search_stems_words_and_marks_them(store: EventStore) -> None:
    append(store, "a", 0, turn("hello", "m1", "hello to you"))
    append(store, "a", 3, turn("I was looking for cheap food", "m2", "Prezzo serves it", at=7.0))
    (hit,) = store.search("look foods")
    assert (hit.conversation_id, hit.seq, hit.who, hit.timestamp, hit.turn) == ("a", 3, "user", 7.0, 2)
    assert hit.snippet == "I was [looking] for cheap [food]"
    assert [h.who for h in store.search("prezzo OR hello", limit=9)].count("bot") == 2
    assert store.search("") == []


def test_conversations_are_listed_latest_first_with_their_sums(store: EventStore) -> None:
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


def test_the_mood_of_the_list_is_the_mood_of_the_fold(store: EventStore) -> None:
    mood = 0.0
    for k in range(5):
        events = turn(message_id=f"m{k}")
        assert isinstance(events[0], UserUttered)
        mood = MOOD_MEMORY * mood + (1 - MOOD_MEMORY) * events[0].nlu.sentiment
        append(store, "a", 3 * k, events)
    assert store.conversations()[0].mood == pytest.approx(mood)


def test_one_bad_append_does_not_touch_its_neighbours_in_the_batch(store: EventStore) -> None:
    async def run() -> list[BaseException | None]:
        appends = [store.append("same", 0, turn(message_id=f"m{i}")) for i in range(20)]
        others = [store.append(f"c{i}", 0, turn()) for i in range(20)]
        return await asyncio.gather(*appends, *others, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert [o for o in outcomes if o is None] == [None] * 21
    assert all(isinstance(o, SequenceConflict) for o in outcomes if o is not None)
    assert len(store.load("same")) == 3


def test_reads_work_from_many_threads_at_once(store: EventStore) -> None:
    append(store, "a", 0, turn())
    sizes: list[int] = []
    threads = [threading.Thread(target=lambda: sizes.append(len(store.load("a")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [3] * 8


def test_an_append_whose_caller_left_is_still_whole(store: EventStore) -> None:
    async def run() -> None:
        task = asyncio.ensure_future(store.append("a", 0, turn()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    append(store, "b", 0, turn())
    assert len(store.load("a")) in (0, 3)


def test_text_that_postgresql_cannot_hold_is_kept_exactly(store: EventStore) -> None:
    for k, text in enumerate(("\x00", "\ud800", "naïve 🙂 \u202e", "x" * 300_000)):
        append(store, "a", 3 * k, turn(text, f"m{k}", joined(text)))
        found = store.find_turn("a", f"m{k}")
        assert found is not None
        assert (found.text, found.replies[0].text) == (text, text)


def test_odd_queries_are_no_errors_and_accents_don_t_matter(store: EventStore) -> None:
    append(store, "a", 0, turn('a café, what\'s "on"', "m1"))
    for query in ('"', "a AND", "NEAR(", "*", "\x00", "\ud800", "() :*", "-x", "''"):
        store.search(query)
    assert len(store.search("CAFE")) == len(store.search("what's \"on")) == 1


def said(store: EventStore, **wanted: object) -> list[tuple[str, int]]:
    return [(hit.conversation_id, hit.turn) for hit in store.search("", 50, TurnFilter(**wanted))]  # type: ignore[arg-type]


def test_turns_are_found_by_what_is_known_of_them(store: EventStore) -> None:
    bad = UserUttered(20.0, "what?", "m2", "slack", NLUResult("what?", intents=(("hello", 0.2),), sentiment=-0.4))
    rephrase = Decided(20.0, Decision("ask_rephrase", "social"))
    append(store, "a", 0, [*turn("thai food", "m1", at=10.0), bad, rephrase])
    append(store, "b", 0, turn("thai again", "m1", at=30.0))
    append(store, "b", 3, [FeedbackGiven(31.0, "m1", -1)])
    assert said(store) == []
    assert said(store, since=0.0) == [("b", 1), ("a", 2), ("a", 1)]
    assert said(store, intent="inform") == [("b", 1), ("a", 1)]
    assert said(store, channel="slack") == said(store, failed=True) == said(store, sentiment="negative") == [("a", 2)]
    assert said(store, since=10.0, until=20.0) == [("a", 1)]
    assert said(store, feedback=-1) == [("b", 1)]
    assert [hit.who for hit in store.search("bangkok", 9, TurnFilter(feedback=-1))] == ["bot"]
    assert {hit.conversation_id for hit in store.search("thai", 9, TurnFilter(failed=False))} == {"a", "b"}
    # events that come later belong to the turn before them
    append(store, "b", 4, [TrackerEvent(32.0, "action", {"name": "action_default_fallback"})])
    assert said(store, failed=True) == [("b", 1), ("a", 2)]


def test_a_deleted_conversation_leaves_nothing_and_its_ids_are_free_again(store: EventStore) -> None:
    append(store, "a", 0, [*turn(), FeedbackGiven(2.0, "m1", 1)])
    append(store, "b", 0, turn("another"))
    asyncio.run(store.delete("a"))
    asyncio.run(store.delete("unknown"))
    assert store.load("a") == store.search("thai") == []
    assert said(store, since=0.0) == [("b", 1)]
    assert [c.id for c in store.conversations()] == store.conversation_ids() == ["b"]
    append(store, "a", 0, turn())
    assert len(store.load("a")) == 3
    asyncio.run(store.replace("a", turn("anew", "m9")[:1]))
    assert [event.text for event in store.load("a") if isinstance(event, UserUttered)] == ["anew"]


def test_ids_page_by_code_points(store: EventStore) -> None:
    names = ["B", "a", "b", "ä", "🙂"]
    for name in reversed(names):
        append(store, name, 0, [BotUttered(1.0, ())])
    assert store.conversation_ids(limit=2) == names[:2]
    assert store.conversation_ids("a") == names[2:]


def test_a_second_server_on_the_same_log_never_wins_too(store: EventStore, address: Path | str) -> None:
    other = open_store(address)
    append(store, "a", 0, turn())
    with pytest.raises(SequenceConflict):
        append(other, "a", 0, turn(message_id="m2"))
    with pytest.raises(DuplicateMessage):
        append(other, "a", 3, turn("again"))
    append(other, "a", 3, turn(message_id="m2"))
    assert len(store.load("a")) == 6

    async def race() -> list[BaseException | None]:
        both = [s.append("race", 0, turn(message_id=f"m{i}")) for i in range(10) for s in (store, other)]
        return await asyncio.gather(*both, return_exceptions=True)

    outcomes = asyncio.run(race())
    assert outcomes.count(None) == 1
    assert all(isinstance(o, SequenceConflict | DuplicateMessage) for o in outcomes if o is not None)
    other.close()


def test_a_closed_store_says_so(store: EventStore) -> None:
    append(store, "a", 0, turn())
    assert store.check() is None
    store.close()
    store.close()
    assert store.check() is not None
    with pytest.raises(StoreUnavailable):
        append(store, "a", 3, turn(message_id="m2"))
    with pytest.raises(StoreUnavailable):
        store.load("a")
