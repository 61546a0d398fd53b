"""``rejoinder tune ranker`` for real on small data, twice; and the benchmarks of tuners and classic models in small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands import benchmark_tuners


def letor(path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = []
    for query in range(12):
        for _ in range(6):
            x = rng.normal(size=3)
            lines.append(f"{int(x[0] > 0)} qid:{query} " + " ".join(f"{n + 1}:{v:.3f}" for n, v in enumerate(x)))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_ranker_is_tuned_and_a_second_call_goes_on(tmp_path: Path) -> None:
    call = ["tune", "ranker", str(letor(tmp_path / "rank.train")), "--out", str(tmp_path / "out"), "--method", "random"]
    first = CliRunner().invoke(app, [*call, "--trials", "2", "--json"])
    assert first.exit_code == 0, first.output
    report = json.loads(first.stdout)
    assert report["trials"] == 2
    assert report["best"] >= report["default"] > 0.3
    assert report["failures"] == {}
    again = CliRunner().invoke(app, [*call, "--trials", "3"])
    assert again.exit_code == 0, again.output
    assert "3 trials" in again.output
    assert len((tmp_path / "out/trials.jsonl").read_text().splitlines()) == 3
    assert (tmp_path / "out/trials.png").read_bytes().startswith(b"\x89PNG")
    assert set(YAML(typ="safe").load(tmp_path / "out/tuned.yml")) == {"tuned"}
    other = CliRunner().invoke(app, [*call[:-1], "grid", "--trials", "3"])
    assert "method differ" in str(other.exception)
    unknown = CliRunner().invoke(app, [*call[:-1], "magic"])
    assert "there are bayes, random, grid" in str(unknown.exception)


def test_tuners_report_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_tuners, "QUICK", ("branin", "branin, noisy"))
    out = tmp_path / "tuners.jsonl"
    call = ["benchmark", "tuners", "--quick", "--seeds", "3", "--trials", "8", "--out", str(out)]
    result = CliRunner().invoke(app, [*call, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert [row["name"] for row in report["functions"]] == ["branin", "branin"]
    for row in report["functions"]:
        assert set(row["best_found"]) == set(row["auc"]) == {"bayes", "random", "grid"}
        assert row["p_holm_best_found"] >= row["p_best_found"]
        assert all(row["best_found"][name] <= row["auc"][name] for name in row["auc"]) or row["noise"]
    finished = out.read_text()
    assert len(finished.splitlines()) == 18
    again = CliRunner().invoke(app, call)
    assert again.exit_code == 0, again.output
    assert out.read_text() == finished
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
