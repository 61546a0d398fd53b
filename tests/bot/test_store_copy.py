from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot.commands.store_copy import copy
from bot.config import Config, ConfigError, load_config
from bot.errors import CommandError
from memory.events import Event, FeedbackGiven
from memory.store import SqliteStore, StoreUnavailable
from memory.store_opening import open_store
from tests.memory.event_factory import turn
from tests.postgresql import Postgres


def fill(path: Path, conversations: int) -> None:
    store = SqliteStore(path, synchronous="OFF")

    async def append(i: int) -> None:
        await store.append(f"c{i}", 0, turn(f"text \x00 \ud800 {i}", f"m{i}", at=float(i)))

    async def run() -> None:
        await asyncio.gather(*(append(i) for i in range(conversations)))

    asyncio.run(run())
    store.close()


def loaded(address: Path | str) -> dict[str, str]:
    store = open_store(address)
    found = {name: repr(store.load(name)) for name in store.conversation_ids(limit=10_000)}
    store.close()
    return found


def add(address: Path | str, name: str, seq: int, events: list[Event]) -> None:
    store = open_store(address)
    asyncio.run(store.append(name, seq, events))
    store.close()


def test_a_log_moves_to_postgresql_and_back_unchanged(
    postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there, back = tmp_path / "log.sqlite3", postgres.fresh(), tmp_path / "back.sqlite3"
    fill(here, 70)

    def copied(source: Path | str, target: Path | str) -> dict[str, object]:
        copy(Config(), str(source), str(target), as_json=True)
        return dict(json.loads(capsys.readouterr().out))

    first = copied(here, there)
    assert (first["conversations"], first["events"], first["new_events"], first["verified"]) == (70, 210, 210, True)
    # called again it adds what is new, and nothing else
    add(here, "c7", 3, [FeedbackGiven(99.0, "m7", 1)])
    add(here, "new", 0, turn("later", "m", at=99.0))
    second = copied(here, there)
    assert (second["new_conversations"], second["new_events"], second["events"]) == (1, 4, 214)
    assert copied(there, back)["sha256"] == second["sha256"]
    assert loaded(here) == loaded(there) == loaded(back)
    stores = [open_store(address) for address in (here, there)]
    lists = [[(s.id, s.started, s.turns, s.last_text) for s in store.conversations(500)] for store in stores]
    for store in stores:
        store.close()
    assert lists[0] == lists[1]


def test_a_copy_that_was_cut_off_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "log.sqlite3", tmp_path / "other.sqlite3"
    fill(here, 100)
    honest, appended = SqliteStore.append, list[str]()

    async def fails(store: SqliteStore, name: str, seq: int, events: list[Event]) -> None:
        if len(appended) == 60:
            raise StoreUnavailable("the disk is full")
        appended.append(name)
        await honest(store, name, seq, events)

    monkeypatch.setattr(SqliteStore, "append", fails)
    with pytest.raises(CommandError, match="the disk is full"):
        copy(Config(), str(here), str(there), as_json=True)
    monkeypatch.undo()
    assert 0 < len(loaded(there)) < 100
    copy(Config(), str(here), str(there), as_json=True)
    assert loaded(there) == loaded(here)


def test_what_differs_in_the_target_is_named_and_left_alone(tmp_path: Path) -> None:
    here, there = tmp_path / "log.sqlite3", tmp_path / "other.sqlite3"
    fill(here, 3)
    add(there, "c1", 0, turn("somebody else's", "x"))
    before = loaded(there)["c1"]
    with pytest.raises(CommandError, match=r"other\.sqlite3: conversation 'c1': the target has other events"):
        copy(Config(), str(here), str(there), as_json=True)
    assert loaded(there)["c1"] == before


def test_what_cannot_be_copied_is_said_without_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="no such event log"):
        copy(Config(), str(tmp_path / "none"), str(tmp_path / "x"), as_json=True)
    with pytest.raises(CommandError, match="are the same"):
        copy(Config(), None, None, as_json=True)
    fill(tmp_path / "log", 1)
    monkeypatch.setenv("REJOINDER_STORE_URL", "postgresql://bot:S3CRET@127.0.0.1:1/bot")
    with pytest.raises(StoreUnavailable, match=r"postgresql://127\.0\.0\.1:1/bot: no connection") as error:
        copy(Config(), str(tmp_path / "log"), None, as_json=True)
    assert "S3CRET" not in str(error.value)
    with pytest.raises(StoreUnavailable, match="can't be read: write postgresql://"):
        open_store("postgresql://bot:S3CRET@[::1/bot")


def test_the_configured_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.yml"
    assert Config().store_address == Config().database
    file.write_text("store: {url: 'postgresql://bot@db/bot', url_variable: MY_STORE}")
    assert load_config(file).store_address == "postgresql://bot@db/bot"
    monkeypatch.setenv("MY_STORE", "postgresql://bot:pw@db/bot")
    assert load_config(file).store_address == "postgresql://bot:pw@db/bot"
    for url, says in (("postgresql://bot:S3CRET@db/bot", "no place in config.yml"), ("mysql://db", "store.url")):
        file.write_text(f"store: {{url: '{url}'}}")
        with pytest.raises(ConfigError, match=says) as error:
            load_config(file)
        assert "S3CRET" not in str(error.value)
