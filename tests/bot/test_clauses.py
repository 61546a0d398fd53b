"""Messages as people type them: no apostrophes, no capitals, several things in one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.assistant import Assistant, load_assistant
from bot.clauses import clauses, plain
from bot.preferences import PreferenceListener
from bot.remembering import Heard, Known, sort_message
from tests.bot.test_remembering import SAID, Talk, WordOverlap, sorter


@pytest.fixture(scope="module")
def assistant() -> Assistant:
    return load_assistant("assistants/restaurants")


def heard(assistant: Assistant, text: str, known: Known | None = None) -> Heard:
    listener = PreferenceListener(assistant.task.preferences)
    return sort_message(text, sorter(assistant), listener, WordOverlap(), known or Known())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("wheres my bag", "where's my bag"),
        ("were are my keys", "where are my keys"),
        ("we were in York", "we were in York"),
        ("where r my keys", "where are my keys"),
        ("\U0001f600 \U0001f600 im at home", "i'm at home"),
        ("it isnt mine, i cant", "it isn't mine, i can't"),
        ("\u202eremember\u0000 that", "remember that"),
        ("\U0001f600", "\U0001f600"),
        ("<b>x</b>", "<b>x</b>"),
    ],
)
def test_what_is_typed_is_made_plain(typed: str, meant: str) -> None:
    assert plain(typed) == meant


@given(st.text(max_size=60))
def test_plain_is_idempotent_and_clauses_are_in_order(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    ends = [0, *(at for span in clauses(text) for at in span), len(text)]
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("My sister lives in York and my brother lives in Leeds.", 2),
        ("i put my passport in the drawer and then i took it to the office", 2),
        ("The car is at the garage, the bike is in the shed.", 2),
        ("Tom and Anna went to the market and they bought a lamp.", 2),
        ("remember that my locker is number 5 and my bike is in the shed", 2),
        ("Tom and I went to the harbour.", 1),
        ("I met Tom and Anna at the bar.", 1),
        ("I put the keys in the drawer and the wallet in the bag.", 1),
        ("Remember that Tom and Anna live in York.", 1),
        ("Remember that Tom and I love tea.", 1),
        ("I lied, my keys are in the bath", 1),
    ],
)
def test_each_clause_that_states_something_is_a_statement(assistant: Assistant, text: str, statements: int) -> None:
    found = heard(assistant, text)
    assert (len(found.statements), found.rest) == (statements, "")


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        (
            "i left my umbrella on the train so find me something cheap",
            ("i left my umbrella on the train",),
            "find me something cheap",
        ),
        (
            "My boss flies to Rome on Friday, book a table for two",  # the day may be for the task
            ("My boss flies to Rome on Friday",),
            "My boss flies to Rome on Friday, book a table for two",
        ),
        (
            "remember that my bike is in the shed and find me a thai restaurant",
            ("my bike is in the shed",),
            "find me a thai restaurant",
        ),
        ("our tram is delayed, how long will the table be held", (), ""),
        ("book a table for 4 and a high chair", (), ""),
        ("my card was declined, what now", (), ""),
        ("Tom is vegetarian and Anna is vegan", (), ""),
        ("the food is for my mother, she is allergic to nuts", (), ""),
        ("we met in the north, find something there", (), ""),
    ],
)
def test_a_statement_and_a_wish_in_one_sentence(
    assistant: Assistant, text: str, statements: tuple[str, ...], rest: str
) -> None:
    found = heard(assistant, text)
    assert found.statements == statements
    assert found.rest == (rest or text)


@pytest.mark.parametrize(
    "text",
    [
        "priya went to the pharmacy",
        "tom has my bike",
        "remeber that the code is 4711",
        "rember the code is 4711",
        "\U0001f600 i left my keys in the car",
        "actually i left them in the taxi",
    ],
)
def test_sloppy_statements_are_kept(assistant: Assistant, text: str) -> None:
    assert len(heard(assistant, text, Known(SAID)).statements) == 1


@pytest.mark.parametrize("text", ["everything went to the dogs", "waiter took my plate", "thai has the best soups"])
def test_words_that_are_no_names_state_nothing(assistant: Assistant, text: str) -> None:
    assert heard(assistant, text, Known(SAID)).statements == ()


@pytest.mark.parametrize("text", ["where are my keys?", "wheres my umbrella", "where do i live"])
def test_a_question_about_ones_own_things_before_anything_was_said(assistant: Assistant, text: str) -> None:
    talk = Talk(assistant)
    assert "not told me" in talk.say(text)


def test_a_cue_without_anything_to_remember_states_nothing(assistant: Assistant) -> None:
    for text in ("remember that", "Remember this.", "don't forget it!"):
        assert heard(assistant, text).statements == ()


@pytest.mark.parametrize(
    ("held", "said", "stated", "withdrawn"),
    [
        ((), "I'm vegan. No, I'm not vegan.", (), ("vegan",)),
        (("vegan",), "I'm vegan. No, I'm not vegan.", (), ("vegan",)),
        (("vegan",), "I'm not vegan any more. Well, I'm vegan.", ("vegan",), ()),
    ],
)
def test_the_last_word_about_a_preference_counts(
    assistant: Assistant, held: tuple[str, ...], said: str, stated: tuple[str, ...], withdrawn: tuple[str, ...]
) -> None:
    found = heard(assistant, said, Known(preferences=held))
    assert (found.stated, found.withdrawn) == (stated, withdrawn)
