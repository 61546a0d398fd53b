"""The memory in a conversation: forgetting a part, listing, its limits, and sentences the task may know better."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.assistant import Assistant, load_assistant
from bot.nlg.templates import ResponseError
from bot.recall import LISTED, RESPONSES, Recall
from bot.story_statements import StoryStatements
from memory.conversation import REMEMBERED_STATEMENTS, Turn, fold
from memory.dialogue import DialogueAct, NLUResult, ScoredAct, SystemAct, UserMessage
from memory.dnc.reader import SHIPPED, StoryMemory
from memory.events import Event, MemoryAnswered, StatementRemembered, event_from_json, event_to_json
from memory.turn import system_turn
from tests.bot.test_remembering import CountingStory, Talk, WordOverlap


@pytest.fixture(scope="module")
def assistant() -> Assistant:
    return load_assistant(Path("assistants/restaurants"))


@pytest.fixture
def talk(assistant: Assistant) -> Talk:
    conversation = Talk(assistant)
    conversation.say("I left the passport in the drawer. Then I took it to the office. My sister lives in York.")
    return conversation


def test_forgetting_a_topic_leaves_the_rest(talk: Talk) -> None:
    reply = talk.say("Forget what I said about my passport.")
    assert talk.state.remembered == ("My sister lives in York.",)
    assert "I left the passport in the drawer. Then I took it to the office." in reply, "what is gone is said"
    assert fold(talk.engine.ontology, "c", talk.events).remembered == talk.state.remembered


def test_forgetting_what_was_never_said_changes_nothing(talk: Talk) -> None:
    before = talk.state.remembered
    assert "your umbrella" in talk.say("Forget what I said about my umbrella.")
    assert talk.state.remembered == before


def test_forgetting_the_latest_takes_the_last_message_back(talk: Talk) -> None:
    talk.say("My locker is number twelve. I own two bikes.")
    talk.say("Forget that.")
    assert len(talk.state.remembered) == 3
    talk.say("Forget that.")
    assert len(talk.state.remembered) == 3, "only right after it was said"
    assert talk.heard[-1] == "Forget that.", "then it is the task's"


def test_forgetting_everything(talk: Talk) -> None:
    talk.say("forget everything I told you")
    assert talk.state.remembered == ()
    assert "not" in talk.say("What do you remember?").lower()


def test_forgetting_drops_what_the_memory_has_read(assistant: Assistant) -> None:
    memory = StoryStatements(CountingStory())
    talk = Talk(assistant)
    talk.engine.recall = Recall(assistant, memory)
    talk.say("My locker is number twelve.")
    assert len(memory) == 1
    talk.say("Forget that.")
    assert len(memory) == 0


def test_a_deleted_conversation_leaves_nothing_read(assistant: Assistant) -> None:
    memory = StoryStatements(CountingStory())
    talk = Talk(assistant)
    talk.engine.recall = Recall(assistant, memory)
    talk.say("My locker is number twelve.")
    assert memory.knows(("I own two bikes.",), "I own two bikes.") == 1.0
    talk.engine.forget(talk.state)
    assert len(memory) == 1, "the other conversation's stays"


def test_what_is_remembered_is_listed_with_a_bound(talk: Talk) -> None:
    reply = talk.say("What do you remember?")
    assert [line for line in reply.splitlines() if line.startswith("- ")] == [f"- {s}" for s in talk.state.remembered]
    for number in range(LISTED):
        talk.say(f"Remember that locker {number} is mine.")
    reply = talk.say("What do you remember?")
    assert reply.count("\n- ") == LISTED
    assert "3 " in reply.splitlines()[-1], "how many more there are"
    assert "- My sister lives in York." in talk.say("What did I say about my sister?")


def test_a_correction_right_after_is_kept_and_no_other(assistant: Assistant) -> None:
    talk = Talk(assistant)
    talk.say("The concert was on Tuesday night.")
    talk.say("No, it's on Thursday.")
    assert talk.state.remembered[-1] == "No, it's on Thursday."
    talk.say("find me a place")
    talk.say("No, it's on Friday.")
    assert talk.heard[-1] == "No, it's on Friday."


def test_the_pending_question_is_asked_again(assistant: Assistant) -> None:
    talk = Talk(assistant)
    asked = system_turn(assistant.ontology, SystemAct("request", "area"))
    talk.state = replace(talk.state, belief=replace(talk.state.belief, last=asked))
    reply = talk.say("Remember that I own two bikes.")
    assert reply.count("\n") >= 1, "noted, and the question again"


def understood(act: DialogueAct, confidence: float) -> NLUResult:
    return NLUResult("", (ScoredAct(act, confidence),))


@pytest.mark.parametrize(("confidence", "shared"), [(0.9, True), (0.2, False)])
def test_a_statement_that_the_faq_answers_is_both(assistant: Assistant, confidence: float, shared: bool) -> None:
    talk = Talk(assistant)
    text = "I lost my jacket at dinner."
    talk.understood[text] = understood(DialogueAct("faq", "lost_property"), confidence)
    answers = next(entry.answers for entry in assistant.faq if entry.id == "lost_property")
    assert (talk.say(text).splitlines()[-1] in answers) == shared
    assert talk.state.remembered == (text,)


def test_a_question_the_memory_cannot_answer_is_the_tasks_if_it_can(talk: Talk) -> None:
    talk.understood["Where does our tram stop?"] = understood(DialogueAct("faq", "parking_general"), 0.9)
    talk.say("Where does our tram stop?")
    assert talk.heard[-1] == "Where does our tram stop?"
    assert not any(isinstance(event, MemoryAnswered) for event in talk.events)


def test_an_answer_is_an_event_with_what_it_rests_on(talk: Talk) -> None:
    talk.say("Where does my sister live?")
    answered = next(event for event in talk.events if isinstance(event, MemoryAnswered))
    assert answered.answer == "My sister lives in York"
    assert answered.supporting == (("My sister lives in York.", 1.5),)
    assert event_from_json(event_to_json(answered)) == answered


def test_a_full_memory_lets_go_of_the_oldest_and_says_so(assistant: Assistant) -> None:
    talk = Talk(assistant)
    events: list[Event] = [StatementRemembered(0.0, f"Locker {i} is mine.") for i in range(10_000)]
    began = time.perf_counter()
    talk.state = fold(assistant.ontology, "c", events)
    assert time.perf_counter() - began < 10, "10,000 statements are folded in well under a second on a free core"
    assert len(talk.state.remembered) == REMEMBERED_STATEMENTS
    assert str(REMEMBERED_STATEMENTS) in talk.say("Remember that locker 5 is yours.")
    assert len(talk.state.remembered) == REMEMBERED_STATEMENTS
    assert talk.say("What do you remember?").count("\n- ") == LISTED


def test_the_shipped_memory_stays_bounded_however_much_is_said(assistant: Assistant) -> None:
    memory = StoryStatements(StoryMemory.load(SHIPPED))
    said: list[str] = []
    for number in range(120):
        said.append(f"I left the thing{number} in the place{number % 40}.")
        memory.knows(tuple(said[-REMEMBERED_STATEMENTS:]), "thing1")
    assert len(memory) == 1, "one state a conversation"
    began = time.perf_counter()
    answer = memory.ask(tuple(said[-REMEMBERED_STATEMENTS:]), "Where is the thing119?")
    assert time.perf_counter() - began < 1
    assert answer.text == "place39", "the latest is always known"


def test_what_was_said_long_ago_is_answered_though_the_model_has_let_go_of_it() -> None:
    model = StoryMemory.load(SHIPPED)
    memory = StoryStatements(model)
    early = ("I left the passport in the drawer.", "Then I took it to the office.", "Priya went to the market.")
    said = early + tuple(f"I left the thing{number} in the place{number}." for number in range(60))
    state = model.empty()
    for text in said:
        state = model.write(state, text)
    assert model.kept(state) < len(said), "else nothing was let go"
    assert memory.ask(said, "Where is the passport?").text == "office"
    assert memory.ask(said, "Where is Priya?").text == "market"
    assert memory.ask(said, "Where is the thing59?").text == "place59"
    assert memory.ask(said, "Where is the umbrella?").text is None
    assert memory.knows(said, "Where is the passport?") == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "forget what about " + ". " * 20_000,
        "and " * 25_000,
        "My " + "a'b " * 20_000 + "is",
        "I left " + "x" * 90_000,
        "remember that " * 6_000,
        "\n".join("Where is my bag?" for _ in range(300)),
        "what did I say about " + "!" * 370,
    ],
    ids=range(7),
)
def test_no_message_takes_long_to_sort(assistant: Assistant, text: str) -> None:
    recall, talk = Recall(assistant, WordOverlap()), Talk(assistant)
    began = time.thread_time()
    recall.hear(talk.state, UserMessage("c", text), np.random.default_rng(0))
    assert time.thread_time() - began < 2


def test_a_statement_and_an_answer_take_milliseconds(assistant: Assistant) -> None:
    talk = Talk(assistant)
    recall = Recall(assistant, StoryStatements(StoryMemory.load(SHIPPED)))
    taken: dict[str, list[float]] = {"note": [], "ask": []}
    for number in range(40):
        for kind, text in (("note", f"I left the thing{number % 12} in the drawer."), ("ask", "Where is my thing3?")):
            began = time.thread_time()  # of this core alone: other work on the machine doesn't count
            heard = recall.hear(talk.state, UserMessage("c", text), np.random.default_rng(0))
            taken[kind].append(time.thread_time() - began)
            assert heard is not None
            talk.state = Turn.begin(talk.state).then(assistant.ontology, *heard.events).state
    assert statistics.median(taken["note"]) < 0.010, "about 1 ms"
    assert statistics.median(taken["ask"]) < 0.020, "about 2 ms"


def test_an_assistant_without_the_words_is_told_which(assistant: Assistant) -> None:
    silent = replace(assistant, responses={k: v for k, v in assistant.responses.items() if k != RESPONSES[-1]})
    with pytest.raises(ResponseError, match=RESPONSES[-1]):
        Recall(silent, WordOverlap())


def test_forgetting_drops_what_a_turn_that_failed_had_read() -> None:
    memory = StoryStatements(CountingStory())
    memory.knows(("The cat is out.", "The code is 17."), "The cat is out.")
    memory.knows(("Priya moved to Leeds.",), "Priya")
    memory.forget(())
    assert len(memory) == 2
    memory.forget(("The cat is out.",))
    assert len(memory) == 1
