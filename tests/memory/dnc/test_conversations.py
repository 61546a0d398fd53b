"""Conversations: answers are where they are said to be, and what was never said is unknown."""

from __future__ import annotations

import re

import pytest

from memory.dnc.babi import Question, Story
from memory.dnc.stories import (
    APPOINTMENTS,
    BOUGHT,
    CONVERSATIONS,
    ERRANDS,
    FACTS,
    NOT_TOLD,
    PEOPLE,
    THINGS,
    closed_words,
    generate,
)  # fmt: skip
from memory.dnc.stories.vocabulary import HOLDERS, OBJECTS, PLACES
from memory.dnc.words import Names, babi_lexicon, singular, words_of
from tests.memory.dnc.errand_rules import PEOPLE as PERSONS
from tests.memory.dnc.errand_rules import read

UNKNOWN = ("unknown",)
NUMBERS = ("none", "one", "two", "three")
SINGULARS = frozenset(map(singular, OBJECTS))
PLAIN = ("yes", "no", "maybe", "you", "nobody", "nothing", *NUMBERS, *UNKNOWN)


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
    return [singular(word) for word in words_of(text)]


@pytest.mark.parametrize("task", CONVERSATIONS)
def test_an_answer_stands_in_its_supporting_sentences(task: int) -> None:
    for story in generate(task, 120, seed=1):
        for said, question in said_before(story):
            assert all(at < len(said) for at in question.supporting)
            assert (question.answer == UNKNOWN) == (question.supporting == ())
            told = {word for at in question.supporting for word in words(said[at])}
            referred = {"it", "them", "they"} & told  # what was named before
            if not referred and question.answer[0] not in PLAIN and question.answer[0].lower() not in PERSONS:
                assert {words(part)[-1] for part in question.answer} <= told, (said, question)


@pytest.mark.parametrize("task", CONVERSATIONS)
def test_an_answer_names_what_was_named_before(task: int) -> None:
    lexicon = babi_lexicon(closed_words())
    for story in generate(task, 60, seed=6):
        names = Names(lexicon, 48)
        for line in story.lines:
            spoken = line.text if isinstance(line, Question) else line
            names.encode(spoken, 16)
            known = names.count
            if isinstance(line, Question):
                names.encode_answer(line.answer, 3)
            assert names.count == known, line
        assert names.count <= 40


@pytest.mark.parametrize("task", [THINGS, APPOINTMENTS, PEOPLE, BOUGHT, ERRANDS, FACTS])
def test_a_small_share_of_the_questions_is_about_what_was_not_told(task: int) -> None:
    asked = [question for story in generate(task, 200, seed=2) for question in story.questions]
    assert 0.08 < sum(question.answer == UNKNOWN for question in asked) / len(asked) < 0.32


def test_the_family_of_things_not_told_asks_mostly_of_them() -> None:
    asked = [question for story in generate(NOT_TOLD, 200, seed=2) for question in story.questions]
    assert 0.5 < sum(question.answer == UNKNOWN for question in asked) / len(asked) < 0.75


def test_a_thing_is_where_the_last_sentence_about_it_put_it() -> None:
    things, places = ({singular(word) for word in names} for names in ((*OBJECTS, *HOLDERS), (*PLACES, *HOLDERS)))
    checked = 0
    for story in generate(THINGS, 150, seed=3):
        for said, question in said_before(story):
            asked = words(question.text)
            mentioned = [word for word in asked if word in things and word != "orange"]
            if "where" not in asked or {"before", "first"} & {*asked} or question.answer == UNKNOWN:
                continue
            if not mentioned or any("orange" in sentence.lower() for sentence in said):
                continue  # a colour and a thing
            last, about = "", ""
            for sentence in said:
                spoken = words(sentence)
                here = [word for word in spoken if word in things]
                where = [word for word in spoken if word in places]
                if not where:
                    continue
                if not {"it", "them", "they"} & {*spoken}:
                    assert here, sentence
                    about = here[0]
                if about == mentioned[0]:
                    last = where[-1]
            assert words(question.answer[0])[-1] == singular(last), (said, question)
            checked += 1
    assert checked > 200


