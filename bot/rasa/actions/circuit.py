"""A circuit breaker: a server that failed again and again is left alone for a while (Nygard, Release It!, 2007)."""

from __future__ import annotations

import time
from collections.abc import Callable


class CircuitBreaker:
    """Closed: all calls pass. After ``failures`` failed ones in a row it is open: none pass for ``seconds``. Then half
    open: one call is let through as a trial; if it succeeds the circuit closes, else it is open again.

    Every call that ``allow`` let through must end in ``succeeded`` or ``failed``.

    Args:
        failures: in a row, until it opens.
        seconds: that it stays open.
        monotonic: seconds of a clock that is never set back.
    """

    def __init__(
        self, failures: int = 5, seconds: float = 15.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._seconds, self._monotonic = failures, seconds, monotonic
        self._failed = 0
        self._opened: float | None = None
        self._trial = False

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        if self._opened is None:
            return "closed"
        return "open" if self.seconds_left() > 0 else "half-open"

    def seconds_left(self) -> float:
        """Seconds until a trial may be made; 0 when calls pass."""
        if self._opened is None:
            return 0.0
        return max(0.0, self._opened + self._seconds - self._monotonic())

    def allow(self) -> bool:
        """Whether a call may be made now."""
        if self._opened is None:
            return True
        if self._trial or self.seconds_left() > 0:
            return False
        self._trial = True
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failed, self._opened, self._trial = 0, None, False

    def failed(self) -> None:
        """A call was not answered."""
        self._failed += 1
        if self._trial or (self._opened is None and self._failed >= self._most):
            self._opened, self._trial = self._monotonic(), False
