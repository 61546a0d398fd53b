"""The words of a dialogue: acts, messages, NLU results, decisions and replies.

All of them are immutable values; none knows where it came from or where it is going.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

DONTCARE = "dontcare"
"""The value that says "any value of this slot will do" (DSTC2's term)."""

USER_ACT_TYPES = (
    "hello", "bye", "thankyou", "ack", "affirm", "negate", "deny", "inform", "request", "reqalts", "confirm",
    "book", "cancel", "repeat", "restart", "help", "handoff", "complaint", "chitchat", "faq", "out_of_scope", "null",
)  # fmt: skip

_ACT = re.compile(r"^\s*(?P<type>[a-z_]+)\(\s*(?:(?P<slot>[^=()]*?)\s*(?:=\s*(?P<value>.*?)\s*)?)?\)\s*$")


@dataclass(frozen=True, slots=True)
class DialogueAct:
    """One thing done by one utterance, e.g. ``inform(food=thai)``; ``slot`` names the topic for faq/chitchat."""

    type: str
    slot: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.type}({self.slot or ''}={self.value})"
        return f"{self.type}({self.slot or ''})"

    @classmethod
    def parse(cls, text: str) -> DialogueAct:
        """Read ``type()``, ``type(slot)`` or ``type(slot=value)``; ValueError otherwise."""
        match = _ACT.match(text)
        if match is None:
            raise ValueError(f"not a dialogue act: {text!r}; write e.g. inform(food=thai) or request(phone)")
        return cls(match["type"], match["slot"] or None, match["value"])


@dataclass(frozen=True, slots=True)
class ScoredAct:
    """A dialogue act with the calibrated probability that the user meant it."""

    act: DialogueAct
    confidence: float


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled span of the user's text; ``start``/``end`` are code-point offsets, ``source`` the extractor."""

    name: str
    value: str
    start: int
    end: int
    confidence: float = 1.0
    source: str = ""
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class NLUResult:
    """What the NLU made of one message: n-best acts (marginal probabilities), intents, entities, mood."""

    text: str
    acts: tuple[ScoredAct, ...] = ()
    intents: tuple[tuple[str, float], ...] = ()
    entities: tuple[Entity, ...] = ()
    sentiment: float = 0.0
    """VADER compound score of the message, -1 to 1."""
    out_of_scope: float = 0.0
    """Probability that the message is about nothing the assistant knows."""


@dataclass(frozen=True, slots=True)
class UserMessage:
    """One message as a channel received it; ``timestamp`` in seconds since the epoch, UTC."""

    conversation_id: str
    text: str
    message_id: str | None = None
    channel: str = "rest"
    timestamp: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy chose: an action, why (values per action, NaN where masked) and who (policy, version)."""

    action: str
    policy: str
    version: str = ""
    values: tuple[float, ...] = ()
    mask: tuple[bool, ...] = ()
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Button:
    """A quick reply: ``title`` is shown, ``payload`` is what a click sends."""

    title: str
    payload: str


@dataclass(frozen=True, slots=True)
class BotResponse:
    """One bubble of the bot."""

    text: str = ""
    buttons: tuple[Button, ...] = ()
    image: str | None = None
    custom: dict[str, Any] | None = None
    parts: dict[str, Any] | None = None
    """What else Rasa can send: attachment, elements, quick_replies, button_type, and metadata of the bot event."""


@dataclass(frozen=True, slots=True)
class SystemAct:
    """One system turn at act level, by names (see ``memory.turn.SYSTEM_KINDS``); the array form is a SystemTurn."""

    kind: str
    slot: str | None = None
    value: str | None = None
    other: str | None = None
    entity: str | None = None
    answered: tuple[str, ...] = ()
