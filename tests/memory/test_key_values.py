from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from memory.key_values import KeyValues, KeyValuesError, write_key_values

ROOT = Path(__file__).parents[2]


class Clock:
    """Every look is due."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


def generation(path: Path, number: int, keys: int = 50) -> None:
    write_key_values(path, {"t": [(f"k{i}", {"v": number}) for i in range(keys)]}, {"generation": number})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "scores.sqlite3"


def test_pairs_are_found_by_table_and_key(path: Path) -> None:
    count = write_key_values(path, {"a": [("é\x00", [1.5, None]), ("", 0)], "b": [("é\x00", "other")]}, {"by": "test"})
    values = KeyValues(path)
    assert count == 3
    assert values.get_many([("a", "é\x00"), ("a", ""), ("b", "é\x00"), ("b", ""), ("c", "x")]) == [
        [1.5, None], 0, "other", None, None,
    ]  # fmt: skip
    assert values.about == {"by": "test"}
    values.close()
    values.close()
    assert values.get("a", "") is None


def test_before_there_is_a_file_nothing_is_found_and_a_new_one_is_noticed(path: Path) -> None:
    values = KeyValues(path, Clock())
    assert values.get("t", "k0") is None
    generation(path, 1)
    assert values.get("t", "k0") == {"v": 1}
    generation(path, 2)
    assert values.get("t", "k0") == {"v": 2}
    assert [p.name for p in path.parent.iterdir()] == [path.name], "no staged file stays"


def test_whoever_reads_while_files_are_replaced_sees_whole_ones(path: Path) -> None:
    generation(path, 0)
    done, torn, seen = threading.Event(), list[set[int]](), set[int]()

    def read() -> None:
        values = KeyValues(path, Clock())
        while not done.is_set():
            found = {value["v"] for value in values.get_many([("t", f"k{i}") for i in range(50)])}
            seen.update(found)
            if len(found) != 1:
                torn.append(found)
        values.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 30):
        generation(path, number)
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []
    assert len(seen) > 3


def test_a_writer_that_is_killed_leaves_the_file_of_before(path: Path) -> None:
    generation(path, 1)
    code = (
        "import sys; from pathlib import Path; from tests.memory.test_key_values import generation\n"
        "print('go', flush=True)\nfor n in range(2, 10**6): generation(Path(sys.argv[1]), n, 2000)"
    )
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        before = KeyValues(path).about
        while KeyValues(path).about == before:  # killed somewhere within its second or third writing
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        values = KeyValues(path)
        assert values.get("t", "k1") == {"v": values.about["generation"]}


def test_a_lookup_takes_less_than_50_microseconds(path: Path) -> None:
    generation(path, 1, 50_000)
    values = KeyValues(path)
    times = []
    for i in range(2000):
        started = time.perf_counter()
        values.get("t", f"k{i * 47 % 50_000}")
        times.append(time.perf_counter() - started)
    assert sorted(times)[len(times) // 2] < 50e-6


@pytest.mark.parametrize("damage", ["text", "other", "torn", "newer"])
def test_a_damaged_file_is_refused_and_one_in_use_is_kept(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    generation(path, 1, 5000)
    values = KeyValues(path, Clock())
    good, wrong = path.read_bytes(), path.with_name("wrong")
    wrong.write_bytes(b"no database" * 500 if damage == "text" else good)
    if damage == "torn":
        wrong.write_bytes(good[:8192] + bytes(4096) + good[12288:])
    if damage in ("other", "newer"):
        with sqlite3.connect(wrong) as db:
            db.execute(f"PRAGMA {'application_id' if damage == 'other' else 'user_version'} = 99")
        db.close()
    wrong.replace(path)
    assert values.get("t", "k7") == {"v": 1}, "the file in use goes on being used"
    assert "rejoinder batch" in caplog.text
    with pytest.raises(KeyValuesError, match=r"scores\.sqlite3: not a usable store .*run `rejoinder batch` again"):
        KeyValues(path)


def test_a_folder_that_cannot_be_looked_into_leaves_the_file_in_use(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    generation(path, 1)
    values = KeyValues(path, Clock())
    path.parent.rename(path.parent.with_name("away"))
    path.parent.write_text("a file in the folder's place")
    assert values.get("t", "k7") == {"v": 1}
    assert "scores.sqlite3: not a usable store" in caplog.text


@pytest.mark.parametrize("pairs", [[("k", float("nan"))], [("k", 1), ("k", 2)]])
def test_what_cannot_be_kept_leaves_the_file_of_before(path: Path, pairs: list[tuple[str, float]]) -> None:
    generation(path, 1)
    with pytest.raises(ValueError, match="table 'bad'"):
        write_key_values(path, {"bad": pairs}, {})
    assert KeyValues(path).get("t", "k0") == {"v": 1}
    assert [p.name for p in path.parent.iterdir()] == [path.name]
