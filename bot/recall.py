"""Memory in a turn: statements become events, questions about them are answered with what they rest on.

The statements are the conversation's own (``Conversation.remembered``, a fold over events), so they outlive a restart
of the server and go when the conversation goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.assistant import Assistant
from bot.nlg.templates import ResponseError, Templates
from bot.remembering import Heard, SentenceSorter, StatementMemory
from memory.conversation import REMEMBERED_STATEMENTS, Conversation, Turn
from memory.dialogue import BotResponse, Decision, NLUResult, UserMessage
from memory.events import BotUttered, Decided, MemoryCleared, StatementRemembered, UserUttered
from memory.ontology import Ontology

RESPONSES = ("utter_memory_noted", "utter_memory_answer", "utter_memory_unknown", "utter_memory_forgotten")
"""What the assistant must be able to say; {statement} in the first, {answer} and {support} in the second."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the memory makes of one message: events to keep, replies to give, and ``rest`` for the task."""

    action: str
    events: tuple[StatementRemembered | MemoryCleared, ...]
    replies: tuple[BotResponse, ...]
    rest: str

    def turn(self, ontology: Ontology, state: Conversation, message: UserMessage) -> Turn:
        """The whole turn when nothing is left for the task, whose belief and pending question stay as they are."""
        now = message.timestamp
        heard = UserUttered(now, message.text, message.message_id or "", message.channel, NLUResult(message.text))
        decided = Decided(now, Decision(self.action, "memory"))
        return Turn.begin(state).then(ontology, heard, decided, *self.events, BotUttered(now, self.replies))


class Recall:
    """Keeps and answers with one memory for one assistant.

    Raises:
        ResponseError: the assistant's domain.yml lacks one of ``RESPONSES``.
    """

    def __init__(self, assistant: Assistant, memory: StatementMemory) -> None:
        self.memory = memory
        self.templates = Templates(assistant.responses)
        ontology = assistant.ontology
        self.sorter = SentenceSorter((value for _, value in ontology.values), ontology.entity_names)
        for name in RESPONSES:
            if name not in self.templates:
                raise ResponseError(f"the memory needs the response {name!r}: add it to domain.yml under `responses`")

    def hear(self, state: Conversation, message: UserMessage, rng: np.random.Generator) -> Recalled | None:
        """What the memory does with ``message``; None when nothing in it is for the memory."""
        heard = self.sorter.sort(message.text, self.memory, state.remembered)
        if not heard.for_memory:
            return None
        cleared = (MemoryCleared(message.timestamp),) if heard.forget else ()
        kept = tuple(StatementRemembered(message.timestamp, statement) for statement in heard.statements)
        before = () if heard.forget else state.remembered
        remembered = (*before, *heard.statements)[-REMEMBERED_STATEMENTS:]
        return Recalled(_action(heard), (*cleared, *kept), tuple(self._replies(heard, remembered, rng)), heard.rest)

    def _replies(self, heard: Heard, remembered: tuple[str, ...], rng: np.random.Generator) -> list[BotResponse]:
        replies: list[BotResponse] = []
        if heard.forget:
            replies.append(self.templates.choose("utter_memory_forgotten", {}, rng))
        if heard.statements:
            said = " ".join(_ended(statement) for statement in heard.statements)
            replies.append(self.templates.choose("utter_memory_noted", {"statement": said}, rng))
        return replies + [self._answer(question, remembered, rng) for question in heard.questions]

    def _answer(self, question: str, remembered: tuple[str, ...], rng: np.random.Generator) -> BotResponse:
        answer = self.memory.ask(remembered, question)
        if answer.text is None:
            return self.templates.choose("utter_memory_unknown", {}, rng)
        text = answer.text[:1].upper() + answer.text[1:].rstrip(".")
        support = " ".join(_ended(statement) for statement in answer.supporting)
        return self.templates.choose("utter_memory_answer", {"answer": text, "support": support}, rng)


def _action(heard: Heard) -> str:
    if heard.questions:
        return "memory_answer"
    return "memory_forget" if heard.forget else "memory_note"


def _ended(statement: str) -> str:
    return statement if statement.endswith((".", "!", "?")) else f"{statement}."
