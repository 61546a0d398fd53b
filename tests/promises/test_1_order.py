"""Promise 1: the messages of a conversation are answered one at a time, in the order they arrived."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from memory.events import UserUttered
from memory.store_opening import open_store
from tests.promises.harness import Client, ServerProcess

CONVERSATIONS, MESSAGES, CONNECTIONS = 100, 30, 2
FEWER_CONVERSATIONS = 20


async def conversation(port: int, name: str, seed: int) -> list[tuple[int, int]]:
    """Send numbered messages over two connections without waiting; returns (number sent, turn answered)."""
    rng = random.Random(seed)
    clients = [Client(port) for _ in range(CONNECTIONS)]
    gate = asyncio.Lock()
    sent = iter(range(MESSAGES))
    answered: list[tuple[int, int]] = []

    async def speak(client: Client) -> None:
        while True:
            async with gate:  # a message arrives before the next one is sent, on whichever connection
                number = next(sent, None)
                if number is None:
                    return
                task = asyncio.ensure_future(client.say(name, f"n{number}", sleep_ms=rng.uniform(0, 10)))
                await asyncio.sleep(0.002)
            answer = await task
            if answer.status != 200:
                answered.append((number, -1))
                continue
            turn, _, text = answer.text.partition(": ")
            assert text == f"n{number}"
            answered.append((number, int(turn.removeprefix("turn "))))

    await asyncio.gather(*(speak(client) for client in clients))
    for client in clients:
        client.close()
    return sorted(answered)


def stored_order(db: Path | str, name: str) -> list[int]:
    store = open_store(db)
    texts = [event.text for event in store.load(name) if isinstance(event, UserUttered)]
    store.close()
    return [int(text.removeprefix("n")) for text in texts]


def test_every_conversation_is_answered_in_order(address: Path | str) -> None:
    db, conversations = address, CONVERSATIONS if isinstance(address, Path) else FEWER_CONVERSATIONS

    async def all_of_them(port: int) -> list[list[tuple[int, int]]]:
        return await asyncio.gather(*(conversation(port, f"c{i}", i) for i in range(conversations)))

    with ServerProcess(db) as server:
        answers = asyncio.run(all_of_them(server.port))
        assert server.stop() == 0
    # the server saw a conversation's messages in some order; that order has no gap and no overlap
    for answered in answers:
        assert sorted(turn for _, turn in answered) == list(range(1, MESSAGES + 1))
    for i in range(0, conversations, 10):
        order = {turn: number for number, turn in answers[i]}
        assert stored_order(db, f"c{i}") == [order[turn] for turn in range(1, MESSAGES + 1)]


async def staggered(port: int, name: str, count: int = 8) -> list[str]:
    """Messages 10 ms apart on connections of their own; each takes 25 ms less than the one before."""
    clients = [Client(port) for _ in range(count)]
    await asyncio.gather(*(client.say(f"{name} warm {i}", "up") for i, client in enumerate(clients)))
    tasks = []
    for i, client in enumerate(clients):
        tasks.append(asyncio.ensure_future(client.say(name, f"n{i}", sleep_ms=25 * (count - i))))
        await asyncio.sleep(0.01)
    answers = await asyncio.gather(*tasks)
    for client in clients:
        client.close()
    return [answer.text if answer.status == 200 else f"refused: {answer.status}" for answer in answers]


def in_arrival_order(server: ServerProcess) -> bool:
    async def several() -> list[list[str]]:
        return await asyncio.gather(*(staggered(server.port, f"c{i}") for i in range(4)))

    return asyncio.run(several()) == [[f"turn {i + 1}: n{i}" for i in range(8)]] * 4


def test_arrival_order_holds_when_earlier_messages_take_longer(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log.sqlite3") as server:
        assert in_arrival_order(server)


def test_without_locks_the_test_above_fails(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log.sqlite3", "--trap", "no-locks") as server:
        assert not in_arrival_order(server)


def test_waiting_for_ones_turn_costs_no_polling(tmp_path: Path) -> None:
    """Five messages of 10 ms work sent at once are answered within 50 ms and a little."""

    async def burst(port: int, name: str) -> float:
        clients = [Client(port) for _ in range(5)]
        await asyncio.gather(*(client.say(f"warm{i}", "up") for i, client in enumerate(clients)))
        started = time.perf_counter()
        await asyncio.gather(*(client.say(name, f"n{i}", sleep_ms=10) for i, client in enumerate(clients)))
        passed = time.perf_counter() - started
        for client in clients:
            client.close()
        return passed

    with ServerProcess(tmp_path / "log.sqlite3") as server:
        best = min(asyncio.run(burst(server.port, f"burst{i}")) for i in range(5))
    assert best < 0.1


def test_different_conversations_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async def together(port: int) -> float:
        clients = [Client(port) for _ in range(40)]
        started = time.perf_counter()
        await asyncio.gather(*(client.say(f"c{i}", "hello", sleep_ms=200) for i, client in enumerate(clients)))
        passed = time.perf_counter() - started
        for client in clients:
            client.close()
        return passed

    with ServerProcess(tmp_path / "log.sqlite3") as server:
        assert asyncio.run(together(server.port)) < 3.0  # 8 s one after the other
