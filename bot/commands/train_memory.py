"""``rejoinder train memory``: a memory that answers questions about what it was told, trained on bAbI stories."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bot.config import Config
from bot.errors import CommandError
from bot.interruption import INTERRUPTED
from bot.memory_report import show, summary, training_progress
from bot.memory_training import BABI, MemoryRun, finish, train_run
from bot.report import console, print_json
from bot.tuned_settings import with_tuned

if TYPE_CHECKING:
    from memory.dnc.training import MemoryTraining


def parse_tasks(text: str) -> list[int]:
    """The tasks of "all" (bAbI's) or "1,2,15-25"; CommandError for anything else."""
    from memory.dnc.stories import CONVERSATIONS

    last_task = max(CONVERSATIONS)
    if text == "all":
        return list(BABI)
    try:
        tasks: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            if not 1 <= int(first) <= int(last or first) <= last_task:
                raise CommandError(
                    f"--tasks {text}: tasks are numbered 1 to 20, families of conversations 21 to {last_task}"
                )
            tasks.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        raise CommandError(f'--tasks {text}: write "all" or numbers such as 1,2,15-20') from None
    return sorted(set(tasks))


def memory_run(
    tasks: str, data: Path | None, generated: int, out: Path | None, steps: int | None, seed: int | None, support: float
) -> MemoryRun:
    """The run that the command line asks for; CommandError where torch is missing or ``tasks`` doesn't parse."""
    training = memory_training(steps, seed or 0, support)
    return MemoryRun(tuple(parse_tasks(tasks)), data, generated, out or Path("models/memory"), training)


def train_memory_as_configured(run: MemoryRun, config: Config, *, resume: bool, as_json: bool) -> None:
    """The run with config.yml's device and tuned settings; see ``train_memory``."""
    from policies.devices import choose_device

    learner = with_tuned(run.training, config.tuned.memory, "tuned.memory")
    prepared = replace(run, device=choose_device(config.training.device), training=learner)
    train_memory(prepared, resume=resume, as_json=as_json)


def memory_training(steps: int | None, seed: int, support: float) -> MemoryTraining:
    """The learner's settings; CommandError where torch is missing."""
    try:
        from memory.dnc.training import MemoryTraining
    except ImportError:
        raise CommandError("training needs torch: run `make setup`, or install rejoinder[train]") from None
    return MemoryTraining(steps=steps or MemoryTraining.steps, seed=seed, support_weight=support)


def train_memory(run: MemoryRun, *, resume: bool, as_json: bool) -> None:
    """Train on files (a twentieth held out) or generated stories; export to ``run.out``.

    Interrupted, it says what to type to go on and exits with 130.
    """
    from memory.dnc.training import evaluate

    unfinished = (run.checkpoint / "resume.json").exists()
    if not as_json and unfinished != resume:
        said = "beginning anew; --resume would have gone on" if unfinished else "nothing to go on with: beginning anew"
        console.print(f"{run.checkpoint}: {said}", markup=False, soft_wrap=True)
    with training_progress("training the memory", run.training.steps, quiet=as_json) as shown:
        trained = train_run(run, resume=resume, shown=shown)
    if trained.interrupted:
        again = command(run)
        if as_json:
            print_json({"interrupted": True, "steps": trained.steps, "resume": again})
        else:
            done = f"interrupted after {trained.steps} of {run.training.steps} updates, which are kept"
            console.print(f"{done}; go on with:\n{again}", markup=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED)
    report = summary(evaluate(trained.model, trained.material.judging))
    finish(run, trained, report)
    if as_json:
        print_json(report | trained.record | {"out": str(run.out)})
    else:
        show(report, f"held-out error after {trained.record['seconds']:.0f} s; written to {run.out}")
        console.print(f"learning curve: {run.out / 'learning_curve.png'}", markup=False, soft_wrap=True)


def command(run: MemoryRun) -> str:
    """What to type to go on with a run."""
    training = run.training
    words = ["rejoinder", "train", "memory", "--tasks", ",".join(map(str, run.tasks))]
    words += ["--data", str(run.data)] if run.data else []
    words += ["--generated", str(run.generated)] if run.generated else []
    words += ["--device", run.device] if run.device != "cpu" else []
    words += ["--steps", str(training.steps), "--seed", str(training.seed), "--support", str(training.support_weight)]
    return shlex.join([*words, "--out", str(run.out), "--resume"])
