"""NLUs in worker threads, so that the event loop never waits for a sentence to be read.

The encoder runs outside the interpreter's lock, so two threads use two cores. Sentences share no pass of the encoder:
int8 scales are taken over a whole batch, so a shared pass would make a sentence's meaning depend on who else is
talking, for little gain (see docs/adr/0004-one-pass-per-sentence.md).
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from memory.dialogue import NLUResult, SystemAct


class NLUBusy(RuntimeError):
    """Too many messages are waiting to be read; try again in a moment."""


class NLUClosed(RuntimeError):
    """The NLU was closed."""


class Reader(Protocol):
    """What a thread needs; one instance serves one thread at a time."""

    def parse(self, text: str, previous: SystemAct | None = None) -> NLUResult:
        """What a message means after ``previous``."""
        ...


class NLUPool:
    """An asynchronous ``parse`` over one thread per reader; ``close`` it when done."""

    def __init__(self, readers: Sequence[Reader], capacity: int = 1024) -> None:
        """``capacity`` bounds the messages being read or waiting."""
        self._free: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        for reader in readers:
            self._free.put(reader)
        self._executor = ThreadPoolExecutor(len(readers), "nlu")
        self._capacity, self._closed = capacity, False
        self.waiting = 0
        """Messages being read or waiting."""

    async def parse(self, text: str, previous: SystemAct | None = None) -> NLUResult:
        """What a message means; NLUBusy when too many are waiting, NLUClosed after ``close``."""
        if self._closed:
            raise NLUClosed("the NLU is closed")
        if self.waiting >= self._capacity:
            raise NLUBusy(f"{self._capacity} messages are waiting already; try again shortly")
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._read, text, previous)
        finally:
            self.waiting -= 1

    def _read(self, text: str, previous: SystemAct | None) -> NLUResult:
        reader = self._free.get()
        try:
            return reader.parse(text, previous)
        finally:
            self._free.put(reader)

    def close(self) -> None:
        """Read what is waiting, then end the threads; idempotent."""
        self._closed = True
        self._executor.shutdown(wait=True)
