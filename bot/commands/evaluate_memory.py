"""``rejoinder evaluate memory``: errors of a trained memory on bAbI files, read as it is served."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import Progress

from bot.commands.train_memory import show, summary
from bot.errors import CommandError
from bot.report import console, print_json

if TYPE_CHECKING:
    from memory.dnc.babi import Story
    from memory.dnc.reader import StoryMemory


def evaluate_memory(files: Sequence[Path], model: Path, task: int | None, *, as_json: bool) -> None:
    """Ask every question of ``files`` and report errors by task and the time of an answer."""
    from memory.dnc.babi import read_babi
    from memory.dnc.reader import StoryMemory

    memory = StoryMemory.load(model)
    stories = [story for file in files for story in read_babi(file, task)]
    missed: dict[int, list[bool]] = {}
    seconds: list[float] = []
    with Progress(console=console, transient=True, disable=as_json) as bar:
        for story in bar.track(stories, description="reading stories"):
            missed.setdefault(story.task, []).extend(judge(memory, story, seconds))
    if not seconds:
        raise CommandError(f"{', '.join(map(str, files))}: no questions in there: give bAbI files with questions")
    report = summary({each: float(np.mean(wrong)) for each, wrong in sorted(missed.items()) if wrong})
    report |= {"questions": len(seconds), "p50_ms": round(1000 * float(np.median(seconds)), 3)}
    if as_json:
        print_json(report)
    else:
        show(report, f"{len(seconds)} questions, an answer in {report['p50_ms']} ms (median)")


def judge(memory: StoryMemory, story: Story, seconds: list[float]) -> list[bool]:
    """Whether each question of a story was answered wrongly; its answering time is added to ``seconds``."""
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
    return wrong
