"""``rejoinder benchmark``: the real server process under concurrent clients that say realistic things."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from bot.assistant import load_assistant
from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table

_LISTENING = re.compile(rb"http://[\w.\-]+:(\d+)")


@dataclass(slots=True)
class _Load:
    latencies: list[float] = field(default_factory=list)
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Server:
    host: str
    port: int
    pid: int | None
    start_seconds: float | None


def server(config: Config, url: str | None, clients: list[int], seconds: float, *, as_json: bool) -> None:
    """Measure and print messages a second, latency, memory and CPU time a message."""
    sentences = [held_out.text for held_out in load_assistant(config.assistant).validation]
    if not sentences:
        raise CommandError("the assistant has no validation sentences to send: add a validation.yml")
    with _running(config, url) as target:
        asyncio.run(_run(target, sentences, 2, 2.0))
        rows = [_measure(target, sentences, count, seconds) for count in clients]
    report = {"start_seconds": target.start_seconds, "seconds_per_run": seconds, "runs": rows}
    if as_json:
        print_json(report)
        return
    if target.start_seconds is not None:
        console.print(f"start to first answer: {target.start_seconds:.2f} s")
    columns = list(rows[0])
    print_table("POST /webhooks/rest/webhook", columns, [list(row.values()) for row in rows])


def _measure(target: _Server, sentences: list[str], clients: int, seconds: float) -> dict[str, float | int | None]:
    cpu = _cpu_seconds(target.pid)
    started = time.perf_counter()
    load = asyncio.run(_run(target, sentences, clients, seconds))
    wall = time.perf_counter() - started
    if not load.latencies:
        raise CommandError(f"the server answered none of the messages of {clients} clients")
    p50, p95, p99 = np.percentile(np.array(load.latencies) * 1000, [50, 95, 99])
    used = None if cpu is None else (_cpu_seconds(target.pid) or 0) - cpu
    return {
        "clients": clients,
        "messages_per_s": round(len(load.latencies) / wall, 1),
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "p99_ms": round(float(p99), 2),
        "cpu_ms_per_message": None if used is None else round(used * 1000 / len(load.latencies), 2),
        "rss_mb": _rss_mb(target.pid),
        "failures": load.failures,
    }


async def _run(target: _Server, sentences: list[str], clients: int, seconds: float) -> _Load:
    load = _Load()
    end = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(_client(target, sentences, number, end, load))
    return load


async def _client(target: _Server, sentences: list[str], number: int, end: float, load: _Load) -> None:
    """One keep-alive connection; a new conversation every 8 messages, as people have."""
    rng = np.random.default_rng(number)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    sent, sender = 0, ""
    while time.perf_counter() < end:
        sender = f"bench-{uuid.uuid4().hex}" if sent % 8 == 0 else sender
        sent += 1
        body = json.dumps({"sender": sender, "message": sentences[int(rng.integers(len(sentences)))]}).encode()
        head = (
            f"POST /webhooks/rest/webhook HTTP/1.1\r\nHost: {target.host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        started = time.perf_counter()
        writer.write(head.encode() + body)
        status = await _read_response(reader)
        if status == 200:
            load.latencies.append(time.perf_counter() - started)
        else:
            load.failures += 1
    writer.close()


async def _read_response(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split(b" ", 2)[1])


@contextmanager
def _running(config: Config, url: str | None) -> Iterator[_Server]:
    """The server at ``url``, or one of our own with a database of its own."""
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise CommandError(f"--url {url}: only http://host:port can be measured")
        yield _Server(parts.hostname or "127.0.0.1", parts.port or 80, None, None)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        changed = config.model_copy(update={"data": Path(folder)})
        absolute = {key: Path(getattr(changed, key)).resolve() for key in ("assistant", "models", "data")}
        path.write_text(changed.model_copy(update=absolute).model_dump_json(), encoding="utf-8")
        started = time.perf_counter()
        command = [sys.executable, "-m", "bot", "serve", "--host", "127.0.0.1", "--port", "0"]
        command += ["--config", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            port = _port(process)
            server = _Server("127.0.0.1", port, process.pid, None)
            asyncio.run(_run(server, ["hello"], 1, 0.01))
            yield _Server("127.0.0.1", port, process.pid, round(time.perf_counter() - started, 2))
        finally:
            process.terminate()
            process.wait(20)


def _port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if match := _LISTENING.search(line):
            return int(match[1])
    raise CommandError(f"the server did not start (exit code {process.wait()}); try `rejoinder doctor`")


def _cpu_seconds(pid: int | None) -> float | None:
    """User + system time of a process (Linux)."""
    if pid is None or not Path(f"/proc/{pid}/stat").exists():
        return None
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int | None) -> float | None:
    if pid is None or not Path(f"/proc/{pid}/status").exists():
        return None
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return round(int(match[1]) / 1024, 1) if match else None
