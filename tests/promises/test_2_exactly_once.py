"""Promise 2: a message id is answered exactly once, and every repetition gets the same bytes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

from memory.events import UserUttered
from memory.store_opening import open_store
from tests.promises.harness import Client, ServerProcess

CONVERSATIONS, MESSAGES = 40, 25


def plan(seed: int) -> list[tuple[str, str, int]]:
    """(conversation, message id, how many times it is sent): 30 % are sent 2 to 20 times."""
    rng = random.Random(seed)
    return [
        (f"c{c}", f"m{m}", rng.randint(2, 20) if rng.random() < 0.3 else 1)
        for c in range(CONVERSATIONS)
        for m in range(MESSAGES)
    ]


async def send_all(port: int, messages: list[tuple[str, str, int]]) -> dict[tuple[str, str], set[bytes]]:
    """Send every copy concurrently with its brothers; returns the distinct answers of each message."""
    clients: asyncio.Queue[Client] = asyncio.Queue()
    for _ in range(48):
        clients.put_nowait(Client(port))
    answers: dict[tuple[str, str], set[bytes]] = {}

    async def one(conversation: str, message_id: str) -> None:
        client = await clients.get()
        try:
            answer = await client.say(conversation, f"text of {message_id}", message_id)
        finally:
            clients.put_nowait(client)
        assert answer.status == 200, answer.body
        answers.setdefault((conversation, message_id), set()).add(answer.body)

    copies = [(c, m) for c, m, times in messages for _ in range(times)]
    await asyncio.gather(*(one(c, m) for c, m in copies))
    while not clients.empty():
        clients.get_nowait().close()
    return answers


def stored_turns(db: Path | str) -> Counter[tuple[str, str]]:
    store = open_store(db)
    found = Counter(
        (summary.id, event.message_id)
        for summary in store.conversations(limit=10_000)
        for event in store.load(summary.id)
        if isinstance(event, UserUttered)
    )
    store.close()
    return found


def test_duplicates_cause_no_turn_and_get_identical_bytes_across_restarts(address: Path | str) -> None:
    db, messages = address, plan(1) if isinstance(address, Path) else plan(1)[:150]
    with ServerProcess(db) as server:
        before = asyncio.run(send_all(server.port, messages))
        server.kill()
    with ServerProcess(db) as server:
        after = asyncio.run(send_all(server.port, messages[::3]))
        assert server.stop() == 0
    assert {key: len(bodies) for key, bodies in before.items() if len(bodies) != 1} == {}
    assert {key: bodies for key, bodies in after.items() if bodies != before[key]} == {}
    assert stored_turns(db) == Counter({(c, m): 1 for c, m, _ in messages})


def test_without_the_index_duplicates_are_noticed(address: Path | str) -> None:
    db, messages = address, plan(2)[:100]
    with ServerProcess(db, "--trap", "no-dedupe") as server:
        asyncio.run(send_all(server.port, messages))
        server.stop()
    with_duplicates = stored_turns(db)
    assert max(with_duplicates.values()) > 1


def test_an_id_with_another_text_is_a_conflict_and_changes_nothing(tmp_path: Path) -> None:
    async def run(port: int) -> None:
        client = Client(port)
        first = await client.say("a", "hello", "m1")
        other = await client.say("a", "hello!", "m1")
        again = await client.say("a", "hello", "m1")
        elsewhere = await client.say("b", "hello!", "m1")
        client.close()
        assert (first.status, other.status, again.status, elsewhere.status) == (200, 409, 200, 200)
        assert again.body == first.body
        assert other.json["reason"] == "MessageConflict"
        assert "new message_id" in other.json["message"]

    with ServerProcess(tmp_path / "log.sqlite3") as server:
        asyncio.run(run(server.port))


def test_messages_without_an_id_are_all_answered(tmp_path: Path) -> None:
    async def run(port: int) -> list[str]:
        client = Client(port)
        texts = [(await client.say("a", "same")).text for _ in range(5)]
        client.close()
        return texts

    with ServerProcess(tmp_path / "log.sqlite3") as server:
        assert asyncio.run(run(server.port)) == [f"turn {i}: same" for i in range(1, 6)]


def test_two_servers_on_one_log_still_answer_each_id_once(address: Path | str) -> None:
    db = address

    async def both(ports: list[int]) -> list[tuple[int, bytes]]:
        clients = [Client(port) for port in ports for _ in range(4)]
        answers = await asyncio.gather(*(client.say("a", "hello", "m1") for client in clients))
        for client in clients:
            client.close()
        return [(answer.status, answer.body) for answer in answers]

    with ServerProcess(db) as one, ServerProcess(db) as two:
        answers = asyncio.run(both([one.port, two.port]))
        one.stop()
        two.stop()
    assert len(set(answers)) == 1
    assert answers[0][0] == 200
    assert stored_turns(db) == Counter({("a", "m1"): 1})


def test_two_servers_may_answer_in_the_same_conversations(address: Path | str) -> None:
    """Each message goes to either server, and again until it is answered: all are there once, in one unbroken order."""
    wanted = [(f"c{c}", f"{s}-{m}") for c in range(4) for s in range(2) for m in range(10)]

    async def speak(port: int, server: int, conversation: str) -> list[int]:
        client = Client(port)
        statuses = []
        for name, message_id in wanted:
            while name == conversation and message_id.startswith(f"{server}-"):
                answer = await client.say(name, f"text of {message_id}", message_id)
                statuses.append(answer.status)
                if answer.status == 200:
                    break
                await asyncio.sleep(0.01)
        client.close()
        return statuses

    async def both(ports: list[int]) -> set[int]:
        tasks = [speak(port, s, f"c{c}") for s, port in enumerate(ports) for c in range(4)]
        return {status for statuses in await asyncio.gather(*tasks) for status in statuses}

    with ServerProcess(address) as one, ServerProcess(address) as two:
        statuses = asyncio.run(both([one.port, two.port]))
        one.stop()
        two.stop()
    assert statuses <= {200, 503}
    assert stored_turns(address) == Counter(wanted)
    store = open_store(address)
    assert all(len(store.load(f"c{c}")) == 3 * 20 for c in range(4))
    store.close()
