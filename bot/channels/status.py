"""What operators and developers ask: health, metrics, version, NLU of one text, a tracker, the API's description."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from starlette.requests import Request
from starlette.responses import Response

from bot.channels.access import Access
from bot.channels.openapi import describe
from bot.channels.pages import api_page
from bot.channels.turns import unknown
from bot.channels.views import Views
from bot.conversations import Conversations, UnknownConversation
from bot.metrics import CONTENT_TYPE
from bot.wire import Refusal, check_id, json_response, read_object, take_text
from memory.dialogue import NLUResult
from memory.events import Event

Parse = Callable[[str], Awaitable[NLUResult]]

LAST_SECOND = 10**11
"""Times in seconds since the epoch are below; milliseconds by mistake are above."""
INCLUDE_EVENTS = ("ALL", "APPLIED", "AFTER_RESTART", "NONE")


def yaml_text(content: Mapping[str, Any]) -> str:
    """Plain YAML of JSON values."""
    out = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(content, out)
    return out.getvalue()


class Status:
    """Everything that is not a conversation."""

    def __init__(
        self,
        conversations: Conversations,
        access: Access,
        parse: Parse,
        views: Views,
        title: str,
        model: Callable[[], str],
        version: str,
        domain: Mapping[str, Any] | None = None,
    ) -> None:
        self._conversations = conversations
        self._access = access
        self._parse = parse
        self._views = views
        self._title = title
        self._model = model
        self._version = version
        self._domain = domain

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
        self._access.ask(request)
        return json_response({"model_file": self._model(), "model_id": self._model(), "num_active_training_jobs": 0})

    async def domain(self, request: Request) -> Response:
        """The assistant's domain: JSON, or YAML for ``Accept: application/x-yaml``; 406 for anything else."""
        self._access.ask(request)
        if self._domain is None:
            raise Refusal(404, "NotFound", "this assistant has no domain")
        accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
        for kind in accepted:
            if kind.endswith("json") or kind in ("*/*", "application/*"):
                return json_response(self._domain)
            if kind.endswith(("yaml", "yml")):
                return Response(yaml_text(self._domain), media_type="application/x-yaml")
        raise Refusal(406, "NotAcceptable", "the domain is there as application/json and application/x-yaml")

    async def parse(self, request: Request) -> Response:
        """NLU of ``{"text"}`` without a conversation; nothing is stored."""
        self._access.ask(request)
        settings = self._access.settings
        content = await read_object(request, settings.max_body_bytes)
        text = take_text(content, "text", settings.max_message_chars)
        return json_response(self._views.parsed(await self._parse(text)))

    async def tracker(self, request: Request) -> Response:
        """Rasa's tracker of one conversation; ``include_events=NONE`` shows no events, ``until`` no later ones."""
        conversation = check_id(request.path_params["conversation"], "conversation")
        self._access.read(request, conversation)
        include, until = take_include_events(request.query_params), take_until(request.query_params)
        events: Sequence[Event]
        try:
            events = self._conversations.events(conversation)
        except UnknownConversation as error:
            events = self._views.beginning(time.time())
            if not events:
                raise unknown(error) from None
        return json_response(self._views.tracker(conversation, events, include, until))

    async def docs(self, request: Request) -> Response:
        """This API as one page."""
        return api_page(self._described(request, for_people=True))

    def _described(self, request: Request, *, for_people: bool = False) -> dict[str, Any]:
        limit = self._access.settings.max_message_chars
        return describe(request.app.routes, self._title, self._version, limit, for_people=for_people)

    async def openapi(self, request: Request) -> Response:
        """This API for machines."""
        return json_response(self._described(request))


def take_flag(query: Mapping[str, str], key: str) -> bool:
    """`true` or `false`; false when it isn't given.

    Raises:
        Refusal: 400.
    """
    given = query.get(key, "false").lower()
    if given not in ("true", "false"):
        raise Refusal(400, "InvalidField", f"{key!r} must be true or false")
    return given == "true"


def take_include_events(query: Mapping[str, str], default: str = "AFTER_RESTART") -> str:
    """Which events a tracker shows.

    Raises:
        Refusal: 400.
    """
    include = query.get("include_events", default)
    if include not in INCLUDE_EVENTS:
        raise Refusal(400, "InvalidField", f"'include_events' must be one of {', '.join(INCLUDE_EVENTS)}")
    return include


def take_until(query: Mapping[str, str]) -> float | None:
    """The time (seconds since the epoch) after which events are left out, or None.

    Raises:
        Refusal: 400.
    """
    given = query.get("until")
    if given is None:
        return None
    try:
        until = float(given[:40])
    except ValueError:
        until = math.nan
    if not 0 <= until <= LAST_SECOND:  # nan is not
        raise Refusal(400, "InvalidField", f"'until' must be a number of seconds since the epoch, 0 to {LAST_SECOND}")
    return until
