"""The files a browser loads, and the headers that keep them from doing more than they should."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.wire import Refusal

WIDGET = Path(__file__).parent.parent / "widget"


class SecurityHeaders:
    """ASGI middleware: a strict Content-Security-Policy and its companions on every answer."""

    def __init__(self, app: ASGIApp, frame_ancestors: tuple[str, ...] = ()) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": content_security_policy(frame_ancestors),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to the response's start."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, guarded)


def content_security_policy(frame_ancestors: tuple[str, ...]) -> str:
    """Own scripts and styles only; ``frame_ancestors`` may show the pages in a frame."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: https:",
            "connect-src 'self' ws: wss:",
            "font-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {' '.join(frame_ancestors) or chr(39) + 'self' + chr(39)}",
        )
    )


class Pages:
    """The chat page, the embeddable widget and the inspector, from the folder ``widget``."""

    def __init__(self, folder: Path = WIDGET, version: str = "") -> None:
        self._folder = folder
        self._version = version
        self.files = StaticFiles(directory=folder, check_dir=False)

    async def index(self, request: Request) -> Response:
        """The chat page for browsers; for programs one line with the version, as Rasa says it."""
        if "text/html" in request.headers.get("accept", ""):
            return self._file("index.html")
        return PlainTextResponse(f"Hello from Rejoinder: {self._version}", headers={"Vary": "Accept"})

    async def script(self, request: Request) -> Response:
        """The module that puts the widget on any page."""
        if not (self._folder / "vendor" / "deepChat.bundle.js").exists():
            raise _missing("vendor/deepChat.bundle.js", "run `python -m bot.widget_build` once")
        return self._file("widget.js")

    async def inspect(self, request: Request) -> Response:
        """The inspector's page; its data needs the token."""
        return self._file("inspect.html")

    async def asset(self, request: Request) -> Response:
        """Any other file of the folder."""
        path = request.path_params["path"]
        if path.startswith("vendor/") and not (self._folder / "vendor").exists():
            raise _missing(path, "run `python -m bot.widget_build` once")
        return await self.files.get_response(path, request.scope)

    def _file(self, name: str) -> Response:
        path = self._folder / name
        if not path.exists():
            raise _missing(name, "reinstall the package")
        return FileResponse(path, headers={"Cache-Control": "no-cache", "Vary": "Accept"})


def _missing(name: str, remedy: str) -> Refusal:
    return Refusal(503, "WidgetMissing", f"the widget's file {name} is missing: {remedy}")


def api_page(openapi: Mapping[str, Any]) -> Response:
    """The API's operations as one plain page; the machine-readable form is /openapi.json."""
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation.get('description') or operation.get('summary', ''))}</td></tr>"
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    )
    style = "body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    style += "td{padding:.4rem .8rem .4rem 0;vertical-align:top;border-bottom:1px solid #8884}"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>API</title><style>{style}'
    title = html.escape(f"{openapi['info']['title']} {openapi['info']['version']}")
    link = '<a href="/openapi.json">openapi.json</a>'
    return HTMLResponse(
        f"<!doctype html><html lang=en>{head}</style><h1>{title}</h1><p>{link}</p><table>{rows}</table>"
    )
