"""Memory in a turn: statements become events, questions about them are answered with what they rest on.

The statements and the preferences are the conversation's own (a fold over events), so they outlive a restart of the
server and go when the conversation goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bot.answer_kinds import possible
from bot.assistant import Assistant
from bot.nlg.templates import Choose, ResponseError, Templates
from bot.preferences import PreferenceFilter, PreferenceListener
from bot.remembering import Heard, Known, RecalledAnswer, SentenceSorter, StatementMemory, sort_message
from bot.selection import TurnChoices
from bot.sentences import has_cue
from bot.topics import addressed, mentioning, with_references
from memory.conversation import REMEMBERED_STATEMENTS, Conversation, Turn
from memory.dialogue import BotResponse, Button, Decision, NLUResult, UserMessage
from memory.events import (
    BotUttered,
    Decided,
    MemoryAnswered,
    MemoryCleared,
    MemoryEvent,
    PreferenceStated,
    PreferenceWithdrawn,
    Selected,
    StatementRemembered,
    StatementsForgotten,
    UserUttered,
)
from memory.ontology import Ontology
from memory.slates import OfferedSlate

RESPONSES = tuple(
    f"utter_memory_{name}"
    for name in (
        "noted", "answer", "unknown", "forgotten", "forgotten_some", "nothing_about", "list", "more", "empty", "full",
    )
)  # fmt: skip
"""What an assistant that remembers must be able to say; docs/memory.md lists their placeholders."""
LISTED = 10
"""Statements told at most when somebody asks what is remembered, the latest ones."""
_OTHER_VENUE = (Button("Something else", "/reqalts"),)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the memory makes of one message: events to keep, replies to give, and ``rest`` for the task.

    ``shared`` is what it makes of it together with the task, where the task can answer ``doubtful``: "I lost my
    jacket" is a statement and a question of the FAQ. None where there is no doubt. ``slates``: of the wordings.
    """

    action: str
    events: tuple[MemoryEvent, ...]
    replies: tuple[BotResponse, ...]
    rest: str
    doubtful: str = ""
    shared: Recalled | None = None
    slates: tuple[OfferedSlate, ...] = ()

    def turn(
        self,
        ontology: Ontology,
        state: Conversation,
        message: UserMessage,
        resumed: Iterable[BotResponse] = (),
        timings_ms: Mapping[str, float] | None = None,
        selected: Iterable[Selected] = (),
    ) -> Turn:
        """The whole turn when nothing is left for the task, whose belief stays as it is; ``resumed`` is said last.

        ``selected``: where its wordings were taken from.
        """
        now = message.timestamp
        heard = UserUttered(now, message.text, message.message_id or "", message.channel, NLUResult(message.text))
        decided = Decided(now, Decision(self.action, "memory"), None, dict(timings_ms or {}))
        said = BotUttered(now, (*self.replies, *resumed))
        return Turn.begin(state).then(ontology, heard, decided, *self.events, *selected, said)


class Recall:
    """Keeps and answers with one memory for one assistant; without a memory it only hears preferences.

    Raises:
        ResponseError: the assistant's domain.yml lacks one of ``RESPONSES``.
    """

    def __init__(self, assistant: Assistant, memory: StatementMemory | None) -> None:
        self.memory = memory
        self.templates = Templates(assistant.responses)
        self.ontology = assistant.ontology
        self.sorter = SentenceSorter((value for _, value in self.ontology.values), self.ontology.entity_names)
        self.listener = PreferenceListener(assistant.task.preferences)
        self.preferences = PreferenceFilter(assistant.task.preferences, self.ontology.entities)
        for name in RESPONSES if memory is not None else ():
            if name not in self.templates:
                raise ResponseError(f"the memory needs the response {name!r}: add it to domain.yml under `responses`")

    def hear(
        self, state: Conversation, message: UserMessage, rng: np.random.Generator, choices: TurnChoices | None = None
    ) -> Recalled | None:
        """What the memory does with ``message``; None when nothing in it is for the memory.

        ``choices`` takes the wordings; without it ``rng`` draws them.
        """
        known = Known(state.remembered, state.noted, state.preferences)
        heard = sort_message(message.text, self.sorter, self.listener, self.memory, known)
        if not heard.for_memory:
            return None
        before = () if heard.forget else tuple(text for text in state.remembered if text not in heard.forgotten)
        remembered = (*before, *heard.statements)[-REMEMBERED_STATEMENTS:]
        if self.memory is not None and (heard.forget or heard.forgotten):
            self.memory.forget(state.remembered or heard.forgotten)
        if self.memory is not None and heard.statements:
            self.memory.knows(remembered, heard.statements[-1])  # they are read now, so that an answer is quick
        memory = self.memory
        answers = [(text, _asked(memory, remembered, text)) for text in heard.questions if memory is not None]
        recalled = self._recalled(state, message, heard, (before, remembered), answers, rng, choices)
        unknown = [pair for pair in answers if pair[1].text is None and not has_cue(pair[0])]
        if not heard.doubtful or not (heard.statements or heard.stated or unknown):
            return recalled
        answered = [pair for pair in answers if pair not in unknown]
        shared = self._recalled(state, message, heard, (before, remembered), answered, rng, choices)
        return replace(recalled, doubtful=heard.doubtful, shared=replace(shared, rest=heard.shared))

    def _recalled(
        self,
        state: Conversation,
        message: UserMessage,
        heard: Heard,
        statements: tuple[tuple[str, ...], tuple[str, ...]],
        answers: list[tuple[str, RecalledAnswer]],
        rng: np.random.Generator,
        choices: TurnChoices | None,
    ) -> Recalled:
        """``statements`` are those before and after the message."""
        own = None if choices is None else choices.apart()
        replies = _Replies(self, state, heard, rng, None if own is None else own.wording)
        replies.compose(*statements, answers)
        events = (*_events(heard, message), *_answered(answers, message))
        slates = () if own is None else tuple(own.slates)
        return Recalled(_action(heard), events, tuple(replies.said), heard.rest, slates=slates)


