"""``rejoinder benchmark memory`` reports every cell, goes on after an interruption and names what it doesn't know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.errors import CommandError

SHORT = ["benchmark", "memory", "--steps", "3", "--longest", "2", "--seeds", "2"]


def called(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(app, [*SHORT, *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_reports_every_cell_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "runs" / "memory.jsonl"
    first = called("--aids", "none,all", "--out", str(out))
    cells = first["cells"]
    assert isinstance(cells, list)
    assert [(cell["machine"], cell["aids"]) for cell in cells] == [
        ("ntm", "none"), ("ntm", "all"), ("dnc", "none"), ("dnc", "all"),
    ]  # fmt: skip
    for cell in cells:
        low, high = cell["error_ci"]
        assert 0 <= low <= cell["error"] <= high <= 1
        assert cell["error"] == pytest.approx(sum(cell["by_seed"]) / 2)
    table = (out.parent / "memory_copy.md").read_text().splitlines()
    assert len(table) == 2 + 4
    assert (out.parent / "memory_copy.png").read_bytes().startswith(b"\x89PNG")

    lines = out.read_text().splitlines()
    assert len(lines) == 8
    out.write_text("\n".join(lines[:7]) + "\n" + lines[7][:40])  # cut off while it wrote
    trained: list[str] = []
    from policies import aided_training

    train = aided_training.train_aided
    monkeypatch.setattr(aided_training, "train_aided", lambda run, report: trained.append(run.machine) or train(run))
    again = called("--aids", "none,all", "--out", str(out))
    third = called("--aids", "all,none", "--machines", "dnc", "--out", str(out))
    assert trained == ["dnc"]
    assert third["cells"] == again["cells"][:1:-1]  # type: ignore[index]
    without = [
        {k: v for k, v in cell.items() if k != "seconds"} for report in (first, again) for cell in report["cells"]
    ]  # type: ignore[attr-defined]
    assert without[:4] == without[4:]


def test_table_for_people(tmp_path: Path) -> None:
    arguments = [*SHORT, "--machines", "dnc", "--aids", "adam", "--out", str(tmp_path / "a.jsonl")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "copy: 2 seeds, 3 updates" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "sort"], "--task sort: say one of copy"),
        (["--machines", "ntm,gru"], "--machines gru: say one of ntm"),
        (["--aids", "dropout"], "--aids: aid 'dropout': say one of none"),
        (["--task", "associative-recall", "--longest", "1"], "at least 2 items"),
    ],
)
def test_unknown_names_are_explained(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*SHORT, *arguments, "--out", str(tmp_path / "none.jsonl")])
    assert isinstance(result.exception, CommandError)
    assert said in str(result.exception)
    assert not (tmp_path / "none.jsonl").exists()
