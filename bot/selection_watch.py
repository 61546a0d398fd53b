"""The server's side of learned selection: notices that another version is to be served, and swaps it in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from bot.selection import Selection
from bot.selection_store import SelectionVersions

log = logging.getLogger("rejoinder.learning")


class SelectionWatcher:
    """Looks at the pointer every ``seconds``; a new version is loaded in this thread and then handed to ``install``.

    A version that can't be loaded is reported in the log and the present one stays.
    """

    def __init__(
        self,
        versions: SelectionVersions,
        load: Callable[[], Selection],
        install: Callable[[Selection], None],
        seconds: float = 1.0,
    ) -> None:
        self._versions, self._load, self._install, self._seconds = versions, load, install, seconds
        self._seen = versions.signature()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="selection-watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching; idempotent."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Look once; whether another version was installed."""
        try:
            signature = self._versions.signature()
            if signature == self._seen:
                return False
            self._seen = signature
            version = self._versions.served().version
            self._install(self._load())
        except Exception as error:  # whatever is wrong with the files, the server goes on with what it has
            log.error("the new selection can't be served, the old one stays: %s", error)
            return False
        log.warning("serving selection %s", version)
        return True

    def _watch(self) -> None:
        while not self._closing.wait(self._seconds):
            self.look()
