"""Slack as far as a bot sees it, on loopback: the Web API and the Socket Mode WebSocket, with faults on demand."""

from __future__ import annotations

import asyncio
import json
import queue
import re
import threading
import time
from collections import deque
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

BOT_TOKEN = "xoxb-1111-2222-botsecret"
APP_TOKEN = "xapp-1-A1-3333-appsecret"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BOT_USER, BOT_ID, TEAM = "UBOT", "BBOT", "T1"
IN_FLIGHT = 0.7
"""Calls that arrive this soon after a 429 were on their way already."""


class FakeSlack:
    """One workspace; use as a context manager.

    ``faults`` are used up one per ``chat.*`` call: ``("429", seconds)``, ``("error", name)``, ``("500",)``,
    ``("late", seconds)``. ``every`` makes each n-th such call fail: {n: fault}.
    """

    def __init__(self, every: dict[int, tuple[Any, ...]] | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.faults: deque[tuple[Any, ...]] = deque()
        self.alarms: list[str] = []
        self.acks: list[dict[str, Any]] = []
        self._every = every or {}
        self._count = 0
        self._closed: list[tuple[float, float]] = []
        self._envelopes: queue.Queue[str] = queue.Queue()
        self.sockets = 0

    def __enter__(self) -> FakeSlack:
        app = Starlette(
            routes=[
                Route("/api/{method}", self._api, methods=["POST"]),
                WebSocketRoute("/link", self._link),
            ]
        )
        config = uvicorn.Config(app, port=0, log_level="critical", access_log=False, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def made(self, method: str = "chat.postMessage") -> list[dict[str, Any]]:
        """Arguments of the calls that succeeded."""
        return [arguments for name, arguments in list(self.calls) if name == method]

    def wait(self, count: int, method: str = "chat.postMessage", seconds: float = 20) -> list[dict[str, Any]]:
        """The calls, once there are ``count``; AssertionError when there never are."""
        deadline = time.monotonic() + seconds
        while len(self.made(method)) < count:
            assert time.monotonic() < deadline, f"{len(self.made(method))} of {count} calls of {method}"
            time.sleep(0.01)
        return self.made(method)

    def push(self, envelope: dict[str, Any]) -> None:
        """Send an envelope over the WebSocket."""
        self._envelopes.put(json.dumps(envelope))

    async def _api(self, request: Request) -> Response:
        method, now = request.path_params["method"], time.monotonic()
        wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if request.headers.get("authorization") != f"Bearer {wanted}":
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        body = await request.body()
        match method:
            case "auth.test":
                return JSONResponse({"ok": True, "user_id": BOT_USER, "bot_id": BOT_ID, "team_id": TEAM})
            case "apps.connections.open":
                return JSONResponse({"ok": True, "url": f"ws://127.0.0.1:{self.port}/link?ticket=one-time-ticket"})
            case "chat.postMessage" | "chat.update":
                return await self._chat(method, json.loads(body), now)
            case _:
                return JSONResponse({"ok": False, "error": "unknown_method"})

    async def _chat(self, method: str, arguments: dict[str, Any], now: float) -> Response:
        if any(since + IN_FLIGHT < now < until for since, until in self._closed):
            self.alarms.append("called before Retry-After was over")
        self._count += 1
        by_count = next((fault for n, fault in self._every.items() if self._count % n == 0), None)
        match self.faults.popleft() if self.faults else by_count:
            case ("429", seconds):
                self._closed.append((now, now + seconds))
                headers = {"Retry-After": str(seconds)}
                return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)
            case ("error", name):
                return JSONResponse({"ok": False, "error": name})
            case ("500",):
                return Response("upstream failed", 500, media_type="text/html")
            case ("late", seconds):
                await asyncio.sleep(seconds)
        self._check(arguments)
        self.calls.append((method, arguments))
        return JSONResponse({"ok": True, "channel": arguments["channel"], "ts": f"{time.time():.6f}"})

    def _check(self, arguments: dict[str, Any]) -> None:
        """What Slack would refuse, or take for more than text."""
        blocks = arguments.get("blocks", [])
        texts = [arguments.get("text", "")]
        texts += [block["text"]["text"] for block in blocks if block["type"] == "section"]
        if any(re.search(r"[<>]|&(?!amp;|lt;|gt;)", text) for text in texts):
            self.alarms.append("an unescaped text")
        if len(blocks) > 50 or any(len(text) > 3_000 for text in texts[1:]) or not (blocks or texts[0]):
            self.alarms.append("a message that Slack refuses")

    async def _link(self, socket: WebSocket) -> None:
        await socket.accept()
        self.sockets += 1
        await socket.send_text(json.dumps({"type": "hello", "num_connections": 1}))
        reader = asyncio.create_task(self._read_acks(socket))
        try:
            while not reader.done():
                try:
                    await socket.send_text(self._envelopes.get_nowait())
                except queue.Empty:
                    await asyncio.sleep(0.01)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            reader.cancel()

    async def _read_acks(self, socket: WebSocket) -> None:
        try:
            while True:
                self.acks.append(json.loads(await socket.receive_text()))
        except WebSocketDisconnect:
            return
