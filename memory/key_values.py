"""A static key-value store in one file: written whole by a nightly job, looked up by servers through a memory map.

The file is SQLite, opened read-only, immutable and memory-mapped. A new one takes the old one's place by rename: who
reads has the old file or the new one, never half of one, and notices the new one within ``CHECK_SECONDS``.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

FORMAT = 1
APPLICATION_ID = 0x524A4B56
CHECK_SECONDS = 1.0
"""How often a reader looks for a new file."""
MAP_BYTES = 2**32

log = logging.getLogger("rejoinder.key_values")


class KeyValuesError(ValueError):
    """The file is damaged, of another version or can't be written; the message names it and the remedy."""


def write_key_values(path: Path, tables: Mapping[str, Iterable[tuple[str, Any]]], about: Mapping[str, Any]) -> int:
    """Write (key, JSON value) pairs by table and put the file into place; returns how many pairs.

    ``about`` says where they come from. Whatever goes wrong, the file of before stays. ValueError for a number that
    isn't finite or a key given twice, OSError when the folder can't be written, KeyValuesError when the disk is full.
    """
    if path.exists() and not path.is_file():
        raise KeyValuesError(f"{path}: is no regular file; give the scores a file of their own")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    staged = Path(temporary)
    try:
        count = _fill(staged, tables, about)
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        staged.chmod(0o644)
        staged.replace(path)
    except sqlite3.Error as error:
        staged.unlink(missing_ok=True)
        raise KeyValuesError(f"{path}: can't be written: {error}; make room on the disk and try again") from None
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return count


def _fill(path: Path, tables: Mapping[str, Iterable[tuple[str, Any]]], about: Mapping[str, Any]) -> int:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("BEGIN")
        db.execute("CREATE TABLE pairs (name TEXT, key TEXT, value TEXT, PRIMARY KEY (name, key)) WITHOUT ROWID")
        db.execute("CREATE TABLE about (value TEXT)")
        db.execute("INSERT INTO about VALUES (?)", [json.dumps(about, allow_nan=False, sort_keys=True)])
        for name, pairs in tables.items():
            try:
                db.executemany(
                    "INSERT INTO pairs VALUES (?, ?, ?)",
                    ((name, key, json.dumps(value, allow_nan=False)) for key, value in sorted(pairs)),
                )
            except sqlite3.IntegrityError:
                raise ValueError(f"table {name!r}: a key is given twice") from None
            except ValueError as error:
                raise ValueError(f"table {name!r}: {error}: scores are finite numbers") from None
        count = db.execute("SELECT count(*) FROM pairs").fetchone()[0]
        db.execute("COMMIT")
    finally:
        db.close()
    return int(count)


class KeyValues:
    """Reads what ``write_key_values`` wrote; a missing file is empty until there is one. Usable from any thread.

    A file that took the place of another and can't be used is reported once and the old one kept.

    Args:
        path: the file.
        monotonic: seconds, for noticing a new file.

    Raises:
        KeyValuesError: the file that is there now can't be used.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._seen: tuple[int, int, int] | None = None
        self._about: dict[str, Any] = {}
        self._next = monotonic() + CHECK_SECONDS
        self._look()

    @property
    def about(self) -> dict[str, Any]:
        """What the writer said of the file in use; empty without one."""
        self.get("", "")
        return dict(self._about)

    def get(self, table: str, key: str) -> Any:
        """The value, or None."""
        return self.get_many([(table, key)])[0]

    def get_many(self, wanted: Iterable[tuple[str, str]]) -> list[Any]:
        """The values of (table, key) pairs, None for those that aren't there; all of one and the same file."""
        asked = list(wanted)
        with self._guard:
            if self._monotonic() >= self._next:
                self._notice()
            if self._db is None:
                return [None] * len(asked)
            try:
                rows = [self._db.execute(_GET, pair).fetchone() for pair in asked]
            except sqlite3.Error as error:
                raise KeyValuesError(_unusable(self.path, error)) from None
        return [None if row is None else json.loads(row[0]) for row in rows]

    def close(self) -> None:
        """Let go of the file; idempotent. Nothing is found afterwards until a new one is there."""
        with self._guard:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _notice(self) -> None:
        self._next = self._monotonic() + CHECK_SECONDS
        try:
            self._look()
        except KeyValuesError as error:
            log.error("%s", error)

    def _look(self) -> None:
        """Open the file at the path unless it is the one in use."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return
        except OSError as error:  # the folder's rights were changed: the file in use stays
            raise KeyValuesError(_unusable(self.path, error)) from None
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen == self._seen:
            return
        self._seen = seen  # noted before opening: if it is replaced in between, the next look opens it again
        db, about = _opened(self.path)
        if self._db is not None:
            self._db.close()
        self._db, self._about = db, about


_GET = "SELECT value FROM pairs WHERE name = ? AND key = ?"


def _opened(path: Path) -> tuple[sqlite3.Connection, dict[str, Any]]:
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    db = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
    try:
        db.execute(f"PRAGMA mmap_size = {MAP_BYTES}")
        kind = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        if kind != [APPLICATION_ID, FORMAT]:
            raise KeyValuesError(_unusable(path, f"kind {kind}, this version reads {[APPLICATION_ID, FORMAT]}"))
        if (broken := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise KeyValuesError(_unusable(path, broken.splitlines()[-1]))
        about = json.loads(db.execute("SELECT value FROM about").fetchone()[0])
    except (sqlite3.Error, ValueError, TypeError) as error:
        db.close()
        raise error if isinstance(error, KeyValuesError) else KeyValuesError(_unusable(path, error)) from None
    return db, about


def _unusable(path: Path, why: object) -> str:
    return f"{path}: not a usable store of batch scores ({why}): run `rejoinder batch` again, or delete the file"
