"""`rejoinder benchmark recurrent`: a report per memory, and plain words for what doesn't exist."""

import json

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from simulator.memory_runs import TASKS, run_memory


def call(*options):
    return CliRunner().invoke(app, ["benchmark", "recurrent", *options])


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_run_is_the_same_again_and_its_share_is_a_share(task):
    first, again = (run_memory(TASKS[task], "lstm", 0, steps=40, width=8) for _ in range(2))
    assert (first.reward, first.success) == (again.reward, again.success)
    assert 0 <= first.success <= 1


def test_it_reports_every_memory_and_goes_on_from_what_is_there(tmp_path):
    options = (
        "--task",
        "corridor",
        "--cores",
        "none,lstm",
        "--steps",
        "40",
        "--out",
        str(tmp_path / "a" / "runs.jsonl"),
    )
    result = call(*options, "--seeds", "1", "--json")
    assert result.exit_code == 0
    cores = json.loads(result.stdout)["cores"]
    assert [row["core"] for row in cores] == ["none", "lstm"]
    again = json.loads(call(*options, "--seeds", "2", "--json").stdout)["cores"]
    assert [row["by_seed"][0] for row in again] == [row["by_seed"][0] for row in cores]
    assert [len(row["by_seed"]) for row in again] == [2, 2]
    (tmp_path / "a" / "runs.jsonl").write_text("{}\n")
    assert "line 1" in str(call(*options).exception)


@pytest.mark.parametrize("options", [("--task", "maze"), ("--cores", "lstm,gru")])
def test_unknown_names_are_refused_in_a_line(options):
    result = call(*options)
    assert result.exit_code != 0
    assert options[1].split(",")[-1] in str(result.exception) + result.output
