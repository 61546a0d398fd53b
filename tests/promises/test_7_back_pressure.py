"""Promise 7: more work than fits is refused at once, not queued without bound; what is accepted stays quick."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from bot.limits import InFlight, RateLimit, TooBusy
from tests.promises.harness import Client, ServerProcess


def memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_beyond_the_budget_messages_are_refused_with_retry_after(tmp_path: Path) -> None:
    async def flood(port: int) -> tuple[list[float], list[float], list[str]]:
        clients = [Client(port) for _ in range(60)]
        await asyncio.gather(*(client.get("/health") for client in clients))
        accepted, refused, waits = [], [], []

        async def one(number: int, client: Client) -> None:
            started = time.perf_counter()
            answer = await client.say(f"c{number}", "hello", sleep_ms=400)
            passed = time.perf_counter() - started
            if answer.status == 200:
                accepted.append(passed)
            else:
                assert (answer.status, answer.json["reason"]) == (503, "TooBusy")
                refused.append(passed)
                waits.append(answer.headers["retry-after"])

        await asyncio.gather(*(one(number, client) for number, client in enumerate(clients)))
        for client in clients:
            client.close()
        return accepted, refused, waits

    with ServerProcess(tmp_path / "log.sqlite3", "--max-in-flight", "20") as server:
        accepted, refused, waits = asyncio.run(flood(server.port))
    assert len(accepted) == 20
    assert len(refused) == 40
    assert set(waits) == {"1"}
    assert (
        sorted(refused)[len(refused) // 2] < 0.2
    )  # sent 60 at once: half of them have to wait for the others' parsing
    assert max(accepted) < 2.0


def test_a_websocket_that_never_reads_is_cut_and_holds_no_memory(tmp_path: Path) -> None:
    """The client asks for 200 kB again and again and reads nothing; the server waits 2 s for it, then cuts."""
    ask = json.dumps({"type": "message", "text": "/echo " + json.dumps({"text": "x" * 200, "times": 1000})})
    with ServerProcess(tmp_path / "log.sqlite3") as server:
        issued = httpx.post(f"http://127.0.0.1:{server.port}/conversations").json()
        before = memory_mb(server.pid)
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", server.port))
            raw.sendall(upgrade(issued["conversation"], issued["token"]))
            raw.settimeout(10)
            answer = b""
            while b"\r\n\r\n" not in answer:  # a WebSocket begins when the server has agreed to it
                answer += raw.recv(256)
            assert answer.startswith(b"HTTP/1.1 101"), answer
            started = time.monotonic()
            with pytest.raises(OSError, match=r"reset|Broken pipe"):
                send_forever(raw, masked(ask))
            assert 1.5 < time.monotonic() - started < 9
        assert open_sockets(server.port) == 0
        assert memory_mb(server.pid) - before < 30


def send_forever(raw: socket.socket, frame: bytes) -> None:
    while True:
        raw.sendall(frame)


def open_sockets(port: int) -> int:
    page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return int(float(page.split("\nrejoinder_websockets ")[1].split("\n")[0]))


def upgrade(conversation: str, token: str) -> bytes:
    lines = (
        f"GET /ws?conversation={conversation} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: rejoinder, {token}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def masked(text: str) -> bytes:
    """One text frame of 126 to 65,535 bytes with a zero mask."""
    payload = text.encode()
    return bytes([0x81, 0x80 | 126]) + len(payload).to_bytes(2, "big") + bytes(4) + payload


def test_the_budget_counts_down_again() -> None:
    budget = InFlight(1)
    with budget.enter():
        with pytest.raises(TooBusy) as refused, budget.enter():
            pass
        assert (refused.value.status, refused.value.retry_after) == (503, 1)
    with budget.enter():
        assert budget.count == 1
    assert budget.count == 0


def test_a_conversations_rate_refills_with_time_and_memory_is_bounded() -> None:
    now = [0.0]
    rate = RateLimit(60, capacity=10, monotonic=lambda: now[0])
    for _ in range(60):
        rate.take("a")
    with pytest.raises(TooBusy) as refused:
        rate.take("a")
    assert (refused.value.status, refused.value.retry_after) == (429, 2)
    rate.take("b")
    now[0] += 1.5
    rate.take("a")
    for i in range(100):
        rate.take(f"c{i}")
    assert len(rate._buckets) == 10
