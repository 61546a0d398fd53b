"""Every question of some stories asked of a served memory, and how often it was wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import Progress

from bot.errors import CommandError
from bot.report import console

if TYPE_CHECKING:
    from memory.dnc.babi import Story
    from memory.dnc.reader import StoryMemory


def told_in(files: Sequence[Path], task: int | None = None) -> list[Story]:
    """The stories of bAbI files, and of the test files of folders.

    Raises:
        CommandError: a folder without ``qa<task>_..._test.txt`` or ``.txt.xz``.
        BabiFormatError: a file that isn't in the format; file, line and remedy are named.
    """
    from memory.dnc.babi import read_babi

    found: list[Path] = []
    for path in files:
        inside = sorted(path.glob("qa*_*test.txt*")) if path.is_dir() else [path]
        if not inside:
            raise CommandError(f"{path}: a folder without test files (qa<task>_..._test.txt or .txt.xz): name files")
        found += inside
    return [story for path in found for story in read_babi(path, task)]


def judge(
    memory: StoryMemory, stories: Sequence[Story], label: str, *, quiet: bool
) -> tuple[dict[int, float], list[float]]:
    """Error of each task in [0, 1], and the seconds that each answer took; shows a progress bar unless ``quiet``."""
    wrong: dict[int, list[bool]] = {}
    seconds: list[float] = []
    with Progress(console=console, transient=True, disable=quiet) as bar:
        lines = bar.add_task(label, total=sum(len(story.lines) for story in stories))
        for story in stories:
            missed = ask_all(memory, story, seconds, lambda: bar.advance(lines))
            if missed:
                wrong.setdefault(story.task, []).extend(missed)
    return {task: float(np.mean(missed)) for task, missed in sorted(wrong.items())}, seconds


def ask_all(memory: StoryMemory, story: Story, seconds: list[float], read: Callable[[], None]) -> list[bool]:
    """Whether each question of a story was answered wrongly.

    The time of each answer is appended to ``seconds``; ``read`` is called after every line.
    """
    from memory.dnc.babi import Question
    from memory.dnc.reader import same_answer

    wrong = []
    state = memory.empty()
    for line in story.lines:
        if isinstance(line, Question):
            started = time.perf_counter()
            answer = memory.ask(state, line.text)
            seconds.append(time.perf_counter() - started)
            wrong.append(not same_answer(answer.text, line.answer))
        else:
            state = memory.write(state, line)
        read()
    return wrong
