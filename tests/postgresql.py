"""A real PostgreSQL server for the tests, where its programs are installed; started once, on a socket of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

NOBODY = 65534
"""PostgreSQL refuses to run as root."""


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``."""
    folders = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


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
        self._databases = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def address(self, database: str) -> str:
        return f"postgresql://rejoinder@/{database}?host={self._folder}"

    def start(self) -> None:
        """Ready when this returns."""
        command = [str(self._binaries / "postgres"), "-D", str(self._folder / "data"), "-k", str(self._folder)]
        # fsync only matters when the machine dies, not when a process does; with it, making a database takes a second
        settings = ("fsync=off", "listen_addresses=", "shared_buffers=16MB", "max_connections=60", "autovacuum=off")
        command += [part for setting in settings for part in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True, **self._identity
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
        """The address of an empty database."""
        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.address(name)

    def remove(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)  # its fast shutdown
        self._process.wait(30)
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
