"""Conversations: answers are where they are said to be, and what was never said is unknown."""

from __future__ import annotations

import re

import pytest

from memory.dnc.babi import Question, Story
from memory.dnc.stories import (
    APPOINTMENTS,
    BOUGHT,
    CONVERSATIONS,
    NOT_TOLD,
    PEOPLE,
    THINGS,
    closed_words,
    generate,
)  # fmt: skip
from memory.dnc.stories.vocabulary import HOLDERS, OBJECTS

UNKNOWN = ("unknown",)
NUMBERS = ("none", "one", "two", "three")


def said_before(story: Story) -> list[tuple[tuple[str, ...], Question]]:
    """Every question with the statements before it."""
    said: list[str] = []
    found: list[tuple[tuple[str, ...], Question]] = []
    for line in story.lines:
        if isinstance(line, Question):
            found.append((tuple(said), line))
        else:
            said.append(line)
    return found


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


@pytest.mark.parametrize("task", CONVERSATIONS)
def test_an_answer_stands_in_its_supporting_sentences(task: int) -> None:
    for story in generate(task, 120, seed=1):
        for said, question in said_before(story):
            assert all(at < len(said) for at in question.supporting)
            assert (question.answer == UNKNOWN) == (question.supporting == ())
            told = {word for at in question.supporting for word in words(said[at])}
            if question.answer[0] not in ("yes", "no", "maybe", *NUMBERS, "unknown"):
                assert {word for part in question.answer for word in words(part)} <= told


@pytest.mark.parametrize("task", [THINGS, APPOINTMENTS, PEOPLE, BOUGHT])
def test_a_small_share_of_the_questions_is_about_what_was_not_told(task: int) -> None:
    asked = [question for story in generate(task, 200, seed=2) for question in story.questions]
    assert 0.08 < sum(question.answer == UNKNOWN for question in asked) / len(asked) < 0.32


def test_the_family_of_things_not_told_asks_mostly_of_them() -> None:
    asked = [question for story in generate(NOT_TOLD, 200, seed=2) for question in story.questions]
    assert 0.5 < sum(question.answer == UNKNOWN for question in asked) / len(asked) < 0.75


def test_a_thing_is_where_the_last_sentence_about_it_put_it() -> None:
    things = {*OBJECTS, *HOLDERS}
    checked = 0
    for story in generate(THINGS, 150, seed=3):
        for said, question in said_before(story):
            asked = words(question.text)
            mentioned = [word for word in asked if word in things]
            if "before" in asked or question.answer[0] in ("yes", "no", "maybe") or not mentioned:
                continue
            last, about = UNKNOWN, ""
            for sentence in said:
                spoken = words(sentence)
                here = [word for word in spoken if word in things]
                if "rained" in spoken:
                    continue
                if "it" in spoken and about == mentioned[0]:
                    last = (spoken[-1],)
                elif here and len(spoken) > 3 and "it" not in spoken:
                    about = here[0]
                    if about == mentioned[0]:
                        last = (spoken[-1],)
            assert question.answer == last, (said, question)
            checked += 1
    assert checked > 200


def test_what_was_bought_is_listed_in_the_order_of_mention_and_counted() -> None:
    counted = 0
    for story in generate(BOUGHT, 150, seed=4):
        lists: set[int] = set()
        for said, question in said_before(story):
            named = [word for at in question.supporting for word in words(said[at]) if word in OBJECTS]
            if question.answer[0] in NUMBERS:
                assert question.answer == (NUMBERS[len(named)],)
                counted += 1
            elif question.answer[0] not in ("yes", "no", "unknown"):
                assert list(question.answer) == named
                lists.add(len(named))
        assert lists <= {1, 2, 3}
    assert counted > 100


def test_wordings_vary_and_closed_words_name_nothing() -> None:
    closed = closed_words()
    assert {"i", "is", "where", "my", "yesterday", "allergic"} <= set(closed)
    assert not {"passport", "monday", "leeds", "priya"} & set(closed)
    told = [line for story in generate(THINGS, 100, seed=5) for line in story.statements]
    assert any(line == line.lower() for line in told)
    assert any(line.endswith(".") for line in told)
    assert any(not line.endswith(".") for line in told)
