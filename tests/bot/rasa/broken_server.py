"""An action server that breaks in every way that we could think of, and records what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

GOOD = {"events": [{"event": "slot", "timestamp": None, "name": "size", "value": "large"}], "responses": []}


def answer(body: bytes, status: int = 200, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


ANSWERS: dict[str, bytes] = {
    "good": answer(json.dumps(GOOD).encode()),
    "null": answer(b"null"),
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "not json": answer(b"<html>Welcome to nginx!</html>"),
    "not utf-8": answer(b'{"events": [], "responses": [{"text": "\xff"}]}'),
    "a list": answer(b"[]"),
    "deep": answer(b"[" * 200_000 + b"]" * 200_000),
    "not a number": answer(b'{"events": [{"event": "slot", "name": "x", "value": NaN}]}'),
    "infinite": answer(b'{"events": [{"event": "slot", "name": "x", "value": 1e999}]}'),
    "a long number": answer(b'{"events": [{"event": "slot", "name": "x", "value": ' + b"9" * 400 + b"}]}"),
    "deep but readable": answer(b'{"responses": [{"custom": {"a": ' + b"[" * 600 + b"]" * 600 + b"}}]}"),
    "after the last day": answer(b'{"events": [{"event": "pause", "timestamp": 1e300}]}'),
    "surrogate": answer(rb'{"responses": [{"text": "\ud800"}]}'),
    "unknown event": answer(b'{"events": [{"event": "explode"}]}'),
    "event without name": answer(b'{"events": [{"event": "slot", "value": 1}]}'),
    "text is a number": answer(b'{"responses": [{"text": 3}]}'),
    "button is a text": answer(b'{"responses": [{"text": "a", "buttons": ["b"]}]}'),
    "buttons that are none": answer(b'{"events": [{"event": "bot", "data": {"buttons": 1.5}}]}'),
    "a message that is none": answer(
        b'{"events": [{"event": "user", "parse_data": {"intent": {"name": "a", "confidence": "high"}}}]}'
    ),
    "many events": answer(json.dumps({"events": [{"event": "pause"}] * 1001}).encode()),
    "ten megabytes": answer(b'{"responses": [{"text": "' + b"a" * 10_000_000 + b'"}]}'),
    "bomb": answer(gzip.compress(b"a" * 10_000_000), Content_Encoding="gzip"),
    "dies in the answer": answer(b"{" + b" " * 5000)[:-3000],
    "dies before the answer": b"",
    "redirect": answer(b"", 307, Location="http://127.0.0.1:1/webhook"),
    "rejects": answer(b'{"action_name": "action_a", "error": "not  now"}', 400),
    "can't read": answer(b'{"message": "Failed when parsing body as json"}', 400),
    "unknown action": answer(b'{"action_name": "action_a", "error": "unknown"}', 404),
    "insatiable": answer(b"{}", 449),
    "its code raised": answer(b'{"error": "KeyError: city"}', 500),
    "proxy": answer(b"<h1>Bad gateway</h1>", 502),
}


@dataclass
class BrokenServer:
    """Answers every request in the way that its ``way`` says; ``seen`` are (head, body) of the requests."""

    way: str = "good"
    scheme: str = "http"
    port: int = 0
    connections: int = 0
    seen: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/webhook"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(int(x.split(":")[1]) for x in head.split("\r\n") if x.lower().startswith("content-len"))
                self.seen.append((head, await reader.readexactly(length)))
                if self.way == "hangs":
                    await reader.read()
                    break
                if self.way == "drips":
                    writer.write(ANSWERS["dies in the answer"])
                    while not reader.at_eof():
                        writer.write(b" ")
                        await writer.drain()
                        await asyncio.sleep(0.02)
                    break
                writer.write(ANSWERS[self.way])
                await writer.drain()
                if self.way.startswith("dies") or self.way == "not http":
                    break
        writer.close()


@contextlib.asynccontextmanager
async def broken_server(way: str = "good", tls: ssl.SSLContext | None = None) -> AsyncIterator[BrokenServer]:
    broken = BrokenServer(way, "https" if tls else "http")
    server = await asyncio.start_server(broken.talk, "127.0.0.1", 0, limit=2**20, ssl=tls)
    broken.port = server.sockets[0].getsockname()[1]
    try:
        yield broken
    finally:
        server.close()
