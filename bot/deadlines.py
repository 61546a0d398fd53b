"""uvicorn's protocols with an end: whoever does not send a request or read an answer in time is cut.

Stock uvicorn keeps silent, trickling and not-reading connections open and its fast parser accepts headers of any
size, so a few hundred slow clients hold all its memory. The clock here is monotonic (the event loop's).
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from bot.limits import ServerSettings


class _Reading:
    """A peer that lets the send buffer stand full for ``send_seconds`` is cut, its buffer dropped."""

    send_seconds = 10.0
    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop

    _unread: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The buffer is full."""
        self._unread = self.loop.call_later(self.send_seconds, self.transport.abort)
        super().pause_writing()  # type: ignore[misc]

    def resume_writing(self) -> None:
        """The peer has read."""
        self._stop_waiting()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is left to read."""
        self._stop_waiting()
        super().connection_lost(exc)  # type: ignore[misc]

    def _stop_waiting(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class DeadlineWebSocket(_Reading, WebSocketsSansIOProtocol):
    """A WebSocket whose peer must read."""


class DeadlineProtocol(_Reading, HttpToolsProtocol):
    """One connection; ``request_seconds`` from a request's first byte (or the connection's start) to its last."""

    request_seconds = 10.0
    max_header_bytes = 32_768

    # How long a refused client may go on sending. Closing over unread bytes makes the kernel send a reset, which
    # can overtake the refusal and throw it away.
    linger_seconds = 2.0

    _deadline: asyncio.TimerHandle | None = None
    _lingering: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that connects must also speak."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._disarm()
        if self._lingering is not None:
            self._lingering.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of the head, whose end only the parser knows; drop what comes after a refusal."""
        if self._ended:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.max_header_bytes and not self._ended:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._in_head = True
        super().on_message_begin()
        self._arm()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head, self._head_bytes = False, 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.max_header_bytes:
            self._refuse(b"431 Request Header Fields Too Large")
            return
        if not self.url.isascii():
            self._refuse(b"400 Bad Request")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """More of the body; nothing of a request that was refused."""
        if not self._ended:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._disarm()
        self._in_head = True
        if not self._ended:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """From here on the WebSocket's own ping decides whether the client lives."""
        self._disarm()
        super().handle_websocket_upgrade()

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(self.request_seconds, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self._ended:
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self._refuse(b"408 Request Timeout")
        else:
            self.transport.close()

    @property
    def _ended(self) -> bool:
        return self._lingering is not None or self.transport.is_closing()

    def _refuse(self, status: bytes) -> None:
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self._lingering = self.loop.call_later(self.linger_seconds, self.transport.close)
            self.transport.write_eof()
        else:
            self.transport.close()


def http_protocol(settings: ServerSettings) -> type[DeadlineProtocol]:
    """The class that uvicorn instantiates per connection."""
    limits = {
        "request_seconds": settings.request_seconds,
        "max_header_bytes": settings.max_header_bytes,
        "send_seconds": settings.send_seconds,
    }
    return type("LimitedProtocol", (DeadlineProtocol,), limits)


def websocket_protocol(settings: ServerSettings) -> type[DeadlineWebSocket]:
    """The class that takes a connection over after its upgrade."""
    return type("LimitedWebSocket", (DeadlineWebSocket,), {"send_seconds": settings.send_seconds})
