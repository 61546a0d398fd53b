"""``rejoinder evaluate memory``: errors of a trained memory on bAbI files, read as it is served."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.errors import CommandError
from bot.memory_report import show, summary
from bot.report import print_json
from bot.story_questions import judge, told_in


def evaluate_memory(files: Sequence[Path], model: Path, task: int | None, *, as_json: bool) -> None:
    """Ask every question of ``files`` and report errors by task and the time of an answer.

    JSON: ``mean_error`` (percent), ``failed`` (tasks over 5 %), ``tasks`` {"1": error}, ``p50_ms``.
    """
    from memory.dnc.reader import StoryMemory

    memory = StoryMemory.load(model)
    errors, seconds = judge(memory, told_in(files, task), "reading stories", quiet=as_json)
    if not seconds:
        raise CommandError(f"{', '.join(map(str, files))}: no questions in there: give bAbI files with questions")
    report = summary(errors) | {"p50_ms": round(1000 * float(np.median(seconds)), 3)}
    if as_json:
        print_json(report)
    else:
        show(report, f"{len(seconds)} questions, an answer in {report['p50_ms']} ms (median)")
