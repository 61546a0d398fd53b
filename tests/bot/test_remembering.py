"""What is for the memory and what for the task; statements as events; answers in a conversation."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.assistant import Assistant, load_assistant
from bot.engine import Engine
from bot.preferences import PreferenceListener
from bot.recall import Recall
from bot.remembering import Known, SentenceSorter, sort_message
from bot.story_statements import StoryStatements
from memory.conversation import REMEMBERED_STATEMENTS, Conversation, fold
from memory.dialogue import NLUResult, SystemAct, UserMessage
from memory.events import BotUttered, Event, StatementRemembered, event_from_json, event_to_json
from policies.rule import RulePolicy
from policies.social import SocialPolicy

KNOWN = (
    "The passport is in the drawer.",
    "Our flight leaves on Sunday.",
    "Mary picked up the suitcase.",
    "My sister lives in York.",
    "My doctor is Dr Okafor.",
    "Daniel went to the library.",
    "My brother's birthday is in May.",
    "The spare key and the umbrella are in the hallway.",
)
_LABELLED = [
    line.split(" | ", 1)
    for line in (Path(__file__).with_name("remembering_messages.txt")).read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


@dataclass(frozen=True)
class WordAnswer:
    text: str | None
    supporting: tuple[str, ...]
    confidence: float = 0.75

    @property
    def weights(self) -> tuple[float, ...]:
        return (1.5,) * len(self.supporting)


_STOP = frozenset(
    re.findall(
        r"\w+", "a an the is are was were my our i in on at to of and s where when who what did does about tell you"
    )
)


class WordOverlap:
    """Stands in for the model: answers with the statement that shares the most content words."""

    @staticmethod
    def words(text: str) -> set[str]:
        return {word.rstrip("s") for word in re.findall(r"[a-z0-9]+", text.lower())} - _STOP - {""}

    def ask(self, statements: tuple[str, ...], question: str) -> WordAnswer:
        asked = self.words(question)
        found = sorted(statements, key=lambda s: -len(self.words(s) & asked))
        if not found or not self.words(found[0]) & asked:
            return WordAnswer(None, ())
        return WordAnswer(found[0].rstrip("."), (found[0],))

    def knows(self, statements: tuple[str, ...], sentence: str) -> float:
        words = self.words(sentence)
        return len(words & self.words(" ".join(statements))) / len(words) if words else 0.0

    def forget(self, statements: tuple[str, ...]) -> None:
        self.forgot = statements


@pytest.fixture(scope="module")
def assistant() -> Assistant:
    return load_assistant("assistants/restaurants")


def sorter(assistant: Assistant) -> SentenceSorter:
    return SentenceSorter((value for _, value in assistant.ontology.values), assistant.ontology.entity_names)


def kinds(sort: SentenceSorter, text: str) -> str:
    found: list[str] = []
    memory = WordOverlap()
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        found.append(sort.kind(sentence, memory.knows(KNOWN, sentence))[0])
    return " ".join(found)


@pytest.mark.parametrize("half", [0, 1], ids=["tuned", "held-out"])
def test_messages_go_where_they_belong(assistant: Assistant, half: int) -> None:
    sort = sorter(assistant)
    labelled = _LABELLED[half::2]
    wrong = [(label, text, got) for label, text in labelled if (got := kinds(sort, text)) != label]
    assert len(_LABELLED) >= 150
    assert len(wrong) <= 0.05 * len(labelled), wrong
    lost_to_memory = [w for w in wrong if w[0] == "task"]
    assert not lost_to_memory, "a task turn was taken away"


SAID = (
    "I left the passport in the drawer.",
    "My sister lives in York.",
    "I'll be at the dentist on Friday.",
    "My son's birthday is in May.",
    "I parked the car behind the station.",
)
PERSONAL = {
    "my son is allergic to peanuts, who should I tell",
    "where is my parcel from last week",
    "forget everything",
    "forget everything I said",
    "forget it",
}
"""What may be taken of the assistant's own sentences: a personal statement or question, or what is there to forget."""


