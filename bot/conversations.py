"""From a message to durable replies: order, exactly once, and the cache of folded states.

A turn is: wait for the conversation's lock, look the message id up, fold the state, ask the engine, commit, reply.
Nothing is said before it is stored, and nothing is stored of a turn that failed. The errors:

    TurnError                   the message was not answered
      MessageConflict           its id belongs to another text (409)
      TurnFailed                the engine or the store failed; nothing was stored, retrying is safe (503)
    UnknownConversation         nothing is stored under this id (404)
    UnknownMessage              no such message in this conversation (404)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bot.auth import new_message_id
from bot.locks import ConversationLocks
from bot.metrics import Metrics
from memory.dialogue import BotResponse, UserMessage
from memory.events import BotUttered, Decided, Event, FeedbackGiven, TrackerEvent, UserUttered
from memory.store import DuplicateMessage, EventStore, SequenceConflict, StoredTurn, StoreUnavailable

log = logging.getLogger("rejoinder.turns")


class State(Protocol):
    """A conversation after ``seq`` events, as its engine folds them; immutable."""

    @property
    def id(self) -> str:
        """The conversation's."""

    @property
    def seq(self) -> int:
        """How many events it has."""


class EngineTurn(Protocol):
    """Events that happen together, and the state after them (one of the engine's own kind)."""

    @property
    def events(self) -> tuple[Event, ...]:
        """In the order in which they are stored."""

    @property
    def state(self) -> Any:
        """After the last of them."""


class Engine(Protocol):
    """What decides the events of one turn, and what they add up to; ``Any`` is the engine's own kind of state."""

    def fold(self, conversation_id: str, events: Sequence[Event]) -> Any:
        """The state after all events, from the beginning."""

    async def respond(self, state: Any, message: UserMessage) -> EngineTurn:
        """UserUttered, what was decided, BotUttered, ... and the state after them; stores nothing."""


Step = Callable[[Any], Awaitable[EngineTurn]]
"""From a conversation's state to events to be added, and the state after them."""


class TurnError(Exception):
    """A message that was not answered."""


class MessageConflict(TurnError):
    """The message id was used before for another text."""


class TurnFailed(TurnError):
    """The engine or the store failed; nothing was stored and the same message may be sent again."""

    retry_after = 1


class UnknownConversation(LookupError):
    """Nothing is stored under this conversation id."""


class UnknownMessage(LookupError):
    """The conversation has no user message with this id."""


@dataclass(frozen=True, slots=True)
class HistoryTurn:
    """One turn as a chat shows it; ``feedback`` is 1, -1 or 0 for none, ``seq`` the user event's number."""

    seq: int
    message_id: str
    text: str
    timestamp: float
    replies: tuple[BotResponse, ...]
    feedback: int = 0


