"""What a person tells the bot, asked back: the engine with the memory that comes with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.assistant import Assistant, load_assistant
from bot.recall import Recall
from bot.story_statements import StoryStatements
from memory.dnc.reader import SHIPPED, StoryMemory
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
