"""A small real engine: deterministic replies, a settable amount of work, real belief underneath.

``/echo {...}`` makes it answer with exactly the given reply (text, buttons, image, custom; the text ``times`` times),
``/fail`` raises, ``/hang`` never ends, ``/inform{"food": "thai"}`` fills slots, anything else is repeated with its
turn's number.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from memory.conversation import Conversation, Turn, fold
from memory.dialogue import BotResponse, Button, Decision, DialogueAct, Entity, NLUResult, ScoredAct, UserMessage
from memory.events import Booked, BotUttered, Decided, Event, UserUttered
from memory.ontology import Ontology

ACTIONS = ("answer", "offer", "bye")


def small_ontology() -> Ontology:
    """Two constraint slots, three entities."""
    return Ontology(
        name="small",
        constraints={"food": ("thai", "italian"), "area": ("north", "south")},
        requestable=("phone",),
        open_slots=("time",),
        entities={
            "name": ("Bangkok", "Roma", "Siam"),
            "food": ("thai", "italian", "thai"),
            "area": ("north", "south", "south"),
            "phone": ("1", "2", "3"),
        },
    )


class EngineForTests:
    """See the module; keeps a log of (conversation, text, start, end) to prove order."""

    def __init__(self, sleep_ms: float = 0.0) -> None:
        self.ontology = small_ontology()
        self.sleep_ms = sleep_ms
        self.work: list[tuple[str, str, float, float]] = []

    def fold(self, conversation_id: str, events: Sequence[Event]) -> Conversation:
        """The state after all events."""
        return fold(self.ontology, conversation_id, events)

    async def respond(self, state: Conversation, message: UserMessage) -> Turn:
        started = time.monotonic()
        await self._work(message)
        nlu = understand(message.text)
        turn = int(state.belief.turn[0]) + 1
        decision = Decision("answer", "test", "1", (0.5, float("nan"), 0.1), (True, False, True))
        now = message.timestamp
        events: list[Event] = [
            UserUttered(now, message.text, message.message_id or "", message.channel, nlu),
            Decided(now, decision, None, {"nlu": 0.2, "policy": 0.1}),
        ]
        if message.text == "/book":
            events.append(Booked(now, f"R{turn}", "Bangkok", {"time": "19:00"}))
        events.append(BotUttered(now, tuple(reply(message.text, turn))))
        self.work.append((state.id, message.text, started, time.monotonic()))
        return Turn.begin(state).then(self.ontology, *events)

    async def _work(self, message: UserMessage) -> None:
        if message.text == "/fail":
            raise RuntimeError("asked to fail")
        if message.text == "/hang":
            await asyncio.Event().wait()
        sleep_ms = float(message.metadata.get("sleep_ms", self.sleep_ms))
        if sleep_ms:
            await asyncio.sleep(sleep_ms / 1000)


def reply(text: str, turn: int) -> list[BotResponse]:
    """What is answered."""
    if text.startswith("/echo "):
        wanted: dict[str, Any] = json.loads(text.removeprefix("/echo "))
        buttons = tuple(Button(**button) for button in wanted.get("buttons", []))
        return [
            BotResponse(
                wanted.get("text", "") * wanted.get("times", 1), buttons, wanted.get("image"), wanted.get("custom")
            )
        ]
    return [BotResponse(f"turn {turn}: {text}")]


def understand(text: str) -> NLUResult:
    """``/inform{...}`` fills slots; everything else is an ``ack``."""
    if not text.startswith("/inform{"):
        return NLUResult(text, (ScoredAct(DialogueAct("ack"), 0.9),), (("ack", 0.9),))
    slots = json.loads(text.removeprefix("/inform"))
    acts = tuple(ScoredAct(DialogueAct("inform", slot, value), 0.9) for slot, value in slots.items())
    entities = tuple(Entity(slot, value, 0, len(text), 0.9, "test") for slot, value in slots.items())
    return NLUResult(text, acts, (("inform", 0.9),), entities, sentiment=0.5)


async def parse(text: str) -> NLUResult:
    """For ``/model/parse``."""
    return understand(text)
