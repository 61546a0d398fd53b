"""Rasa's HTTP API of the model: predictions for given events, test stories, and what is refused with its remedy."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.assistant_yaml import AssistantError
from bot.channels.access import Access
from bot.channels.status import take_flag, take_include_events
from bot.channels.views import Views
from bot.rasa.http.conversation_api import EVENTS_BYTES, StoryEngine, choice_json
from bot.rasa.http.events import read_events
from bot.rasa.project import RasaDomain
from bot.wire import Refusal, json_response, read_body, read_json

TestStories = Callable[[str, bool], Awaitable[Mapping[str, Any]]]
"""Runs test stories (their YAML, and whether end to end) and reports in Rasa's keys; raises AssistantError."""

_CONVERSATION = "default"


class ModelApi:
    """The operations under ``/model``; all need the developer."""

    def __init__(
        self, access: Access, engine: StoryEngine, views: Views, domain: RasaDomain, test_stories: TestStories
    ) -> None:
        self._access, self._engine, self._views, self._domain = access, engine, views, domain
        self._test_stories = test_stories

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The operations and their addresses."""
        return (
            Route("/model/predict", self.predict, methods=["POST"]),
            Route("/model/test/stories", self.test_stories, methods=["POST"]),
            Route("/model/test/intents", self.test_intents, methods=["POST"]),
            Route("/model/train", self.train, methods=["POST"]),
            Route("/model", self.load, methods=["PUT"]),
            Route("/model", self.unload, methods=["DELETE"]),
        )

    async def predict(self, request: Request) -> Response:
        """The next action after a list of events, every action with its score; nothing is stored."""
        self._access.developer(request)
        include = take_include_events(request.query_params)
        content = await read_json(request, EVENTS_BYTES * self._access.settings.max_body_bytes)
        events = read_events(content, time.time())
        choice = self._engine.predict(self._engine.fold(_CONVERSATION, events))
        tracker = self._views.tracker(_CONVERSATION, events, include, None)
        return json_response({**choice_json(choice, self._domain), "tracker": tracker})

    async def test_stories(self, request: Request) -> Response:
        """Run test stories, sent as YAML: ``{report, precision, f1, accuracy, actions, ...}``; ``e2e=true``."""
        self._access.developer(request)
        end_to_end = take_flag(request.query_params, "e2e")
        body = await read_body(request, EVENTS_BYTES * self._access.settings.max_body_bytes)
        try:
            return json_response(await self._test_stories(body.decode("utf-8"), end_to_end))
        except UnicodeDecodeError:
            raise Refusal(400, "BadRequest", "the stories are not UTF-8 text") from None
        except AssistantError as error:
            raise Refusal(400, "TestingError", str(error)) from None

    async def test_intents(self, request: Request) -> Response:
        """Not served: `rejoinder test` measures the NLU too."""
        raise self._refused(request, "run `rejoinder test`: its report has the intents and entities")

    async def train(self, request: Request) -> Response:
        """Not served: `rejoinder train` trains."""
        raise self._refused(request, "run `rejoinder train --assistant PATH`, then start the server anew")

    async def load(self, request: Request) -> Response:
        """Not served: a server keeps the model that it was started with."""
        raise self._refused(request, "start the server anew with `rejoinder serve --model DIR`")

    async def unload(self, request: Request) -> Response:
        """Not served: a server keeps the model that it was started with."""
        raise self._refused(request, "stop the server")

    def _refused(self, request: Request, remedy: str) -> Refusal:
        self._access.developer(request)
        return Refusal(409, "Conflict", f"this server does not do that over HTTP: {remedy}")
