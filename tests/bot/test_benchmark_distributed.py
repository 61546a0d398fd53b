"""`rejoinder benchmark distributed`: a report, a table and a picture; plain words for what can't be solved."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from bot.__main__ import app


def call(*options: str):
    return CliRunner().invoke(app, ["benchmark", "distributed", *options])


def test_it_reports_every_method(tmp_path: Path) -> None:
    data = tmp_path / "a.libsvm"
    data.write_text("".join(f"{1 if i % 2 else -1} 1:{i % 2 * 2 - 1} {2 + i % 7}:0.5\n" for i in range(30)))
    result = call(
        "--data", str(data), "--quick", "--workers", "3", "--json", "--out", str(tmp_path / "out" / "r.jsonl")
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    names = [row["method"] for row in report["methods"]]
    assert names == ["cocoa", "cocoa+", "cocoa-safeguarded", "minibatch-sgd", "minibatch-cd"]
    assert report["methods"][2]["rounds_to_gap"] is not None
    assert all(row["duality_gap"] >= 0 for row in report["methods"])
    assert Path(report["table"]).read_text().count("\n") == 7
    assert Path(report["picture"]).read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    (tmp_path / "nan").write_text("1 1:nan\n")
    for options in (("--loss", "cubic"), ("--data", str(tmp_path / "nan")), ("--quick", "--l1", "0.1", "--l2", "0")):
        result = call(*options)
        assert result.exit_code != 0