def test_errands_follow_by_the_rules() -> None:
    checked = dict.fromkeys(("where", "who", "held", "count", "place"), 0)
    for story in generate(ERRANDS, 300, seed=3):
        for said, question in said_before(story):
            if question.answer == UNKNOWN or any("tent" in sentence.lower() for sentence in said):
                continue  # a tent is a thing and a place
            known, asked = read(said), words_of(question.text)
            things = [singular(word) for word in asked if singular(word) in SINGULARS]
            who = next((word for word in asked if word in PERSONS), "i")
            if "where" in asked and things and "before" not in asked:
                kind, wanted = "where", (known.where(things[0]),)
            elif re.match(r"who (has|is carrying)", " ".join(asked)):
                kind, wanted = "who", (known.holder(things[0]),)
            elif "where" in asked and not things:
                kind, wanted = "place", (known.at[who][1],)
            elif "many" in asked:
                kind, wanted = "count", (NUMBERS[len(known.held(who))],)
            elif asked[0] in ("what", "which"):
                kind, wanted = "held", tuple(known.held(who)) or ("nothing",)
            else:
                continue
            given = tuple(singular(part.lower()) for part in question.answer)
            assert given == tuple(map(singular, wanted)), (said, question)
            checked[kind] += 1
    assert min(checked.values()) > 20, checked


def test_a_moved_appointment_is_on_its_new_day() -> None:
    moved = before = 0
    for story in generate(APPOINTMENTS, 300, seed=5):
        for said, question in said_before(story):
            asked = words_of(question.text)
            told = [said[at] for at in question.supporting]
            if question.answer == UNKNOWN or asked[0] not in ("when", "which") or len(told) < 2:
                continue
            new_day = {"before", "first", "originally"} & {*asked} == set()
            assert question.answer[0].lower() in words_of(told[0] if new_day else told[1])
            moved, before = moved + new_day, before + (not new_day)
    assert min(moved, before) > 20


def test_what_was_bought_is_listed_in_the_order_of_mention_and_counted() -> None:
    counted = 0
    for story in generate(BOUGHT, 150, seed=4):
        lists: set[int] = set()
        for said, question in said_before(story):
            if question.answer[0] in (*PERSONS, "you") or "who" in words(question.text):
                continue
            named = [word for at in question.supporting for word in words(said[at]) if word in SINGULARS]
            if question.answer[0] in NUMBERS:
                assert question.answer == (NUMBERS[len(named)],)
                counted += 1
            elif question.answer[0] not in ("yes", "no", "unknown"):
                assert [singular(part) for part in question.answer] == named
                lists.add(len(named))
        assert lists <= {1, 2, 3}
    assert counted > 50


def test_a_corrected_fact_is_what_was_said_last() -> None:
    corrected = 0
    for story in generate(FACTS, 200, seed=8):
        for said, question in said_before(story):
            if question.answer[0] in PLAIN or len(question.supporting) < 2:
                continue
            assert words(question.answer[0])[-1] in words(said[question.supporting[0]])
            assert question.supporting[0] == question.supporting[1] + 1
            corrected += 1
    assert corrected > 20


def test_wordings_vary_and_closed_words_name_nothing() -> None:
    closed = closed_words()
    assert {"i", "is", "where", "my", "allergic", "they", "them", "gave", "moved"} <= set(closed)
    assert not {"passport", "monday", "leeds", "priya", "password", "accidentally", "silver"} & set(closed)
    told = [line for story in generate(THINGS, 100, seed=5) for line in story.statements]
    assert any(line == line.lower() for line in told)
    assert any(line.endswith(".") for line in told)
    assert any(not line.endswith(".") for line in told)
