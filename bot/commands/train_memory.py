"""``rejoinder train memory``: a memory that answers questions about what it was told, trained on bAbI stories."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bot.errors import CommandError
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from memory.dnc.encoding import EncodedStory
    from memory.dnc.story_model import StorySettings
    from memory.dnc.training import MemoryTraining
    from memory.dnc.training import Progress as TrainingProgress
    from memory.dnc.words import Lexicon

ALL_TASKS = range(1, 21)
CONVERSATIONS = range(21, 26)
CONVERSATION_STORIES = 2_500
"""Generated stories of each family of conversations, for which there are no files."""


def parse_tasks(text: str) -> list[int]:
    """The tasks of "all" or "1,2,15-20"; CommandError for anything else."""
    if text == "all":
        return list(ALL_TASKS)
    try:
        tasks: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            tasks.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        raise CommandError(f'--tasks {text}: write "all" or numbers such as 1,2,15-20') from None
    if not tasks or min(tasks) < ALL_TASKS[0] or max(tasks) > CONVERSATIONS[-1]:
        raise CommandError(f"--tasks {text}: tasks are numbered 1 to 20, families of conversations 21 to 25")
    return sorted(set(tasks))


def train_memory(
    tasks: str, data: Path | None, out: Path, training: MemoryTraining, generated: int, *, as_json: bool
) -> None:
    """Train on the files of ``data`` (a twentieth held out), or on generated stories without; export to ``out``."""
    import torch

    from memory.dnc.export import export_memory
    from memory.dnc.stories import closed_words
    from memory.dnc.story_model import StoryModel, StorySettings
    from memory.dnc.training import evaluate
    from memory.dnc.training import train_memory as run
    from memory.dnc.words import babi_lexicon

    lexicon = babi_lexicon(closed_words())
    settings = StorySettings(lexicon=len(lexicon))
    chosen = parse_tasks(tasks)
    stories, held_out = load(chosen, data, generated, training.seed, lexicon, settings)
    torch.manual_seed(training.seed)
    model = StoryModel(settings)
    started = time.monotonic()
    curve: list[dict[str, Any]] = []
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=as_json) as bar:
        shown = bar.add_task("training the memory", total=training.steps)

        def report(progress: TrainingProgress) -> None:
            bar.update(shown, completed=progress.step, description=worst(progress.error))
            curve.append({"step": progress.step, "error": {str(t): round(e, 4) for t, e in progress.error.items()}})

        run(model, stories, training, report)
    seconds = time.monotonic() - started
    errors = evaluate(model, held_out)
    record = summary(errors) | {"seconds": round(seconds, 1), "settings": asdict(training), "generated": generated}
    export_memory(
        model, lexicon, out, record | {"judged_on": "a twentieth of the stories, held out", "curve": curve[::5]}
    )
    if as_json:
        print_json(record | {"out": str(out)})
    else:
        show(record, f"held-out error after {seconds:.0f} s; written to {out}")


def load(
    tasks: Sequence[int], data: Path | None, generated: int, seed: int, lexicon: Lexicon, settings: StorySettings
) -> tuple[dict[int, list[EncodedStory]], list[EncodedStory]]:
    """Stories to train on by task, and those held out: a twentieth of each file, or of what was generated."""
    from memory.dnc.babi import read_babi
    from memory.dnc.encoding import encode
    from memory.dnc.stories import generate

    stories: dict[int, list[EncodedStory]] = {}
    held_out: list[EncodedStory] = []
    for task in tasks:
        if data and task in ALL_TASKS:
            told = read_babi(file_of(task, data), task)
            random.Random(7).shuffle(told)
        else:
            told = list(generate(task, CONVERSATION_STORIES, seed=7))
        encoded = [encode(s, lexicon, settings.identities, settings.length, settings.slots) for s in told]
        count = max(20, len(encoded) // 20)
        held_out += encoded[:count]
        stories[task] = encoded[count:]
        for story in generate(task, generated, seed=1000 + seed) if generated else ():
            stories[task].append(encode(story, lexicon, settings.identities, settings.length, settings.slots))
    return stories, held_out


def file_of(task: int, data: Path) -> Path:
    """The training file of a task in a folder; CommandError where there is none."""
    found = sorted(data.glob(f"qa{task}_*train.txt*"))
    if not found:
        raise CommandError(
            f"{data}: no file qa{task}_*_train.txt or .xz: give the folder of the bAbI files with --data"
        )
    return found[0]


def worst(errors: Mapping[int, float]) -> str:
    """The mean error and the three worst tasks, for a progress bar."""
    tasks = sorted(errors, key=lambda task: -errors[task])[:3]
    return f"error {100 * float(np.mean(list(errors.values()))):.1f} % · worst " + ", ".join(
        f"task {task} {100 * errors[task]:.0f} %" for task in tasks
    )


def summary(errors: Mapping[int, float]) -> dict[str, Any]:
    """``mean_error`` in percent over tasks, ``failed`` (tasks over 5 %), ``tasks`` in percent."""
    percent = {str(task): round(100 * error, 3) for task, error in errors.items()}
    return {
        "mean_error": round(float(np.mean(list(percent.values()))), 3),
        "failed": sum(error > 5 for error in percent.values()),
        "tasks": percent,
    }


def show(report: Mapping[str, Any], title: str) -> None:
    """A table of the errors."""
    rows = [[task, f"{error:.1f} %"] for task, error in report["tasks"].items()]
    rows.append(["mean", f"{report['mean_error']:.2f} %"])
    rows.append(["failed (> 5 %)", str(report["failed"])])
    print_table(title, ["task", "error"], rows)