class Conversations:
    """All conversations of one server.

    Args:
        engine: decides.
        store: remembers.
        capacity: folded states kept in memory, the most recently used ones.
        turn_seconds: the longest the engine may take.
        metrics: where turns are counted.
        locks: the order (tests replace it to prove that they would notice).
        clock: seconds since the epoch, for feedback's timestamps.
        forget: told the last state of a conversation that was deleted, to drop what was derived from it.
    """

    def __init__(
        self,
        engine: Engine,
        store: EventStore,
        capacity: int = 2_000,
        *,
        turn_seconds: float = 5.0,
        metrics: Metrics | None = None,
        locks: ConversationLocks | None = None,
        clock: Callable[[], float] = time.time,
        forget: Callable[[Any], None] | None = None,
    ) -> None:
        self.engine = engine
        self.store = store
        self.metrics = Metrics() if metrics is None else metrics
        self._capacity = capacity
        self._turn_seconds = turn_seconds
        self._locks = ConversationLocks() if locks is None else locks  # an empty one is falsy
        self._states: OrderedDict[str, State] = OrderedDict()
        self._clock = clock
        self._forget = forget
        self.metrics.watch("rejoinder_store_queue", "Turns waiting for the disk.", lambda: store.waiting)
        self.metrics.watch("rejoinder_states_cached", "Folded states in memory.", lambda: len(self._states))

    async def handle(self, message: UserMessage) -> list[BotResponse]:
        """Answer one message; the replies are durable when this returns.

        Raises:
            MessageConflict: the message id belongs to another text.
            TurnFailed: nothing was stored; the same message may be sent again.
        """
        repeatable = message.message_id is not None
        if not repeatable:
            message = replace(message, message_id=new_message_id())
        async with self._locks.hold(message.conversation_id):
            try:
                stored = self._stored(message) if repeatable else None
                return await self._turn(message) if stored is None else stored
            except TurnError as error:
                self.metrics.error(type(error).__name__)
                raise
            except StoreUnavailable as error:
                self.metrics.error(type(error).__name__)
                log.error("turn not stored: %s", error)
                raise TurnFailed("the event log can't be written now") from error
            except Exception as error:
                self.metrics.error("EngineError")
                log.exception("turn failed in conversation %s", message.conversation_id)
                raise TurnFailed("this message could not be answered now") from error

    def _stored(self, message: UserMessage) -> list[BotResponse] | None:
        """What this message was answered before, or None."""
        assert message.message_id is not None
        stored = self.store.find_turn(message.conversation_id, message.message_id)
        if stored is None:
            return None
        if stored.text != message.text:
            raise MessageConflict(f"message_id {message.message_id!r} was used before for another text")
        self.metrics.duplicate()
        return turn_replies(self.store.load(message.conversation_id), message.message_id)

    async def _turn(self, message: UserMessage) -> list[BotResponse]:
        """One turn; when another process wrote in between, its outcome is taken over or the turn runs anew."""
        for attempt in (1, 2):
            try:
                return await self._attempt(message)
            except DuplicateMessage:
                stored = self._stored(message)
                if stored is not None:
                    return stored
            except SequenceConflict:
                if attempt == 2:
                    raise
        raise TurnFailed("another server answers in this conversation")

    async def _attempt(self, message: UserMessage) -> list[BotResponse]:
        key, started = message.conversation_id, time.perf_counter()
        state = self._take(key)
        async with asyncio.timeout(self._turn_seconds):
            turn = await self.engine.respond(state, message)
        answered = time.perf_counter()
        await self.store.append(key, state.seq, turn.events)
        stored = time.perf_counter()
        self._keep(turn.state)
        decided = next((event for event in turn.events if isinstance(event, Decided)), None)
        timings = decided.timings_ms if decided else {}
        self.metrics.turn(message.channel, stored - started, stored - answered, timings)
        policy = decided.decision.policy if decided else first_policy(turn.events)
        if policy is not None:
            self.metrics.decision(policy)
        return StoredTurn(message.text, turn.events).replies

    async def advance(self, conversation_id: str, step: Step) -> EngineTurn:
        """Add the events of ``step``, which no message caused; they are durable when this returns.

        When another server wrote in between, ``step`` is asked once more.

        Raises:
            DuplicateMessage: a user message among them has an id that is stored already.
            TurnFailed: the store failed, or another server wrote in between again; nothing was stored.
        """
        async with self._locks.hold(conversation_id):
            try:
                try:
                    return await self._step(conversation_id, step)
                except SequenceConflict:
                    return await self._step(conversation_id, step)
            except (StoreUnavailable, SequenceConflict, TimeoutError) as error:
                self.metrics.error(type(error).__name__)
                raise TurnFailed("the events could not be stored now") from error

    async def _step(self, conversation_id: str, step: Step) -> EngineTurn:
        state = self._take(conversation_id)
        async with asyncio.timeout(self._turn_seconds):
            turn = await step(state)
        if turn.events:
            await self.store.append(conversation_id, state.seq, turn.events)
        self._keep(turn.state)
        return turn

    async def rewrite(self, conversation_id: str, events: Sequence[Event]) -> None:
        """Put ``events`` in the place of everything that is stored of a conversation, in one transaction.

        Raises:
            DuplicateMessage: two user messages among them have the same id.
            TurnFailed: the store can't change it now; everything is as it was.
        """
        async with self._locks.hold(conversation_id):
            self._states.pop(conversation_id, None)
            try:
                await self.store.replace(conversation_id, events)
            except StoreUnavailable as error:
                self.metrics.error(type(error).__name__)
                raise TurnFailed("the conversation could not be rewritten now") from error

    def _take(self, key: str) -> State:
        """The state, out of the cache while in use: whatever goes wrong, a half-told one is never found again.

        One that another server has gone on from is read anew before anything is done: an action that was run on it
        would be run twice.
        """
        cached = self._states.pop(key, None)
        if cached is not None and cached.seq == self.store.count(key):
            return cached
        return self._fold(key, self.store.load(key))

    def _fold(self, key: str, events: Sequence[Event]) -> State:
        state: State = self.engine.fold(key, events)
        return state

    def _keep(self, state: State) -> None:
        self._states[state.id] = state
        self._states.move_to_end(state.id)
        if len(self._states) > self._capacity:
            self._states.popitem(last=False)

    async def feedback(self, conversation_id: str, message_id: str, value: int, comment: str = "") -> None:
        """Keep a thumb for the answer to a message; giving the same again changes nothing.

        Raises:
            ValueError: ``value`` is neither 1 nor -1.
            UnknownMessage: there is no such message.
            TurnFailed: the store can't keep it now.
        """
        if value not in (1, -1):
            raise ValueError(f"value is {value!r}: give 1 or -1")
        async with self._locks.hold(conversation_id):
            events = self.store.load(conversation_id)
            if not any(isinstance(event, UserUttered) and event.message_id == message_id for event in events):
                raise UnknownMessage(f"conversation {conversation_id!r} has no message {message_id!r}")
            given = [e for e in events if isinstance(e, FeedbackGiven) and e.message_id == message_id]
            if given and (given[-1].value, given[-1].comment) == (value, comment):
                return
            event = FeedbackGiven(self._clock(), message_id, value, comment)
            self._states.pop(conversation_id, None)
            try:
                await self.store.append(conversation_id, len(events), [event])
            except (StoreUnavailable, SequenceConflict) as error:
                self.metrics.error(type(error).__name__)
                raise TurnFailed("the feedback could not be stored now") from error
        self.metrics.feedback(value)

    async def delete(self, conversation_id: str) -> None:
        """Erase a conversation: its events, what search and lists show of it, and every cached state.

        Raises:
            UnknownConversation: nothing is stored under this id.
            TurnFailed: the store can't erase it now.
        """
        async with self._locks.hold(conversation_id):
            state = self.state(conversation_id)
            try:
                await self.store.delete(conversation_id)
            except StoreUnavailable as error:
                self.metrics.error(type(error).__name__)
                raise TurnFailed("the conversation could not be deleted now") from error
            self._states.pop(conversation_id, None)
            if self._forget is not None:
                self._forget(state)

    def events(self, conversation_id: str) -> list[Event]:
        """Everything that happened.

        Raises:
            UnknownConversation: nothing is stored under this id.
        """
        events = self.store.load(conversation_id)
        if not events:
            raise UnknownConversation(f"there is no conversation {conversation_id!r}")
        return events

    def state(self, conversation_id: str) -> Any:
        """The folded state, from memory when it is there.

        Raises:
            UnknownConversation: nothing is stored under this id.
        """
        cached = self._states.get(conversation_id)
        if cached is not None and cached.seq == self.store.count(conversation_id):
            return cached
        return self._fold(conversation_id, self.events(conversation_id))

    def history(self, conversation_id: str, after: int = -1) -> list[HistoryTurn]:
        """The turns whose ``seq`` is above ``after``, oldest first; empty for an unknown conversation."""
        turns = history(self.store.load(conversation_id))
        return [turn for turn in turns if turn.seq > after]

    def check(self) -> str | None:
        """None when messages can be answered and kept, else the reason why not."""
        return self.store.check()

    def close(self) -> None:
        """Flush and close the store."""
        self.store.close()


