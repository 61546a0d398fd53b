"""Rasa's Socket.IO channel (protocol 5: clients of Socket.IO 3 and 4), so that web widgets made for Rasa connect.

    client -> session_request {"session_id"?}        server -> session_confirm "<id>"
              user_uttered {"message", "session_id"?, "metadata"?}
                                                     server -> bot_uttered {"text"}  {"text", "quick_replies"}
                                                               {"attachment"}  or what a custom response says
                                                               bot_error {"reason", "message", "retry_after"?}

Only here is python-socketio imported, and only by a server whose credentials.yml names `socketio`. As in Rasa a session
id opens its session: it should be as long and random as the ones that the server gives.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import socketio
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from bot.api_auth import TokenKey
from bot.auth import WIDGET_PREFIX, origin_allowed
from bot.channels.slack_events import CONVERSATION_PREFIX
from bot.channels.turns import Turns
from bot.limits import ServerSettings, SettingsError
from bot.wire import Refusal, as_object, check_id, json_text, parse_value, take_id, take_object, take_text
from memory.dialogue import BotResponse

CHANNEL = "socketio"
MOST_WAITING = 500
"""Packets that wait for one client to fetch them; one that asks on without listening is cut off."""
MOST_SESSIONS = 64
"""Sessions that one connection listens to; beyond, it leaves the oldest."""
_NAMES = ("user_message_evt", "bot_message_evt", "metadata_key", "socketio_path", "jwt_method")
_OPTIONAL_NAMES = ("namespace", "jwt_key")


@dataclass(frozen=True, slots=True)
class SocketIOSettings:
    """Rasa's keys of `socketio` in credentials.yml."""

    user_message_evt: str = "user_uttered"
    bot_message_evt: str = "bot_uttered"
    namespace: str | None = None
    session_persistence: bool = False
    socketio_path: str = "/socket.io"
    metadata_key: str = "metadata"
    jwt_key: str | None = field(default=None, repr=False)
    jwt_method: str = "HS256"


def socketio_settings(given: Mapping[str, Any] | None) -> SocketIOSettings:
    """From credentials.yml's entry; nothing given means all defaults.

    Raises:
        SettingsError: an unknown key or a value of the wrong kind.
    """
    values = {key: value for key, value in (given or {}).items() if value is not None}
    known = (*_NAMES, *_OPTIONAL_NAMES, "session_persistence")
    for key, value in values.items():
        if key not in known:
            raise SettingsError(f"credentials.yml: socketio: unknown key {key!r}; known keys: {', '.join(known)}")
        wanted: type = bool if key == "session_persistence" else str
        if not isinstance(value, wanted) or value == "":
            kind = "true or false" if wanted is bool else "a text"
            raise SettingsError(f"credentials.yml: socketio: {key!r} must be {kind}")
    settings = SocketIOSettings(**values)
    if not settings.socketio_path.strip("/"):
        raise SettingsError("credentials.yml: socketio: 'socketio_path' must name a path, e.g. /socket.io")
    return settings


