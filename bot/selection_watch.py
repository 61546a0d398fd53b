"""Which learned selection is to be served, while the server runs."""

from __future__ import annotations

from collections.abc import Callable

from bot.selection import Selection
from bot.selection_store import SelectionVersions
from bot.version_watch import VersionWatcher


class SelectionWatcher(VersionWatcher):
    """Hands each newly promoted selection to ``install``."""

    def __init__(
        self,
        versions: SelectionVersions,
        load: Callable[[], Selection],
        install: Callable[[Selection], None],
        seconds: float = 1.0,
    ) -> None:
        super().__init__("selection", versions.signature(), seconds)
        self._versions, self._load, self._install = versions, load, install

    def _signature(self) -> tuple[object, ...]:
        return self._versions.signature()

    def _swap(self) -> str | None:
        version = self._versions.served().version
        self._install(self._load())
        return str(version)
