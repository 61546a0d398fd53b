"""A trained story memory at work, without torch: statements are written into it, questions are answered from it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from memory.dnc.words import END, UNKNOWN, Lexicon, Names, singular, words_of
from memory.turn import FloatArray

FORMAT = 1
WRITE_FILE, READ_FILE, MANIFEST_FILE = "write.onnx", "read.onnx", "manifest.json"
SHIPPED = Path(__file__).parent / "trained"
"""The memory that comes with the package."""
LONGEST = 400
"""Characters of a sentence that are read."""


class MemoryModelError(ValueError):
    """A memory's files are missing, damaged or of another version; the message names the file and the remedy."""


@dataclass(frozen=True)
class MemoryAnswer:
    """What a memory answers.

    Attributes:
        text: the answer; None is "I don't know".
        confidence: the chance the memory gives its answer, in [0, 1].
        supporting: the statements it was read from, verbatim, the most read first.
        weights: how much each of them was read, over all hops.
    """

    text: str | None
    confidence: float
    supporting: tuple[str, ...]
    weights: tuple[float, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """How far a memory is to be believed; ``memory.dnc.calibration`` finds it on stories that were held out.

    Attributes:
        slope, offset: of the network's log-odds of an answer (Platt 1999, "Probabilistic outputs for support vector
            machines"), so that of the answers given with confidence p a share of p is right.
        threshold: an answer less certain than this is "I don't know".
        supports: a statement read this much, over all hops, in [0, 1], supports an answer.
    """

    slope: float = 1.0
    offset: float = 0.0
    threshold: float = 0.5
    supports: float = 0.9

    def __post_init__(self) -> None:
        if not (self.slope > 0 and abs(self.offset) < np.inf and 0 <= self.threshold <= 1 and 0 <= self.supports <= 1):
            raise ValueError(f"{self}: a slope above 0, a threshold and supports from 0 to 1 are needed")

    def believed(self, chances: FloatArray) -> FloatArray:
        """The confidences that go with the network's own chances of its answers, any shape, in (0, 1)."""
        bounded = np.clip(np.asarray(chances, np.float64), 1e-6, 1 - 1e-6)
        odds = np.clip(self.slope * np.log(bounded / (1 - bounded)) + self.offset, -50, 50)
        return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


@dataclass(frozen=True)
class MemoryState:
    """The memory of one conversation: a value that is never changed.

    Attributes:
        relations: (N, D) rows, oldest first.
        fillers: (N, K * E) rows.
        statements: the N statements, verbatim.
        names: name -> number, in the order of their first mention.
        surfaces: name -> how it was written first.
        written: statements written so far, overwritten ones included.
    """

    relations: FloatArray
    fillers: FloatArray
    statements: tuple[str, ...] = ()
    names: dict[str, int] = field(default_factory=dict)
    surfaces: dict[str, str] = field(default_factory=dict)
    written: int = 0


class StoryMemory:
    """Reads and writes with the two graphs of a trained memory; one thread, no state of its own."""

    def __init__(self, write: Any, read: Any, manifest: dict[str, Any], rows: int = 256) -> None:
        self._write, self._read = write, read
        self.settings: dict[str, int] = manifest["settings"]
        self.training: dict[str, Any] = manifest["training"]
        self.lexicon = Lexicon(tuple(manifest["words"]), tuple(manifest["meaningful"]))
        self.rows = rows
        self.calibration = _calibration(manifest.get("calibration", {}))

    @classmethod
    def load(cls, folder: Path, rows: int = 256) -> StoryMemory:
        """Open a folder written by ``rejoinder train memory``; MemoryModelError names what is wrong with it."""
        path = folder / MANIFEST_FILE
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            if manifest["format"] != FORMAT:
                raise MemoryModelError(f"{path}: format {manifest['format']}, this version reads {FORMAT}: train again")
            graphs = [_session(folder / name, manifest["sha256"][name]) for name in (WRITE_FILE, READ_FILE)]
            memory = cls(graphs[0], graphs[1], manifest, rows)
            if memory.settings["lexicon"] != len(memory.lexicon):
                raise MemoryModelError(
                    f"{path}: {len(memory.lexicon)} words, the network was made for others: train again"
                )
        except FileNotFoundError as error:
            raise MemoryModelError(f"{error.filename}: no such file: run `rejoinder train memory`") from None
        except MemoryModelError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError, IsADirectoryError) as error:
            raise MemoryModelError(f"{path}: not the manifest of a memory ({error}): train again") from None
        memory._check(folder)
        return memory

    def empty(self) -> MemoryState:
        """The memory of a conversation in which nothing was said."""
        width = (self.settings["arguments"] + self.settings["resolved"]) * self.settings["embedding"]
        return MemoryState(np.zeros((0, self.settings["relation"]), np.float32), np.zeros((0, width), np.float32))

    def write(self, state: MemoryState, statement: str) -> MemoryState:
        """The memory after a statement (none if it has no word); past ``rows`` statements the oldest is overwritten."""
        statement = statement[:LONGEST]
        if not words_of(statement):
            return state
        state = self._room(state)
        names = Names(self.lexicon, self.settings["identities"], dict(state.names))
        words, meanings = self._encode(names, statement)
        inputs = {"words": words, "meanings": meanings, **self._memory(state)}
        relation, filler = self._write.run(None, inputs)
        return MemoryState(
            np.concatenate((state.relations, relation)), np.concatenate((state.fillers, filler)),
            (*state.statements, statement), names.numbers, self._surfaces(state.surfaces, names, statement),
            state.written + 1,
        )  # fmt: skip

    def ask(self, state: MemoryState, question: str) -> MemoryAnswer:
        """Answer a question; "I don't know" when nothing was said, or the answer is less certain than the threshold."""
        question = question[:LONGEST]
        if not state.statements or not words_of(question):
            return MemoryAnswer(None, 1.0, ())
        chances, read, names = self.chances(state, question)
        surfaces = self._surfaces(state.surfaces, names, question)
        answer, chance = self._words(chances, names, surfaces)
        confidence = float(self.calibration.believed(np.array(chance, np.float32)))
        if answer is None or confidence < self.calibration.threshold:
            return MemoryAnswer(None, confidence, ())
        order = [row for row in np.argsort(-read) if read[row] > self.calibration.supports]
        supporting = tuple(state.statements[row] for row in order)
        return MemoryAnswer(answer, confidence, supporting, tuple(float(read[row]) for row in order))

    def chances(self, state: MemoryState, question: str) -> tuple[FloatArray, FloatArray, Names]:
        """The network's own chances of every word and name (slots, W), how much each row was read (N,), and the names.

        ``state`` must hold a statement and ``question`` a word.
        """
        names = Names(self.lexicon, self.settings["identities"], dict(state.names))
        words, meanings = self._encode(names, question)
        inputs = {"words": words, "meanings": meanings, **self._memory(state)}
        bound = np.arange(self.settings["identities"])[None] < names.count
        inputs |= {"named": np.array([names.meanings()], np.int64), "bound": bound}
        chances, read = self._read.run(None, inputs)
        return chances[0], read[0], names

    def knows(self, state: MemoryState, sentence: str) -> float:
        """Share of a sentence's names that were mentioned in what is remembered, in [0, 1]; 0 when it has none."""
        named = [part for part in self.lexicon.parts(sentence[:LONGEST]) if self.lexicon.is_name(part)]
        return sum(part in state.names for part in named) / len(named) if named else 0.0

    def kept(self, state: MemoryState) -> int:
        """How many of the latest statements are still in the memory: it has room for ``rows``, and for their names."""
        return len(state.statements)

    def _encode(self, names: Names, sentence: str) -> tuple[np.ndarray, np.ndarray]:
        length, lexicon = self.settings["length"], len(self.lexicon)
        found = names.encode(sentence, length)
        words = np.zeros((1, length), np.int64)
        words[0, : len(found)] = found
        meant = np.array(names.meanings(), np.int64)[np.maximum(words - lexicon, 0)]
        return words, np.where(words >= lexicon, meant, 0)

    def _memory(self, state: MemoryState) -> dict[str, np.ndarray]:
        count = len(state.statements)
        if not count:
            width = state.fillers.shape[1]
            nothing = np.zeros((1, 1, state.relations.shape[1]), np.float32)
            return {
                "relations": nothing,
                "fillers": np.zeros((1, 1, width), np.float32),
                "ages": np.full((1, 1), -1, np.float32),
            }
        ages = np.log1p(np.arange(count, 0, -1, dtype=np.float32))[None]
        return {"relations": state.relations[None], "fillers": state.fillers[None], "ages": ages}

    def _words(self, chances: FloatArray, names: Names, surfaces: dict[str, str]) -> tuple[str | None, float]:
        by_number = {number: name for name, number in reversed(names.numbers.items())}
        entries, found, confidence = self.lexicon.entries, [], 1.0
        for slot in chances:
            best = int(slot.argmax())
            confidence *= float(slot[best])
            word = entries[best] if best < len(entries) else by_number[best - len(entries)]
            if word == UNKNOWN:
                return None, confidence
            if word == END or not word:
                break
            found.append(surfaces.get(word, word))
        return (",".join(found) or None), confidence

    def _surfaces(self, known: dict[str, str], names: Names, sentence: str) -> dict[str, str]:
        fresh = {name for name in names.numbers if name not in known}
        if not fresh:
            return known
        spoken = re.findall(r"[\w-]+(?:'[\w]+)?", sentence)
        written = {singular(word.lower()): word for word in spoken}
        written |= {singular(word.lower().removesuffix("'s")): word.removesuffix("'s") for word in spoken}
        return known | {name: " ".join(written.get(part, part) for part in name.split()) for name in fresh}

    def _room(self, state: MemoryState) -> MemoryState:
        """Drop the oldest rows, and their names, while there is no room for one more statement."""
        few = self.settings["identities"] - self.settings["arguments"]
        while state.statements and (len(state.statements) >= self.rows or names_in_use(state) > few):
            drop = max(len(state.statements) // 8, 1)
            kept = state.statements[drop:]
            return self._again(kept, state.written)
        return state

    def _again(self, statements: tuple[str, ...], written: int) -> MemoryState:
        """A memory of these statements alone: names of what was forgotten are free again."""
        state = self.empty()
        for statement in statements:
            state = self.write(state, statement)
        return replace(state, written=written)

    def _check(self, folder: Path) -> None:
        """Write and ask once: graphs and settings that don't fit, or numbers that aren't finite, show now."""
        try:
            state = self.write(self.write(self.empty(), "Mary went to the kitchen."), "Mary took the milk.")
            chances, read, _ = self.chances(state, "Where is the milk?")
        except Exception as error:  # ONNX Runtime's own errors have no other class in common
            raise MemoryModelError(
                f"{folder / MANIFEST_FILE}: the networks don't fit its settings ({_first_line(error)}): train again"
            ) from None
        for name, arrays in ((WRITE_FILE, (state.relations, state.fillers)), (READ_FILE, (chances, read))):
            if not all(np.isfinite(array).all() for array in arrays):
                raise MemoryModelError(f"{folder / name}: the network's output is not finite: train again")
        wanted = self.settings["slots"], len(self.lexicon) + self.settings["identities"]
        if chances.shape != wanted:
            raise MemoryModelError(
                f"{folder / READ_FILE}: answers of shape {chances.shape}, the manifest says {wanted}: train again"
            )


def names_in_use(state: MemoryState) -> int:
    """How many things have a name in a memory."""
    return max(state.names.values(), default=-1) + 1


def _calibration(found: dict[str, Any]) -> Calibration:
    keys = ("slope", "offset", "threshold", "supports")
    return Calibration(**{key: float(found[key]) for key in keys if key in found})


def _session(path: Path, sha256: str) -> Any:
    import onnxruntime

    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise MemoryModelError(f"{path}: sha256 differs from the manifest: the file is damaged, train again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors have no other class in common
        raise MemoryModelError(f"{path}: not a network that can be run ({_first_line(error)}): train again") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def same_answer(given: str | None, wanted: tuple[str, ...]) -> bool:
    """Whether an answer is the wanted words in the wanted order, singular or plural, upper or lower case."""
    said = [[singular(part) for part in words_of(word)] for word in (given or UNKNOWN).split(",")]
    return said == [[singular(part) for part in words_of(word)] for word in wanted]
