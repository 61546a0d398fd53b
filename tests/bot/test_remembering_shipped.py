"""What a person tells the bot, asked back: the engine with the memory that comes with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.assistant import Assistant, load_assistant
from bot.recall import Recall
from bot.story_statements import StoryStatements
from memory.conversation import fold
from memory.dnc.reader import SHIPPED, StoryMemory
from memory.events import event_from_json, event_to_json
from tests.bot.test_remembering import Talk


@pytest.fixture(scope="module")
def assistant() -> Assistant:
    return load_assistant(Path("assistants/restaurants"))


def talk(assistant: Assistant) -> Talk:
    conversation = Talk(assistant)
    conversation.engine.recall = Recall(assistant, StoryStatements(StoryMemory.load(SHIPPED)))
    return conversation


def test_the_passport_is_found(assistant: Assistant) -> None:
    conversation = talk(assistant)
    conversation.say("I left the passport in the drawer. Then I took it to the office.")
    reply = conversation.say("Where is my passport?")
    assert "office" in reply
    assert "Then I took it to the office." in reply
    assert "have not told me" in conversation.say("Where is my umbrella?")


def test_an_appointment_is_found(assistant: Assistant) -> None:
    conversation = talk(assistant)
    conversation.say("I'll be at the dentist on Friday.")
    conversation.say("By the way, on Monday I'll be at the harbour.")
    assert "dentist" in conversation.say("Where did I say I'd be on Friday?")


@pytest.mark.parametrize(
    ("said", "asked", "answer"),
    [
        ("Priya took the umbrella. Then she went to the pharmacy.", "Where is Priya?", "Pharmacy"),
        ("Priya took the umbrella. Then she went to the pharmacy.", "Where is the umbrella?", "Pharmacy"),
        ("I left the passport in the drawer. Then I took it to the office.", "Is the passport in the office?", "Yes"),
        ("I left the passport in the drawer. Then I took it to the office.", "Is the passport in the drawer?", "No"),
        ("My sister lives in York.", "Where does my sister live?", "York"),
        ("I put the keys in the blue bag. I put the bag in the car.", "Where are my keys?", "Blue bag"),
        ("Our flight leaves on Sunday.", "When does our flight leave?", "Sunday"),
        ("The dentist is on Friday. Actually, it was moved to Monday.", "When is the dentist?", "Monday"),
        ("My doctor is Dr Okafor.", "Who is my doctor?", "Okafor"),
    ],
)
def test_pronouns_and_yes_or_no(assistant: Assistant, said: str, asked: str, answer: str) -> None:
    conversation = talk(assistant)
    conversation.say(said)
    assert answer in conversation.say(asked).splitlines()[0].split(". ")[0]


def test_all_is_known_after_a_restart_of_the_server(assistant: Assistant) -> None:
    before, after = talk(assistant), talk(assistant)
    before.say("I left the passport in the drawer. Then I took it to the office.")
    after.state = fold(assistant.ontology, "c", [event_from_json(event_to_json(event)) for event in before.events])
    assert "Office" in after.say("Where is my passport?")


def test_forgetting_one_thing_leaves_the_others_answerable(assistant: Assistant) -> None:
    conversation = talk(assistant)
    conversation.say(
        "I left the passport in the drawer. Then I took it to the office. I'll be at the dentist on Friday."
    )
    conversation.say("Forget what I said about my passport.")
    assert "not told me" in conversation.say("Where is my passport?")
    assert "entist" in conversation.say("Where did I say I'd be on Friday?")