@pytest.mark.parametrize(
    "known", [Known(), Known(SAID), Known(SAID, 1, ("vegetarian",))], ids=["", "later", "right after"]
)
def test_no_sentence_of_the_task_is_taken_away(assistant: Assistant, known: Known) -> None:
    sort, listener, memory = sorter(assistant), PreferenceListener(assistant.task.preferences), WordOverlap()
    in_scope = [example.text for example in assistant.examples if example.intent != "out_of_scope"]
    held_out = [sentence.text for sentence in assistant.validation]
    assert len(in_scope) > 2000
    assert len(held_out) > 300
    taken = {text for text in in_scope + held_out if sort_message(text, sort, listener, memory, known).for_memory}
    assert taken <= PERSONAL


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Tom and I went to the market. They bought bread.", "What did they buy?"),
        ("I lent my red bike to Sam.", "Who has my bike?"),
        ("I gave the book to Leila. Leila gave it to Omar.", "Who has the book?"),
        ("My sister's phone is under the sofa.", "Where is my sister's phone?"),
        ("The dentist is on Friday. Actually, it was moved to Monday.", "When is the dentist?"),
        ("On Monday I'm in Paris.", "Where am I on Monday?"),
        ("The car is silver. No, it's green.", "Is the car green?"),
        ("I picked up the map.", "What am I carrying?"),
    ],
)
def test_what_people_tell_and_ask(assistant: Assistant, said: str, asked: str) -> None:
    sort, listener, memory = sorter(assistant), PreferenceListener(()), WordOverlap()
    told = sort_message(said, sort, listener, memory, Known())
    assert told.rest == ""
    assert " ".join(told.statements) == said
    assert sort_message(asked, sort, listener, memory, Known(told.statements, len(told.statements))).questions == (
        asked,
    )


class Talk:
    """One conversation with an engine that remembers (or not)."""

    def __init__(self, assistant: Assistant, *, remembers: bool = True) -> None:
        self.heard: list[str] = []
        self.understood: dict[str, NLUResult] = {}

        async def understand(text: str, previous: SystemAct | None) -> NLUResult:
            self.heard.append(text)
            return self.understood.get(text, NLUResult(text))

        o = assistant.ontology
        recall = Recall(assistant, WordOverlap()) if remembers else None
        self.engine = Engine(assistant, understand, RulePolicy(o), SocialPolicy(o), recall=recall)
        self.state = Conversation.new(o, "c")
        self.events: list[Event] = []

    def say(self, text: str) -> str:
        message = UserMessage("c", text, f"m{self.state.seq}", timestamp=1_795_422_000.0)
        turn = asyncio.run(self.engine.respond(self.state, message))
        self.state, self.events = turn.state, [*self.events, *turn.events]
        said = turn.events[-1]
        assert isinstance(said, BotUttered)
        return "\n".join(reply.text for reply in said.replies)


def test_a_statement_is_kept_and_answers_a_question_with_its_support(assistant: Assistant) -> None:
    talk = Talk(assistant)
    talk.say("Remember that I left the passport in the drawer.")
    assert talk.state.remembered == ("I left the passport in the drawer.",)
    assert "I left the passport in the drawer." in talk.say("Where is my passport?")
    assert talk.heard == [], "nothing was left for the task"


def test_what_was_never_said_is_not_known(assistant: Assistant) -> None:
    talk = Talk(assistant)
    assert "not told me" in talk.say("Did I tell you where Priya lives?")
    assert "Priya" in talk.say("Did I tell you about Priya?")


def test_the_rest_of_a_message_is_the_tasks(assistant: Assistant) -> None:
    talk = Talk(assistant)
    reply = talk.say("My sister lives in York. Find me a place in the north.")
    assert talk.heard[-1] == "Find me a place in the north."
    assert reply.startswith(("Noted", "I will remember", "Good to know"))
    assert reply.count("\n") >= 1, "the task answers too"


def test_a_liking_of_ones_own_to_remember_is_a_wish_too(assistant: Assistant) -> None:
    talk = Talk(assistant)
    talk.say("Remember that I love korean food. Remember that Priya likes thai food.")
    assert talk.state.remembered == ("I love korean food.", "Priya likes thai food.")
    assert talk.heard == ["I love korean food."]


