"""``rejoinder evaluate ranking`` as a person runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands.evaluate_ranking import require_lightgbm
from bot.errors import CommandError
from policies.ranking.letor import LetorError, RankingData
from policies.ranking.served_ranker import ServedRanker
from tests.policies.ranking.made_up import made_up


def write(path: Path, data: RankingData) -> Path:
    """LETOR rows; a query at a time."""
    lines, row = [], 0
    for query, size in enumerate(data.groups):
        for _ in range(size):
            values = " ".join(f"{i}:{v:.5f}" for i, v in enumerate(data.features[row], start=1) if i < 5 or v > 0)
            lines.append(f"{data.labels[row]} qid:{query} {values}\n")
            row += 1
    path.write_text("".join(lines))
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    train, valid, test = (write(tmp_path / f"{n}.txt", made_up(40, seed=n)) for n in range(3))
    return ["evaluate", "ranking", "--train", str(train), "--valid", str(valid), "--test", str(test)]


def test_figures_of_ranker_and_baseline(files: list[str], tmp_path: Path) -> None:
    small = ["--seeds", "2", "--trees", "15", "--members", "2", "--out", str(tmp_path / "kept"), "--json"]
    result = CliRunner().invoke(app, [*files, *small])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    stock = report["baseline"]["lightgbm"]
    for name in ("ndcg@1", "ndcg@5", "ndcg@10", "map"):
        assert 0.6 < report[name] <= 1
        assert 0.4 < stock[name] <= 1
        mean, (low, high) = report["difference"][name]["mean"], report["difference"][name]["ci"]
        assert low <= mean <= high
        assert mean == pytest.approx(report[name] - stock[name])
    assert len(report["trees"]) == len(report["by_seed"]["ndcg@5"]) == report["seeds"] == 2
    assert 0 < report["rank_50_ms"] <= report["rank_50_p99_ms"]
    assert ServedRanker.load(tmp_path / "kept").manifest.features == tuple(map(str, range(1, 9)))


def test_without_a_validation_file_the_training_data_chooses(files: list[str]) -> None:
    without = files[:4] + files[6:]
    result = CliRunner().invoke(app, [*without, "--seeds", "1", "--trees", "10", "--members", "1"])
    assert result.exit_code == 0, result.output
    assert "ndcg@5" in result.output
    assert "50 candidates in" in result.output


def test_a_validation_file_that_is_the_test_file_is_told(files: list[str]) -> None:
    same = [*files[:5], files[7], *files[6:], "--seeds", "1", "--trees", "5", "--members", "1", "--json"]
    assert "--valid is the test file" in json.loads(CliRunner().invoke(app, same).stdout)["warning"]


def test_a_broken_file_is_named(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "2.txt").write_text("1 qid:1 1:0.5\n0 qid:1 1:oops\n")
    result = CliRunner().invoke(app, files)
    assert isinstance(result.exception, LetorError)
    assert "2.txt:2: '1:oops' is no feature" in str(result.exception)


@pytest.mark.parametrize(
    ("error", "said"), [(ImportError("x"), "make setup"), (OSError("libgomp.so.1: no such file"), "install libgomp1")]
)
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    class Missing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "lightgbm":
                raise error

    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(CommandError, match=said):
        require_lightgbm()
