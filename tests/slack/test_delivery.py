"""From the inbox to Slack, in one process: failing turns, failing calls, order, and what a restart takes up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.channels import slack_delivery
from bot.channels.slack_blocks import Call
from bot.channels.slack_calls import Later, SlackCalls
from bot.channels.slack_delivery import APOLOGY, SlackDelivery
from bot.channels.slack_events import Received
from bot.channels.slack_inbox import Inbox
from bot.channels.slack_settings import SlackSettings
from bot.conversations import Conversations
from memory.store import SqliteStore, StoreUnavailable
from tests.promises.engine_for_tests import EngineForTests


class RecordedCalls(SlackCalls):
    """Keeps what would be sent; ``fail`` may raise before."""

    def __init__(self, fail: Callable[[Call], None] = lambda call: None) -> None:
        super().__init__(AsyncWebClient(), 0)
        self.sent: list[tuple[str, str]] = []
        self._fail = fail

    async def make(self, call: Call) -> None:
        self._fail(call)
        self.sent.append((call.channel, call.arguments["text"]))


class House:
    """Inbox, event log and delivery in one folder."""

    def __init__(self, folder: Path, calls: SlackCalls, clock: Callable[[], float] = lambda: 1e9) -> None:
        settings = SlackSettings("events", folder / "inbox.sqlite3", "xoxb-not-a-real-token")
        self.inbox = Inbox(settings.inbox, clock=lambda: 1e9)
        self.conversations = Conversations(EngineForTests(), SqliteStore(folder / "log.sqlite3"))
        self.delivery = SlackDelivery(self.inbox, self.conversations, calls, settings, clock)

    async def take(self, *said: tuple[str, str]) -> None:
        """Keep (channel, text) messages in the inbox."""
        for i, (channel, text) in enumerate(said):
            conversation = f"slack:T1:{channel}:U1"
            event = Received(f"T1:{channel}{i}", conversation, f"{i}.0", channel, None, text, float(i))
            await self.inbox.receive(event)

    async def run(self) -> None:
        """Work until nothing waits."""
        self.delivery.start()
        async with asyncio.timeout(60):
            while self.delivery.count:
                await asyncio.sleep(0.005)
        await self.close()

    async def close(self) -> None:
        await self.delivery.stop()
        self.inbox.close()
        self.conversations.close()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_delivery, "LONGEST_WAIT", 0.01)


def test_a_turn_that_fails_for_good_gets_an_apology_and_holds_up_nobody_else(tmp_path: Path) -> None:
    calls = RecordedCalls()

    async def run() -> None:
        house = House(tmp_path, calls)
        await house.take(("D1", "/fail"), ("D1", "after"), ("D2", "beside"))
        await house.run()

    asyncio.run(run())
    assert [text for channel, text in calls.sent if channel == "D1"] == [APOLOGY.text, "turn 1: after"]
    assert [text for channel, text in calls.sent if channel == "D2"] == ["turn 1: beside"]


def test_calls_that_fail_are_made_again_in_order(tmp_path: Path) -> None:
    left = {"turn 1: a": 7, "turn 2: b": 3}

    def fail(call: Call) -> None:
        text = call.arguments["text"]
        if left.get(text, 0):
            left[text] -= 1
            raise Later("busy", 0.001 if left[text] % 2 else None)

    calls = RecordedCalls(fail)

    async def run() -> None:
        house = House(tmp_path, calls)
        await house.take(("D1", "a"), ("D1", "b"), ("D1", "c"))
        await house.run()

    asyncio.run(run())
    assert [text for _, text in calls.sent] == ["turn 1: a", "turn 2: b", "turn 3: c"]


def test_a_restart_goes_on_after_the_last_message_that_was_noted(tmp_path: Path) -> None:
    """A reply of two messages whose second one never gets through before the process ends."""
    long = '/echo {"text": "word ", "times": 28000}'

    async def run(calls: RecordedCalls, last: bool) -> None:
        house = House(tmp_path, calls)
        if not last:
            await house.take(("D1", long))
            house.delivery.start()
            async with asyncio.timeout(60):
                while not calls.sent:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)
            await house.close()
        else:
            await house.run()

    def only_one(call: Call) -> None:
        if first.sent:
            raise Later("Slack is away")

    first, second = RecordedCalls(only_one), RecordedCalls()
    asyncio.run(run(first, last=False))
    asyncio.run(run(second, last=True))
    assert (len(first.sent), len(second.sent)) == (1, 1)


def test_a_reply_that_nobody_took_for_a_day_is_given_up(tmp_path: Path) -> None:
    calls = RecordedCalls()

    async def run() -> None:
        house = House(tmp_path, calls, clock=lambda: 1e9 + 90_000)
        await house.take(("D1", "old news"))
        await house.run()

    asyncio.run(run())
    assert calls.sent == []


def test_one_channel_gets_one_post_a_gap_and_retry_after_closes_all() -> None:
    now = [100.0]
    calls = SlackCalls(AsyncWebClient(), 2.0, monotonic=lambda: now[0])
    calls._wait_for_turn("C1")
    calls._wait_for_turn("C2")
    with pytest.raises(Later) as early:
        calls._wait_for_turn("C1")
    assert early.value.seconds == pytest.approx(0.5)
    now[0] += 0.5
    calls._wait_for_turn("C1")
    calls._closed_until = 110.0
    with pytest.raises(Later) as closed:
        calls._wait_for_turn("C3")
    assert closed.value.seconds == pytest.approx(9.5)


def test_what_was_said_is_gone_from_the_inbox_and_failing_writes_leave_nothing(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite3")

    async def steps() -> None:
        row = await inbox.receive(Received("k", "slack:T:D:U", "1.0", "D", None, "a pineapple", 1.0))
        await inbox.finish(row)
        await inbox.forget_old()
        assert not any(b"a pineapple" in file.read_bytes() for file in tmp_path.iterdir())
        inbox._db.close()
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await inbox.finish(row)
        assert not inbox._operations

    asyncio.run(steps())
    inbox.close()