def test_memory_leaves_the_task_as_it_is(assistant: Assistant) -> None:
    talk = Talk(assistant)
    talk.say('/inform{"food":"thai"}')
    belief, last = talk.state.belief.goals.copy(), int(talk.state.belief.last.kind[0])
    talk.say("Priya moved to Leeds.")
    assert int(talk.state.belief.last.kind[0]) == last
    assert (talk.state.belief.goals == belief).all()


@pytest.mark.parametrize("how", ["Forget what I told you.", "/restart"])
def test_forgetting_clears_the_memory_also_after_a_restart_of_the_server(assistant: Assistant, how: str) -> None:
    talk = Talk(assistant)
    talk.say("The alarm code is on the fridge.")
    talk.say(how)
    assert talk.state.remembered == ()
    assert fold(assistant.ontology, "c", talk.events).remembered == ()


def test_what_a_message_tells_beside_start_again_stays(assistant: Assistant) -> None:
    talk = Talk(assistant)
    talk.say("My sister lives in York.")
    talk.say("The alarm code is on the fridge.\n/restart")
    assert talk.state.remembered == ("The alarm code is on the fridge.",)
    assert fold(assistant.ontology, "c", talk.events).remembered == talk.state.remembered


def test_many_blanks_cost_no_time(assistant: Assistant) -> None:
    started = time.process_time()
    for said in ("remember" + " " * 391 + "'", "can you remember" + " " * 380 + "."):
        sort_message(f"{said}. {said}", sorter(assistant), PreferenceListener(()), WordOverlap(), Known())
    assert time.process_time() - started < 0.2, "it took 2 s"


def test_the_memory_is_rebuilt_from_stored_events(assistant: Assistant) -> None:
    talk = Talk(assistant)
    talk.say("The alarm code is on the fridge. Priya moved to Leeds.")
    stored = [event_from_json(event_to_json(event)) for event in talk.events]
    assert fold(assistant.ontology, "c", stored).remembered == talk.state.remembered != ()


@given(st.integers(0, 700))
def test_only_the_latest_statements_are_kept(assistant: Assistant, count: int) -> None:
    events = [StatementRemembered(0.0, str(i)) for i in range(count)]
    kept = fold(assistant.ontology, "c", events).remembered
    assert kept == tuple(str(i) for i in range(count))[-REMEMBERED_STATEMENTS:]


def test_without_a_memory_every_sentence_is_the_tasks(assistant: Assistant) -> None:
    talk = Talk(assistant, remembers=False)
    talk.say("I left the passport in the drawer. Find me a place.")
    assert talk.heard == ["I left the passport in the drawer. Find me a place."]
    assert talk.state.remembered == ()


class CountingStory:
    """A story model whose state is what was written; counts the writes."""

    def __init__(self) -> None:
        self.writes = 0

    def empty(self) -> tuple[str, ...]:
        return ()

    def write(self, state: tuple[str, ...], statement: str) -> tuple[str, ...]:
        self.writes += 1
        return (*state, statement)

    def ask(self, state: tuple[str, ...], question: str) -> WordAnswer:
        return WordAnswer(state[-1] if state else None, state[-1:])

    def knows(self, state: tuple[str, ...], sentence: str) -> float:
        return float(sentence in state)

    def kept(self, state: tuple[str, ...]) -> int:
        return len(state)


def test_each_statement_is_written_once_however_long_the_conversation() -> None:
    story = CountingStory()
    memory, said = StoryStatements(story), tuple(str(i) for i in range(REMEMBERED_STATEMENTS + 50))
    for end in range(1, len(said) + 1):
        window = said[:end][-REMEMBERED_STATEMENTS:]
        assert memory.ask(window, "?").text == said[end - 1]
        assert memory.knows(window, said[end - 1]) == 1.0
    assert story.writes == len(said)


def test_a_forgotten_statement_is_rebuilt_without() -> None:
    memory = StoryStatements(CountingStory())
    assert memory.ask(("a", "b"), "?").text == "b"
    assert memory.ask((), "?").text is None
    assert memory.knows(("b",), "a") == 0.0
