"""Every limit of the server in one frozen dataclass, and the two counters that enforce load limits."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path


class SettingsError(ValueError):
    """A server setting makes no sense; the message names it and says what it may be."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server listens and what it refuses; times in seconds, sizes in bytes.

    ``allowed_origins`` are the other web sites (scheme://host:port) that may embed the widget; ``frame_ancestors``
    those that may show the chat page in a frame. ``inspect_token`` opens the inspector and the trackers; without
    one they answer only on a loopback address. ``messages_per_minute`` is per conversation, 0 for no limit.
    """

    host: str = "127.0.0.1"
    port: int = 5005
    allowed_origins: tuple[str, ...] = ()
    frame_ancestors: tuple[str, ...] = ()
    inspect_token: str | None = None
    max_message_chars: int = 1_000
    """In code points."""
    max_body_bytes: int = 65_536
    max_header_bytes: int = 32_768
    max_in_flight: int = 256
    """Turns being worked on or waiting for their conversation; one more is refused with 503."""
    max_connections: int = 12_000
    messages_per_minute: int = 0
    request_seconds: float = 10.0
    """From the first byte of a request to its last."""
    send_seconds: float = 10.0
    """How long a client may take to read one WebSocket frame."""
    shutdown_seconds: float = 8.0
    token_days: float = 365.0
    """How long a widget's conversation token is valid."""
    secret_file: Path | None = None
    """Signs the widget's conversations; made on first use. None: a new secret at every start."""
    access_log: bool = False

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if value < 0 or (value == 0 and setting.name not in ("port", "messages_per_minute")):
                raise SettingsError(f"server.{setting.name} is {value!r}: give a number above 0")
        for origin in (*self.allowed_origins, *self.frame_ancestors):
            scheme, _, rest = origin.partition("://")
            if scheme not in ("http", "https") or not rest or "/" in rest or any(c in rest for c in " ;,*'\""):
                raise SettingsError(f"origin {origin!r}: write scheme://host or scheme://host:port, without a path")
        if self.inspect_token is not None and len(self.inspect_token) < 16:
            raise SettingsError("server.inspect_token is shorter than 16 characters: use a long random one")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class TooBusy(Exception):
    """More work than the server takes at once, or than one conversation may cause."""

    def __init__(self, reason: str, status: int, retry_after: int) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


class InFlight:
    """Counts turns in flight; one beyond ``limit`` is refused at once instead of queued without bound."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold one place.

        Raises:
            TooBusy: all places are taken (503).
        """
        if self.count >= self.limit:
            raise TooBusy(f"{self.count} messages are being answered: retry in a second", 503, 1)
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1


class RateLimit:
    """A token bucket per conversation, for the ``capacity`` most recent ones; ``per_minute`` 0 lets all pass."""

    def __init__(
        self, per_minute: int, capacity: int = 10_000, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = float(per_minute)
        self._capacity = capacity
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, conversation_id: str) -> None:
        """Count one message.

        Raises:
            TooBusy: the conversation's bucket is empty (429).
        """
        if not self._burst:
            return
        now = self._monotonic()
        level, since = self._buckets.pop(conversation_id, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._burst / 60)
        allowed = level >= 1
        self._buckets[conversation_id] = (level - 1 if allowed else level, now)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = int((1 - level) * 60 / self._burst) + 1
            raise TooBusy(f"more than {self._burst:.0f} messages a minute in one conversation", 429, wait)
