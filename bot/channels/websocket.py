"""The widget's channel: server-issued conversations over a WebSocket, their history and thumbs.

    client -> {"type": "message", "text", "message_id"}    {"type": "payload", "payload", "title", "message_id"}
              {"type": "feedback", "message_id", "value"}  {"type": "ping"}
    server -> {"type": "ready", "conversation"}  {"type": "typing"}  {"type": "pong"}
              {"type": "reply", "message_id", "replies": [{"text"?, "buttons"?, "image"?, "custom"?}]}
              {"type": "error", "reason", "message", "message_id"?, "retry_after"?}

Messages of one socket are answered one after the other. The token comes as the second WebSocket subprotocol
(``["rejoinder", token]``) or in an ``Authorization: Bearer`` header, never in the address.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.auth import new_conversation_id, new_message_id
from bot.channels.access import SUBPROTOCOL, Access
from bot.channels.turns import Turns, reply_json
from bot.conversations import HistoryTurn
from bot.wire import (
    Refusal,
    check_id,
    json_response,
    json_text,
    parse_object,
    read_object,
    take_id,
    take_number,
    take_text,
)
from memory.dialogue import Button

CHANNEL = "widget"


class WidgetChannel:
    """What the widget talks to."""

    def __init__(self, turns: Turns, access: Access) -> None:
        self._turns = turns
        self._access = access
        self.open_sockets = 0
        turns.conversations.metrics.watch("rejoinder_websockets", "Open WebSockets.", lambda: self.open_sockets)

    async def create(self, request: Request) -> Response:
        """A new conversation's id and token; nothing is stored before the first message."""
        conversation = new_conversation_id()
        body = {"conversation": conversation, "token": self._access.tokens.issue(conversation)}
        return json_response(body, headers={"Cache-Control": "no-store"})

    async def history(self, request: Request) -> Response:
        """The turns after event number ``after``."""
        conversation = check_id(request.path_params["conversation"], "conversation")
        self._access.read(request, conversation)
        after = take_number(request.query_params, "after", -1, -1, 2**53)
        turns = self._turns.conversations.history(conversation)
        messages = [message for message in history_json(turns) if message["seq"] > after]
        return json_response(
            {"conversation": conversation, "messages": messages}, headers={"Cache-Control": "no-store"}
        )

    async def delete(self, request: Request) -> Response:
        """Erase the conversation and what it remembers; who may read it may do so."""
        conversation = check_id(request.path_params["conversation"], "conversation")
        self._access.read(request, conversation)
        await self._turns.delete(conversation)
        return json_response({"status": "ok"})

    async def feedback(self, request: Request) -> Response:
        """Keep ``{"conversation_id", "message_id", "value": 1 or -1, "comment"?}``."""
        content = await read_object(request, self._access.settings.max_body_bytes)
        conversation = take_id(content, "conversation_id")
        assert conversation is not None
        self._access.write(request, conversation)
        await self._thumb(conversation, content)
        return json_response({"status": "ok"})

    async def _thumb(self, conversation: str, content: dict[str, Any]) -> None:
        message_id = take_id(content, "message_id")
        assert message_id is not None
        value, comment = content.get("value"), content.get("comment")
        if isinstance(value, bool) or value not in (1, -1):
            raise Refusal(400, "InvalidField", "'value' must be 1 or -1")
        if comment is not None:
            comment = take_text(content, "comment", self._access.settings.max_message_chars)
        await self._turns.feedback(conversation, message_id, int(value), comment or "")

    async def socket(self, socket: WebSocket) -> None:
        """Serve one widget until it leaves."""
        try:
            self._access.origin(socket)
            conversation = check_id(socket.query_params.get("conversation", ""), "conversation")
            self._access.read(socket, conversation)
        except Refusal as refusal:
            await socket.send_denial_response(refusal.response(socket.app.state.version))
            return
        offered = socket.headers.get("sec-websocket-protocol", "").split(",")[0].strip()
        await socket.accept(SUBPROTOCOL if offered == SUBPROTOCOL else None)
        self.open_sockets += 1
        try:
            await self._send(socket, {"type": "ready", "conversation": conversation})
            while True:
                await self._receive(socket, conversation)
        except WebSocketDisconnect:
            return
        finally:
            self.open_sockets -= 1

    async def _receive(self, socket: WebSocket, conversation: str) -> None:
        frame = await socket.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code", 1000))
        content: dict[str, Any] = {}
        try:
            content = parse_object(frame.get("text") or frame.get("bytes") or "")
            await self._frame(socket, conversation, content)
        except Refusal as refusal:
            await self._send(socket, _error(refusal, content.get("message_id")))

    async def _frame(self, socket: WebSocket, conversation: str, content: dict[str, Any]) -> None:
        match content.get("type"):
            case "ping":
                await self._send(socket, {"type": "pong"})
            case "feedback":
                await self._thumb(conversation, content)
            case "message" | "payload" as kind:
                limit = self._access.settings.max_message_chars
                text = take_text(content, "text" if kind == "message" else "payload", limit)
                message_id = take_id(content, "message_id", required=False) or new_message_id()
                await self._send(socket, {"type": "typing"})
                replies = await self._turns.answer(conversation, text, message_id, CHANNEL, {})
                body = [reply_json(reply) for reply in replies]
                await self._send(socket, {"type": "reply", "message_id": message_id, "replies": body})
            case _:
                raise Refusal(400, "InvalidField", "'type' must be message, payload, feedback or ping")

    async def _send(self, socket: WebSocket, frame: dict[str, Any]) -> None:
        await socket.send_text(json_text(frame))


def _error(refusal: Refusal, message_id: Any) -> dict[str, Any]:
    frame: dict[str, Any] = {"type": "error", "reason": refusal.reason, "message": refusal.message}
    if isinstance(message_id, str):
        frame["message_id"] = message_id
    if refusal.retry_after is not None:
        frame["retry_after"] = refusal.retry_after
    return frame


def history_json(turns: list[HistoryTurn]) -> list[dict[str, Any]]:
    """Turns as the widget shows them: a clicked button as its title, the sent payload beside it."""
    offered: tuple[Button, ...] = ()
    messages: list[dict[str, Any]] = []
    for turn in turns:
        title = next((button.title for button in offered if button.payload == turn.text), None)
        message: dict[str, Any] = {
            "seq": turn.seq,
            "message_id": turn.message_id,
            "timestamp": turn.timestamp,
            "text": turn.text if title is None else title,
            "replies": [reply_json(reply) for reply in turn.replies],
            "feedback": turn.feedback,
        }
        if title is not None:
            message["payload"] = turn.text
        messages.append(message)
        offered = tuple(button for reply in turn.replies for button in reply.buttons)
    return messages
