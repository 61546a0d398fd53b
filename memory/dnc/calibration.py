"""How far a trained memory is to be believed: confidence and thresholds, chosen on stories it has not seen.

A memory answers every question it is asked; this decides when it is to say "I don't know" instead. The stories are half
as they are, half with words replaced by ones that nobody knows, as real people's sentences are not the generator's.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.dnc.babi import Question, Story
from memory.dnc.reader import MANIFEST_FILE, Calibration, StoryMemory
from memory.dnc.stories import CONVERSATIONS, generate
from memory.dnc.words import END_INDEX, UNKNOWN_INDEX, Lexicon
from memory.turn import FloatArray

Truths = NDArray[np.bool_]

THRESHOLDS = tuple(np.linspace(0.0, 0.99, 34))
WRONG_COSTS = 3.0
"""What a wrong answer costs, in answers withheld that were right."""
_SEED = 4_000
_UNHEARD = 0.03
"""Share of the words that are replaced in the second half of the stories."""
_LONGEST_STEP = 0.2
"""Of Newton's method, which a full step may throw off where all chances are near 1."""
_SYLLABLES = ("zor", "mip", "tav", "klu", "fen", "dra", "wob", "nis")


@dataclass(frozen=True)
class Asked:
    """A question that was asked: chances (slots, W), the right words (slots,), reads (N,) and what supports it (N,)."""

    task: int
    chances: FloatArray
    wanted: NDArray[np.int64]
    read: FloatArray
    supporting: FloatArray


@dataclass(frozen=True)
class Reliability:
    """How a memory's confidence and its being right go together.

    Attributes:
        error: share of the questions whose likeliest answer is wrong.
        ece: expected calibration error over ten equal bins of confidence, in [0, 1].
        said_wrong: wrong answers that are given, as a share of the questions.
        withheld: right answers that are not given, as a share of the questions.
        bins: for each bin that isn't empty its questions, mean confidence, share right.
    """

    error: float
    ece: float
    said_wrong: float
    withheld: float
    bins: tuple[tuple[int, float, float], ...]


def unheard(story: Story, lexicon: Lexicon, share: float, draw: random.Random) -> Story:
    """``story`` with a share of its closed-class words, in statements and questions, replaced by made-up ones."""

    def heard(text: str) -> str:
        return re.sub(r"[A-Za-z]+", lambda found: _made_up(found[0], lexicon, share, draw), text)

    lines = (Question(heard(x.text), x.answer, x.supporting) if isinstance(x, Question) else heard(x)
             for x in story.lines)  # fmt: skip
    return Story(story.task, tuple(lines))


def ask_all(memory: StoryMemory, stories: Iterable[Story]) -> Iterator[Asked]:
    """Every question of the stories, asked of a memory that was told what comes before it."""
    slots = memory.settings["slots"]
    for story in stories:
        state, position = memory.empty(), 0
        rows: dict[int, int] = {}
        for line in story.lines:
            if not isinstance(line, Question):
                state = memory.write(state, line)
                rows[position] = len(state.statements) - 1
                position += 1
            elif state.statements:
                chances, read, names = memory.chances(state, line.text)
                supporting = np.zeros(len(read), dtype=np.float32)
                supporting[[rows[at] for at in line.supporting]] = 1.0
                wanted = np.array(names.encode_answer(line.answer, slots))
                yield Asked(story.task, chances, wanted, read, supporting)


def calibrate(asked: Sequence[Asked]) -> Calibration:
    """The likeliest slope and offset (Platt scaling), then the thresholds of least cost and of best F1."""
    chances, right, knows = _answers(asked)
    slope, offset = platt(chances, right)
    confidence = Calibration(slope, offset).believed(chances)

    def cost(threshold: float) -> float:
        said = (confidence >= threshold) & knows
        return float(WRONG_COSTS * (said & ~right).sum() + (~said & knows & right).sum())

    threshold = min(THRESHOLDS, key=cost)
    read = np.concatenate([each.read for each, told in zip(asked, knows, strict=True) if told])
    supporting = np.concatenate([each.supporting for each, told in zip(asked, knows, strict=True) if told]) > 0
    supports = max(THRESHOLDS, key=lambda each: f1(read > each, supporting))
    return Calibration(slope, offset, round(float(threshold), 3), round(float(supports), 3))