class SocketIOChannel:
    """One server's Socket.IO sessions.

    Args:
        turns: where messages are answered, with the server's limits.
        server: sizes, allowed origins.
        settings: Rasa's.

    Raises:
        SettingsError: `jwt_key` or `jwt_method` can't be used.
    """

    def __init__(self, turns: Turns, server: ServerSettings, settings: SocketIOSettings) -> None:
        self._turns, self._server, self._settings = turns, server, settings
        self._key = None if settings.jwt_key is None else TokenKey(settings.jwt_key, settings.jwt_method)
        self._namespace = settings.namespace or "/"
        self._sio = socketio.AsyncServer(
            async_mode="asgi",
            cors_allowed_origins=[],  # checked in _serve; the server's own middleware answers browsers
            max_http_buffer_size=server.max_body_bytes,
            logger=False,
            engineio_logger=False,
        )
        self._sessions: dict[str, dict[str, None]] = {}
        _quieten(logging.getLogger("engineio.server"))
        self._sio.on("connect", self._connect, namespace=self._namespace)
        self._sio.on("disconnect", self._forget, namespace=self._namespace)
        self._sio.on("session_request", self._request_session, namespace=self._namespace)
        self._sio.on(settings.user_message_evt, self._user_message, namespace=self._namespace)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The one address of the protocol."""
        return (Mount("/" + self._settings.socketio_path.strip("/"), app=self._serve),)

    async def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """End all sessions."""
        await self._sio.shutdown()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        headers, sockets = connection.headers, self._sio.eio.sockets
        eio_sid = connection.query_params.get("sid")
        if eio_sid in sockets and sockets[eio_sid].closed:
            del sockets[eio_sid]  # else the library raises KeyError; without it, it answers 400
        if origin_allowed(headers.get("origin"), headers.get("host"), self._server.allowed_origins):
            await self._sio.handle_request(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "origin not allowed"})
        else:
            refusal = Refusal(403, "OriginNotAllowed", "this site is not listed under server.allowed_origins")
            await refusal.response()(scope, receive, send)

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: Any = None) -> bool:
        if self._key is None:
            return True
        token = auth.get("token") if isinstance(auth, dict) else None
        return isinstance(token, str) and self._key.caller(token.removeprefix("Bearer ")) is not None

    async def _forget(self, sid: str, *_: Any) -> None:
        self._sessions.pop(sid, None)

    async def _join(self, sid: str, session: str) -> None:
        """Let a connection hear what is said in a session."""
        if not self._sio.manager.is_connected(sid, self._namespace):
            return
        joined = self._sessions.setdefault(sid, {})
        if session in joined:
            return
        joined[session] = None
        await self._sio.enter_room(sid, session, namespace=self._namespace)
        if len(joined) > MOST_SESSIONS:
            oldest = next(iter(joined))
            del joined[oldest]
            await self._sio.leave_room(sid, oldest, namespace=self._namespace)

    async def _is_cut_off(self, sid: str) -> bool:
        """Whether a client was cut off now or before: what it doesn't fetch would fill the memory."""
        socket = self._sio.eio.sockets.get(self._sio.manager.eio_sid_from_sid(sid, self._namespace))
        if socket is not None and socket.queue.qsize() > MOST_WAITING:
            await socket.close(wait=False, abort=True)
        return socket is None or bool(socket.closed)

    async def _request_session(self, sid: str, data: Any = None) -> None:
        if await self._is_cut_off(sid):
            return
        wanted = data.get("session_id") if isinstance(data, dict) else None
        session = wanted if isinstance(wanted, str) and _is_free(wanted) else uuid4().hex
        if self._settings.session_persistence:
            await self._join(sid, session)
        await self._sio.emit("session_confirm", session, room=sid, namespace=self._namespace)

    async def _user_message(self, sid: str, data: Any = None) -> None:
        if await self._is_cut_off(sid):
            return
        try:
            conversation, replies = await self._answer(sid, data)
        except Refusal as refusal:
            body: dict[str, Any] = {"reason": refusal.reason, "message": refusal.message}
            if refusal.retry_after is not None:
                body["retry_after"] = refusal.retry_after
            await self._sio.emit("bot_error", body, room=sid, namespace=self._namespace)
            return
        room = conversation if self._settings.session_persistence else sid
        for message in (message for reply in replies for message in socketio_messages(reply)):
            await self._sio.emit(self._settings.bot_message_evt, message, room=room, namespace=self._namespace)

    async def _answer(self, sid: str, data: Any) -> tuple[str, list[BotResponse]]:
        if not isinstance(data, dict):
            raise Refusal(400, "InvalidField", "send an object with 'message'")
        data, conversation = _strict(data), sid
        if self._settings.session_persistence:
            given = take_id(data, "session_id")
            assert given is not None
            if not _is_free(given):
                raise Refusal(400, "InvalidField", "'session_id' belongs to another channel: send session_request")
            conversation = given
            await self._join(sid, conversation)
        text = take_text(data, "message", self._server.max_message_chars)
        metadata = take_object(data, self._settings.metadata_key)
        message_id = take_id(data, "message_id", required=False)
        return conversation, await self._turns.answer(conversation, text, message_id, CHANNEL, metadata)


def _strict(data: dict[Any, Any]) -> dict[str, Any]:
    """The same object, when it is JSON as HTTP clients may send it; the protocol's own reader takes more."""
    try:
        text = json_text(data)
    except (TypeError, ValueError, RecursionError):  # bytes among the values, or far too deep
        raise Refusal(400, "InvalidJSON", "send JSON values only, and not nested deeply") from None
    return as_object(parse_value(text))


def _quieten(log: logging.Logger) -> None:
    """Without the stack trace that the library logs of each packet it can't read: clients could fill the disk."""
    log.addFilter(_is_no_bad_packet)


def _is_no_bad_packet(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, ValueError | RecursionError)


def _is_free(session: str) -> bool:
    """Whether a client may choose this id: it is one, and it isn't a conversation that another channel protects."""
    try:
        check_id(session, "session_id")
    except Refusal:
        return False
    return not session.startswith((WIDGET_PREFIX, CONVERSATION_PREFIX))


def socketio_messages(reply: BotResponse) -> Iterator[Any]:
    """One reply as Rasa's channel emits it: a text split at blank lines, buttons at the last part."""
    parts = [part for part in reply.text.strip().split("\n\n") if part.strip()]
    if reply.buttons:
        buttons = [{"content_type": "text", "title": b.title, "payload": b.payload} for b in reply.buttons]
        *before, last = parts or [""]
        yield from ({"text": part, "quick_replies": []} for part in before)
        yield {"text": last, "quick_replies": buttons}
    else:
        yield from ({"text": part} for part in parts)
    if reply.custom is not None:
        yield reply.custom.get("data", reply.custom)
    if reply.image is not None:
        yield {"attachment": {"type": "image", "payload": {"src": reply.image}}}
    more = reply.parts or {}
    if more.get("attachment") is not None:
        yield {"attachment": more["attachment"]}
    if more.get("elements"):
        payload = {"template_type": "generic", "elements": more["elements"]}
        yield {"attachment": {"type": "template", "payload": payload}}
