"""Concurrent requests share passes of the encoder: one worker thread reads whatever is waiting as one batch."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from typing import Protocol

from memory.dialogue import NLUResult, SystemAct

MAX_BATCH = 32
MAX_WAITING = 1024


class NLUBusy(RuntimeError):
    """More messages are waiting than can be read in time; try again later."""


class Reader(Protocol):
    """What is batched."""

    def parse_batch(self, texts: list[str], previous: list[SystemAct | None]) -> list[NLUResult]:
        """One result per text."""
        ...


class _Job:
    __slots__ = ("future", "loop", "previous", "text")

    def __init__(self, text: str, previous: SystemAct | None) -> None:
        self.text, self.previous = text, previous
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[NLUResult] = self.loop.create_future()

    def resolve(self, result: NLUResult | None, error: BaseException | None) -> None:
        """Runs in the loop; a caller that gave up has cancelled the future."""
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        elif result is not None:
            self.future.set_result(result)


class BatchedNLU:
    """An asynchronous ``parse`` over one worker thread.

    Args:
        nlu: reads batches.
        window_ms: how long a batch waits for company, only when others are waiting already.
        max_waiting: messages in the queue; one more raises NLUBusy.
    """

    def __init__(self, nlu: Reader, window_ms: float = 1.0, max_waiting: int = MAX_WAITING) -> None:
        self._nlu, self._window, self._max_waiting = nlu, window_ms / 1000, max_waiting
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="nlu", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Messages not yet taken up."""
        return len(self._jobs)

    async def parse(self, text: str, previous: SystemAct | None = None) -> NLUResult:
        """What ``text`` means after ``previous``; NLUBusy when too many are waiting, RuntimeError when closed."""
        job = _Job(text, previous)
        with self._wake:
            if self._closed:
                raise RuntimeError("the NLU is closed")
            if len(self._jobs) >= self._max_waiting:
                raise NLUBusy(f"{self._max_waiting} messages are waiting already; try again later")
            self._jobs.append(job)
            self._wake.notify()
        return await job.future

    def close(self) -> None:
        """Finish what is waiting and stop the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(10)

    def _work(self) -> None:
        while batch := self._next_batch():
            results: list[NLUResult | None] = [None] * len(batch)
            error: BaseException | None = None
            try:
                results = list(self._nlu.parse_batch([job.text for job in batch], [job.previous for job in batch]))
            except Exception as raised:
                error = raised
            for job, result in zip(batch, results, strict=True):
                try:
                    job.loop.call_soon_threadsafe(job.resolve, result, error)
                except RuntimeError:  # the loop of a caller that is gone
                    continue

    def _next_batch(self) -> list[_Job]:
        """What is waiting, up to MAX_BATCH; blocks for the first, empty only when closed."""
        with self._wake:
            while not self._jobs and not self._closed:
                self._wake.wait()
            company = 1 < len(self._jobs) < MAX_BATCH
        if company and self._window:
            time.sleep(self._window)
        with self._wake:
            return [self._jobs.popleft() for _ in range(min(MAX_BATCH, len(self._jobs)))]
