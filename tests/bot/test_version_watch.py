"""Watching for another version outlives files that can't be read."""

from __future__ import annotations

import logging

import pytest

from bot.version_watch import VersionWatcher


class Scripted(VersionWatcher):
    """Looks at what the test says; an exception is raised."""

    def __init__(self, *found: object) -> None:
        super().__init__("model", (0,), 1.0)
        self._found, self.swapped = list(found), 0

    def _signature(self) -> tuple[object, ...]:
        found = self._found.pop(0)
        if isinstance(found, Exception):
            raise found
        return (found,)

    def _swap(self) -> str:
        self.swapped += 1
        return f"number {self.swapped}"


def test_only_another_pointer_is_loaded_and_a_failing_disk_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    watcher = Scripted(0, OSError("the disk is gone"), 1, 1, 2)
    with caplog.at_level(logging.WARNING):
        assert [watcher.look() for _ in range(5)] == [False, False, True, False, True]
    assert watcher.swapped == 2
    assert "the new model can't be served, the old one stays: the disk is gone" in caplog.text
    assert "serving model number 2" in caplog.text
