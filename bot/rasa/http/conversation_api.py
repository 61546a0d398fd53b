"""Rasa's HTTP API of one conversation: its events, its story, and what may be made to happen in it."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot.channels.access import Access
from bot.channels.status import Parse, take_flag, take_include_events, take_until
from bot.channels.turns import Turns, failed, rasa_messages, unknown
from bot.channels.views import Views
from bot.conversations import Conversations, EngineTurn, TurnFailed, UnknownConversation
from bot.rasa.http.events import begins_a_session, read_events
from bot.rasa.http.story import story_yaml
from bot.rasa.project import RasaDomain
from bot.rasa.reading.names import DEFAULT_ACTIONS, DEFAULT_INTENTS
from bot.wire import Refusal, check_id, json_response, read_json, read_object, take_id, take_text
from memory.dialogue import BotResponse
from memory.events import BotUttered, Event, UserUttered
from memory.store import DuplicateMessage
from policies.stories.ensemble import Choice

T = TypeVar("T")

EVENTS_BYTES = 16
"""A conversation's events may be so many times as long as a message."""
CHANNEL = "rest"


class StoryEngine(Protocol):
    """What the API asks an engine for, besides turns."""

    def fold(self, conversation_id: str, events: Sequence[Event]) -> Any:
        """The state after all events."""

    def predict(self, state: Any) -> Choice:
        """The next action."""

    async def execute(
        self, state: Any, action: str, now: float, policy: str | None, confidence: float | None
    ) -> EngineTurn:
        """Run one action, whatever the policies say; LookupError when there is none of this name."""

    def told(self, state: Any, events: Sequence[Event]) -> EngineTurn:
        """The same conversation with more events."""


