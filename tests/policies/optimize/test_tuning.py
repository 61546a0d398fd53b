"""Searches over processes: they survive what trials do to them, and go on where they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.optimize.space import Dimension
from policies.optimize.tuning import TuningError, TuningPlan, best, tune
from tests.policies.optimize.tried import bowl, stepping, troublesome

SPACE = (Dimension("x", 0.0, 1.0), Dimension("n", 1, 9, whole=True))
DEFAULT = {"x": 0.5, "n": 5}
ABOUT = {"what": "test"}


def test_the_default_comes_first_and_a_second_call_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "trials.log"
    plan = TuningPlan("random", trials=3)
    first = tune(bowl, SPACE, DEFAULT, plan, file, ABOUT)
    assert dict(first[0].setting) == DEFAULT
    with file.open("ab") as cut_short:
        cut_short.write(b'{"op_code": 4, "worker')
    heard: list[int] = []
    more = tune(
        bowl, SPACE, DEFAULT, TuningPlan("random", trials=5), file, ABOUT, done=lambda t: heard.append(t.number)
    )
    assert more[:3] == first
    assert len(more) == 5
    assert sorted(heard) == [3, 4]
    assert len({repr(t.setting) for t in more}) == 5, "a search that goes on repeats no setting"
    top = best(more, maximise=True)
    assert top.value == max(t.value for t in more if t.value is not None)
    with pytest.raises(TuningError, match="what differ"):
        tune(bowl, SPACE, DEFAULT, plan, file, {"what": "another"})


def test_nan_crash_hang_and_exception_are_survived_and_named(tmp_path: Path) -> None:
    space = (Dimension("n", 1, 5, whole=True),)
    plan = TuningPlan("grid", trials=6, workers=2, seconds=2)
    trials = tune(troublesome, space, {"n": 5}, plan, tmp_path / "trials.log", ABOUT)
    why = {int(t.setting["n"]): t.why for t in trials}
    assert why[1] == "its value is nan"
    assert why[2] == "its process ended with exit code 7"
    assert why[3] == "not done after 2 s: it was stopped"
    assert why[4] == "ZeroDivisionError: by the slot count"
    assert best(trials, maximise=True).setting["n"] == 5
    with pytest.raises(TuningError, match="none of 1 trials was finished: its value is nan"):
        best([t for t in trials if t.setting["n"] == 1][:1], maximise=True)


def test_the_hopeless_are_given_up_and_never_win(tmp_path: Path) -> None:
    plan = TuningPlan("random", trials=12, maximise=False)
    trials = tune(stepping, SPACE[:1], DEFAULT, plan, tmp_path / "trials.log", ABOUT)
    given_up = [t for t in trials if t.outcome == "hopeless"]
    assert given_up
    assert all(len(t.steps) < 4 or t.value is None for t in given_up)
    assert best(trials, maximise=False).value == min(float(t.setting["x"]) for t in trials)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "trials.log"
    file.write_text("[1, 2]\nno JSON\n{}\n")
    with pytest.raises(TuningError, match=r"trials\.log"):
        tune(bowl, SPACE, DEFAULT, TuningPlan("random", 2), file, ABOUT)
