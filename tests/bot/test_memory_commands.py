"""``rejoinder train memory`` and ``rejoinder evaluate memory`` as a person runs them."""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands.train_memory import parse_tasks
from bot.errors import CommandError
from memory.dnc.stories import CONVERSATIONS
from memory.dnc.story_model import StorySettings
from memory.dnc.training import MemoryTraining

ROOT = Path(__file__).parents[2]
STORY = "1 Priya moved to the attic.\n2 Tom is in the cellar.\n3 Where is Priya?\tattic\t1\n4 Where is Tom?\tattic\t2\n"


def rejoinder(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, stack traces and exit codes as a person sees them."""
    words = [sys.executable, "-m", "bot", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)


def test_a_file_never_seen_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "qa1_mine.txt"
    file.write_text(STORY)
    result = CliRunner().invoke(app, ["evaluate", "memory", str(file), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report) == {"mean_error", "failed", "tasks", "p50_ms"}
    assert report["tasks"] == {"1": 50.0}, "the second answer in the file is wrong"
    assert (report["mean_error"], report["failed"]) == (50.0, 1)
    assert 0 < report["p50_ms"] < 100
    shown = CliRunner().invoke(app, ["evaluate", "memory", str(file)])
    assert "2 questions" in shown.stdout
    assert "50.0 %" in shown.stdout


def test_names_of_files_folders_and_tasks(tmp_path: Path) -> None:
    (tmp_path / "qa3_three-supporting-facts_test.txt").write_text("\ufeff" + STORY.replace("\n", "\r\n"))
    (tmp_path / "qa12_conjunction_test.txt.xz").write_bytes(lzma.compress(STORY.encode()))
    (tmp_path / "qa7_counting_train.txt").write_text("not a test file")
    result = CliRunner().invoke(app, ["evaluate", "memory", str(tmp_path), "--json"])
    assert json.loads(result.stdout)["tasks"] == {"3": 50.0, "12": 50.0}
    (tmp_path / "mine.txt").write_text(STORY)
    result = CliRunner().invoke(app, ["evaluate", "memory", str(tmp_path / "mine.txt"), "--task", "9", "--json"])
    assert json.loads(result.stdout)["tasks"] == {"9": 50.0}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("qa1_empty.txt", b"", "no questions in there"),
        ("qa1_none.txt", b"1 Mary went home.\n\n\n", "no questions in there"),
        ("qa1_prose.txt", b"1 Mary went home.\n\nhello\n", "qa1_prose.txt:3: no number in front"),
        ("qa1_number.txt", b"9" * 5000 + b" Mary went home.\n", "qa1_number.txt:1: no number in front"),
        ("qa1_alone.txt", b"1\n", "qa1_alone.txt:1: no number in front"),
        ("qa1_answer.txt", b"1 Mary went home.\n2 Where is Mary?\t\t1\n", ":2: a question needs an answer"),
        ("qa1_tabs.txt", b"1 Mary went home.\n2 Where is Mary?\thome\n", ":2: a question needs an answer"),
        (
            "qa1_support.txt",
            b"1 Mary went home.\n2 Where is Mary?\thome\t7\n",
            ":2: the supporting lines '7' aren't all",
        ),
        ("qa1_binary.txt", bytes(range(256)), "can't be read"),
        ("qa1_cut.txt.xz", lzma.compress(STORY.encode() * 99)[:-40], "can't be read"),
        ("qa1_not.txt.xz", STORY.encode(), "can't be read"),
        ("stories.txt", STORY.encode(), "the name doesn't say which task"),
        ("qa1_missing.txt", None, "can't be read"),
    ],
)
def test_other_files_are_refused_by_file_and_line(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = CliRunner().invoke(app, ["evaluate", "memory", str(tmp_path / name), "--json"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert said in str(result.exception)
    assert name in str(result.exception)


def test_a_mistake_is_one_line_without_a_stack_trace(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    done = rejoinder("evaluate", "memory", tmp_path / "folder")
    assert done.returncode == 1
    assert "a folder without test files" in done.stderr
    assert "Traceback" not in done.stderr
    assert rejoinder("evaluate", "memory").returncode == 2


def test_what_is_odd_but_a_story_is_answered(tmp_path: Path) -> None:
    file = tmp_path / "qa1_odd.txt"
    odd = "1 Where is Mary?\tunknown\t\n1 \u3042\u3044 \U0001f642 x\x00y.\n2 Qwzx?\tunknown\t1\n1 ...\n"
    odd += "2 Zorbix moved to the " + "q" * 9000
    file.write_text(odd + ".\n3 Where is Zorbix?\tattic\t2\n")
    result = CliRunner().invoke(app, ["evaluate", "memory", str(file), "--json"])
    assert result.exit_code == 0, result.output
    assert 0 < json.loads(result.stdout)["tasks"]["1"] < 100


def test_a_long_story_stays_within_bounds(tmp_path: Path) -> None:
    file = tmp_path / "qa1_long.txt"
    lines = [f"{n} Priya moved to the {('attic', 'cellar', 'garden')[n % 3]}." for n in range(1, 601)]
    file.write_text("\n".join(lines) + "\n601 Where is Priya?\tattic\t600\n")
    started = time.monotonic()
    result = CliRunner().invoke(app, ["evaluate", "memory", str(file), "--json"])
    assert json.loads(result.stdout)["tasks"] == {"1": 0.0}
    assert time.monotonic() - started < 60


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory.dnc.babi.LARGEST", 1 << 20)
    file = tmp_path / "qa1_bomb.txt.xz"
    file.write_bytes(lzma.compress(b"1 a\n" * (1 << 20)))
    result = CliRunner().invoke(app, ["evaluate", "memory", str(file)])
    assert "more than 1 MB of text: split it" in str(result.exception)


def test_training_makes_a_memory_that_can_be_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "memory"
    monkeypatch.setattr("bot.memory_training.network_of", lambda n: StorySettings(n, relation=16, hops=1, key_size=4))
    small = MemoryTraining(steps=50, budget=40)
    monkeypatch.setattr("bot.commands.train_memory.memory_training", lambda steps, seed, support: small)
    monkeypatch.setattr("bot.memory_training.CONVERSATION_STORIES", 60)
    result = CliRunner().invoke(app, ["train", "memory", "--tasks", "4", "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report["tasks"]) == {"4"}
    assert {path.name for path in out.iterdir()} == {"write.onnx", "read.onnx", "manifest.json", "learning_curve.png"}
    record = json.loads((out / "manifest.json").read_text())["training"]
    assert record["machine"]["cpu"]
    assert record["machine"]["packages"]["torch"]
    assert (record["seed"], record["settings"]["steps"], record["data"]) == (0, 50, {})
    assert record["curve"][-1]["step"] == 50
    file = tmp_path / "qa4_mine.txt"
    file.write_text("1 The office is north of the attic.\n2 What is north of the attic?\toffice\t1\n")
    assert CliRunner().invoke(app, ["evaluate", "memory", str(file), "--model", str(out), "--json"]).exit_code == 0


def test_tasks_are_named_by_numbers() -> None:
    assert parse_tasks("all") == list(range(1, 21))
    assert parse_tasks("3,1,20-22") == [1, 3, 20, 21, 22]
    for wrong in ("", "x", "0", "5-3", str(max(CONVERSATIONS) + 1), "1-99999999999"):
        with pytest.raises(CommandError, match="--tasks"):
            parse_tasks(wrong)
