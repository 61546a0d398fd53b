"""Promise 8: a client that sends slowly, endlessly or not at all is cut; honest ones do not notice."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.promises.harness import Client, ServerProcess

SECONDS = 1.5


async def silent() -> AsyncIterator[bytes]:
    while True:
        yield b""
        await asyncio.sleep(0.1)


async def headers() -> AsyncIterator[bytes]:
    yield b"GET /health HTTP/1.1\r\nhost: x\r\n"
    while True:
        yield b"x-slow: 1\r\n"
        await asyncio.sleep(0.1)


async def body() -> AsyncIterator[bytes]:
    yield b"POST /webhooks/rest/webhook HTTP/1.1\r\nhost: x\r\n"
    yield b"content-type: application/json\r\ncontent-length: 9999\r\n\r\n"
    while True:
        yield b" "
        await asyncio.sleep(0.1)


async def second_request() -> AsyncIterator[bytes]:
    yield b"GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /health HTTP/1.1\r\n"
    while True:
        yield b"x-slow: 1\r\n"
        await asyncio.sleep(0.1)


async def until_cut(port: int, source: AsyncIterator[bytes]) -> tuple[float, bytes]:
    """Seconds until the server ends the connection, and what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.monotonic()

    async def trickle() -> None:
        async for piece in source:
            writer.write(piece)

    feeding = asyncio.ensure_future(trickle())
    try:
        said = await asyncio.wait_for(reader.read(-1), 10)
    except ConnectionError:
        said = b""
    passed = time.monotonic() - started
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    writer.close()
    return passed, said


def test_slow_clients_are_cut_in_time_while_honest_ones_are_served(tmp_path: Path) -> None:
    async def run(port: int) -> tuple[list[tuple[float, bytes]], list[float]]:
        sources = [make() for make in (silent, headers, body, second_request) for _ in range(40)]
        cuts = asyncio.gather(*(until_cut(port, source) for source in sources))
        honest, waits = Client(port), []
        while not cuts.done():
            started = time.perf_counter()
            assert (await honest.say("honest", "hello")).status == 200
            waits.append(time.perf_counter() - started)
            await asyncio.sleep(0.02)
        honest.close()
        return await cuts, waits

    with ServerProcess(tmp_path / "log.sqlite3", "--request-seconds", str(SECONDS)) as server:
        cuts, waits = asyncio.run(run(server.port))
    assert max(passed for passed, _ in cuts) < SECONDS + 4
    assert min(passed for passed, _ in cuts) > SECONDS / 2, "a busy client starts its clock late, never this late"
    assert all(b"408 Request Timeout" in said for _, said in cuts)
    assert len(waits) > 5
    assert sorted(waits)[len(waits) // 2] < 0.3


def test_a_client_that_goes_on_sending_still_reads_why_it_was_cut(tmp_path: Path) -> None:
    with (
        ServerProcess(tmp_path / "log.sqlite3", "--request-seconds", "0.5") as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"GET /health HTTP/1.1\r\nx-slow: ")
        for _ in range(20):
            time.sleep(0.05)
            client.sendall(b"1")
        assert client.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_an_idle_keep_alive_connection_is_not_a_slow_request(tmp_path: Path) -> None:
    async def run(port: int) -> None:
        client = Client(port)
        for _ in range(3):
            assert (await client.say("a", "hello")).status == 200
            await asyncio.sleep(SECONDS)
        client.close()

    with ServerProcess(tmp_path / "log.sqlite3", "--request-seconds", str(SECONDS / 2)) as server:
        asyncio.run(run(server.port))


def test_a_slow_answer_is_not_a_slow_request(tmp_path: Path) -> None:
    async def run(port: int) -> None:
        client = Client(port)
        assert (await client.say("a", "hello", sleep_ms=1500)).status == 200
        client.close()

    with ServerProcess(tmp_path / "log.sqlite3", "--request-seconds", "0.5") as server:
        asyncio.run(run(server.port))


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nhost: x\r\nx-big: " + b"x" * 1_000_000,
        b"GET /health HTTP/1.1\r\nhost: x\r\n" + b"x-many: 1\r\n" * 50_000,
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\nx-big: " + b"x" * 40_000 + b"\r\n\r\n",
    ],
    ids=["one huge header", "many headers", "a huge address", "a whole but big head"],
)
def test_a_big_head_is_refused(tmp_path: Path, head: bytes) -> None:
    async def run(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        try:
            return await asyncio.wait_for(reader.read(-1), 5)
        except ConnectionError:
            return b"reset"
        finally:
            writer.close()

    with ServerProcess(tmp_path / "log.sqlite3") as server:
        said = asyncio.run(run(server.port))
        assert said == b"reset" or b" 431 " in said
        assert b"200 OK" not in said
