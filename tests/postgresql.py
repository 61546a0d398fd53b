"""A real PostgreSQL server for the tests, where its programs are installed; started once, on a socket of its own."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

NOBODY = 65534
"""PostgreSQL refuses to run as root."""

AT_ONCE = 3
"""Databases in use at the same time."""


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``."""
    folders = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


def _end_with_parent() -> None:
    """A test run that is killed leaves no server behind (Linux: PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


class Postgres:
    """One server; ``fresh()`` is the address of a new database on it."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            os.chown(self._folder, NOBODY, NOBODY)
            self._identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        options = ("-U", "rejoinder", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        command = [str(binaries / "initdb"), "-D", str(self._folder / "data"), *options]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False, **self._identity)
        assert done.returncode == 0, done.stderr
        self._taken = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def address(self, database: str) -> str:
        return f"postgresql://rejoinder@/{database}?host={self._folder}"

    def start(self) -> None:
        """Ready when this returns; call it in the main thread, with which the server ends."""
        command = [str(self._binaries / "postgres"), "-D", str(self._folder / "data"), "-k", str(self._folder)]
        # fsync only matters when the machine dies, not when a process does; with it, making a database takes a second
        settings = ("fsync=off", "listen_addresses=", "shared_buffers=16MB", "max_connections=60", "autovacuum=off")
        command += [part for setting in settings for part in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it only makes one system call
                **self._identity,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.address("postgres")).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.02)

    def crash(self) -> None:
        """SIGKILL to every process of the server: nothing is flushed."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    def fresh(self) -> str:
        """The address of a database without our tables; the third call from here on empties it again."""
        name = f"test{self._taken % AT_ONCE}"
        self._taken += 1
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {name}".encode())
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with psycopg.connect(self.address(name), autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS rejoinder CASCADE")  # 20 ms; a new database takes 500
        return self.address(name)

    def remove(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)  # at once, nothing is flushed, shared memory is given back
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.crash()
        shutil.rmtree(self._folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server, or a skip with the reason."""
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb and postgres are not installed")
    server = Postgres(binaries)
    yield server
    server.remove()
