"""Files of a task are read, and what is wrong with them is said with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.tcbot.settings import MovieSettings
from simulator.tcbot.tables import build_tables
from simulator.tcbot.task import TaskError, find_task, load_task
from tests.simulator.tcbot.worlds import SLOTS, contents, published, write


def test_the_published_task_has_its_published_sizes() -> None:
    task = published()
    assert (len(task.slots), len(task.acts), len(task.goals), len(task.table)) == (29, 11, 128, 991)


def test_a_small_task_is_read(tmp_path: Path) -> None:
    task = load_task(write(tmp_path))
    assert task.slots == SLOTS
    assert [goal.requests for goal in task.goals] == [(), ("theater", "starttime")]
    assert task.table[3]["theater"] == "Kino"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("goals", "[\n{", r"user_goals.*:2: not JSON"),
        ("goals", [], "list of goals"),
        ("goals", [{"inform_slots": {"moviename": 3}, "request_slots": {}}], "goal 1 needs"),
        ("goals", [{"inform_slots": {"colour": "red"}, "request_slots": {}}], "unknown slot 'colour'"),
        ("goals", [{"inform_slots": {}, "request_slots": {}}], "goal 1 has no constraint"),
        ("table", {}, "movie_kb.*rows"),
        ("table", {"0": ["x"]}, "row 1 must be"),
        ("dictionary", {"city": []}, "slot 'city'"),
        ("dictionary", [], "dicts.*object"),
        ("slots", "moviename\nmoviename", "listed twice"),
        ("slots", "moviename\nticket", "'taskcomplete' is missing"),
        ("acts", "inform", "act 'request' is missing"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, name: str, value: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        load_task(write(tmp_path, **{name: value}))


def test_missing_files_and_folders_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match=r"slot_set.txt: no such file"):
        load_task(tmp_path)
    monkeypatch.setenv("REJOINDER_DATA", str(tmp_path))
    with pytest.raises(TaskError, match="tcbot_movie: no such folder"):
        find_task()
    monkeypatch.delenv("REJOINDER_DATA")
    with pytest.raises(TaskError, match="set REJOINDER_DATA"):
        find_task()


def test_slots_that_the_system_talks_about_must_exist(tmp_path: Path) -> None:
    slots = "\n".join(slot for slot in contents()["slots"].splitlines() if slot != "zip")
    with pytest.raises(TaskError, match="'zip'"):
        build_tables(load_task(write(tmp_path, slots=slots)), MovieSettings())


@pytest.mark.parametrize(
    "wrong", [{"max_turn": 1}, {"slot_error": 1.5}, {"intent_error": -1}, {"slot_error_mode": "x"}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MovieSettings(**wrong)
