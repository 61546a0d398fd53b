"""Promise 16: SIGTERM finishes the turns in flight, flushes, checkpoints and ends with exit code 0."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from memory.events import UserUttered
from memory.store import SqliteStore
from tests.promises.harness import Answer, Client, ServerProcess

RESTARTS = 10


def test_turns_in_flight_are_finished_and_the_log_is_one_clean_file(tmp_path: Path) -> None:
    db = tmp_path / "log.sqlite3"

    async def run(server: ServerProcess) -> tuple[list[Answer], int, float]:
        clients = [Client(server.port) for _ in range(20)]
        await asyncio.gather(*(client.get("/health") for client in clients))
        turns = [asyncio.ensure_future(c.say(f"c{i}", "hello", sleep_ms=500)) for i, c in enumerate(clients)]
        await asyncio.sleep(0.2)
        started = time.monotonic()
        code = await asyncio.to_thread(server.stop)
        answers = await asyncio.gather(*turns)
        return answers, code, time.monotonic() - started

    with ServerProcess(db) as server:
        answers, code, seconds = asyncio.run(run(server))
    assert [answer.status for answer in answers] == [200] * 20
    assert code == 0
    assert seconds < 10
    assert not list(tmp_path.glob("*-wal"))
    store = SqliteStore(db)
    assert len(store.conversations()) == 20
    store.close()


def test_rolling_restarts_lose_nothing_and_show_no_error_but_503(tmp_path: Path) -> None:
    db = tmp_path / "log.sqlite3"
    acknowledged: list[str] = []
    statuses: set[int] = set()

    async def run(server: ServerProcess, cycle: int) -> int:
        async def sender(number: int) -> None:
            client = Client(server.port)
            for k in range(10_000):
                message_id = f"{cycle}-{number}-{k}"
                try:
                    answer = await client.say(f"c{number}", "hello", message_id)
                except OSError:
                    break
                statuses.add(answer.status)
                if answer.status == 200:
                    acknowledged.append(message_id)
            client.close()

        senders = [asyncio.ensure_future(sender(number)) for number in range(8)]
        await asyncio.sleep(0.2)
        code = await asyncio.to_thread(server.stop)
        await asyncio.gather(*senders)
        return code

    for cycle in range(RESTARTS):
        with ServerProcess(db) as server:
            assert asyncio.run(run(server, cycle)) == 0
    store = SqliteStore(db)
    stored = [e.message_id for i in range(8) for e in store.load(f"c{i}") if isinstance(e, UserUttered)]
    store.close()
    assert len(set(stored)) == len(stored)
    assert set(acknowledged) <= set(stored)
    assert len(acknowledged) > 100
    assert statuses <= {200, 503}


def test_open_sockets_do_not_hold_the_server_up(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log.sqlite3") as server:
        url = f"127.0.0.1:{server.port}"
        issued = httpx.post(f"http://{url}/conversations").json()
        protocols = ["rejoinder", issued["token"]]
        with connect(f"ws://{url}/ws?conversation={issued['conversation']}", subprotocols=protocols) as socket:  # type: ignore[arg-type]
            assert json.loads(socket.recv(5))["type"] == "ready"
            started = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - started < 5
            with pytest.raises(ConnectionClosed):
                socket.recv(5)


def test_a_taken_port_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "a.sqlite3") as server:
        with pytest.raises(AssertionError, match=r"cannot listen on 127.0.0.1:\d+.*choose another port"):
            ServerProcess(tmp_path / "b.sqlite3", "--port", str(server.port))
        assert httpx.get(f"http://127.0.0.1:{server.port}/health").status_code == 200