@dataclass(frozen=True, slots=True)
class _Withheld:
    """In place of an answer that can't be one."""

    confidence: float
    text: str | None = None
    supporting: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()


def _asked(memory: StatementMemory, statements: tuple[str, ...], question: str) -> RecalledAnswer:
    answer = memory.ask(statements, question)
    if answer.text is None or possible(question, answer.text, answer.supporting):
        return answer
    return _Withheld(answer.confidence)


class _Replies:
    """The replies to what one message was for the memory, in the order of ``compose``."""

    def __init__(
        self, by: Recall, state: Conversation, heard: Heard, rng: np.random.Generator, choose: Choose | None
    ) -> None:
        self.by, self.state, self.heard, self.rng, self.choose = by, state, heard, rng, choose
        self.said: list[BotResponse] = []

    def say(self, name: str, values: Mapping[str, str] | None = None, buttons: tuple[Button, ...] = ()) -> None:
        reply = self.by.templates.choose(f"utter_{name}", values or {}, self.rng, choose=self.choose)
        self.said.append(BotResponse(reply.text, reply.buttons or buttons, reply.image))

    def compose(
        self, before: tuple[str, ...], remembered: tuple[str, ...], answers: list[tuple[str, RecalledAnswer]]
    ) -> None:
        heard = self.heard
        if heard.forget:
            self.say("memory_forgotten")
        if heard.forgotten:
            self.say("memory_forgotten_some", {"statement": _joined(heard.forgotten[:LISTED])})
        for topic in heard.unmentioned:
            self.say("memory_nothing_about", {"topic": addressed(topic)})
        if heard.withdrawn:
            self.say("preference_withdrawn", self.by.preferences.worded(heard.withdrawn))
        if heard.statements:
            self.say("memory_noted", {"statement": _joined(heard.statements)})
        if len(before) + len(heard.statements) > REMEMBERED_STATEMENTS:
            self.say("memory_full", {"count": str(REMEMBERED_STATEMENTS)})
        if heard.stated:
            self._preferred()
        self._list(remembered)
        for name in heard.asked:
            told = name in self.state.preferences
            self.say(f"preference_{'told' if told else 'untold'}", self.by.preferences.worded((name,)))
        for _, answer in answers:
            self._answer(answer)

    def _preferred(self) -> None:
        names = self.heard.stated
        self.say("preference_noted", self.by.preferences.worded(names))
        venue = int(self.state.belief.venue[0])
        eligible = self.by.preferences.eligible(names)
        if venue >= 0 and not self.heard.rest and eligible is not None and not eligible[venue]:
            worded = {"name": self.by.ontology.entity_names[venue], **self.by.preferences.worded(names)}
            self.say("preference_unsuited", worded, _OTHER_VENUE)

    def _list(self, remembered: tuple[str, ...]) -> None:
        for topic in self.heard.listed:
            told = with_references(remembered, mentioning(remembered, topic)) if topic else remembered
            held = () if topic else self.by.preferences.known(self.state.preferences)
            lines = [f"- {_ended(text)}" for text in told[-LISTED:]] + [
                f"- {p.you[:1].upper()}{p.you[1:]}." for p in held
            ]
            if not lines:
                self.say("memory_empty")
                continue
            self.say("memory_list", {"statements": "\n".join(lines)})
            if len(told) > LISTED:
                self.say("memory_more", {"count": str(len(told) - LISTED)})

    def _answer(self, answer: RecalledAnswer) -> None:
        if answer.text is None:
            self.say("memory_unknown")
            return
        text = answer.text[:1].upper() + answer.text[1:].rstrip(".")
        self.say("memory_answer", {"answer": text, "support": _joined(answer.supporting)})


def _events(heard: Heard, message: UserMessage) -> list[MemoryEvent]:
    now = message.timestamp
    events: list[MemoryEvent] = [MemoryCleared(now)] if heard.forget else []
    if heard.forgotten:
        events.append(StatementsForgotten(now, heard.forgotten))
    events += [PreferenceWithdrawn(now, name) for name in heard.withdrawn]
    events += [StatementRemembered(now, statement) for statement in heard.statements]
    return events + [PreferenceStated(now, name, message.text) for name in heard.stated]


def _answered(answers: list[tuple[str, RecalledAnswer]], message: UserMessage) -> list[MemoryEvent]:
    return [
        MemoryAnswered(
            message.timestamp,
            question,
            answer.text,
            round(float(answer.confidence), 4),
            tuple(zip(answer.supporting, (round(float(weight), 3) for weight in answer.weights), strict=False)),
        )
        for question, answer in answers
    ]


def _action(heard: Heard) -> str:
    if heard.questions or heard.listed or heard.asked:
        return "memory_answer"
    return "memory_note" if heard.statements or heard.stated else "memory_forget"


def _joined(statements: Iterable[str]) -> str:
    return " ".join(_ended(statement) for statement in statements)


def _ended(statement: str) -> str:
    return statement if statement.endswith((".", "!", "?")) else f"{statement}."
