"""Rasa's REST channel: ``POST /webhooks/rest/webhook`` and its health page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bot.channels.access import Access
from bot.channels.turns import Turns, rasa_messages
from bot.wire import JSON, json_response, json_text, read_object, take_id, take_object, take_text

CHANNEL = "rest"


class RestChannel:
    """One message in, a list of replies out; ``?stream=true`` sends them one JSON object a line."""

    def __init__(self, turns: Turns, access: Access) -> None:
        self._turns = turns
        self._access = access

    async def webhook(self, request: Request) -> Response:
        """Answer ``{"sender", "message", "message_id"?, "metadata"?, "input_channel"?}``."""
        settings = self._access.settings
        content = await read_object(request, settings.max_body_bytes)
        sender = take_id(content, "sender")
        assert sender is not None
        text = take_text(content, "message", settings.max_message_chars)
        message_id = take_id(content, "message_id", required=False)
        metadata = take_object(content, "metadata")
        channel = take_id(content, "input_channel", required=False) or CHANNEL
        self._access.write(request, sender)
        replies = rasa_messages(sender, await self._turns.answer(sender, text, message_id, channel, metadata))
        if request.query_params.get("stream") == "true":
            lines = "".join(json_text(reply) + "\n" for reply in replies)
            return Response(lines, media_type="text/event-stream")
        return Response(json_text(replies), media_type=JSON)

    async def health(self, request: Request) -> Response:
        """Rasa's ``{"status": "ok"}``."""
        return json_response({"status": "ok"})