class ConversationApi:
    """The operations under ``/conversations/{conversation}``; all need the developer or the conversation's own JWT."""

    def __init__(
        self, turns: Turns, access: Access, engine: StoryEngine, views: Views, parse: Parse, domain: RasaDomain
    ) -> None:
        self._turns, self._access, self._engine, self._views, self._parse = turns, access, engine, views, parse
        self._domain = domain

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The operations and their addresses."""
        base = "/conversations/{conversation}"
        return (
            Route(base + "/tracker/events", self.add_events, methods=["POST"]),
            Route(base + "/tracker/events", self.replace_events, methods=["PUT"]),
            Route(base + "/story", self.story, methods=["GET"]),
            Route(base + "/execute", self.execute, methods=["POST"]),
            Route(base + "/trigger_intent", self.trigger_intent, methods=["POST"]),
            Route(base + "/predict", self.predict, methods=["POST"]),
            Route(base + "/messages", self.add_message, methods=["POST"]),
        )

    async def add_events(self, request: Request) -> Response:
        """Append one event or a list of them, durably; answers with the tracker. Invalid events change nothing."""
        conversation, include = self._conversation(request), take_include_events(request.query_params)
        events = read_events(await self._json(request), time.time())
        await self._add(conversation, events)
        return self._tracker(conversation, include)

    async def replace_events(self, request: Request) -> Response:
        """Put a list of events in the place of all that the conversation has; answers with the tracker."""
        conversation, include = self._conversation(request), take_include_events(request.query_params)
        events = read_events(await self._json(request), time.time())
        await _kept(self._conversations.rewrite(conversation, events))
        return self._tracker(conversation, include)

    async def story(self, request: Request) -> Response:
        """The conversation as a test story in Rasa's YAML; ``until`` and ``all_sessions=true``."""
        conversation, until = self._conversation(request), take_until(request.query_params)
        every = take_flag(request.query_params, "all_sessions")
        tracker = self._views.tracker(conversation, self._events(conversation), "ALL", until)
        return PlainTextResponse(story_yaml(conversation, tracker["events"] or (), all_sessions=every))

    async def execute(self, request: Request) -> Response:
        """Run the action ``{"name", "policy"?, "confidence"?}``; answers ``{"tracker", "messages"}``."""
        conversation, include = self._conversation(request), take_include_events(request.query_params)
        content = await read_object(request, self._access.settings.max_body_bytes)
        name, policy = take_id(content, "name"), take_id(content, "policy", required=False)
        confidence = content.get("confidence")
        if isinstance(confidence, bool) or not isinstance(confidence, int | float | None):
            raise Refusal(400, "InvalidField", "'confidence' must be a number")
        assert name is not None

        async def step(state: Any) -> EngineTurn:
            begun = self._begun(state)
            turn = await self._engine.execute(begun.state, name, time.time(), policy, confidence)
            return _Both((*begun.events, *turn.events), turn.state)

        try:
            turn = await self._advance(conversation, step)
        except LookupError:
            raise Refusal(404, "NotFound", f"the domain has no action {name!r}") from None
        return self._told(conversation, turn.events, include)

    async def trigger_intent(self, request: Request) -> Response:
        """Go on as if the user had said the intent ``{"name", "entities"?}``; ``{"tracker", "messages"}``."""
        conversation, include = self._conversation(request), take_include_events(request.query_params)
        content = await read_object(request, self._access.settings.max_body_bytes)
        name, entities = take_id(content, "name"), content.get("entities") or {}
        if not isinstance(entities, dict | list) or not (
            isinstance(entities, dict)
            or all(isinstance(e, dict) and isinstance(e.get("entity"), str) for e in entities)
        ):
            raise Refusal(400, "InvalidField", "'entities' must be an object, or a list of {entity, value}")
        assert name is not None
        if name.partition("/")[0] not in (*self._domain.intents, *DEFAULT_INTENTS):
            raise Refusal(404, "NotFound", f"the domain has no intent {name!r}")
        if isinstance(entities, list):
            entities = {entity["entity"]: entity.get("value") for entity in entities}
        text = f"/{name}" + (json.dumps(entities) if entities else "")
        replies = await self._turns.answer(conversation, text, None, CHANNEL, {})
        return self._answer(conversation, replies, include)

    async def predict(self, request: Request) -> Response:
        """What the bot would do next, every action with its score; nothing is stored."""
        conversation, include = self._conversation(request), take_include_events(request.query_params)
        events = self._events(conversation)
        choice = self._engine.predict(self._engine.fold(conversation, events))
        tracker = self._views.tracker(conversation, events, include, None)
        return json_response({**choice_json(choice, self._domain), "tracker": tracker})

    async def add_message(self, request: Request) -> Response:
        """Add what the user said, ``{"text", "sender": "user", "parse_data"?}``, without an answer; the tracker."""
        conversation, include = self._conversation(request), take_include_events(request.query_params)
        content = await read_object(request, self._access.settings.max_body_bytes)
        text = take_text(content, "text", self._access.settings.max_message_chars)
        if content.get("sender") != "user":
            raise Refusal(400, "InvalidField", "'sender' must be \"user\": other messages are events (tracker/events)")
        event: dict[str, Any] = {"event": "user", "text": text, "parse_data": content.get("parse_data")}
        (heard,) = read_events(event, time.time())
        assert isinstance(heard, UserUttered)
        if content.get("parse_data") is None:
            parsed = await self._parse(text)
            heard = UserUttered(heard.timestamp, text, heard.message_id, heard.channel, parsed)
        await self._add(conversation, [heard])
        return self._tracker(conversation, include)

    @property
    def _conversations(self) -> Conversations:
        return self._turns.conversations

    def _conversation(self, request: Request) -> str:
        conversation = check_id(request.path_params["conversation"], "conversation")
        self._access.manage(request, conversation)
        return conversation

    async def _json(self, request: Request) -> Any:
        return await read_json(request, EVENTS_BYTES * self._access.settings.max_body_bytes)

    def _events(self, conversation: str) -> Sequence[Event]:
        try:
            return self._conversations.events(conversation)
        except UnknownConversation as error:
            raise unknown(error) from None

    async def _add(self, conversation: str, events: Sequence[Event]) -> None:
        async def step(state: Any) -> EngineTurn:
            if begins_a_session(events):
                return self._engine.told(state, events)
            begun = self._begun(state)
            turn = self._engine.told(begun.state, events)
            return _Both((*begun.events, *turn.events), turn.state)

        await self._advance(conversation, step)

    def _begun(self, state: Any) -> EngineTurn:
        """The beginning of the session, for a conversation that has no events yet."""
        return self._engine.told(state, self._views.beginning(time.time()) if state.seq == 0 else ())

    async def _advance(self, conversation: str, step: Callable[[Any], Awaitable[EngineTurn]]) -> EngineTurn:
        return await _kept(self._turns.advance(conversation, step))

    def _tracker(self, conversation: str, include: str) -> Response:
        return json_response(self._views.tracker(conversation, self._events(conversation), include, None))

    def _told(self, conversation: str, events: Sequence[Event], include: str) -> Response:
        replies = [reply for event in events if isinstance(event, BotUttered) for reply in event.replies]
        return self._answer(conversation, replies, include)

    def _answer(self, conversation: str, replies: Sequence[BotResponse], include: str) -> Response:
        tracker = self._views.tracker(conversation, self._events(conversation), include, None)
        return json_response({"tracker": tracker, "messages": rasa_messages(conversation, replies)})


class _Both:
    """Two steps in one."""

    def __init__(self, events: tuple[Event, ...], state: Any) -> None:
        self.events, self.state = events, state


async def _kept(change: Awaitable[T]) -> T:
    try:
        return await change
    except DuplicateMessage as error:
        raise Refusal(409, "MessageConflict", f"{error}: leave message_id out, or give a new one") from None
    except TurnFailed as error:
        raise failed(error) from None


def choice_json(choice: Choice, domain: RasaDomain) -> dict[str, Any]:
    """``{scores, policy, confidence}`` with a score for every action, the best first."""
    known = dict.fromkeys((*DEFAULT_ACTIONS, *domain.actions, *domain.forms, *domain.e2e_actions), 0.0)
    scores = sorted({**known, **choice.scores}.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "scores": [{"action": action, "score": float(score)} for action, score in scores],
        "policy": choice.policy,
        "confidence": float(choice.confidence),
    }
