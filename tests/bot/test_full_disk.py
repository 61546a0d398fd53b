"""A disk that is full: the message names the file, what was there before stays, and nothing is left over."""

from __future__ import annotations

import asyncio
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.commands.log_export import export
from bot.commands.store_copy import copy
from bot.config import Config
from bot.errors import explain
from memory.key_values import write_key_values
from memory.store import SqliteStore
from policies.files import write_atomically
from tests.memory.event_factory import turn

ROOT = Path(__file__).parents[2]


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """No file can grow beyond ``size`` bytes: as on a full disk, a write fails and names no file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _atomic(config: Config, path: Path) -> None:
    write_atomically(path, b"x" * 50_000)


def _scores(config: Config, path: Path) -> None:
    write_key_values(path, {"t": [(f"k{n}", "v" * 500) for n in range(200)]}, {})


def _export(config: Config, path: Path) -> None:
    export(config, path.parent, as_json=True)


@pytest.mark.parametrize("write", [_atomic, _scores, _export])
def test_the_file_is_named_and_the_one_of_before_stays(tmp_path: Path, write: Callable[[Config, Path], None]) -> None:
    config = _config(tmp_path)
    path = tmp_path / "out" / "turns.parquet"
    path.parent.mkdir()
    path.write_text("of before")
    with full_after(40_000), pytest.raises((OSError, ValueError)) as failed:
        write(config, path)
    assert str(path.parent) in (explain(failed.value) or "a stack trace")
    assert [(p.name, p.read_text()) for p in path.parent.iterdir()] == [("turns.parquet", "of before")]


def test_a_copy_says_from_where_to_where(tmp_path: Path) -> None:
    config = _config(tmp_path)
    target = tmp_path / "copy.sqlite3"
    SqliteStore(target).close()
    with full_after(70_000), pytest.raises(Exception, match="can't be written") as failed:
        copy(config, None, str(target), as_json=True)
    assert str(target) in (explain(failed.value) or "a stack trace")
    with full_after(4096), pytest.raises(Exception, match="is the disk full") as failed:
        copy(config, None, str(target), as_json=True)
    assert "move the file away" not in str(failed.value), "it is not damaged"
    copy(config, None, str(target), as_json=True)


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    link = tmp_path / "nowhere"
    link.symlink_to("/dev/null")  # a link: what replaces it does no harm
    write_atomically(link, b"x")
    with pytest.raises(ValueError, match="no regular file"):
        write_key_values(link, {}, {})
    assert link.is_char_device()


def _config(folder: Path) -> Config:
    config = Config(assistant=ROOT / "assistants" / "restaurants", data=folder / "data")
    store = SqliteStore(config.database, synchronous="OFF")
    texts = [random.Random(n).randbytes(400).hex() for n in range(200)]  # does not compress
    events = [event for n, text in enumerate(texts) for event in turn(text, f"m{n}", at=float(n))]
    asyncio.run(store.append("c", 0, events))
    store.close()
    return config
