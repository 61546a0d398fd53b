"""The NLU behind an asynchronous ``parse``, in processes of its own or in threads of this one.

Reading a sentence costs more than everything else in a turn, half of it in Python. In a process of its own it has its
own interpreter lock, so that the event loop and the NLU use two cores. Sentences share no pass of the encoder:
int8 scales are taken over a whole batch, so a shared pass would make a sentence's meaning depend on who else is
talking, for little gain (docs/adr/0004-one-pass-per-sentence.md).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import queue
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from memory.dialogue import NLUResult, SystemAct

Read = Callable[[str, SystemAct | None], NLUResult]


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
    """An asynchronous ``parse`` over an executor; ``close`` it when done.

    ``executor`` makes the executor, again when its processes died; ``read`` runs in it. ``capacity`` bounds the
    messages being read or waiting.
    """

    def __init__(self, executor: Callable[[], Executor], read: Read, capacity: int = 1024) -> None:
        self._make, self._read, self._capacity = executor, read, capacity
        self._executor, self._closed = executor(), False
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
            return await self._run(text, previous)
        finally:
            self.waiting -= 1

    async def _run(self, text: str, previous: SystemAct | None) -> NLUResult:
        loop, executor = asyncio.get_running_loop(), self._executor
        try:
            return await loop.run_in_executor(executor, self._read, text, previous)
        except BrokenExecutor:  # a process was killed: the message was only read, so it is read again
            if self._executor is executor:
                executor.shutdown(wait=False)
                self._executor = self._make()
            return await loop.run_in_executor(self._executor, self._read, text, previous)

    def close(self) -> None:
        """Read what is waiting, then end threads and processes; idempotent."""
        self._closed = True
        self._executor.shutdown(wait=True)


def in_threads(readers: Sequence[Reader], capacity: int = 1024) -> NLUPool:
    """One thread per reader, in this process."""
    free: queue.SimpleQueue[Reader] = queue.SimpleQueue()
    for reader in readers:
        free.put(reader)

    def read(text: str, previous: SystemAct | None) -> NLUResult:
        reader = free.get()
        try:
            return reader.parse(text, previous)
        finally:
            free.put(reader)

    return NLUPool(lambda: ThreadPoolExecutor(len(readers), "nlu"), read, capacity)


def in_processes(count: int, model_dir: Path, assistant: Path) -> NLUPool:
    """``count`` processes that load the NLU of ``model_dir``; they start at once and end with this one."""
    context = multiprocessing.get_context("spawn")

    def executor() -> Executor:
        pool = ProcessPoolExecutor(count, context, _open, (model_dir, assistant))
        for _ in range(count):
            pool.submit(_read, "hello", None)
        return pool

    return NLUPool(executor, _read)


_reader: Reader | None = None
"""The NLU of a worker process."""


def _open(model_dir: Path, assistant: Path) -> None:
    global _reader  # noqa: PLW0603 - a worker process has no other place for its one NLU
    from bot.assistant import load_assistant
    from bot.nlu.pipeline import NLU

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the whole group; the server decides
    _reader = NLU.load(model_dir, load_assistant(assistant))


def _read(text: str, previous: SystemAct | None) -> NLUResult:
    assert _reader is not None
    return _reader.parse(text, previous)