def reliability(asked: Sequence[Asked], calibration: Calibration) -> Reliability:
    """How a memory does on questions with a calibration."""
    chances, right, knows = _answers(asked)
    confidence = calibration.believed(chances)
    bins, ece = [], 0.0
    which = np.minimum((confidence * 10).astype(int), 9)
    for each in range(10):
        mine = which == each
        if mine.any():
            mean, share = float(confidence[mine].mean()), float(right[mine].mean())
            bins.append((int(mine.sum()), mean, share))
            ece += mine.mean() * abs(mean - share)
    said = (confidence >= calibration.threshold) & knows
    return Reliability(
        float((~right).mean()),
        float(ece),
        float((said & ~right).mean()),
        float((~said & knows & right).mean()),
        tuple(bins),
    )


def f1(found: Truths, wanted: Truths) -> float:
    """Harmonic mean of precision and recall, 0 to 1."""
    hits = float((found & wanted).sum())
    return 2 * hits / max(float(found.sum() + wanted.sum()), 1.0)


def calibrate_folder(folder: Path, tasks: Sequence[int] = CONVERSATIONS, stories: int = 60) -> dict[str, Any]:
    """Calibrate the memory in a folder, write that into its manifest, and return what was written.

    It is chosen on ``stories`` generated ones of every family of conversations among ``tasks``, or of all tasks if
    there is none, and judged on as many others.

    Raises:
        MemoryModelError: the folder holds no memory.
    """
    memory = StoryMemory.load(folder)
    about = [task for task in tasks if task in CONVERSATIONS] or list(tasks)
    chosen_on, judged_on = (_asked(memory, about, stories, _SEED + half) for half in range(2))
    chosen = calibrate(chosen_on)
    before, after = (reliability(judged_on, each) for each in (Calibration(), chosen))
    record = asdict(chosen) | {"before": asdict(before), "after": asdict(after), "questions": len(judged_on)}
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_text(encoding="utf-8")) | {"calibration": record}
    half_written = path.with_suffix(".part")
    half_written.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    half_written.replace(path)
    return record


def _asked(memory: StoryMemory, tasks: Sequence[int], stories: int, seed: int) -> list[Asked]:
    draw = random.Random(seed)
    asked: list[Asked] = []
    for task in tasks:
        told = list(generate(task, stories, seed))
        asked += ask_all(memory, told[::2])
        asked += ask_all(memory, (unheard(story, memory.lexicon, _UNHEARD, draw) for story in told[1::2]))
    return asked


def _made_up(word: str, lexicon: Lexicon, share: float, draw: random.Random) -> str:
    if lexicon.is_name(word.lower()) or draw.random() >= share:
        return word
    return "".join(draw.choice(_SYLLABLES) for _ in range(3))


def platt(chances: FloatArray, right: Truths) -> tuple[float, float]:
    """Slope (0.05 at least) and offset of the log-odds ``chances`` that make ``right`` likeliest; Newton's method."""
    bounded = np.clip(np.asarray(chances, np.float64), 1e-6, 1 - 1e-6)
    features = np.stack((np.log(bounded / (1 - bounded)), np.ones(len(bounded))), axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(200):
        likely = 1 / (1 + np.exp(-features @ weights))
        # pulled a little towards "as it is", so that a memory without a wrong answer has a solution
        gradient = features.T @ (likely - right) + (weights - [1.0, 0.0])
        curvature = (features * (likely * (1 - likely))[:, None]).T @ features + np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step / max(1.0, float(np.abs(step).max()) / _LONGEST_STEP)
    return round(max(float(weights[0]), 0.05), 4), round(float(weights[1]), 4)


def _answers(asked: Sequence[Asked]) -> tuple[FloatArray, Truths, Truths]:
    """The network's chance of its likeliest answer, whether that is right, and whether it is one at all."""
    found, right, knows = [], [], []
    for each in asked:
        best = each.chances.argmax(-1)
        last = int(np.argmax(best == END_INDEX)) if (best == END_INDEX).any() else len(best) - 1
        last = 0 if best[0] == UNKNOWN_INDEX else last
        found.append(float(each.chances[np.arange(last + 1), best[: last + 1]].prod()))
        right.append(bool((best[: last + 1] == each.wanted[: last + 1]).all()))
        knows.append(bool(best[0] != UNKNOWN_INDEX))
    return np.array(found, np.float32), np.array(right), np.array(knows)
