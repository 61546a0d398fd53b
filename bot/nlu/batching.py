"""One worker thread for the NLU, so that the event loop never waits for a sentence to be read.

Messages that are waiting are read together; a lone message is read at once. The queue is bounded: when it is full,
callers are told instead of waiting without limit.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass

from bot.nlu.pipeline import NLU
from memory.dialogue import NLUResult, SystemAct


class NLUBusy(RuntimeError):
    """Too many messages are waiting to be read; try again in a moment."""


class NLUClosed(RuntimeError):
    """The NLU was closed."""


@dataclass(frozen=True, slots=True)
class _Job:
    text: str
    previous: SystemAct | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[NLUResult]


class BatchedNLU:
    """Reads messages from many conversations in one thread; ``close`` it when done."""

    def __init__(self, nlu: NLU, *, capacity: int = 1024, max_batch: int = 32, window_seconds: float = 0.002) -> None:
        """``capacity`` bounds the waiting messages; ``window_seconds`` is spent collecting only when more wait."""
        self._nlu, self._max_batch, self._window = nlu, max_batch, window_seconds
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=capacity)
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="nlu", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Messages in the queue, about."""
        return self._jobs.qsize()

    async def parse(self, text: str, previous: SystemAct | None = None) -> NLUResult:
        """What a message means; NLUBusy when the queue is full, NLUClosed after ``close``."""
        loop = asyncio.get_running_loop()
        job = _Job(text, previous, loop, loop.create_future())
        with self._lock:
            if self._closed:
                raise NLUClosed("the NLU is closed")
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                raise NLUBusy(f"{self._jobs.maxsize} messages are waiting already; try again shortly") from None
        return await job.future

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Read what is waiting, then end the thread; further calls of ``parse`` raise NLUClosed."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._jobs.put(None, timeout=timeout_seconds)
        self._thread.join(timeout_seconds)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            batch, ended = self._collect(job)
            self._read(batch)
            if ended:
                return

    def _collect(self, first: _Job) -> tuple[list[_Job], bool]:
        """``first`` and what else is waiting; the window is only spent when something is."""
        batch = [first]
        deadline = time.monotonic() + self._window
        while len(batch) < self._max_batch:
            try:
                if self._jobs.empty() and len(batch) == 1:
                    break
                job = self._jobs.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _read(self, batch: list[_Job]) -> None:
        wanted = [job for job in batch if not job.future.cancelled()]
        try:
            results = self._nlu.parse_batch([job.text for job in wanted], [job.previous for job in wanted])
        except Exception as error:
            for job in wanted:
                _tell(job, None, error)
            return
        for job, result in zip(wanted, results, strict=True):
            _tell(job, result, None)


def _tell(job: _Job, result: NLUResult | None, error: Exception | None) -> None:
    def deliver() -> None:
        if job.future.done():
            return
        if error is not None:
            job.future.set_exception(error)
        elif result is not None:
            job.future.set_result(result)

    try:
        job.loop.call_soon_threadsafe(deliver)
    except RuntimeError:
        return  # the caller's event loop has ended; nobody is waiting any more
