"""The HTTP and WebSocket server: ``create_app`` wires the channels, ``serve`` runs them until told to stop."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.api_auth import ApiAuth
from bot.auth import ConversationTokens, load_secret
from bot.channels.access import Access
from bot.channels.inspector import Inspector
from bot.channels.pages import Pages, SecurityHeaders
from bot.channels.push import PushChannel
from bot.channels.rest import RestChannel
from bot.channels.status import Parse, Status
from bot.channels.turns import Turns
from bot.channels.views import Views
from bot.channels.websocket import WidgetChannel
from bot.conversations import Conversations
from bot.deadlines import http_protocol, websocket_protocol
from bot.limits import ServerSettings
from bot.wire import Refusal
from memory.store import StoreUnavailable

__all__ = ["ServerSettings", "create_app", "serve"]

log = logging.getLogger("rejoinder.server")
access_log = logging.getLogger("rejoinder.access")

Endpoint = Callable[[Request], Awaitable[Response]]
Connect = Callable[[Turns, Access], Sequence[PushChannel]]
"""Makes channels from the server's limits and access."""


def nothing(turns: Turns, access: Access) -> Sequence[PushChannel]:
    """No more channels."""
    return ()


def create_app(
    conversations: Conversations,
    settings: ServerSettings,
    tokens: ConversationTokens | None = None,
    *,
    parse: Parse,
    title: str = "Rejoinder",
    model: str | Callable[[], str] = "",
    version: str = "",
    views: Views,
    domain: Mapping[str, Any] | None = None,
    auth: ApiAuth | None = None,
    channels: Sequence[PushChannel] = (),
    connect: Connect = nothing,
) -> Starlette:
    """The application.

    Args:
        conversations: closed with the application.
        settings: limits and access.
        tokens: signs the widget's conversations, by default with ``settings.secret_file``.
        parse: NLU of one text, for ``/model/parse``.
        title: of the assistant.
        model: name of what is being served, by default the title; a function where it may change.
        version: of this program, by default the installed one's.
        views: how trackers and the inspector show what is stored.
        domain: the assistant's, as JSON values.
        auth: Rasa's token and JWT.
        channels: started and stopped with the application.
        connect: makes more channels, which share the server's limits and access.

    Raises:
        SecretError: the secret file can't be used.
    """
    version, named = version or installed_version(), model if callable(model) else lambda: model or title
    access, turns = Access(settings, tokens or _tokens(settings), auth or ApiAuth()), Turns(conversations, settings)
    channels = (*channels, *connect(turns, access))
    routes = [
        *_channels(RestChannel(turns, access), WidgetChannel(turns, access)),
        *_operations(Status(conversations, access, parse, views, title, named, version, domain)),
        *_inspector(Inspector(conversations, access, views)),
        *_pages(Pages(version=version)),
        *(route for channel in channels for route in channel.routes),
    ]
    app = Starlette(
        routes=routes,
        middleware=_middleware(settings),
        exception_handlers={
            Refusal: _refused,
            HTTPException: _not_found,
            ClientDisconnect: _gone,
            StoreUnavailable: _store_failed,
            Exception: _broken,
        },
        lifespan=_running(conversations, channels),
    )
    app.state.version = version
    app.router.redirect_slashes = False  # an address is right or wrong: clients do not follow redirects of a POST
    return app


def _middleware(settings: ServerSettings) -> list[Middleware]:
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
    )
    return [
        Middleware(AccessLog, everything=settings.access_log),
        Middleware(SecurityHeaders, frame_ancestors=settings.frame_ancestors),
        *([cors] if settings.allowed_origins else []),
    ]


def _channels(rest: RestChannel, widget: WidgetChannel) -> list[BaseRoute]:
    return [
        _route("POST", "/webhooks/rest/webhook", rest.webhook),
        _route("GET", "/webhooks/rest/", rest.health),
        _route("POST", "/conversations", widget.create),
        _route("GET", "/conversations/{conversation}/messages", widget.history),
        _route("DELETE", "/conversations/{conversation}", widget.delete),
        _route("POST", "/feedback", widget.feedback),
        WebSocketRoute("/ws", widget.socket),
    ]


