"""Reading files of the bAbI tasks."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from memory.dnc.babi import BabiFormatError, Question, Story, read_babi

TEXT = """1 Mary got the milk there.
2 Mary got the apple there.
3 What is Mary carrying? \tmilk,apple\t1 2
4 Mary left the milk.
5 What is Mary carrying?\tapple\t1 4 2
1 John went home.
2 Where is John?\thome\t1
"""
STORIES = [
    Story(
        8,
        (
            "Mary got the milk there.",
            "Mary got the apple there.",
            Question("What is Mary carrying?", ("milk", "apple"), (0, 1)),
            "Mary left the milk.",
            Question("What is Mary carrying?", ("apple",), (0, 2, 1)),
        ),
    ),
    Story(8, ("John went home.", Question("Where is John?", ("home",), (0,)))),
]


def test_supporting_sentences_are_counted_without_the_questions(tmp_path: Path) -> None:
    path = tmp_path / "qa8_lists_train.txt"
    path.write_text(TEXT)
    assert read_babi(path) == STORIES
    assert STORIES[0].statements[2] == "Mary left the milk."
    assert len(STORIES[0].questions) == 2


def test_compressed_files_and_a_given_task(tmp_path: Path) -> None:
    path = tmp_path / "stories.txt.xz"
    path.write_bytes(lzma.compress(TEXT.encode()))
    assert read_babi(path, task=8) == STORIES


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("Mary went home.\n", 1, "number"),
        ("1 Mary went home.\n2 Where is Mary?\thome\n", 2, "tabs"),
        ("1 Mary went home.\n2 Where is Mary?\t\t1\n", 2, "tabs"),
        ("1 Mary went home.\n2 Where is Mary?\thome\t7\n", 2, "same story"),
        ("1 Mary went home.\n2 Where is Mary?\thome\tx\n", 2, "same story"),
    ],
)
def test_errors_name_the_file_the_line_and_the_remedy(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = tmp_path / "qa1_x.txt"
    path.write_text(text)
    with pytest.raises(BabiFormatError, match=said) as caught:
        read_babi(path)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_an_answer_that_nothing_supports_and_tabs_behind_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "qa1_x.txt"
    path.write_bytes(b"\xef\xbb\xbf1 Mary went home.\t\r\n\r\n2 Where is John?\tunknown\t\r\n")
    assert read_babi(path) == [Story(1, ("Mary went home.", Question("Where is John?", ("unknown",), ())))]


def test_a_name_without_a_task_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BabiFormatError, match="task"):
        read_babi(tmp_path / "stories.txt")
    with pytest.raises(BabiFormatError, match="can't be read"):
        read_babi(tmp_path / "qa1_missing.txt")
    broken = tmp_path / "qa1_broken.txt.xz"
    broken.write_bytes(b"no xz")
    with pytest.raises(BabiFormatError, match="can't be read"):
        read_babi(broken)
