"""Ranking files as people have them: with qid, with LightGBM's side file, packed, and broken in every known way."""

from __future__ import annotations

import lzma
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.letor import LetorError, RankingData, aligned, concatenated, read_letor


def write(folder: Path, text: str, name: str = "rows.txt") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_rows_with_qid_and_comments(tmp_path: Path) -> None:
    data = read_letor(write(tmp_path, "# made up\n2 qid:a 1:0.5 3:-2e-1 # doc 7\n\n0 qid:a 3:1\n1.0 qid:b 2:4\n"))
    assert data.names == ("1", "2", "3")
    np.testing.assert_array_equal(data.labels, [2, 0, 1])
    np.testing.assert_array_equal(data.groups, [2, 1])
    np.testing.assert_allclose(data.features, [[0.5, 0, -0.2], [0, 0, 1], [0, 4, 0]])


@pytest.mark.parametrize("packed", [False, True])
def test_rows_with_a_query_file(tmp_path: Path, packed: bool) -> None:
    text = "1 0:1\n0 1:2\n3 0:5 1:6\n"
    write(tmp_path, "2\n1\n", "rank.test.query")
    if packed:
        path = tmp_path / "rank.test.xz"
        path.write_bytes(lzma.compress(text.encode()))
    else:
        path = write(tmp_path, text, "rank.test")
    data = read_letor(path)
    np.testing.assert_array_equal(data.groups, [2, 1])
    assert data.names == ("0", "1")
    np.testing.assert_array_equal(data.features, [[1, 0], [0, 2], [5, 6]])


