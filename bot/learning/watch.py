"""The server's side of online learning: notices that another version is to be served, and loads it beside the turns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from bot.learning.versions import PolicyVersions
from policies.policy import Policy

log = logging.getLogger("rejoinder.learning")


class PolicyWatcher:
    """Looks at the pointer every ``seconds``; a new version is loaded in this thread and then handed to ``install``.

    Turns never wait for it. A version that can't be loaded is reported in the log and the present one stays.
    ``version`` is the policy's that is served at the beginning.
    """

    def __init__(
        self,
        versions: PolicyVersions,
        load: Callable[[], Policy],
        install: Callable[[Policy], None],
        version: str,
        seconds: float = 1.0,
    ) -> None:
        self._versions, self._load, self._install, self._seconds = versions, load, install, seconds
        self._version = version
        self._seen: tuple[object, ...] = ()  # the first look loads: something may have been promoted since the start
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="policy-watcher", daemon=True)

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
        signature = self._versions.signature()
        if signature == self._seen:
            return False
        self._seen = signature
        try:
            policy = self._load()
        except Exception as error:  # whatever is wrong with the files, the server goes on with what it has
            log.error("the new policy can't be served, the old one stays: %s", error)
            return False
        if policy.version == self._version:
            return False
        self._install(policy)
        self._version = policy.version
        log.warning("serving policy %s %s", policy.name, policy.version)
        return True

    def _watch(self) -> None:
        while not self._closing.wait(self._seconds):
            self.look()
