"""The reader of LIBSVM files gives what is written, and names the line where it can't; sparse columns are matrices."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.optimize.columns import columns_of, partition
from policies.optimize.libsvm import LibsvmError, read_libsvm, zipf_examples

TEXT = "+1 1:0.5 3:-2 # a comment\n\n-1 2:1e-3\n1\n"
EXPECTED = np.array([[0.5, 0, -2], [0, 1e-3, 0], [0, 0, 0]])


def test_plain_and_packed_files_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.libsvm").write_text(TEXT)
    with lzma.open(tmp_path / "a.libsvm.xz", "wt") as file:
        file.write(TEXT)
    for path in sorted(tmp_path.iterdir()):
        examples = read_libsvm(path)
        assert (examples.rows.dense().T == EXPECTED).all()
        assert examples.labels.tolist() == [1, -1, 1]
        assert examples.classes.tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 1:2\nyes 1:2\n", "line 2"),
        ("1 1:x\n", "line 1"),
        ("1 1\n", "line 1"),
        ("1 2:1 2:1\n", "ascending"),
        ("1 0:1\n", "ascending"),
        ("1 1:1\n1 1:nan\n", "line 2: a number that isn't finite"),
        ("inf 1:1\n", "isn't finite"),
        ("# nothing\n", "no examples"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(LibsvmError, match=said) as caught:
        read_libsvm(path)
    assert str(path) in str(caught.value)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.xz"
    path.write_bytes(lzma.compress(TEXT.encode() * 50)[:40])
    with pytest.raises(LibsvmError, match="damaged"):
        read_libsvm(path)
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LibsvmError, match="not a text file"):
        read_libsvm(tmp_path / "b.txt")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_columns_compute_what_the_dense_matrix_does(height: int, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((height, count)) * (random.random((height, count)) < 0.5)
    columns, a, w = columns_of(matrix), random.standard_normal(count), random.standard_normal(height)
    assert np.allclose(columns.dense(), matrix)
    assert np.allclose(columns.dot(w), matrix.T @ w)
    assert np.allclose(columns.combine(a), matrix @ a)
    assert np.allclose(columns.squared_norms(), (matrix**2).sum(axis=0))
    assert np.allclose(columns.transposed().dense(), matrix.T)
    assert np.allclose(columns.scaled(a).dense(), matrix * a)
    which = random.permutation(count)[: count // 2 + 1]
    assert np.allclose(columns.chosen(which).dense(), matrix[:, which])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.integers(0, 100))
def test_a_partition_holds_every_column_once_in_equal_parts(count: int, workers: int, seed: int) -> None:
    parts = partition(count, workers, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert len(parts) == workers
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    with pytest.raises(ValueError, match="at least one"):
        partition(count, 0, seed)


def test_made_up_data_are_zipf_with_both_classes() -> None:
    examples = zipf_examples(500, 2000, seed=3)
    assert np.allclose(examples.rows.squared_norms(), 1)
    assert examples.classes.tolist() == [-1, 1]
    counts = np.bincount(examples.rows.rows, minlength=2000)
    assert counts[:10].sum() > 5 * counts[1000:1010].sum()
    assert (examples.rows.values == zipf_examples(500, 2000, seed=3).rows.values).all()
