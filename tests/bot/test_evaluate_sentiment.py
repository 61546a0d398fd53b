"""``rejoinder evaluate sentiment``: correlations, and files that are not what they should be."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands.evaluate_sentiment import agreement, read_rated
from bot.errors import CommandError

LINES = "1\t3.1\tI love it!\n2\t-2.5\tThis is horrible.\n\n3\t0.1\tThe table is round.\n4\t2\tNice\tand warm.\r\n"


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_judged(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("rated.txt.xz" if packed else "rated.txt")
    path.write_bytes(lzma.compress(LINES.encode()) if packed else LINES.encode())
    assert read_rated(path)[1][-1] == "Nice\tand warm."
    result = CliRunner().invoke(app, ["evaluate", "sentiment", str(path), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["n"] == 4
    assert report["pearson_r"] > 0.9
    assert report["spearman_r"] > 0.7
    assert 0 < report["mae"] < 0.3
    assert "pearson_r" in CliRunner().invoke(app, ["evaluate", "sentiment", str(path)]).output


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 rated texts"),
        (b"1\t2\tx\n", "1 rated texts"),
        (b"1\t2\tx\n2\t2\ty\n", "1 ratings: nothing to compare"),
        (b"1\t2\tx\nno tabs\n", r"rated\.txt:2: 1 columns"),
        (b"1\tgood\tx\n", r"rated\.txt:1: rating 'good'"),
        (b"1\t2\tx\n1\tnan\tx\n", r"rated\.txt:2: rating 'nan'"),
        (b"1\t4.5\tx\n", r"rated\.txt:1: rating '4\.5'"),
        (b"1\t2\tx\n1\t2\tcaf\xe9\n", r"rated\.txt:2: not UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "rated.txt").write_bytes(data)
    with pytest.raises(CommandError, match=said):
        read_rated(tmp_path / "rated.txt")


def test_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "rated.xz").write_bytes(lzma.compress(LINES.encode())[:-5])
    with pytest.raises(CommandError, match=r"not a whole \.xz file"):
        read_rated(tmp_path / "rated.xz")


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=20))
def test_correlations_are_scipys(pairs: list[tuple[int, int]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    a, b = np.array(pairs, dtype=np.float64).T
    found = agreement(a, b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert found["pearson_r"] is None
        assert found["spearman_r"] is None
        return
    assert found["pearson_r"] == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-9)
    assert found["spearman_r"] == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-9)


def test_amazon_reviews() -> None:
    path = Path(os.environ.get("REJOINDER_DATA", "")) / "vader_ground_truth/amazonReviewSnippets_GroundTruth.txt.xz"
    if not path.exists():
        pytest.skip("REJOINDER_DATA has no vader_ground_truth")
    assert len(read_rated(path)[1]) == 3708
