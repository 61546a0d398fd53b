"""What a channel must offer that answers by calling out instead of answering a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.routing import BaseRoute


class PushChannel(Protocol):
    """A channel such as Slack."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Addresses that it answers at."""

    async def start(self) -> None:
        """Called before the first request; must not wait for anybody outside."""

    async def stop(self) -> None:
        """Called after the last request; what is unfinished must be on disk."""
