"""From the inbox to delivered replies: a conversation's events one after the other, each until Slack has its reply.

The turn is exactly once (the message id is the event log's), the reply at least once: each call is noted in the inbox
after Slack took it, so only a crash, or an answer lost on the way, between the two makes Slack show a reply twice.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable

from bot.channels.slack_blocks import Call, posts
from bot.channels.slack_calls import Later, SlackCalls
from bot.channels.slack_events import Received
from bot.channels.slack_inbox import Inbox
from bot.channels.slack_settings import SlackSettings
from bot.conversations import Conversations, MessageConflict, TurnFailed, UnknownMessage
from memory.dialogue import BotResponse, UserMessage
from memory.store import StoreUnavailable

log = logging.getLogger("rejoinder.slack")

WORKERS = 8
"""Turns and calls at once; few, so that acknowledgements come first."""
TURN_ATTEMPTS = 5
"""A turn that the engine fails so often is answered with an apology. A failing disk is waited for instead."""
GIVE_UP_SECONDS = 86_400.0
"""A reply that Slack did not take for so long is no use any more."""
LONGEST_WAIT = 60.0

APOLOGY = BotResponse("Sorry, something went wrong here and I can't answer this. Please say it in other words.")


class SlackDelivery:
    """Works on the inbox's rows.

    Args:
        inbox: what waits.
        conversations: where turns happen.
        calls: how Slack is told.
        settings: limits.
        clock: seconds since the epoch, for the age of an event.
    """

    def __init__(
        self,
        inbox: Inbox,
        conversations: Conversations,
        calls: SlackCalls,
        settings: SlackSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inbox = inbox
        self._conversations = conversations
        self._calls = calls
        self._settings = settings
        self._clock = clock
        self._rows: dict[str, deque[int]] = {}
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._failures: dict[int, int] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.count = 0

    def start(self) -> None:
        """Take up what an earlier run left, then what comes."""
        for row, conversation in self._inbox.waiting():
            self.add(row, conversation)
        self._workers = [asyncio.create_task(self._work(), name=f"slack-{i}") for i in range(WORKERS)]

    def add(self, row: int, conversation: str) -> None:
        """One more row of a conversation."""
        self.count += 1
        if conversation in self._rows:
            self._rows[conversation].append(row)
        else:
            self._rows[conversation] = deque((row,))
            self._ready.put_nowait(conversation)

    async def stop(self, seconds: float = 5.0) -> None:
        """Finish the steps in hand, at most ``seconds``; the rest stays in the inbox."""
        self._stopping = True
        for _ in self._workers:
            self._ready.put_nowait("")
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=seconds)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while not self._stopping:
            conversation = await self._ready.get()
            if conversation not in self._rows or self._stopping:
                continue
            rows = self._rows[conversation]
            wait = await self._step(rows[0])
            if wait is not None:
                asyncio.get_running_loop().call_later(wait, self._ready.put_nowait, conversation)
                continue
            self._failures.pop(rows.popleft(), None)
            self.count -= 1
            if rows:
                self._ready.put_nowait(conversation)
            else:
                del self._rows[conversation]

    async def _step(self, row: int) -> float | None:
        """Work on one row; None when it is done, else after how many seconds to go on."""
        try:
            waiting = self._inbox.event(row)
            if waiting is None:
                return None
            event, delivered, since = waiting
            if self._clock() - since > GIVE_UP_SECONDS:
                self._conversations.metrics.error("SlackUndelivered")
                log.error("a reply waited for a day and is given up, conversation %s", event.conversation_id)
            else:
                calls = await self._answer(event, self._failures.get(row, 0) + 1 >= TURN_ATTEMPTS)
                await self._deliver(row, calls, delivered)
            await self._inbox.finish(row)
        except Later as later:
            return self._again(row, str(later)) if later.seconds is None else later.seconds
        except (StoreUnavailable, TurnFailed) as error:
            return self._again(row, str(error))
        except Exception:
            log.exception("an event from Slack could not be worked on; it will be tried again")
            return self._again(row, "a defect")
        return None

    def _again(self, row: int, reason: str) -> float:
        failures = self._failures[row] = self._failures.get(row, 0) + 1
        wait = min(LONGEST_WAIT, 0.5 * 2.0 ** min(failures - 1, 10)) * random.uniform(0.8, 1.2)
        self._conversations.metrics.error("SlackRetry")
        log.warning("event %d waits %.1f s: %s", row, wait, reason)
        return wait

    async def _deliver(self, row: int, calls: list[Call], delivered: int) -> None:
        for i, call in enumerate(calls):
            if i < delivered:
                continue
            await self._calls.make(call)
            if i + 1 < len(calls):
                await self._inbox.deliver(row, i + 1)

    async def _answer(self, event: Received, last_attempt: bool) -> list[Call]:
        """Have the turn happen, or the thumb kept; the calls that tell Slack, the same ones whenever asked again."""
        if event.thumb:
            await self._thumb(event)
            return []
        if event.follow_up and not self._conversations.store.load(event.conversation_id):
            return []  # people among themselves
        limit = self._settings.max_message_chars
        if len(event.text) > limit:
            words = f"Your message has {len(event.text)} characters; I read at most {limit}. Please say it shorter."
            return posts([BotResponse(words)], event.channel, event.thread, event.message_id, thumbs=False)
        message = UserMessage(event.conversation_id, event.text, event.message_id, "slack", event.timestamp)
        try:
            replies = await self._conversations.handle(message)
        except MessageConflict:
            return []  # an edited copy of a message that was answered
        except TurnFailed as error:
            if not last_attempt or isinstance(error.__cause__, StoreUnavailable):
                raise
            return posts([APOLOGY], event.channel, event.thread, event.message_id, thumbs=False)
        calls = posts(replies, event.channel, event.thread, event.message_id, thumbs=self._settings.thumbs)
        return calls if event.clicked is None else [Call("chat.update", event.clicked), *calls]

    async def _thumb(self, event: Received) -> None:
        try:
            await self._conversations.feedback(event.conversation_id, event.message_id, event.thumb)
        except UnknownMessage:
            log.info("a thumb for a message that is not stored (any more)")
