"""``rejoinder benchmark feature-selection`` on small data, twice: the second call has nothing to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from policies.ranking import feature_selection, synthetic


def test_report_and_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = synthetic.SyntheticSettings(queries=300, informative=4, copies=2, noise=6, label_noise=0.3)
    quick = feature_selection.RankerSettings(trees=20, members=1, leaves=7, learning_rate=0.2)
    settings = feature_selection.SelectionSettings(rounds=2, folds=2, ranker=quick)
    monkeypatch.setattr(synthetic, "SyntheticSettings", lambda queries: small)
    monkeypatch.setattr(feature_selection, "SelectionSettings", lambda: settings)
    out = tmp_path / "runs" / "selection.jsonl"
    call = ["benchmark", "feature-selection", "--seeds", "2", "--queries", "200", "--out", str(out)]
    result = CliRunner().invoke(app, [*call, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["features"]["all"] == 12
    assert report["features"]["kept"] <= report["features"]["stage_1"] < 12
    assert report["noise_out"] > 0.8
    assert report["binary_recall"] == report["continuous_recall"] == 1
    assert report["ndcg_loss"] == pytest.approx(report["ndcg@10"]["all"] - report["ndcg@10"]["kept"])
    assert report["noise_gain"]["raw"][1] > report["noise_gain"]["raw"][0]
    assert Path(report["picture"]).read_bytes().startswith(b"\x89PNG")
    finished = out.read_text()
    again = CliRunner().invoke(app, call)
    assert again.exit_code == 0, again.output
    assert "noise out" in again.output
    assert out.read_text() == finished, "finished data sets are not run again"
