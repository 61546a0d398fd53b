"""One training of a story memory from files to exported graphs, written down on its way and resumable to the bit."""

from __future__ import annotations

import functools
import hashlib
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.errors import CommandError
from bot.interruption import interruptions
from bot.machine import machine
from policies.resume import Checkpoints, ResumeError

if TYPE_CHECKING:
    from memory.dnc.babi import Story
    from memory.dnc.encoding import EncodedStory
    from memory.dnc.story_model import StoryModel, StorySettings
    from memory.dnc.training import MemoryTraining, StoryTraining
    from memory.dnc.words import Lexicon

BABI = range(1, 21)
CONVERSATION_STORIES = 2_500
"""Generated stories of each family of conversations, for which there are no files."""
LONGEST_STORY = 1_000
"""Statements of a story that is trained on: the network's work grows with their square."""
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class MemoryRun:
    """What is trained, on what, and where it goes.

    Args:
        tasks: bAbI tasks and families of conversations, in order.
        data: folder of ``qa<task>_..._train.txt`` files; None makes stories up.
        generated: stories made up for each task beside the files.
        out: folder of the trained memory; ``out/resume`` holds the unfinished training.
        training: the learner's settings.
        device: of torch, see ``policies.devices``.
    """

    tasks: tuple[int, ...]
    data: Path | None
    generated: int
    out: Path
    training: MemoryTraining
    device: str = "cpu"

    @property
    def checkpoint(self) -> Path:
        """Folder of the unfinished training."""
        return self.out / "resume"


@dataclass(frozen=True)
class Material:
    """Stories of a run: those to train on by task, encoded, and a twentieth held out, as told and encoded."""

    lexicon: Lexicon
    settings: StorySettings
    stories: dict[int, list[EncodedStory]]
    held_out: list[Story]
    judging: list[EncodedStory]
    data: dict[str, str]
    """File -> sha256."""


@dataclass(frozen=True)
class Trained:
    """How far a run came: ``record`` (seconds, settings, machine, data, curve) goes into the memory's manifest."""

    model: StoryModel
    material: Material
    record: dict[str, Any]
    steps: int
    interrupted: bool


def train_run(
    run: MemoryRun, *, resume: bool, shown: Callable[[StoryTraining], None], every_seconds: float = CHECKPOINT_SECONDS
) -> Trained:
    """Train until the end, Ctrl-C or SIGTERM; with ``resume`` from the last checkpoint, if there is one.

    ``shown`` is called after every update. The checkpoint stays until ``finish`` is called.

    Raises:
        CommandError: files, checkpoint or settings that don't fit, or a loss that isn't finite.
    """
    import torch

    from memory.dnc.story_model import StoryModel
    from memory.dnc.training import StoryTraining

    material = load(run)
    torch.manual_seed(run.training.seed)
    training = StoryTraining(StoryModel(material.settings).to(run.device), material.stories, run.training)
    checkpoints = Checkpoints(run.checkpoint, every_seconds=every_seconds, about=_about(run, material))
    before = _restored(run, training, checkpoints) if resume else 0.0
    if not resume:
        checkpoints.clear()
    started = time.monotonic()

    def write() -> None:
        _save(training, checkpoints, before + time.monotonic() - started)

    try:
        with interruptions() as interrupted:
            while not training.finished and not interrupted():
                training.advance()
                shown(training)
                if checkpoints.due(training.progress.step):
                    write()
            stopped = not training.finished
            write()
    except FloatingPointError as error:
        raise CommandError(
            f"the memory's training stopped: {error}. Its last good state is in {run.checkpoint}; "
            "it may need a smaller learning rate, or other files"
        ) from None
    seconds = before + time.monotonic() - started
    return Trained(training.model, material, _record(run, material, training, seconds), training.progress.step, stopped)


