"""Conversations with a Rasa project in tests: messages are shortcuts or words from a small list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.rasa.actions.protocol import ActionResult
from bot.rasa.conversation import RasaConversation, new_conversation
from bot.rasa.engine import RasaEngine, RasaTurn
from bot.rasa.nlu.shortcut import read_shortcut
from bot.rasa.reading.loading import load_project
from memory.dialogue import BotResponse, Entity, NLUResult, UserMessage
from memory.events import BotUttered, Event, TrackerEvent, event_from_json, event_to_json
from policies.stories.state import StoryPolicy

Answer = Callable[[Mapping[str, Any]], ActionResult]


async def understand(text: str) -> NLUResult:
    """Shortcuts as they say, anything else as not understood (with a guess: greet)."""
    shortcut = read_shortcut(text)
    if shortcut is None:
        return NLUResult(text, intents=(("nlu_fallback", 0.6), ("greet", 0.3)))
    entities = []
    for name, value in shortcut.entities:
        entity, _, role = name.partition("#")
        entities.append(Entity(entity, value, shortcut.start, shortcut.end, role=role or None))
    return NLUResult(text, intents=((shortcut.intent, shortcut.confidence),), entities=tuple(entities))


class OwnActions:
    """Custom actions as Python functions of the tracker."""

    def __init__(self, **actions: Answer) -> None:
        self.actions = actions
        self.calls: list[tuple[str, Mapping[str, Any], str | None]] = []

    async def run(
        self,
        name: str,
        tracker: Mapping[str, Any],
        domain: Mapping[str, Any],
        sender_id: str,
        idempotency_key: str | None = None,
    ) -> ActionResult:
        self.calls.append((name, tracker, idempotency_key))
        return self.actions[name](tracker)

    async def close(self) -> None:
        pass


@dataclass
class Talk:
    """One conversation; ``events`` holds everything that happened."""

    engine: RasaEngine
    state: RasaConversation
    events: list[Event] = field(default_factory=list)
    now: float = 1_000.0

    @classmethod
    def with_project(cls, folder: Path, actions: OwnActions | None = None, policy: StoryPolicy | None = None) -> Talk:
        engine = RasaEngine(load_project(folder), understand, policy, actions)
        return cls(engine, new_conversation(engine.domain, "ann"))

    def say(self, text: str, channel: str = "rest", after: float = 1.0) -> list[str]:
        """The texts of the replies."""
        return [reply.text for reply in self.replies(text, channel, after)]

    def replies(self, text: str, channel: str = "rest", after: float = 1.0) -> list[BotResponse]:
        return [r for e in self.turn(text, channel, after).events if isinstance(e, BotUttered) for r in e.replies]

    def turn(self, text: str, channel: str = "rest", after: float = 1.0) -> RasaTurn:
        self.now += after
        message = UserMessage("ann", text, f"m{len(self.events)}", channel, self.now)
        turn = asyncio.run(self.engine.respond(self.state, message))
        self.state = turn.state
        self.events += turn.events
        return turn

    def told(self, *events: tuple[str, dict[str, Any]]) -> None:
        """Events from outside."""
        turn = self.engine.told(self.state, [TrackerEvent(self.now, name, fields) for name, fields in events])
        self.state = turn.state
        self.events += turn.events

    def actions(self, since: int = 0) -> list[str]:
        """The actions that were run, without action_listen."""
        names = [e.fields["name"] for e in self.events[since:] if isinstance(e, TrackerEvent) and e.name == "action"]
        return [name for name in names if name != "action_listen"]

    def reread(self) -> RasaConversation:
        """The state folded anew from what the log would hold."""
        return self.engine.fold("ann", [event_from_json(event_to_json(event)) for event in self.events])


def slot(name: str, value: Any) -> dict[str, Any]:
    return {"event": "slot", "name": name, "value": value}


def result(*events: dict[str, Any], say: Sequence[dict[str, Any]] = ()) -> ActionResult:
    return ActionResult(events, tuple(say))
