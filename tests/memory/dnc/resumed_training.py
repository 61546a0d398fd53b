"""A small training of a story memory, as the tests of resuming start, kill and continue it."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from memory.dnc.encoding import encode
from memory.dnc.stories import generate
from memory.dnc.story_model import StoryModel, StorySettings
from memory.dnc.training import MemoryTraining, StoryTraining
from memory.dnc.training_state import restore_training, training_state
from memory.dnc.words import babi_lexicon
from policies.resume import Checkpoints, digest

LEXICON = babi_lexicon()
NETWORK = StorySettings(lexicon=len(LEXICON), embedding=48, relation=16, hops=1, key_size=4)
SETTINGS = MemoryTraining(steps=120, budget=24, warmup=10)
"""More updates than the 40 batches of a queue, so that queues are drawn again with other weights."""


def training(settings: MemoryTraining = SETTINGS, network: StorySettings = NETWORK) -> StoryTraining:
    """A training that has not begun."""
    torch.set_num_threads(1)
    stories = {
        task: [encode(s, LEXICON, network.identities, network.length, network.slots) for s in generate(task, 12, 1)]
        for task in (1, 15)
    }
    torch.manual_seed(3)
    return StoryTraining(StoryModel(network), stories, settings)


def finish(folder: Path, slow: float = 0.0) -> None:
    """In a process of its own: go on from whatever is in ``folder``, checkpoint every update, leave ``digest``.

    ``slow`` seconds of sleep an update give whoever wants to kill it the time to.
    """
    import time

    run = training()
    checkpoints = Checkpoints(folder / "resume", every_steps=1, every_seconds=None)
    state = checkpoints.load({})
    if state is not None:
        restore_training(run, state)
    while not run.finished:
        run.advance()
        checkpoints.save(run.progress.step, {}, training_state(run))
        time.sleep(slow)
    (folder / "digest").write_text(digest(training_state(run)))


def last_step(folder: Path) -> int:
    """Updates in the last checkpoint below ``folder``."""
    path = folder / "resume" / "resume.json"
    return int(json.loads(path.read_text())["step"]) if path.exists() else 0
