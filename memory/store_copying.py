"""One event log into another: conversation by conversation, resumable, and checked by counts and hashes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from memory.events import Event, event_to_json
from memory.store import EventStore

AT_ONCE = 32
"""Conversations copied side by side: their commits share the disk's flushes."""


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What is in the target now: totals, what this run added, and one hash over ids and events in order."""

    conversations: int
    events: int
    new_conversations: int
    new_events: int
    sha256: str


class CopyConflict(Exception):
    """The target has other events under the same conversation's id than the source."""


def conversation_id_pages(store: EventStore, size: int = AT_ONCE) -> Iterator[list[str]]:
    """Every conversation's id, ``size`` at a time, by code points."""
    after = ""
    while ids := store.conversation_ids(after, size):
        yield ids
        after = ids[-1]


async def copy_log(source: EventStore, target: EventStore, advance: Callable[[int], None]) -> CopyReport:
    """Append to ``target`` what it lacks of ``source``; what it has already must be the same.

    Each conversation is read back and compared. A copy that was cut off is gone on with by calling it again; so is one
    whose source has grown since. ``advance`` is told how many conversations are done.

    Raises:
        CopyConflict: a conversation of the target is not the beginning of the source's; those before it are copied.
        StoreUnavailable: either can't be used now.
        ValueError: an event was written by a newer version.
    """
    digest = hashlib.sha256()
    conversations = events = new_conversations = new_events = 0
    for ids in conversation_id_pages(source):
        copied = await asyncio.gather(*(_copy(source, target, name) for name in ids), return_exceptions=True)
        for name, outcome in zip(ids, copied, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            lines, added = outcome
            conversations, events = conversations + 1, events + len(lines)
            new_conversations, new_events = new_conversations + (added == len(lines)), new_events + added
            digest.update(hash_of(name, lines))
        advance(len(ids))
    return CopyReport(conversations, events, new_conversations, new_events, digest.hexdigest())


async def _copy(source: EventStore, target: EventStore, name: str) -> tuple[list[str], int]:
    """The conversation's events as JSON, and how many were new to the target."""
    events = source.load(name)
    lines, there = _lines(events), _lines(target.load(name))
    if there != lines[: len(there)]:
        raise CopyConflict(
            f"conversation {name!r}: the target has other events under this id ({len(there)}, the source {len(lines)})"
        )
    if len(there) < len(lines):
        await target.append(name, len(there), events[len(there) :])
        if hash_of(name, _lines(target.load(name))) != hash_of(name, lines):
            raise CopyConflict(f"conversation {name!r}: read back it is not what was written; is somebody writing?")
    return lines, len(lines) - len(there)


def _lines(events: Sequence[Event]) -> list[str]:
    return [event_to_json(event) for event in events]


def hash_of(name: str, lines: Sequence[str]) -> bytes:
    """SHA-256 of a conversation's id and its events' JSON, one a line."""
    return hashlib.sha256("\n".join([name, *lines]).encode("utf-8", "surrogatepass")).digest()
