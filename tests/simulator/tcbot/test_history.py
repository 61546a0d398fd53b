"""What is remembered: questions, answers, offers; forgotten when a new dialogue begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.jit import B8, F32
from simulator.tcbot.actions import NAMES, TABLE_SLOTS
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.history import FACTS, SLOT_FACTS, History
from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.task import load_task
from tests.simulator.tcbot.worlds import write

ASKED, OPEN, TOLD, ANSWERED, WANTED, NO_MATCH, ANY, VALUED = range(SLOT_FACTS)
OFFERED, ACCEPTED, CONFIRMED, FITS, ROWS = range(FACTS)


@pytest.fixture
def dialogues(tmp_path: Path) -> MovieDialogues:
    """20 users who want Alpha in Rome and ask about theater and start time."""
    goal = {"inform_slots": {"moviename": "alpha", "city": "Rome"}, "request_slots": {"theater": "?", "starttime": "?"}}
    return MovieDialogues(load_task(write(tmp_path, goals=[goal])), MovieSettings(), list(range(20)))


def say(dialogues: MovieDialogues, name: str) -> None:
    dialogues.step(np.full(len(dialogues.all_rows), NAMES.index(name), dtype=np.int32))


class Seen:
    """An observation taken apart."""

    def __init__(self, dialogues: MovieDialogues, observation: F32) -> None:
        assert observation[:, : dialogues.size].tolist() == dialogues.observe().tolist()
        rest = observation[:, dialogues.size :]
        self._slots = rest[:, : SLOT_FACTS * len(TABLE_SLOTS)].reshape(-1, SLOT_FACTS, len(TABLE_SLOTS))
        self._facts = rest[:, SLOT_FACTS * len(TABLE_SLOTS) :]

    def slot(self, fact: int, name: str) -> B8:
        """(B,) the fact about the slot."""
        return np.asarray(self._slots[:, fact, TABLE_SLOTS.index(name)] > 0)

    def fact(self, number: int) -> F32:
        """(B,) the fact about the dialogue."""
        return np.asarray(self._facts[:, number])


def test_a_question_that_is_broken_off_is_remembered_until_it_is_answered(dialogues: MovieDialogues) -> None:
    history = History(dialogues)
    first = Seen(dialogues, history.observe()).slot(ASKED, "theater")
    assert 0 < first.sum() < 20  # the others begin with the start time
    say(dialogues, "request(moviename)")
    assert not dialogues.state.asked.any()
    seen = Seen(dialogues, history.observe())
    for fact in (ASKED, OPEN):
        assert np.array_equal(seen.slot(fact, "theater"), first)
    assert seen.slot(WANTED, "moviename").all()
    assert not seen.slot(WANTED, "city").any()
    say(dialogues, "inform(theater)")
    seen = Seen(dialogues, history.observe())
    assert seen.slot(ANSWERED, "theater").all()
    assert not seen.slot(OPEN, "theater").any()
    assert np.array_equal(seen.slot(ASKED, "theater") & first, first)


def test_offers_and_what_came_of_them(dialogues: MovieDialogues) -> None:
    history = History(dialogues)
    assert not Seen(dialogues, history.observe()).fact(OFFERED).any()
    say(dialogues, "inform(taskcomplete)")
    seen = Seen(dialogues, history.observe())
    assert seen.fact(OFFERED).all()
    told = np.asarray(dialogues.state.user_act == dialogues.tables.thanks)
    assert np.array_equal(seen.fact(ACCEPTED) > 0, told)
    assert not seen.slot(ANSWERED, "moviename").any()  # an offer answers no question
    say(dialogues, "confirm_answer()")
    seen = Seen(dialogues, history.observe())
    assert np.array_equal(seen.fact(ACCEPTED) > 0, told)
    assert seen.fact(CONFIRMED) == pytest.approx(0.2)


def test_the_table_is_looked_up(dialogues: MovieDialogues) -> None:
    history = History(dialogues)
    seen = Seen(dialogues, history.observe())
    assert seen.fact(ROWS) == pytest.approx(np.log1p(3) / 7)  # Alpha, with or without Rome, has three rows
    assert seen.slot(VALUED, "theater").all()
    assert not seen.slot(VALUED, "genre").any()
    say(dialogues, "inform(genre)")
    seen = Seen(dialogues, history.observe())
    assert seen.slot(NO_MATCH, "genre").all()
    assert not seen.fact(FITS).any()
    assert not seen.slot(VALUED, "theater").any()


def test_what_does_not_matter(dialogues: MovieDialogues) -> None:
    history = History(dialogues)
    history.observe()
    say(dialogues, "request(genre)")
    seen = Seen(dialogues, history.observe())
    assert seen.slot(ANY, "genre").all()
    assert not seen.slot(TOLD, "genre").any()
    assert seen.slot(TOLD, "moviename").all()


def test_a_new_dialogue_begins_with_nothing(dialogues: MovieDialogues) -> None:
    history = History(dialogues)
    for name in ("request(genre)", "inform(theater)", "confirm_answer()", "inform(taskcomplete)"):
        history.observe()
        say(dialogues, name)
    history.observe()
    dialogues.reset(dialogues.all_rows[:10])
    seen, new = history.observe(), History(dialogues).observe()
    assert seen.shape == (20, history.size)
    assert np.array_equal(seen[:10], new[:10])
    assert not np.array_equal(seen[10:], new[10:])
