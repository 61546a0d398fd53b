"""``rejoinder benchmark tcbot``: finished runs are reported without being run again; mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.commands.benchmark_tcbot import _jobs, _key, tcbot
from bot.errors import CommandError
from tests.simulator.tcbot.worlds import write


def test_finished_runs_are_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two finished runs and a line that an interruption cut short."""
    folder, out = write(tmp_path), tmp_path / "runs.jsonl"
    rows = [
        {"key": _key(job), "seed": job.seed, "dialogues": 850, "training": [job.seed] * 850, "success": [1] * 4,
         "reward": [73] * 4, "turns": [16] * 4, "trained_seconds": 1.0}
        for job in _jobs(folder, 2, 850, 4)
    ]  # fmt: skip
    text = "\n".join(json.dumps(row) for row in rows) + '\n{"key": "cut'
    out.write_text(text)
    tcbot(folder, 2, 850, 4, out, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["last50"], report["success"], report["turns"]) == (0.5, 1.0, 16.0)
    assert [one["last50"] for one in report["by_seed"]] == [0.0, 1.0]
    assert out.read_text() == text
    tcbot(folder, 2, 850, 4, out, as_json=False)
    assert "mean (95 %)" in capsys.readouterr().out


def test_another_task_is_another_run(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (before,) = (_key(job) for job in _jobs(folder, 1, 850, 4))
    write(tmp_path, dictionary={"city": ["Bern"]})
    (after,) = (_key(job) for job in _jobs(folder, 1, 850, 4))
    assert before != after


def test_a_folder_without_a_task_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"slot_set\.txt: no such file"):
        tcbot(tmp_path, 1, 850, 4, tmp_path / "runs.jsonl", as_json=True)
    assert not list(tmp_path.iterdir())
