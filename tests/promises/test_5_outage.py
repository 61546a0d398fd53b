"""Promise 5: without its database a server acknowledges nothing; when it is back the server goes on, nothing lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import psycopg
import pytest

from memory.events import Event, UserUttered
from memory.store import EventStore, SequenceConflict
from memory.store_opening import open_store
from memory.store_postgres import PostgresStore
from memory.store_postgres_rows import write_events
from memory.store_postgres_schema import Connection
from tests.memory.event_factory import turn
from tests.postgresql import Postgres
from tests.promises.harness import Answer, Client, ServerProcess


def messages(store: EventStore) -> list[str]:
    """The ids of all user messages stored."""
    ids = store.conversation_ids()
    return [e.message_id for name in ids for e in store.load(name) if isinstance(e, UserUttered)]


async def insist(client: Client, name: str, message_id: str, seen: list[Answer], until: float) -> None:
    """Send one message again and again until it is answered."""
    while time.monotonic() < until:
        answer = await client.say(name, f"text {message_id}", message_id)
        seen.append(answer)
        if answer.status == 200:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{message_id} was never answered")


def test_a_database_that_crashes_under_load_loses_nothing_and_the_server_recovers(postgres: Postgres) -> None:
    address = postgres.fresh()
    seen: list[Answer] = []

    async def talk(port: int, number: int) -> None:
        client = Client(port)
        for k in range(20):
            await insist(client, f"c{number}", f"{number}-{k}", seen, time.monotonic() + 30)
        client.close()

    async def outage() -> None:
        while len(seen) < 40:
            await asyncio.sleep(0.01)
        postgres.crash()
        while not any(answer.status == 503 for answer in seen):
            await asyncio.sleep(0.01)
        postgres.start()

    async def all_of_it(port: int) -> None:
        await asyncio.gather(outage(), *(talk(port, number) for number in range(8)))
        client = Client(port)
        assert (await client.get("/health")).status == 200
        client.close()

    with ServerProcess(address) as server:
        asyncio.run(all_of_it(server.port))
        assert server.stop() == 0
    refused = [answer for answer in seen if answer.status != 200]
    assert {(answer.status, answer.headers["retry-after"]) for answer in refused} == {(503, "1")}
    store = open_store(address)
    assert sorted(messages(store)) == sorted(f"{number}-{k}" for number in range(8) for k in range(20))
    store.close()


def test_a_commit_whose_answer_was_lost_is_found_and_not_repeated(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost right after the commit, where the client can't know whether it took place."""
    store = PostgresStore(postgres.fresh())
    lost: list[str] = []

    def losing(connection: Connection, conversation_id: str, seq: int, events: Sequence[Event]) -> None:
        write_events(connection, conversation_id, seq, events)
        if not lost:
            lost.append(conversation_id)
            connection.close()
            raise psycopg.OperationalError("the connection was lost")

    monkeypatch.setattr("memory.store_postgres.write_events", losing)
    asyncio.run(store.append("a", 0, turn()))
    assert lost == ["a"]
    assert len(store.load("a")) == 3

    def lost_before(connection: Connection, conversation_id: str, seq: int, events: Sequence[Event]) -> None:
        if len(lost) < 2:
            lost.append(conversation_id)
            connection.close()
            raise psycopg.OperationalError("the connection was lost")
        write_events(connection, conversation_id, seq, events)

    monkeypatch.setattr("memory.store_postgres.write_events", lost_before)
    with pytest.raises(SequenceConflict):  # what is stored there is somebody else's
        asyncio.run(store.append("a", 0, turn("other", "m2")))
    assert len(lost) == 2
    store.close()
