"""Dialogues whose outcomes are known, for the tests of the report."""

from __future__ import annotations

import random

from memory.dialogue import BotResponse, Decision, DialogueAct, NLUResult, ScoredAct, SystemAct
from memory.events import Booked, BotUttered, Decided, Event, FeedbackGiven, HandedOff, UserUttered

DAY = 86_400.0


class Talk:
    """One conversation, turn by turn, ten seconds a turn."""

    def __init__(self, start: float, channel: str = "rest", version: str = "v1") -> None:
        self.events: list[Event] = []
        self.now, self._channel, self._version = start, channel, version

    def turn(self, act: str, kind: str = "", action: str = "", sentiment: float = 0.0) -> Talk:
        """The user does ``act``, the bot answers with the system act ``kind`` or the social ``action``."""
        self.now += 10
        scored = ScoredAct(DialogueAct(act), 0.9)
        nlu = NLUResult(act, (scored,), ((act, 0.9),), sentiment=sentiment)
        self.events.append(UserUttered(self.now, act, f"m{len(self.events)}", self._channel, nlu))
        policy = ("learned", self._version) if kind else ("social", "")
        system = SystemAct(kind, entity="Bangkok") if kind else None
        self.events.append(Decided(self.now, Decision(action or kind, *policy), system))
        if kind == "booked":
            self.events.append(Booked(self.now, "R", "Bangkok", {}))
        if action == "handoff":
            self.events.append(HandedOff(self.now, "asked"))
        self.events.append(BotUttered(self.now, (BotResponse(action or kind),)))
        return self

    def thumb(self, value: int) -> Talk:
        """For the latest message."""
        message = next(event for event in reversed(self.events) if isinstance(event, UserUttered))
        self.events.append(FeedbackGiven(self.now + 1, message.message_id, value))
        return self


def booked(start: float, channel: str = "rest", version: str = "v1") -> Talk:
    """Offer, booking, goodbye."""
    talk = Talk(start, channel, version).turn("inform", "request").turn("inform", "offer")
    return talk.turn("book", "request_open").turn("inform", "booked", sentiment=0.5).turn("bye", action="bye")


def misunderstood(start: float, channel: str = "rest", version: str = "v1") -> Talk:
    """Not understood, then gone."""
    return Talk(start, channel, version).turn("inform", "request").turn("null", action="ask_rephrase", sentiment=-0.6)


def left(start: float, channel: str = "rest", version: str = "v1") -> Talk:
    """Gone after an offer."""
    return Talk(start, channel, version).turn("hello", action="hello").turn("inform", "offer")


def handed_off(start: float, channel: str = "rest", version: str = "v1") -> Talk:
    """A person had to take over."""
    return Talk(start, channel, version).turn("complaint", action="handoff", sentiment=-0.7)


def made_up(conversations: int, seed: int = 0) -> dict[str, Talk]:
    """Ten days in which a second version is better."""
    rng = random.Random(seed)
    found = {}
    for i in range(conversations):
        day = i * 10 // conversations
        version, channel = f"v{1 + (day >= 5)}", rng.choice(["rest", "widget", "slack"])
        weights = (50, 25, 15, 10) if day < 5 else (70, 10, 15, 5)
        kind = rng.choices([booked, misunderstood, left, handed_off], weights)[0]
        found[f"c{i}"] = kind(1_700_000_000 + day * DAY + i, channel, version)
    return found
