"""The server of ``serve_for_slack`` in its own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from memory.events import UserUttered
from memory.store import SqliteStore
from tests.slack.fake_slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET

ROOT = Path(__file__).parents[2]
SECRETS = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_SIGNING_SECRET": SIGNING_SECRET, "SLACK_APP_TOKEN": APP_TOKEN}


class SlackServer:
    """Ready when constructed; use as a context manager. ``output`` is all that it printed and logged."""

    def __init__(self, db: Path, api_url: str, *options: str) -> None:
        module = "tests.slack.serve_for_slack"
        command = [sys.executable, "-m", module, "--db", str(db), "--api-url", api_url, *options]
        environment = {**os.environ, **SECRETS, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = ""
        self.port = 0
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        if not self._ready.wait(60) or not self.port:
            self.kill()
            raise AssertionError(f"the server did not start: {self.output}")

    def _collect(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            found = re.search(r"ready at http://\S+:(\d+)", line)
            if found is not None:
                self.port = int(found[1])
                self._ready.set()
        self._ready.set()

    def kill(self) -> None:
        """SIGKILL: nothing is flushed."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(30)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def __enter__(self) -> SlackServer:
        return self

    def __exit__(self, *_: Any) -> None:
        if self.process.poll() is None:
            self.kill()


def said(db: Path) -> dict[str, list[str]]:
    """What users said, by conversation, as the event log has it."""
    store = SqliteStore(db)
    try:
        return {
            summary.id: [event.text for event in store.load(summary.id) if isinstance(event, UserUttered)]
            for summary in store.conversations(100_000)
        }
    finally:
        store.close()