def first_policy(events: Sequence[Event]) -> str | None:
    """Who chose the first action of a turn whose events are Rasa's, or None."""
    for event in events:
        if isinstance(event, TrackerEvent) and event.name == "action" and event.fields.get("policy"):
            return str(event.fields["policy"])
    return None


def turn_replies(events: Sequence[Event], message_id: str) -> list[BotResponse]:
    """What was said in the turn of a message, the greeting of the session that it began included."""
    heard = [(seq, event.message_id) for seq, event in enumerate(events) if isinstance(event, UserUttered)]
    begins = [_turn_begin(events, seq) for seq, _ in heard] + [len(events)]
    turn = next((number for number, (_, name) in enumerate(heard) if name == message_id), None)
    said = () if turn is None else events[begins[turn] : begins[turn + 1]]
    return [reply for event in said if isinstance(event, BotUttered) for reply in event.replies]


def _turn_begin(events: Sequence[Event], heard: int) -> int:
    """The first event of the turn whose message is number ``heard``: a session starts before it, at the same time."""
    for seq in range(heard - 1, -1, -1):
        event = events[seq]
        if isinstance(event, UserUttered):
            break
        if isinstance(event, TrackerEvent) and event.fields.get("name") == "action_session_start":
            return seq if event.timestamp == events[heard].timestamp else heard
    return heard


def history(events: Sequence[Event]) -> list[HistoryTurn]:
    """Fold events into the turns that a chat shows."""
    turns: dict[str, HistoryTurn] = {}
    current: str | None = None
    for seq, event in enumerate(events):
        match event:
            case UserUttered():
                current = event.message_id
                turns[current] = HistoryTurn(seq, current, event.text, event.timestamp, ())
            case BotUttered() if current is not None:
                turns[current] = replace(turns[current], replies=(*turns[current].replies, *event.replies))
            case FeedbackGiven() if event.message_id in turns:
                turns[event.message_id] = replace(turns[event.message_id], feedback=event.value)
            case _:
                pass
    return list(turns.values())
