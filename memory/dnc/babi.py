"""Stories with questions, and a reader of the files of the bAbI tasks.

The format is that of Weston et al. (2015), "Towards AI-complete question answering", arXiv:1502.05698: a numbered
sentence a line; a question has its answer and the numbers of the supporting lines behind tabs; number 1 starts a story.
"""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass
from pathlib import Path

LARGEST = 64 * 2**20
"""Bytes of text in a file, unpacked; the published files have at most a tenth."""
_FILE_NAME = re.compile(r"qa([0-9]{1,3})_")
_LINE = re.compile(r"([0-9]{1,9}) (\S.*)")


class BabiFormatError(ValueError):
    """A file that isn't in the format of the bAbI tasks.

    Attributes:
        path: the file.
        line: the number of its line, from 1; 0 for the file as a whole.
        what: what is wrong.
        remedy: what to do about it.
    """

    def __init__(self, path: Path, line: int, what: str, remedy: str) -> None:
        super().__init__(f"{path}:{line}: {what}: {remedy}")
        self.path, self.line, self.what, self.remedy = path, line, what, remedy


@dataclass(frozen=True)
class Question:
    """A question about the statements before it.

    Attributes:
        text: the question as it is asked, with its question mark.
        answer: its words or names in the task's order: ("football", "apple"), ("s", "e"), ("nothing",).
        supporting: 0-based positions of the supporting sentences among the story's statements, in the task's order.
    """

    text: str
    answer: tuple[str, ...]
    supporting: tuple[int, ...]


@dataclass(frozen=True)
class Story:
    """Statements (plain strings) and questions in the order in which they are told.

    Attributes:
        task: 1 to 20 for a bAbI task; others as in ``memory.dnc.stories``.
        lines: the story.
    """

    task: int
    lines: tuple[str | Question, ...]

    @property
    def statements(self) -> tuple[str, ...]:
        """The statements alone, in order: what ``Question.supporting`` counts."""
        return tuple(line for line in self.lines if isinstance(line, str))

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions alone, in order."""
        return tuple(line for line in self.lines if isinstance(line, Question))


def read_babi(path: Path, task: int | None = None) -> list[Story]:
    """The stories of a file of a bAbI task, plain or compressed (.xz).

    Args:
        path: the file.
        task: its task; None takes it from the file's name (``qa7_...``).

    Raises:
        BabiFormatError: a file that can't be read, isn't in the format, or doesn't say its task.
    """
    if task is None:
        named = _FILE_NAME.match(path.name)
        if named is None:
            raise BabiFormatError(
                path, 0, "the name doesn't say which task it is", "name it qa<task>_..., or give a task"
            )
        task = int(named[1])
    stories: list[Story] = []
    lines: list[str | Question] = []
    positions: dict[int, int] = {}
    for at, raw in enumerate(_text(path).replace("\r\n", "\n").split("\n"), start=1):
        if not raw.strip():
            continue
        matched = _LINE.fullmatch(raw.rstrip("\r "))
        if matched is None:
            raise BabiFormatError(path, at, "no number in front of a sentence", "write lines as '1 Mary went home.'")
        number = int(matched[1])
        if number == 1 and lines:
            stories.append(Story(task, tuple(lines)))
            lines, positions = [], {}
        if "\t" in matched[2].rstrip():
            lines.append(_question(path, at, matched[2], positions))
        else:
            positions[number] = len(positions)
            lines.append(matched[2].strip())
    if lines:
        stories.append(Story(task, tuple(lines)))
    return stories


def _question(path: Path, at: int, text: str, positions: dict[int, int]) -> Question:
    parts = text.split("\t")
    if len(parts) != 3 or not parts[1].strip():
        raise BabiFormatError(path, at, "a question needs an answer and supporting lines", "separate the three by tabs")
    answer = tuple(word.strip() for word in parts[1].split(","))
    try:
        supporting = tuple(positions[int(number)] for number in parts[2].split())
    except (KeyError, ValueError):
        wrong = f"the supporting lines {parts[2]!r} aren't all numbers of earlier sentences"
        raise BabiFormatError(path, at, wrong, "give the numbers of sentences of the same story") from None
    return Question(parts[0].strip(), answer, supporting)


def _text(path: Path) -> str:
    try:
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except (OSError, lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise BabiFormatError(path, 0, f"can't be read ({error})", "give a readable text file or .xz file") from None
    if len(content) > LARGEST:
        raise BabiFormatError(path, 0, f"more than {LARGEST >> 20} MB of text", "split it into several files")
    return text
