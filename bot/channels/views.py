"""How what is stored of a conversation is shown: Rasa's tracker and the inspector's page, by kind of assistant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from bot.channels.inspection import conversation_json
from bot.channels.tracker import parse_json, tracker_json
from memory.dialogue import NLUResult
from memory.events import Event
from memory.ontology import Ontology


class Views(Protocol):
    """The JSON that developers see; pure functions of events."""

    def beginning(self, now: float) -> tuple[Event, ...]:
        """Events with which a conversation nobody spoke in yet begins; empty: the tracker of such a one is a 404."""

    def tracker(
        self, conversation_id: str, events: Sequence[Event], include_events: str, until: float | None
    ) -> dict[str, Any]:
        """Rasa's tracker; ``include_events`` is ALL, APPLIED, AFTER_RESTART or NONE, ``until`` in seconds."""

    def inspection(self, conversation_id: str, events: Sequence[Event]) -> dict[str, Any]:
        """What the inspector shows: where the conversation stands, and every turn."""

    def parsed(self, nlu: NLUResult) -> dict[str, Any]:
        """The result of ``/model/parse``."""


class BeliefViews:
    """Of an assistant whose state is a belief; ``actions`` names the entries of ``Decision.values``."""

    def __init__(self, ontology: Ontology, actions: Sequence[str] = ()) -> None:
        self._ontology = ontology
        self._actions = tuple(actions)

    def beginning(self, now: float) -> tuple[Event, ...]:
        """None: a conversation begins with its first message."""
        return ()

    def tracker(
        self, conversation_id: str, events: Sequence[Event], include_events: str, until: float | None
    ) -> dict[str, Any]:
        """See ``Views``; every event counts as applied."""
        told = [event for event in events if until is None or event.timestamp <= until]
        return tracker_json(self._ontology, conversation_id, told, include_events)

    def inspection(self, conversation_id: str, events: Sequence[Event]) -> dict[str, Any]:
        """See ``Views``."""
        return conversation_json(self._ontology, conversation_id, events, self._actions)

    def parsed(self, nlu: NLUResult) -> dict[str, Any]:
        """See ``Views``."""
        return parse_json(nlu)
