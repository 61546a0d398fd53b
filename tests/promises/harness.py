"""A server in its own process and a thin HTTP client on asyncio streams, for the promises' tests."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class ServerProcess:
    """``python -m tests.promises.serve_for_tests``, ready when constructed; use as a context manager.

    ``db`` is a SQLite file, or the address of a PostgreSQL database.
    """

    def __init__(self, db: Path | str, *options: str, prefix: tuple[str, ...] = ()) -> None:
        command = [*prefix, sys.executable, "-m", "tests.promises.serve_for_tests", "--db", str(db), *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)
        self.errors: list[str] = []
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)", line)
        if found is None:
            self.kill()
            raise AssertionError(f"the server did not start: {line!r} {''.join(self.errors)}")
        self.port = int(found[1])
        self.pid = self._server_pid() if prefix else self.process.pid

    def _collect(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def _server_pid(self) -> int:
        """Under a tracer the server is its child; signals must reach it and not the tracer."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    @property
    def stderr(self) -> str:
        return "".join(self.errors)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed."""
        os.kill(getattr(self, "pid", self.process.pid), signal.SIGKILL)
        self._wait(10)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._wait(20)

    def _wait(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


class Answer:
    """One HTTP answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The first reply's text of the REST webhook."""
        return str(self.json[0]["text"])


class Client:
    """One keep-alive connection; ConnectionError when the server goes away."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        given = {"host": f"127.0.0.1:{self._port}", "content-length": str(len(body)), **(headers or {})}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in given.items())
        writer.write(head.encode("latin-1") + b"\r\n" + body)
        try:
            answer = await self._read(reader)
        except (asyncio.IncompleteReadError, OSError) as error:
            self.close()
            raise ConnectionError(str(error)) from None
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Answer:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(lines[0].split(" ")[1]), headers, body)

    async def post(self, path: str, content: Any, headers: dict[str, str] | None = None) -> Answer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return await self.request("POST", path, body, {"content-type": "application/json", **(headers or {})})

    async def say(self, sender: str, message: str, message_id: str | None = None, **metadata: Any) -> Answer:
        content = {"sender": sender, "message": message, "metadata": metadata}
        if message_id is not None:
            content["message_id"] = message_id
        return await self.post("/webhooks/rest/webhook", content)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return await self.request("GET", path, headers=headers)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
