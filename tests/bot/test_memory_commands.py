"""``rejoinder train memory`` and ``rejoinder evaluate memory`` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands.evaluate_memory import evaluate_memory
from bot.commands.train_memory import parse_tasks
from bot.errors import CommandError
from memory.dnc.babi import BabiFormatError
from memory.dnc.reader import SHIPPED

STORY = "1 Priya moved to the attic.\n2 Tom is in the cellar.\n3 Where is Priya?\tattic\t1\n4 Where is Tom?\tattic\t2\n"


def test_a_file_never_seen_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "qa1_mine.txt"
    file.write_text(STORY)
    result = CliRunner().invoke(app, ["evaluate", "memory", str(file), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["tasks"] == {"1": 50.0}, "the second answer in the file is wrong"
    assert (report["mean_error"], report["failed"], report["questions"]) == (50.0, 1, 2)
    assert 0 < report["p50_ms"] < 100


@pytest.mark.parametrize(("name", "text"), [("qa1_empty.txt", ""), ("qa1_none.txt", "1 Mary went home.\n")])
def test_files_without_questions_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CommandError, match=f"{name}: no questions"):
        evaluate_memory([tmp_path / name], SHIPPED, None, as_json=True)


def test_another_kind_of_file_is_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "qa1_x.txt").write_text("1 Mary went home.\nhello\n")
    with pytest.raises(BabiFormatError, match=r"qa1_x\.txt:2"):
        evaluate_memory([tmp_path / "qa1_x.txt"], SHIPPED, None, as_json=True)


def test_training_makes_a_memory_that_can_be_judged(tmp_path: Path) -> None:
    out = tmp_path / "memory"
    result = CliRunner().invoke(app, ["train", "memory", "--tasks", "4", "--steps", "100", "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["tasks"]) == {"4"}
    file = tmp_path / "qa4_mine.txt"
    file.write_text("1 The office is north of the attic.\n2 What is north of the attic?\toffice\t1\n")
    assert CliRunner().invoke(app, ["evaluate", "memory", str(file), "--model", str(out), "--json"]).exit_code == 0


def test_tasks_are_named_by_numbers() -> None:
    assert parse_tasks("all") == list(range(1, 21))
    assert parse_tasks("3,1,20-22") == [1, 3, 20, 21, 22]
    for wrong in ("", "x", "0", "26"):
        with pytest.raises(CommandError, match="--tasks"):
            parse_tasks(wrong)
