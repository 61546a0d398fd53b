"""The server's side of whatever goes on learning: notices that another version is to be served, and swaps it in."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

log = logging.getLogger("rejoinder.learning")


class VersionWatcher(ABC):
    """Looks at the pointer to a version every ``seconds``; another one is loaded in this thread, beside the turns.

    ``what`` is served, in words for the log; ``seen`` is the pointer's signature at the beginning: a look loads where
    it finds another. A pointer or version that can't be read is reported in the log and the present one stays.
    """

    def __init__(self, what: str, seen: tuple[object, ...], seconds: float) -> None:
        self._what, self._seen, self._seconds = what, seen, seconds
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"{what}-watcher", daemon=True)

    @abstractmethod
    def _signature(self) -> tuple[object, ...]:
        """Differs whenever the pointer was replaced."""

    @abstractmethod
    def _swap(self) -> str | None:
        """Load what the pointer names and install it; what is served now, None where it was served already."""

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
            signature = self._signature()
            if signature == self._seen:
                return False
            self._seen = signature
            served = self._swap()
        except Exception as error:  # whatever is wrong with the files, the server goes on with what it has
            log.error("the new %s can't be served, the old one stays: %s", self._what, error)
            return False
        if served is not None:
            log.warning("serving %s %s", self._what, served)
        return served is not None

    def _watch(self) -> None:
        while not self._closing.wait(self._seconds):
            self.look()