def finish(run: MemoryRun, trained: Trained, judged: dict[str, Any]) -> None:
    """Export to ``run.out`` with ``judged`` in front of the record, draw the curve, then drop the checkpoint.

    A memory that learnt conversations is calibrated on others of them: when it says "I don't know".
    """
    from bot.memory_report import draw_curve
    from memory.dnc.calibration import calibrate_folder
    from memory.dnc.export import export_memory

    curve = trained.record["curve"]
    thinned = {"curve": curve[:: len(curve) // 20 + 1]}
    export_memory(trained.model.cpu(), trained.material.lexicon, run.out, judged | trained.record | thinned)
    conversations = [task for task in run.tasks if task not in BABI]
    if conversations:
        calibrate_folder(run.out, conversations)
    draw_curve(curve, run.out / "learning_curve.png")
    Checkpoints(run.checkpoint).clear()


def load(run: MemoryRun) -> Material:
    """Read or make up the stories of a run; CommandError or BabiFormatError for what can't be trained on."""
    from memory.dnc.encoding import encode
    from memory.dnc.stories import generate

    lexicon = closed_class()
    settings = network_of(len(lexicon))

    def encoded(told: Sequence[Story]) -> list[EncodedStory]:
        return [encode(each, lexicon, settings.identities, settings.length, settings.slots) for each in told]

    stories: dict[int, list[EncodedStory]] = {}
    held_out: list[Story] = []
    judging: list[EncodedStory] = []
    for task in run.tasks:
        if run.data and task in BABI:
            path = file_of(task, run.data)
            told = _usable(path, task)
        else:
            told = list(generate(task, CONVERSATION_STORIES, seed=7))
        count = max(min(20, len(told) // 2), len(told) // 20)
        held_out += told[:count]
        judging += encoded(told[:count])
        stories[task] = encoded(told[count:])
        stories[task] += encoded(list(generate(task, run.generated, seed=1000 + run.training.seed)))
    return Material(lexicon, settings, stories, held_out, judging, digests(run))


@functools.cache
def closed_class() -> Lexicon:
    """The words with a meaning of their own, of the bAbI tasks and of the conversations."""
    from memory.dnc.stories import closed_words
    from memory.dnc.words import babi_lexicon

    return babi_lexicon(closed_words())


def network_of(lexicon: int) -> StorySettings:
    """The sizes of the network that is trained, for so many closed-class words."""
    from memory.dnc.story_model import StorySettings

    return StorySettings(lexicon)


def digests(run: MemoryRun) -> dict[str, str]:
    """Training file of the run -> its sha256; CommandError where one is missing."""
    paths = [file_of(task, run.data) for task in run.tasks if run.data and task in BABI]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def file_of(task: int, data: Path) -> Path:
    """The training file of a task in a folder; CommandError where there is none."""
    found = sorted(data.glob(f"qa{task}_*train.txt*"))
    if not found:
        raise CommandError(
            f"{data}: no file qa{task}_*_train.txt or .xz: give the folder of the bAbI files with --data"
        )
    return found[0]


def _usable(path: Path, task: int) -> list[Story]:
    """The stories of a file that ask something, shuffled."""
    from memory.dnc.babi import read_babi

    told = [story for story in read_babi(path, task) if story.questions]
    if len(told) < 2:
        raise CommandError(f"{path}: {len(told)} stories with questions: at least 2 are needed, to learn and to judge")
    longest = max(len(story.statements) for story in told)
    if longest > LONGEST_STORY:
        raise CommandError(
            f"{path}: a story of {longest} statements: at most {LONGEST_STORY} are trained on (line 1 begins one)"
        )
    random.Random(7).shuffle(told)
    return told


def _about(run: MemoryRun, material: Material) -> dict[str, Any]:
    """What must be the same when a training goes on, beside the learner's settings."""
    words = hashlib.sha256("\n".join(material.lexicon.entries).encode()).hexdigest()[:16]
    network = {f"network.{name}": value for name, value in asdict(material.settings).items()}
    files = {f"training file {name}": digest[:16] for name, digest in material.data.items()}
    return {
        "tasks": list(run.tasks), "generated": run.generated, "lexicon": words,
        "training stories": _fingerprint(material), **network, **files,
    }  # fmt: skip


def _fingerprint(material: Material) -> str:
    """sha256 of all encoded stories: made-up ones change with the program, files with whoever edits them."""
    total = hashlib.sha256()
    for stories in material.stories.values():
        for story in stories:
            for array in (story.statements, story.questions, story.answers, story.supporting):
                total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()[:16]


def _restored(run: MemoryRun, training: StoryTraining, checkpoints: Checkpoints) -> float:
    """Put ``training`` where the checkpoint left it; the seconds it has taken so far."""
    from memory.dnc.training_state import TrainingStateError, restore_training

    try:
        state = checkpoints.load(asdict(run.training))
        if state is None:
            return 0.0
        restore_training(training, state)
        return float(state["seconds"])
    except ResumeError as error:
        raise CommandError(str(error)) from None
    except (TrainingStateError, KeyError, ValueError) as error:
        raise CommandError(f"{run.checkpoint}: {error}: train without resuming, which begins anew") from None


def _save(training: StoryTraining, checkpoints: Checkpoints, seconds: float) -> None:
    from memory.dnc.training_state import TrainingStateError, training_state

    try:
        state = training_state(training)
    except TrainingStateError as error:
        raise FloatingPointError(str(error)) from None
    checkpoints.save(training.progress.step, asdict(training.settings), state | {"seconds": np.array(seconds)})


def _record(run: MemoryRun, material: Material, training: StoryTraining, seconds: float) -> dict[str, Any]:
    import torch

    return {
        "tasks_trained": list(run.tasks), "seconds": round(seconds, 1), "seed": run.training.seed, "device": run.device,
        "settings": asdict(run.training), "generated": run.generated, "data": material.data,
        "stories": {str(task): len(stories) for task, stories in material.stories.items()},
        "machine": machine(torch.get_num_threads()), "judged_on": "a twentieth of the stories, held out",
        "curve": json.loads(json.dumps(training.curve)),
    }  # fmt: skip