FEATURES = st.dictionaries(st.integers(1, 9), st.floats(-1e6, 1e6, width=32), min_size=1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), FEATURES), min_size=1, max_size=12))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, dict[int, float]]]
) -> None:
    text = "".join(
        f"{label} qid:{n // 3} {' '.join(f'{i}:{v!r}' for i, v in sorted(features.items()))}\n"
        for n, (label, features) in enumerate(rows)
    )
    data = read_letor(write(tmp_path_factory.mktemp("rows"), text))
    last = max(max(features) for _, features in rows)
    expected = np.array([[features.get(i, 0.0) for i in range(1, last + 1)] for _, features in rows], dtype=np.float32)
    np.testing.assert_array_equal(data.features, expected)
    np.testing.assert_array_equal(data.labels, [label for label, _ in rows])
    assert data.groups.sum() == len(rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows"),
        ("\n# nothing\n", "no rows"),
        ("1 qid:1\n", "no row has a feature"),
        ("1 qid:1 1:x\n", r"rows\.txt:1: '1:x' is no feature"),
        ("1 qid:1 1:0.5\n1 qid:1 1\n", r":2: '1' is no feature"),
        ("1 qid:1 1:2:3\n", r":1: '1:2:3' is no feature"),
        ("1 qid:1 1:1_0\n", r":1: '1:1_0' is no feature"),
        ("1 qid:1 1:0.5 1:0.5\n", r":1: feature 1 is there twice"),
        ("1 qid:1 -1:0.5\n", r":1: feature index -1 is outside"),
        ("1 qid:1 70000:0.5\n", r":1: feature index 70000 is outside"),
        ("1 qid:1 1:nan\n", r":1: feature 1 is nan: leave a missing feature out"),
        ("1 qid:1 2:1 1:-inf\n", r":1: feature 1 is -inf"),
        ("1 qid:1 1:1e300\n", r":1: feature 1 is 1e300"),
        ("a qid:1 1:1\n", r":1: 'a' is no label"),
        ("1.5 qid:1 1:1\n", r":1: label 1\.5: relevance"),
        ("-1 qid:1 1:1\n", r":1: label -1: relevance"),
        ("nan qid:1 1:1\n", r":1: label nan: relevance"),
        ("99 qid:1 1:1\n", r":1: label 99"),
        ("1 qid:1 1:1\n1 qid:2 1:1\n1 qid:1 1:1\n", r"row 3: qid 1 comes back"),
        ("1 qid:1 1:1\n1 1:1\n", r":2: some rows have a qid"),
        ("1 1:1\n1 qid:1 1:1\n", r":2: some rows have a qid"),
        ("1 qid: 1:1\n", r":1: qid: without a name"),
        ("1 1:1\n", r"rows\.txt\.query beside them"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LetorError, match=said):
        read_letor(write(tmp_path, text))


@pytest.mark.parametrize(
    ("query", "said"), [("1\n", "add up to 1, rows.txt has 2"), ("1\nx\n", r"query:2: 'x'"), ("2\n0\n", "query:2: '0'")]
)
def test_a_broken_query_file(tmp_path: Path, query: str, said: str) -> None:
    write(tmp_path, query, "rows.txt.query")
    with pytest.raises(LetorError, match=said):
        read_letor(write(tmp_path, "1 1:1\n0 1:2\n"))


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(LetorError, match="no such file"):
        read_letor(tmp_path / "absent.txt")
    (tmp_path / "cut.xz").write_bytes(lzma.compress(b"1 qid:1 1:1\n" * 100)[:-9])
    (tmp_path / "text.xz").write_bytes(b"1 qid:1 1:1\n")
    for name in ("cut.xz", "text.xz"):
        with pytest.raises(LetorError, match=r"not a whole \.xz file"):
            read_letor(tmp_path / name)
    (tmp_path / "packed.txt").write_bytes(lzma.compress(b"1 qid:1 1:1\n"))
    with pytest.raises(LetorError, match="not a text file"):
        read_letor(tmp_path / "packed.txt")


def test_several_files_get_the_same_features(tmp_path: Path) -> None:
    a = read_letor(write(tmp_path, "1 qid:1 1:1 4:2\n"))
    b = read_letor(write(tmp_path, "0 qid:1 0:3 2:4\n1 qid:1 1:5\n"))
    both = concatenated(aligned([a, b]))
    assert both.names == ("0", "1", "2", "3", "4")
    np.testing.assert_array_equal(both.features, [[0, 1, 0, 0, 2], [3, 0, 4, 0, 0], [0, 5, 0, 0, 0]])
    np.testing.assert_array_equal(both.groups, [1, 2])
    with pytest.raises(ValueError, match="same features"):
        concatenated([a, b])


def test_parts_of_the_data() -> None:
    data = RankingData(
        np.arange(10, dtype=np.float32).reshape(5, 2), np.arange(5, dtype=np.int32), np.array([2, 1, 2]), ("a", "b"),
        np.arange(5, dtype=np.float32),
    )  # fmt: skip
    part = data.queries([2, 0]).columns([1])
    np.testing.assert_array_equal(part.labels, [3, 4, 0, 1])
    np.testing.assert_array_equal(part.features[:, 0], [7, 9, 1, 3])
    np.testing.assert_array_equal(part.groups, [2, 2])
    assert part.names == ("b",)
    assert part.weights is not None
    np.testing.assert_array_equal(part.weights, [3, 4, 0, 1])
    with pytest.raises(ValueError, match="groups of 4 rows"):
        RankingData(data.features, data.labels, np.array([2, 2]), ("a", "b"))
    with pytest.raises(ValueError, match="different names"):
        RankingData(data.features, data.labels, data.groups, ("a", "a"))


def test_lightgbms_own_example() -> None:
    root = Path(os.environ.get("REJOINDER_DATA", "")) / "ltr_lightgbm"
    if not (root / "rank.train.xz").exists():
        pytest.skip("REJOINDER_DATA has no ltr_lightgbm")
    data = read_letor(root / "rank.train.xz")
    assert data.features.shape == (3005, 300)
    assert len(data.groups) == 201
    assert np.bincount(data.labels).tolist() == [645, 1211, 858, 222, 69]
