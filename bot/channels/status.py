"""What operators and developers ask: health, metrics, version, NLU of one text, a tracker, the API's description."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.channels.access import Access
from bot.channels.pages import api_page
from bot.channels.tracker import parse_json, tracker_json
from bot.channels.turns import unknown
from bot.conversations import Conversations, UnknownConversation
from bot.metrics import CONTENT_TYPE
from bot.wire import Refusal, check_id, json_response, read_object, take_text
from memory.dialogue import NLUResult

Parse = Callable[[str], Awaitable[NLUResult]]

INCLUDE_EVENTS = ("ALL", "APPLIED", "AFTER_RESTART", "NONE")


class Status:
    """Everything that is not a conversation."""

    def __init__(
        self,
        conversations: Conversations,
        access: Access,
        parse: Parse,
        title: str,
        model: Callable[[], str],
        version: str,
    ) -> None:
        self._conversations = conversations
        self._access = access
        self._parse = parse
        self._title = title
        self._model = model
        self._version = version

    async def health(self, request: Request) -> Response:
        """200 when messages can be answered and kept, else 503 with the reason."""
        problem = self._conversations.check()
        if problem is not None:
            raise Refusal(503, "NotReady", problem, retry_after=1)
        return json_response({"status": "ok", "model": self._model()})

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text format."""
        return Response(self._conversations.metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    async def version(self, request: Request) -> Response:
        """The version of this program."""
        return json_response({"version": self._version, "minimum_compatible_version": self._version})

    async def status(self, request: Request) -> Response:
        """Which model is served."""
        return json_response({"model_file": self._model(), "model_id": self._model(), "num_active_training_jobs": 0})

    async def parse(self, request: Request) -> Response:
        """NLU of ``{"text"}`` without a conversation; nothing is stored."""
        settings = self._access.settings
        content = await read_object(request, settings.max_body_bytes)
        text = take_text(content, "text", settings.max_message_chars)
        return json_response(parse_json(await self._parse(text)))

    async def tracker(self, request: Request) -> Response:
        """Rasa's tracker of one conversation; ``?include_events=NONE`` leaves the events out."""
        conversation = check_id(request.path_params["conversation"], "conversation")
        self._access.read(request, conversation)
        include = request.query_params.get("include_events", "AFTER_RESTART")
        if include not in INCLUDE_EVENTS:
            raise Refusal(400, "InvalidField", f"'include_events' must be one of {', '.join(INCLUDE_EVENTS)}")
        try:
            events = self._conversations.events(conversation)
        except UnknownConversation as error:
            raise unknown(error) from None
        return json_response(tracker_json(self._conversations.engine.ontology, conversation, events, include))

    async def docs(self, request: Request) -> Response:
        """This API as one page."""
        return api_page(describe(request.app.routes, self._title, self._version))

    async def openapi(self, request: Request) -> Response:
        """This API for machines."""
        return json_response(describe(request.app.routes, self._title, self._version))


_BODIES: dict[str, dict[str, Any]] = {
    "/webhooks/rest/webhook": {
        "required": ["sender", "message"],
        "properties": {
            "sender": {"type": "string", "minLength": 1, "maxLength": 200},
            "message": {"type": "string", "minLength": 1},
            "message_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 200},
            "metadata": {"type": ["object", "null"]},
        },
    },
    "/model/parse": {"required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}},
    "/feedback": {
        "required": ["conversation_id", "message_id", "value"],
        "properties": {
            "conversation_id": {"type": "string", "minLength": 1, "maxLength": 200},
            "message_id": {"type": "string", "minLength": 1, "maxLength": 200},
            "value": {"type": "integer", "enum": [1, -1]},
            "comment": {"type": ["string", "null"]},
        },
    },
}


def describe(routes: Sequence[BaseRoute], title: str, version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of the JSON operations; each handler's docstring is its description."""
    paths: dict[str, Any] = {}
    for route in routes:
        if not isinstance(route, Route) or not route.methods or "/widget" in route.path or route.path in _PAGES:
            continue
        for method in sorted(route.methods - {"HEAD"}):
            paths.setdefault(route.path, {})[method.lower()] = _operation(route)
    return {"openapi": "3.1.0", "info": {"title": title, "version": version}, "paths": paths}


_PAGES = ("/", "/inspect", "/docs", "/openapi.json")


def _operation(route: Route) -> dict[str, Any]:
    failure = {"description": "Refused: {status, reason, message, code}", "content": {"application/json": {}}}
    kind = "text/plain" if route.path == "/metrics" else "application/json"
    operation: dict[str, Any] = {
        "description": (inspect.getdoc(route.endpoint) or "").replace("``", "`"),
        "responses": {"200": {"description": "Done", "content": {kind: {}}}, "default": failure},
    }
    names = re.findall(r"{(\w+)}", route.path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if route.path in _BODIES:
        schema = {"type": "object", **_BODIES[route.path]}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation
