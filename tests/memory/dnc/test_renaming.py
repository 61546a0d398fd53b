"""Stories told with made-up names say the same of others."""

from __future__ import annotations

import re

import numpy as np
import pytest

from memory.dnc.babi import Question, Story
from memory.dnc.encoding import encode
from memory.dnc.renaming import renamed
from memory.dnc.stories import generate
from memory.dnc.words import babi_lexicon

LEXICON = babi_lexicon()


@pytest.mark.parametrize("task", range(1, 20))
def test_a_renamed_story_is_the_same_to_the_network_but_for_meanings(task: int) -> None:
    for seed, story in enumerate(generate(task, 4, seed=5)):
        other = renamed(story, LEXICON, seed)
        first, second = (encode(each, LEXICON, 48, 16, 3) for each in (story, other))
        for name in ("statements", "questions", "answers", "supporting", "seen"):
            assert (getattr(first, name) == getattr(second, name)).all(), f"{name} of {other}"
        assert not second.meanings.any()


def test_no_name_is_left_and_each_has_one_new_name() -> None:
    lines = ("Wolves are afraid of mice.", "Emily is a wolf.", Question("What is emily afraid of?", ("mouse",), (0, 1)))
    told = renamed(Story(15, lines), LEXICON, seed=2)
    first, second, question = told.lines
    assert isinstance(question, Question)
    made = re.fullmatch(r"(\w+) are afraid of (\w+)\.", str(first))
    assert made is not None
    assert str(second).split()[-1] == f"{made[1].lower()}.", "wolves and wolf are one thing"
    assert question.answer == (made[2],), "mice and mouse are one thing"
    assert question.text == f"What is {str(second).split()[0].lower()} afraid of?"
    assert not {"wolves", "wolf", "mice", "emily"} & set(re.findall(r"[a-z]+", str(told).lower()))
    assert renamed(Story(15, lines), LEXICON, seed=2) == told != renamed(Story(15, lines), LEXICON, seed=3)


def test_motives_keep_the_names_that_carry_meaning() -> None:
    story = Story(20, ("Sumit is hungry.", Question("Where will sumit go?", ("kitchen",), (0,))))
    told = renamed(story, LEXICON)
    assert isinstance(told.lines[1], Question)
    assert told.lines[1].answer == ("kitchen",)
    assert "sumit" not in told.lines[1].text
    assert np.asarray(encode(told, LEXICON, 48, 16, 3).answers)[0, 0] > 0
