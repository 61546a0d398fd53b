"""Promise 3: what was acknowledged is on disk, whatever happens to the process; 3b: and to the power."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from memory.events import UserUttered
from memory.store import SqliteStore
from memory.store_opening import open_store
from tests.memory.event_factory import turn
from tests.postgresql import Postgres
from tests.promises.harness import Client, ServerProcess

CYCLES, SENDERS = 50, 24
TRAP_CYCLES = 6


@dataclass
class Ledger:
    """What the clients know: (conversation, message id) -> the acknowledged bytes; ids whose answer never came."""

    acknowledged: dict[tuple[str, str], bytes] = field(default_factory=dict)
    open: set[tuple[str, str]] = field(default_factory=set)


async def talk_until_killed(server: ServerProcess, cycle: int, ledger: Ledger, fatal: int) -> None:
    """Every sender first repeats what was left open, then goes on; the answer number ``fatal`` kills the server."""
    unanswered, answers = sorted(ledger.open), 0

    async def sender(number: int) -> None:
        nonlocal answers
        client = Client(server.port)
        again = unanswered[number::SENDERS]
        fresh = ((f"c{number}", f"{cycle}-{k}") for k in range(100_000))
        while answers < fatal:
            key = again.pop() if again else next(fresh)
            ledger.open.add(key)
            try:
                answer = await client.say(key[0], f"text {key[1]}", key[1])
            except (ConnectionError, OSError):
                break
            answers += 1
            if answers == fatal:
                os.kill(server.pid, signal.SIGKILL)
            if answer.status == 200:
                ledger.acknowledged[key] = answer.body
                ledger.open.discard(key)
        client.close()

    await asyncio.gather(*(sender(number) for number in range(SENDERS)))


def kill_cycles(db: Path | str, cycles: int, *options: str) -> Ledger:
    """Start, talk, SIGKILL on receipt of a random answer; again and again on one file.

    The kill follows an acknowledgement at once, the moment at which an early one would be a lie.
    """
    ledger, rng = Ledger(), random.Random(Path(db).stem)
    for cycle in range(cycles):
        with ServerProcess(db, *options) as server:
            asyncio.run(talk_until_killed(server, cycle, ledger, rng.randint(1, 120)))
            server.kill()
    return ledger


def stored(db: Path | str) -> dict[tuple[str, str], int]:
    """How often each message is in the log; fails on a damaged file or a gap in a conversation."""
    gaps = "SELECT conversation_id FROM {} GROUP BY conversation_id HAVING count(*) != max(seq) + 1"
    if isinstance(db, Path):
        with sqlite3.connect(db) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert file.execute(gaps.format("events")).fetchall() == []
        file.close()
    else:
        with psycopg.connect(db) as connection:
            assert connection.execute(gaps.format("rejoinder.events").encode()).fetchall() == []
    store = open_store(db)
    found: dict[tuple[str, str], int] = {}
    for summary in store.conversations(limit=100_000):
        for event in store.load(summary.id):
            if isinstance(event, UserUttered):
                key = (summary.id, event.message_id)
                found[key] = found.get(key, 0) + 1
    store.close()
    return found


def lost_and_doubled(db: Path | str, ledger: Ledger) -> tuple[int, int]:
    found = stored(db)
    lost = sum(key not in found for key in ledger.acknowledged)
    return lost, sum(times > 1 for times in found.values())


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    """Two chains of kills on two files, one for each core."""
    files = [tmp_path / "one.sqlite3", tmp_path / "two.sqlite3"]
    with ThreadPoolExecutor(2) as pool:
        ledgers = list(pool.map(lambda db: kill_cycles(db, CYCLES // 2), files))
    assert sum(len(ledger.acknowledged) for ledger in ledgers) > 1_000
    for db, ledger in zip(files, ledgers, strict=True):
        assert lost_and_doubled(db, ledger) == (0, 0)


def test_nothing_is_lost_on_a_slow_disk_either(tmp_path: Path) -> None:
    db = tmp_path / "log.sqlite3"
    ledger = kill_cycles(db, TRAP_CYCLES, "--slow-disk")
    assert lost_and_doubled(db, ledger) == (0, 0)


def test_nothing_acknowledged_is_lost_on_postgresql_when_the_server_is_killed(postgres: Postgres) -> None:
    """And the same kills do lose something where the acknowledgement comes before the commit."""
    db, broken = postgres.fresh(), postgres.fresh()
    ledger = kill_cycles(db, 4)
    assert len(ledger.acknowledged) > 100
    assert lost_and_doubled(db, ledger) == (0, 0)
    lost, _ = lost_and_doubled(broken, kill_cycles(broken, 2, "--trap", "ack-before-commit"))
    assert lost > 0


@pytest.mark.parametrize("trap", ["ack-before-commit", "commit-later"])
def test_an_early_acknowledgement_is_noticed(tmp_path: Path, trap: str) -> None:
    """On the same slow disk as above, acknowledged before the commit or long before it."""
    db = tmp_path / "log.sqlite3"
    ledger = kill_cycles(db, TRAP_CYCLES, "--trap", trap)
    lost, _ = lost_and_doubled(db, ledger)
    assert lost > 0


def test_the_server_is_ready_soon_with_many_conversations_stored(tmp_path: Path) -> None:
    db = tmp_path / "log.sqlite3"
    store = SqliteStore(db, synchronous="OFF", capacity=30_000)

    async def fill() -> None:
        await asyncio.gather(*(store.append(f"c{i}", 0, turn()) for i in range(20_000)))

    asyncio.run(fill())
    store.close()
    started = time.monotonic()
    with ServerProcess(db) as server:
        assert time.monotonic() - started < 5.0

        async def ask() -> str:
            client = Client(server.port)
            answer = await client.say("c19999", "hello again")
            client.close()
            return answer.text

        assert asyncio.run(ask()) == "turn 2: hello again"


def synced_commits(tmp_path: Path, *options: str) -> tuple[int, int]:
    """(turns answered one after the other, flushes of the write-ahead log seen by strace)."""
    trace = tmp_path / "trace"
    prefix = ("strace", "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace))

    async def talk(port: int) -> None:
        client = Client(port)
        for i in range(20):
            assert (await client.say("a", f"n{i}")).status == 200
        client.close()

    with ServerProcess(tmp_path / "log.sqlite3", *options, prefix=prefix) as server:
        before = wal_flushes(trace)
        asyncio.run(talk(server.port))
        flushes = wal_flushes(trace) - before
        server.stop()
    return 20, flushes


def wal_flushes(trace: Path) -> int:
    return len(re.findall(r"f(?:data)?sync\(\d+<[^>]*-wal>", trace.read_text()))


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_trace(), reason="strace is missing or not allowed here: flushes can't be counted")
def test_every_commit_reaches_the_disk_before_its_answer(tmp_path: Path) -> None:
    turns, flushes = synced_commits(tmp_path)
    assert flushes >= turns


@pytest.mark.skipif(not can_trace(), reason="strace is missing or not allowed here: flushes can't be counted")
def test_synchronous_off_is_noticed(tmp_path: Path) -> None:
    turns, flushes = synced_commits(tmp_path, "--trap", "synchronous-off")
    assert flushes < turns


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[int]]]:
    """A log whose process died with a full write-ahead log, and the log's size after each of 60 turns."""
    folder = tmp_path_factory.mktemp("torn")
    db, sizes = folder / "log.sqlite3", []
    store = SqliteStore(db)

    async def write() -> None:
        for i in range(60):
            await store.append("a", 3 * i, turn(f"n{i}", f"m{i}"))
            sizes.append(db.with_name("log.sqlite3-wal").stat().st_size)

    asyncio.run(write())
    copy = folder / "crashed"
    copy.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{db}{suffix}", copy / f"log.sqlite3{suffix}")
    store.close()
    yield copy / "log.sqlite3", sizes
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["truncated", "garbage", "zeros"])
def test_a_torn_write_ahead_log_keeps_every_commit_before_the_tear(
    crashed: tuple[Path, list[int]], tmp_path: Path, kind: str
) -> None:
    source, sizes = crashed
    rng = random.Random(kind)
    wal = Path(f"{source}-wal").read_bytes()
    assert len(wal) == sizes[-1]
    for round_number in range(70):
        db = tmp_path / f"{round_number}.sqlite3"
        shutil.copy(source, db)
        tear = rng.randrange(0, len(wal))
        length = min(len(wal) - tear, rng.randrange(1, 5000))
        damage = {"truncated": b"", "garbage": rng.randbytes(length), "zeros": bytes(length)}[kind]
        rest = b"" if kind == "truncated" else wal[tear + length :]
        Path(f"{db}-wal").write_bytes(wal[:tear] + damage + rest)
        whole = sum(size <= tear for size in sizes)
        assert_prefix(db, whole)


def assert_prefix(db: Path, whole: int) -> None:
    """The log holds n0, n1, ... up to some turn, and at least the first ``whole`` ones."""
    store = SqliteStore(db)
    events = store.load("a")
    store.close()
    texts = [event.text for event in events if isinstance(event, UserUttered)]
    assert texts == [f"n{i}" for i in range(len(texts))]
    assert len(events) == 3 * len(texts)
    assert len(texts) >= whole
    with sqlite3.connect(db) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
