"""The turn itself: cache, order, failure and recovery, with a real engine and a real log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.conversations import Conversations, MessageConflict, TurnFailed, UnknownConversation, UnknownMessage
from bot.limits import ServerSettings, SettingsError
from bot.locks import ConversationLocks
from memory.conversation import Conversation, Turn
from memory.dialogue import UserMessage
from memory.events import Event, FeedbackGiven, UserUttered
from memory.store import DuplicateMessage, SqliteStore, StoreUnavailable
from tests.promises.engine_for_tests import EngineForTests


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "log.sqlite3")
    yield opened
    opened.close()


class Overtaken(SqliteStore):
    """Another server writes while a state is being read, ``times`` times."""

    def __init__(self, path: Path, times: int) -> None:
        super().__init__(path)
        self.times = times

    async def append(self, conversation_id: str, expected_seq: int, events: Sequence[Event]) -> None:
        if self.times:
            self.times -= 1
            await super().append(conversation_id, expected_seq, [FeedbackGiven(1.0, "m", 1)])
        await super().append(conversation_id, expected_seq, events)


@pytest.mark.parametrize("times", [1, 2])
def test_events_that_another_server_overtook_are_told_once_more(tmp_path: Path, times: int) -> None:
    store, engine = Overtaken(tmp_path / "shared.sqlite3", times), EngineForTests()
    conversations, asked = Conversations(engine, store), []

    async def step(state: Any) -> Turn:
        asked.append(state.seq)
        return Turn((FeedbackGiven(2.0, "m", -1),), engine.fold("a", [*store.load("a"), FeedbackGiven(2.0, "m", -1)]))

    async def steps() -> None:
        if times == 1:
            assert (await conversations.advance("a", step)).state.seq == 2
        else:
            with pytest.raises(TurnFailed):
                await conversations.advance("a", step)

    run(steps)
    store.close()
    assert asked == [0, 1]


def test_a_turn_never_runs_on_a_state_that_another_server_has_gone_on_from(store: SqliteStore) -> None:
    class Counted(EngineForTests):
        seen: list[int] = []

        async def respond(self, state: Any, message: UserMessage) -> Any:
            self.seen.append(state.seq)
            return await super().respond(state, message)

    one, other = Conversations(Counted(), store), Conversations(Counted(), store)

    async def steps() -> None:
        for number in range(4):
            assert (await say((one, other)[number % 2], "a", "hello")).startswith(f"turn {number + 1}: ")
            assert one.state("a").seq == other.state("a").seq == store.count("a")

    run(steps)
    assert Counted.seen == [0, 3, 6, 9], "each turn once, on what was stored"


def message(conversation: str, text: str, message_id: str | None = None, **metadata: Any) -> UserMessage:
    return UserMessage(conversation, text, message_id, "rest", 1.0, metadata)


async def say(conversations: Conversations, conversation: str, text: str, message_id: str | None = None) -> str:
    return (await conversations.handle(message(conversation, text, message_id)))[0].text


def run(steps: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await steps()

    asyncio.run(main())


def test_a_state_pushed_out_of_memory_is_folded_back_to_the_same_belief(store: SqliteStore) -> None:
    small, large = Conversations(EngineForTests(), store, capacity=1), Conversations(EngineForTests(), store)

    async def steps() -> None:
        for k in range(4):
            for name in ("a", "b", "c"):
                food = ("thai", "italian")[k % 2]
                assert (await say(small, name, f'/inform{{"food": "{food}"}}')).startswith(f"turn {k + 1}: ")

    run(steps)
    again, seen = large.state("a"), small.state("c")
    assert again.seq == seen.seq == 12
    assert np.array_equal(again.belief.goals, seen.belief.goals)
    assert small.metrics.page().count(b"rejoinder_states_cached 1.0") == 1


def test_feedback_counts_as_an_event_and_the_conversation_goes_on(store: SqliteStore) -> None:
    conversations = Conversations(EngineForTests(), store, clock=lambda: 5.0)

    async def steps() -> None:
        await say(conversations, "a", "hello", "m1")
        await conversations.feedback("a", "m1", 1)
        await conversations.feedback("a", "m1", 1)
        assert len(store.load("a")) == 4
        assert await say(conversations, "a", "more") == "turn 2: more"
        with pytest.raises(UnknownMessage):
            await conversations.feedback("a", "m2", 1)
        with pytest.raises(ValueError, match="1 or -1"):
            await conversations.feedback("a", "m1", 0)

    run(steps)
    assert [turn.feedback for turn in conversations.history("a")] == [1, 0]


def test_a_deleted_conversation_is_gone_everywhere(store: SqliteStore) -> None:
    told: list[Conversation] = []
    conversations = Conversations(EngineForTests(), store, forget=told.append)

    async def steps() -> None:
        await say(conversations, "a", "a pineapple, a quixotry", "m1")
        await say(conversations, "b", "another pineapple", "m1")
        await conversations.delete("a")
        with pytest.raises(UnknownConversation):
            await conversations.delete("a")
        assert await say(conversations, "a", "anew", "m1") == "turn 1: anew", "its message ids are free again"

    run(steps)
    assert [state.id for state in told] == ["a"]
    assert {hit.conversation_id for hit in store.search("pineapple")} == {"b"}
    assert {summary.id: summary.turns for summary in store.conversations()} == {"a": 1, "b": 1}
    for _ in ("while the server runs", "after its end"):
        for erased in (b"a pineapple", b"quixotri"):  # the second: a stem that only the index of the search has
            files = store.path.parent.glob(f"{store.path.name}*")
            assert not any(erased in file.read_bytes() for file in files), "overwritten in the files too"
        store.close()


def test_events_that_no_message_caused_are_added_whole_or_not_at_all_and_rewritten(store: SqliteStore) -> None:
    engine = EngineForTests()
    conversations = Conversations(engine, store, turn_seconds=0.2)
    again = FeedbackGiven(1.0, "m1", 1)

    async def add(state: Conversation) -> Turn:
        return Turn.begin(state).then(engine.ontology, again)

    async def fail(state: Conversation) -> Turn:
        raise LookupError("no such action")

    async def hang(state: Conversation) -> Turn:
        await asyncio.Event().wait()
        raise AssertionError

    async def steps() -> None:
        await say(conversations, "a", "one", "m1")
        assert (await conversations.advance("a", add)).state.seq == len(store.load("a")) == 4
        with pytest.raises(LookupError):
            await conversations.advance("a", fail)
        with pytest.raises(TurnFailed):
            await conversations.advance("a", hang)
        assert await say(conversations, "a", "two", "m2") == "turn 2: two"
        first = store.load("a")[:3]
        with pytest.raises(DuplicateMessage):
            await conversations.rewrite("a", [*first, *first])
        assert len(store.load("a")) == 7
        await conversations.rewrite("a", first)
        assert await say(conversations, "a", "three", "m2") == "turn 2: three", "as if the second had never been said"
        store.close()
        for change in (conversations.advance("a", add), conversations.rewrite("a", first)):
            with pytest.raises(TurnFailed):
                await change

    run(steps)


def test_another_process_on_the_same_file_is_noticed_and_followed(store: SqliteStore) -> None:
    here, there = Conversations(EngineForTests(), store), Conversations(EngineForTests(), SqliteStore(store.path))

    async def steps() -> None:
        assert await say(here, "a", "one", "m1") == "turn 1: one"
        assert await say(there, "a", "two", "m2") == "turn 2: two"
        assert await say(here, "a", "three", "m3") == "turn 3: three"
        assert await say(here, "a", "two", "m2") == "turn 2: two"

    run(steps)
    there.close()


def test_a_turn_whose_caller_left_is_whole_or_absent_and_the_next_one_fits(store: SqliteStore) -> None:
    conversations = Conversations(EngineForTests(), store)

    async def steps() -> None:
        for delay in (0.0, 0.001, 0.002, 0.004, 0.008):
            task = asyncio.ensure_future(conversations.handle(message("a", "leaving", sleep_ms=2)))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            text = await say(conversations, "a", "staying")
            turns = [e for e in store.load("a") if isinstance(e, UserUttered)]
            assert text == f"turn {len(turns)}: staying"

    run(steps)


class Unfoldable(EngineForTests):
    """Gives events that memory can't fold."""

    async def respond(self, state: Conversation, message: UserMessage) -> Turn:
        turn = await super().respond(state, message)
        return Turn((*turn.events, None), turn.state) if message.text == "break" else turn  # type: ignore[arg-type]