def _operations(status: Status) -> list[BaseRoute]:
    return [
        _route("POST", "/model/parse", status.parse),
        _route("GET", "/conversations/{conversation}/tracker", status.tracker),
        _route("GET", "/health", status.health),
        _route("GET", "/metrics", status.metrics),
        _route("GET", "/version", status.version),
        _route("GET", "/status", status.status),
        _route("GET", "/domain", status.domain),
        _route("GET", "/docs", status.docs),
        _route("GET", "/openapi.json", status.openapi),
    ]


def _inspector(inspector: Inspector) -> list[BaseRoute]:
    return [
        _route("GET", "/inspect/api/conversations", inspector.list),
        _route("GET", "/inspect/api/conversations/{conversation:path}", inspector.conversation),
        _route("GET", "/inspect/api/search", inspector.search),
    ]


def _pages(pages: Pages) -> list[BaseRoute]:
    return [
        _route("GET", "/", pages.index),
        _route("GET", "/inspect", pages.inspect),
        _route("GET", "/widget.js", pages.script),
        _route("GET", "/widget/{path:path}", pages.asset),
    ]


def _tokens(settings: ServerSettings) -> ConversationTokens:
    secret = secrets.token_bytes(32) if settings.secret_file is None else load_secret(settings.secret_file)
    return ConversationTokens(secret, settings.token_days * 86_400)


def installed_version() -> str:
    """The version of the installed package, ``0+source`` when run from a bare source tree."""
    try:
        return metadata.version("rejoinder")
    except metadata.PackageNotFoundError:
        return "0+source"


def _route(method: str, path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=[method])


def _running(
    conversations: Conversations, channels: Sequence[PushChannel]
) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as running:  # whatever fails, all the rest is stopped and closed
            running.callback(conversations.close)
            for channel in reversed(channels):
                running.push_async_callback(channel.stop)
            for channel in channels:
                await channel.start()
            yield

    return lifespan


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response(request.app.state.version)


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path[:200]}"
    refusal = Refusal(error.status_code, str(error.detail).replace(" ", ""), f"{where}: {error.detail}")
    response = refusal.response(request.app.state.version)
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return response


def _allowed(request: Request) -> set[str]:
    """The methods of an address; Starlette tells those of one of its routes only."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in matching for method in route.methods or ()}


async def _gone(request: Request, error: Exception) -> Response:
    return Refusal(400, "ClientDisconnected", "the request did not arrive whole").response(request.app.state.version)


async def _store_failed(request: Request, error: Exception) -> Response:
    log.error("%s", error)
    refusal = Refusal(503, "StoreUnavailable", "the event log can't be read now", retry_after=1)
    return refusal.response(request.app.state.version)


async def _broken(request: Request, error: Exception) -> Response:
    return Refusal(500, "InternalError", "see the log").response(request.app.state.version)


class AccessLog:
    """ASGI middleware: one JSON line a request on the logger ``rejoinder.access``; never a text, a body or a token.

    Without ``everything`` only answers of 500 and above are logged.
    """

    def __init__(self, app: ASGIApp, everything: bool = False) -> None:
        self._app = app
        self._from = 100 if everything else 500

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log when the response starts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= self._from:
                milliseconds = round((time.perf_counter() - started) * 1000, 2)
                line = {"time": round(time.time(), 3), "method": scope["method"], "path": scope["path"][:200]}
                access_log.warning("%s", json.dumps({**line, "status": message["status"], "ms": milliseconds}))
            await send(message)

        await self._app(scope, receive, noted)


class _Server(uvicorn.Server):
    """uvicorn that says where it listens and ends with exit code 0 on SIGTERM and SIGINT."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: finish the turns in flight and stop. A second SIGINT: stop now."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Print one line once connections are accepted."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"Rejoinder is ready at http://{shown}:{port}", flush=True)


def serve(app: ASGIApp, settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the turns in flight, flush and checkpoint the store.

    Raises:
        SystemExit: the address can't be bound (code 1, with the remedy on stderr).
    """
    config = uvicorn.Config(
        app,
        http=http_protocol(settings),
        ws=websocket_protocol(settings),
        ws_max_size=settings.max_body_bytes,
        ws_ping_interval=20.0,
        ws_ping_timeout=settings.send_seconds,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(settings.shutdown_seconds) or 1,
        access_log=False,
        log_level="warning",
        server_header=False,
    )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except (OSError, UnicodeError) as error:
            where = f"{settings.host}:{settings.port}"
            print(f"cannot listen on {where}: {error}; choose another port with --port", file=sys.stderr)
            raise SystemExit(1) from None
        listener.listen(2048)
        _Server(config).run([listener])
