"""An engine that says exactly what it is told to: a real part of the real server, with replies chosen by the test.

The message is a JSON list of replies, e.g. ``[{"text": "hi", "buttons": [{"title": "Yes", "payload": "/affirm"}]}]``;
anything else is answered with ``You said: ...``. ``slow`` takes a second. A message that is a value of the ontology is
understood as ``inform(food=value)``, comes back as text, picture, and a button's title and payload, is remembered (as a
statement, a preference, and an answer with its support), and is the key of a candidate, its pool and its feature.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from memory.conversation import Conversation, Turn, fold
from memory.dialogue import (
    BotResponse,
    Button,
    Decision,
    DialogueAct,
    Entity,
    NLUResult,
    ScoredAct,
    SystemAct,
    UserMessage,
)
from memory.events import (
    BotUttered,
    Decided,
    Event,
    MemoryAnswered,
    MemoryEvent,
    PreferenceStated,
    Selected,
    StatementRemembered,
    UserUttered,
)
from memory.ontology import Ontology
from memory.slates import OfferedCandidate, OfferedSlate

ACTIONS = ("request_food", "offer", "answer", "bye")
SLOW_SECONDS = 1.0


def ontology(values: tuple[str, ...]) -> Ontology:
    """One slot with ``values``, one place to eat."""
    return Ontology(
        name="e2e",
        constraints={"food": values},
        requestable=("phone",),
        open_slots=("time",),
        entities={"name": ("Bar",), "food": (values[0],), "phone": ("0123",)},
    )


class ScriptedEngine:
    """See the module."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self.ontology = ontology(values)
        self._values = frozenset(values)

    def fold(self, conversation_id: str, events: Sequence[Event]) -> Conversation:
        """The state after all events."""
        return fold(self.ontology, conversation_id, events)

    async def respond(self, state: Conversation, message: UserMessage) -> Turn:
        """The events of one turn."""
        if message.text == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        value = message.text if message.text in self._values else None
        replies = tuple(_replies(message.text)) if value is None else (_mirrored(value),)
        now = message.timestamp
        values = (0.25, 0.75, float("nan"), -0.5)
        decision = Decision("offer", "scripted", "1", values, (True, True, False, True))
        timings = {"nlu": 3.1, "track": 0.2, "policy": 0.4, "nlg": 0.1}
        heard = UserUttered(now, message.text, message.message_id or "", message.channel, _nlu(message.text, value))
        decided = Decided(now, decision, SystemAct("reqmore"), timings)
        noted = () if value is None else _remembered(now, value)
        chosen = () if value is None else (_selected(now, value),)
        return Turn.begin(state).then(self.ontology, heard, *noted, decided, *chosen, BotUttered(now, replies))


def _remembered(now: float, value: str) -> tuple[MemoryEvent, ...]:
    answered = MemoryAnswered(now, value, value, 0.8, ((value, 1.5),))
    return StatementRemembered(now, value), PreferenceStated(now, value, value), answered


def _selected(now: float, value: str) -> Selected:
    said = OfferedCandidate(value, value, {value: 0}, (0.5,), 0.75, 1.5, said=True)
    other = OfferedCandidate(f"not {value}", "", {}, (None,), 0.25)
    return Selected(now, (OfferedSlate("venues", value, value, {value: 1.0}, 0.1, value, (value,), (said, other)),))


def _nlu(text: str, value: str | None) -> NLUResult:
    if value is None:
        return NLUResult(text, (ScoredAct(DialogueAct("hello"), 0.9),), (("greet", 0.9),), sentiment=0.4)
    act = ScoredAct(DialogueAct("inform", "food", value), 0.8)
    return NLUResult(text, (act,), ((value[:100], 0.8),), (Entity("food", value, 0, len(value)),), sentiment=-0.3)


def _mirrored(value: str) -> BotResponse:
    return BotResponse(value, (Button(value, value),), None if value.startswith("https:") else value)


def _replies(text: str) -> list[BotResponse]:
    try:
        script: Any = json.loads(text)
    except ValueError:
        script = None
    if not isinstance(script, list):
        return [BotResponse(f"You said: {text}")]
    return [
        BotResponse(
            reply.get("text", ""),
            tuple(Button(b["title"], b["payload"]) for b in reply.get("buttons", ())),
            reply.get("image"),
        )
        for reply in script
    ]
