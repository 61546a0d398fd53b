"""One message of a conversation at a time, in arrival order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Place:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    holders: int = 0


class ConversationLocks:
    """A first-come-first-served lock per conversation.

    Locks are counted and dropped with their last holder, so memory follows the messages in flight and not the
    conversations ever seen; nothing polls and nothing expires, so no clock can break the order.
    """

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    @asynccontextmanager
    async def hold(self, conversation_id: str) -> AsyncIterator[None]:
        """Wait for all earlier holders of this conversation, then exclude later ones."""
        place = self._places.setdefault(conversation_id, _Place())
        place.holders += 1
        try:
            async with place.lock:
                yield
        finally:
            place.holders -= 1
            if place.holders == 0:
                del self._places[conversation_id]
