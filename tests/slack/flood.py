"""Many signed events with repetitions, reordering, a Slack that is often too busy, and a server that is killed.

Slack's side is played strictly: what is not answered with 200 is sent again, and repetitions of what was answered come
anyway, before and after each restart. ``flood`` counts what became of every event.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.promises.harness import Client
from tests.slack.fake_slack import FakeSlack
from tests.slack.slack_requests import event, send
from tests.slack.slack_server import SlackServer, said

REPEATED, MOST_COPIES = 0.3, 3
REORDERED_WITHIN = 40
FAULTS: dict[int, tuple[Any, ...]] = {67: ("429", 2), 53: ("500",), 71: ("error", "internal_error")}
RARER_FAULTS: dict[int, tuple[Any, ...]] = {911: ("429", 2), 353: ("500",), 271: ("error", "internal_error")}


@dataclass(frozen=True)
class Outcome:
    """What became of ``events``; latencies of acknowledgements in seconds."""

    events: int
    sent: int
    refused: int
    lost: int
    doubled: int
    unanswered: int
    repeated_replies: int
    alarms: tuple[str, ...]
    ack_p50: float
    ack_p99: float
    seconds: float


def flood(
    folder: Path, events: int, *options: str, restarts: int = 2, channels: int = 50, seed: int = 7, clients: int = 24
) -> Outcome:
    """Send them all, kill and restart the server ``restarts`` times meanwhile, wait for the replies, and count."""
    return asyncio.run(_flood(folder, events, options, restarts, channels, random.Random(seed), clients))


def plan(events: int, channels: int, rng: random.Random) -> list[dict[str, Any]]:
    """The deliveries in order: 30 % of the events 2 to 4 times, each copy some way or far behind the first."""
    places: list[tuple[float, dict[str, Any]]] = []
    for i in range(events):
        payload = event(f"m{i}", channel=f"D{i % channels}")
        copies = rng.randint(1, MOST_COPIES) if rng.random() < REPEATED else 0
        for copy in range(copies + 1):
            behind = rng.choice((1, REORDERED_WITHIN, events)) * rng.random() if copy else 0
            places.append((i + behind + REORDERED_WITHIN * rng.random(), payload))
    places.sort(key=lambda place: place[0])
    return [payload for _, payload in places]


async def _flood(
    folder: Path, events: int, options: tuple[str, ...], restarts: int, channels: int, rng: random.Random, clients: int
) -> Outcome:
    db, started = folder / "log.sqlite3", time.monotonic()
    deliveries = plan(events, channels, rng)
    latencies: list[float] = []
    cuts = [len(deliveries) * i // (restarts + 1) for i in range(restarts + 2)]
    left: list[dict[str, Any]] = []
    refused = 0
    with FakeSlack(FAULTS if events < 2_000 else RARER_FAULTS) as fake:
        for life in range(restarts + 1):
            with SlackServer(db, fake.url, *options) as server:
                segment = deliveries[cuts[life] : cuts[life + 1]]
                left = await _deliver(server, [*left, *segment], latencies, clients, kill=life < restarts)
                refused += len(left)
                if life == restarts:
                    while left:
                        left = await _deliver(server, left, latencies, clients, kill=False)
                        refused += len(left)
                    await asyncio.to_thread(_quiet_down, fake, events)
                    server.stop()
        return _count(db, fake, events, len(deliveries) + refused, refused, latencies, time.monotonic() - started)


async def _deliver(
    server: SlackServer, deliveries: list[dict[str, Any]], latencies: list[float], clients: int, *, kill: bool
) -> list[dict[str, Any]]:
    """Send with several clients; at the end kill the server on receipt of an answer. Returns what got no 200."""
    waiting, failed = list(reversed(deliveries)), []

    async def one_client() -> None:
        client = Client(server.port)
        while waiting:
            payload = waiting.pop()
            began = time.perf_counter()
            try:
                answer = await send(client, payload)
            except OSError:
                failed.append(payload)
                continue
            if answer.status != 200:
                failed.append(payload)
                continue
            latencies.append(time.perf_counter() - began)
            if kill and not waiting and server.process.poll() is None:
                server.kill()
        client.close()

    await asyncio.gather(*(one_client() for _ in range(clients)))
    return failed


def _quiet_down(fake: FakeSlack, events: int) -> None:
    """Wait until every event has a reply, or nothing was posted for 30 s."""
    posted, since = -1, time.monotonic()
    while time.monotonic() - since < 30:
        texts = {_asked(post) for post in fake.made()}
        if len(texts) >= events and posted == len(fake.made()) and time.monotonic() - since > 0.5:
            return
        if posted != len(fake.made()):
            posted, since = len(fake.made()), time.monotonic()
        time.sleep(0.2)


def _asked(post: dict[str, Any]) -> str:
    return str(post["text"]).partition(": ")[2]


def _count(
    db: Path, fake: FakeSlack, events: int, sent: int, refused: int, latencies: list[float], seconds: float
) -> Outcome:
    turns = Counter(text for texts in said(db).values() for text in texts)
    replies = Counter(_asked(post) for post in fake.made())
    wanted = [f"m{i}" for i in range(events)]
    latencies.sort()
    return Outcome(
        events=events,
        sent=sent,
        refused=refused,
        lost=sum(turns[text] == 0 for text in wanted),
        doubled=sum(turns[text] > 1 for text in wanted),
        unanswered=sum(replies[text] == 0 for text in wanted),
        repeated_replies=sum(max(0, replies[text] - turns[text]) for text in wanted),
        alarms=tuple(fake.alarms),
        ack_p50=latencies[len(latencies) // 2],
        ack_p99=latencies[int(len(latencies) * 0.99)],
        seconds=seconds,
    )
