"""Answers of a kind that the question can't have are withheld, all others are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.answer_kinds import possible

IMPOSSIBLE = [
    ("who has the umbrella?", "pharmacy", "Priya took the umbrella to the pharmacy."),
    ("when did priya take the umbrella?", "pharmacy", "Priya took the umbrella to the pharmacy."),
    ("where is my dentist appointment?", "Monday", "No, it moved to Monday."),
    ("who is my dentist?", "Monday", "No, it moved to Monday."),
    ("Where did I put it?", "yes", "I put it in the bag."),
    ("What did I buy?", "no", "I bought a lamp."),
    ("Is the lamp in the car?", "lamp", "I put the lamp in the car."),
    ("How many kids do I have?", "car", "The kids are in the car."),
    ("Where is the umbrella?", "umbrella", "I left the umbrella."),
    ("who is in the hall?", "kitchen", "Anna is in the old kitchen."),
    ("where are my keys?", "drawer", "My keys are not in the drawer."),
    ("where does my sister live", "york", "my sister doesn't live in york"),
    ("Are my keys in the drawer?", "yes", "My keys aren't in the drawer."),
]
POSSIBLE = [
    ("who has the book?", "teacher", "I gave the book to the teacher."),
    ("who has the book?", "brother", "I gave the book to my brother."),
    ("who has the book?", "you", "I took the book to the office."),
    ("who took the book?", "nobody", "I left the book."),
    ("where is the book?", "Tom", "I gave the book to Tom."),
    ("where is my car?", "level three", "I parked on level three."),
    ("when is my exam?", "Diwali", "My exam is after Diwali."),
    ("when is my flight?", "nine", "My flight leaves at nine."),
    ("what time is my flight?", "half past ten", "My flight is at half past ten."),
    ("How many things am I carrying?", "three", "I took the map."),
    ("Is the map in the bag or the car?", "car", "The map is in the car."),
    ("Did I tell you my password?", "marzipan", "My password is marzipan."),
    ("Do you remember where my keys are?", "car", "I left my keys in the car."),
    ("Is Sandra in the office?", "no", "Sandra is no longer in the office."),
    ("What is Anna not allowed to eat?", "nuts", "Anna can't eat nuts."),
    ("When is the dentist?", "Monday", "No, it's on Monday."),
    ("Who did I meet?", "Tom,Anna", "I met Tom and Anna at the bar."),
]


@pytest.mark.parametrize(("question", "answer", "support"), IMPOSSIBLE)
def test_an_answer_of_an_impossible_kind_is_withheld(question: str, answer: str, support: str) -> None:
    assert not possible(question, answer, [support])


@pytest.mark.parametrize(("question", "answer", "support"), POSSIBLE)
def test_a_possible_answer_is_given(question: str, answer: str, support: str) -> None:
    assert possible(question, answer, [support])


def test_no_right_answer_of_the_sentences_that_people_said_is_withheld() -> None:
    lines = Path(__file__).with_name("remembering_said.txt").read_text(encoding="utf-8").splitlines()
    told = [line.split(" | ") for line in lines if not line.startswith("#")]
    right = [(said, asked, one) for said, asked, answer in told for one in answer.split("/") if one != "?"]
    assert len(right) > 25
    withheld = [(asked, one) for said, asked, one in right if not possible(asked, one, [said])]
    assert withheld == []
