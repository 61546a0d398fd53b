"""The inspector's API: the list of conversations, full-text search, and one conversation turn by turn."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bot.channels.access import Access
from bot.channels.turns import unknown
from bot.channels.views import Views
from bot.conversations import Conversations, UnknownConversation
from bot.log_filter import turn_filter
from bot.wire import Refusal, check_id, json_response, take_number


class Inspector:
    """Read-only views for the developer."""

    def __init__(self, conversations: Conversations, access: Access, views: Views) -> None:
        self._conversations = conversations
        self._access = access
        self._views = views

    async def list(self, request: Request) -> Response:
        """The latest conversations; ``limit`` and ``before`` (milliseconds since the epoch) page."""
        self._access.developer(request)
        limit = take_number(request.query_params, "limit", 50, 1, 500)
        before = take_number(request.query_params, "before", -1, -1, 2**53)
        found = self._conversations.store.conversations(limit, None if before < 0 else before / 1000)
        return _fresh({"conversations": [asdict(summary) for summary in found]})

    async def search(self, request: Request) -> Response:
        """Messages that match ``q``, best first, in turns that the filters (``bot.log_filter``) let through."""
        self._access.developer(request)
        limit = take_number(request.query_params, "limit", 50, 1, 500)
        try:
            only = turn_filter(request.query_params)
        except ValueError as error:
            raise Refusal(400, "InvalidField", str(error)) from None
        hits = self._conversations.store.search(request.query_params.get("q", "")[:500], limit, only)
        return _fresh({"hits": [asdict(hit) for hit in hits]})

    async def conversation(self, request: Request) -> Response:
        """One conversation: where it stands and every turn's folded view."""
        self._access.developer(request)
        conversation_id = check_id(request.path_params["conversation"], "conversation")
        try:
            events = self._conversations.events(conversation_id)
        except UnknownConversation as error:
            raise unknown(error) from None
        return _fresh(self._views.inspection(conversation_id, events))


def _fresh(content: Any) -> Response:
    return json_response(content, headers={"Cache-Control": "no-store"})
