"""A conversation as the report sees it: dialogues with what they achieved, where they stood and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from memory.events import Booked, BotUttered, Decided, Event, FeedbackGiven, HandedOff, TrackerEvent, UserUttered
from memory.store_turns import FAILED_INTENTS, POLAR, has_failed, top_intent

GOODBYES = frozenset({"bye", "thankyou"})
ANSWERS = frozenset({"offer", "alternative", "answer", "booked"})
OTHER_ANSWERS = ("faq", "memory_answer")
"""Social actions that answer a question."""
NO_MATCH = frozenset({"offer_none", "alternative_none"})
PERSON = frozenset({"handoff", "handoff_offer", "action_human_handoff"})
_DETAILS = frozenset({"request_open", "confirm_booking", "booking_failed", "booked"})
STAGES: tuple[tuple[str, frozenset[str] | None], ...] = (
    ("spoke", None),
    ("was asked or offered something", frozenset({"request", "confirm", "select"}) | ANSWERS | NO_MATCH),
    ("was named a venue", frozenset({"offer", "alternative", "answer", "booked"})),
    ("asked for details or a table", _DETAILS | {"answer"}),
    ("began a booking", _DETAILS),
    ("booked", frozenset({"booked"})),
)  # fmt: skip
"""The funnel: a stage is reached by any of these acts."""
DEPTHS = (1, 2, 3, 5, 8)
"""The funnel of assistants without such acts: user turns."""


@dataclass
class Dialogue:
    """One dialogue; ``acts`` what the bot did, by turn's last act, ``failures`` the reasons it got into trouble."""

    conversation_id: str
    started: float
    ended: float
    channel: str = ""
    intent: str = ""
    turns: int = 0
    sentiments: list[float] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    deciders: Counter[str] = field(default_factory=Counter)
    failures: set[str] = field(default_factory=set)
    booked: bool = False
    handed_off: bool = False
    answered: bool = False
    said_goodbye: bool = False
    last_failed: bool = False
    success: bool = False

    @property
    def day(self) -> str:
        """The day it began, UTC."""
        return datetime.fromtimestamp(self.started, UTC).strftime("%Y-%m-%d")

    @property
    def mood(self) -> str:
        """By the mean sentiment of the user's messages, with VADER's limits."""
        mean = sum(self.sentiments) / len(self.sentiments) if self.sentiments else 0.0
        return "negative" if mean <= -POLAR else "positive" if mean >= POLAR else "neutral"

    @property
    def version(self) -> str:
        """Who decided most, by policy and version; small talk and memory, which have none, only among themselves."""
        versioned = Counter({who: count for who, count in self.deciders.items() if " " in who})
        most = (versioned or self.deciders).most_common(1)
        return most[0][0] if most else "unknown"

    @property
    def last_act(self) -> str:
        """The bot's last act."""
        return self.acts[-1] if self.acts else "nothing"


def dialogues(conversation_id: str, events: Sequence[Event], silence: float, *, tasks: bool) -> list[Dialogue]:
    """Cut a conversation where nobody said anything for ``silence`` seconds.

    With ``tasks`` success is a booking, or a goodbye after an answer; without (a Rasa project) it is an end that is
    neither a fallback nor a person. A dialogue in which the user said nothing is none.
    """
    found: list[Dialogue] = []
    by_message: dict[str, Dialogue] = {}
    for event in events:
        if isinstance(event, FeedbackGiven):  # it belongs to its message, however late it comes
            if event.value < 0 and event.message_id in by_message:
                by_message[event.message_id].failures.add("thumbs down")
            continue
        if not found or (isinstance(event, UserUttered) and event.timestamp - found[-1].ended > silence):
            found.append(Dialogue(conversation_id, event.timestamp, event.timestamp))
        dialogue = found[-1]
        dialogue.ended = max(dialogue.ended, event.timestamp)
        if isinstance(event, UserUttered):
            by_message[event.message_id] = dialogue
        _happened(dialogue, event)
    spoken = [dialogue for dialogue in found if dialogue.turns]
    for dialogue in spoken:
        _judge(dialogue, tasks=tasks)
    return spoken


def _happened(dialogue: Dialogue, event: Event) -> None:
    match event:
        case UserUttered():
            _said(dialogue, event)
        case Decided():
            _decided(dialogue, event)
        case Booked():
            dialogue.booked = dialogue.answered = True
        case HandedOff():
            dialogue.handed_off = True
            dialogue.failures.add("a person took over")
        case TrackerEvent() if has_failed(event):
            dialogue.last_failed = True
            dialogue.failures.add("not understood")
        case BotUttered() if not dialogue.acts:
            dialogue.acts.append("reply")
        case _:
            pass


def _said(dialogue: Dialogue, event: UserUttered) -> None:
    dialogue.turns += 1
    dialogue.last_failed = False
    dialogue.sentiments.append(event.nlu.sentiment)
    intent = top_intent(event)
    dialogue.channel = dialogue.channel or event.channel
    dialogue.intent = dialogue.intent or intent
    dialogue.said_goodbye |= any(s.act.type in GOODBYES and s.confidence > 0.5 for s in event.nlu.acts)
    if intent in FAILED_INTENTS:
        dialogue.failures.add("not understood")


def _decided(dialogue: Dialogue, event: Decided) -> None:
    decision, kind = event.decision, event.system.kind if event.system else ""
    if decision.action == "action_listen":
        return
    act = kind or decision.action
    dialogue.acts.append(act)
    dialogue.deciders[f"{decision.policy} {decision.version}".strip()] += 1
    dialogue.answered |= act in ANSWERS or act.startswith(OTHER_ANSWERS)
    dialogue.said_goodbye |= act in GOODBYES
    if act in NO_MATCH:
        dialogue.failures.add("no match")
    elif kind == "booking_failed":
        dialogue.failures.add("booking failed")
    elif act in PERSON:
        dialogue.failures.add("a person was offered" if act == "handoff_offer" else "a person took over")
    elif has_failed(event):
        dialogue.failures.add("not understood")
    dialogue.last_failed = has_failed(event)


def _judge(dialogue: Dialogue, *, tasks: bool) -> None:
    if tasks:
        dialogue.success = dialogue.booked or (dialogue.answered and dialogue.said_goodbye and not dialogue.handed_off)
    else:
        dialogue.success = not (dialogue.last_failed or dialogue.handed_off)
    if not dialogue.success and not dialogue.handed_off and not dialogue.last_failed:
        last = dialogue.last_act
        where = "an offer" if last in ("offer", "alternative") else "a question" if last in QUESTIONS else ""
        if where:
            dialogue.failures.add(f"left after {where}")


QUESTIONS = frozenset({"request", "request_open", "confirm", "select", "confirm_booking", "reqmore"})


def stages(dialogue: Dialogue, *, tasks: bool) -> Iterable[str]:
    """The stages of the funnel that it reached."""
    if not tasks:
        return [_turns(depth) for depth in DEPTHS if dialogue.turns >= depth]
    acts = set(dialogue.acts) | ({"booked"} if dialogue.booked else set())
    return [name for name, by in STAGES if by is None or acts & by]


def stage_names(*, tasks: bool) -> list[str]:
    """All stages, in order."""
    return [name for name, _ in STAGES] if tasks else [_turns(depth) for depth in DEPTHS]


def _turns(depth: int) -> str:
    return "1 turn" if depth == 1 else f"{depth} turns"
