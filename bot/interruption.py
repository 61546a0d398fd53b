"""Ctrl-C and SIGTERM for long work: the step under way is finished, what was reached is written down."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code of a command that was ended so."""


@contextmanager
def interruptions() -> Iterator[Callable[[], bool]]:
    """Yields whether Ctrl-C or SIGTERM came within the block; a second one raises KeyboardInterrupt at once.

    Outside the main thread signals can't be watched: it then always says no. One that is ignored (a job in the
    background, nohup) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if came.is_set():
            raise KeyboardInterrupt
        came.set()

    watched = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in watched}
    try:
        yield came.is_set
    finally:
        for number, old in before.items():
            signal.signal(number, old)