def test_events_that_cannot_be_kept_fail_the_turn_and_store_nothing(store: SqliteStore) -> None:
    conversations = Conversations(Unfoldable(), store)

    async def steps() -> None:
        assert await say(conversations, "a", "hello") == "turn 1: hello"
        with pytest.raises(TurnFailed):
            await say(conversations, "a", "break")
        assert await say(conversations, "a", "hello") == "turn 2: hello"

    run(steps)


def test_errors_have_their_classes_and_are_counted(store: SqliteStore) -> None:
    conversations = Conversations(EngineForTests(), store)

    async def steps() -> None:
        await say(conversations, "a", "one", "m1")
        with pytest.raises(MessageConflict):
            await say(conversations, "a", "other", "m1")
        with pytest.raises(TurnFailed):
            await say(conversations, "a", "/fail")
        store.close()
        with pytest.raises(TurnFailed) as failed:
            await say(conversations, "a", "two")
        assert isinstance(failed.value.__cause__, StoreUnavailable)

    run(steps)
    page = conversations.metrics.page().decode()
    for kind in ("MessageConflict", "EngineError", "StoreUnavailable"):
        assert f'rejoinder_errors_total{{kind="{kind}"}} 1.0' in page
    assert conversations.check() is not None


def test_unknown_conversations_have_no_state(store: SqliteStore) -> None:
    conversations = Conversations(EngineForTests(), store)
    for ask in (conversations.state, conversations.events):
        with pytest.raises(UnknownConversation):
            ask("nobody")
    assert conversations.history("nobody") == []


def test_locks_are_first_come_first_served_and_leave_nothing_behind() -> None:
    locks, order = ConversationLocks(), []

    async def steps() -> None:
        async def worker(number: int) -> None:
            async with locks.hold("a"):
                order.append(number)
                await asyncio.sleep(0.001 * (5 - number))

        tasks = [asyncio.ensure_future(worker(number)) for number in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(steps)
    assert order == [0, 1, 3, 4]
    assert len(locks) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_in_flight": 0},
        {"request_seconds": -1.0},
        {"allowed_origins": ("example.org",)},
        {"allowed_origins": ("https://example.org/",)},
        {"allowed_origins": ("*",)},
        {"frame_ancestors": ("https://a.example; script-src *",)},
        {"inspect_token": "short"},
    ],
)
def test_settings_that_make_no_sense_are_refused_with_the_remedy(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"give a number|write scheme|use a long"):
        ServerSettings(**wrong)
