"""Training of a Rasa project's NLU: sentence encoder with logistic regression for intents, a CRF for entities.

Training only: scikit-learn fits, and the encoder's export imports torch.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.assistant import Example
from bot.nlu.augment import with_typos
from bot.nlu.encoder import Encoder, file_sha256
from bot.nlu.encoder_export import DEFAULT_MODEL, export_encoder
from bot.nlu.intents import IntentModel, Neighbours, sparse_row
from bot.nlu.linear import FloatArray, Logistic, SoftmaxHead, fit_temperature
from bot.nlu.slots import Sentence
from bot.nlu.tagger import Tagger, train_tagger
from bot.nlu.tokens import clean
from bot.nlu.train import fit_head
from bot.rasa.nlu.background import BACKGROUND, background, far_from
from bot.rasa.nlu.entities import EntityReader, Kind, kind_of, labels, score
from bot.rasa.nlu.parsing import INTENT_PARTS, SCHEMA, TAGGER_PART, topic_head
from bot.rasa.nlu.settings import NluSettings, nlu_fingerprint
from bot.rasa.project import NluData, NluExample, RasaProject
from bot.rasa.reading.names import base_intent

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction done so far (0 to 1)."""

_FOLDS = 3
_SMALL = 150
"""Sentences up to which half of the background is enough: all of it would refuse too much that is meant."""
_LARGE = 3000
"""Sentences from which on one fold is measured instead of all."""
_TEMPERATURES = (0.4, 2.0)
"""Bounds of the temperature: a few held-out sentences can't show more."""
_REFERENCE = date(2026, 11, 23)
"""Dates in training sentences are read as seen from this day, so that training does not depend on the calendar."""


@dataclass(frozen=True)
class _Corpus:
    """Training sentences, what the rules find in them, and the fold in which each is held out (-1: never)."""

    examples: list[NluExample]
    sentences: list[Sentence]
    folds: NDArray[np.int64]
    measured: tuple[int, ...]


@dataclass(frozen=True)
class _Rows:
    """What the intent model learns from: sentences, misspelt copies and background, encoded.

    ``origin`` is the position of the sentence that a row is (a copy of); background rows have positions of their own
    behind all sentences. ``clean`` are the rows that are sentences as written.
    """

    names: tuple[str, ...]
    targets: NDArray[np.int64]
    dense: FloatArray
    hashed: list[dict[int, float]]
    origin: NDArray[np.int64]
    folds: NDArray[np.int64]
    clean: NDArray[np.bool_]


def train_rasa_nlu(
    project: RasaProject,
    folder: Path | str,
    progress: Progress | None = None,
    *,
    encoder_name: str = DEFAULT_MODEL,
    seed: int = 0,
) -> dict[str, Any]:
    """Train on the project's NLU data, write ``folder`` (replaced only on success) and return the report.

    The report holds cross-validated ``intents`` (accuracy, labels, support), ``entities`` (precision, recall, f1,
    support), ``responses`` (accuracy per retrieval intent) and ``sentences``; a part that can't be measured (one
    intent, no annotation) is None. A project without NLU data gives an NLU that reads shortcuts only.
    """
    tell = progress or (lambda what, done: None)
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    examples = [e for e in project.nlu.examples if clean(e.text).strip()]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".nlu-") as work:
        place = Path(work) / "nlu"
        place.mkdir()
        kinds = _kinds(examples)
        report: dict[str, Any] = {"sentences": len(examples), "intents": None, "entities": None, "responses": {}}
        if examples:
            settings = NluSettings.of(project.pipeline)
            corpus = _corpus(project.nlu, settings, examples, seed)
            tell("training the entity tagger", 0.05)
            report["entities"] = _train_entities(corpus, project.nlu, settings, kinds, place)
            tell("exporting the sentence encoder", 0.25)
            export_encoder(place / "encoder", encoder_name)
            tell("encoding sentences", 0.4)
            reader = EntityReader(project.nlu, settings, (), None)
            rows = _rows(corpus, reader, Encoder(place / "encoder"), seed)
            tell("training the intent model", 0.7)
            model, measured = _train_intents(corpus, rows)
            model.save(place)
            report |= measured
        _save_manifest(place, project.nlu, kinds)
        (place / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        place.rename(target)
    tell("done", 1.0)
    return report


def _kinds(examples: Sequence[NluExample]) -> list[Kind]:
    found = {kind_of(entity) for example in examples for entity in example.entities}
    return sorted(found, key=lambda kind: tuple(part or "" for part in kind))


def _corpus(nlu: NluData, settings: NluSettings, examples: list[NluExample], seed: int) -> _Corpus:
    reader = EntityReader(nlu, settings, (), None)
    sentences = [reader.prepare(clean(example.text), _REFERENCE) for example in examples]
    measured = (0,) if len(examples) > _LARGE else tuple(range(_FOLDS))
    return _Corpus(examples, sentences, _folds([e.intent for e in examples], seed), measured)


def _folds(intents: Sequence[str], seed: int) -> NDArray[np.int64]:
    """A fold for each sentence, spread evenly over each intent; -1 (never held out) for an intent's only one."""
    rng = np.random.default_rng(seed)
    fold = np.full(len(intents), -1, dtype=np.int64)
    members: dict[str, list[int]] = {}
    for index, intent in enumerate(intents):
        members.setdefault(intent, []).append(index)
    for intent in sorted(members):
        own = np.array(members[intent])
        if len(own) > 1:
            rng.shuffle(own)
            fold[own] = (np.arange(len(own)) + rng.integers(_FOLDS)) % _FOLDS
    return fold


def _train_entities(
    corpus: _Corpus, nlu: NluData, settings: NluSettings, kinds: list[Kind], place: Path
) -> dict[str, Any] | None:
    """The tagger, written to ``place``, and its held-out scores; None (and no tagger) without annotations."""
    if not kinds:
        return None
    index = {kind: k for k, kind in enumerate(kinds)}
    pairs = [(s.rows(), labels(s, e.entities, index)) for s, e in zip(corpus.sentences, corpus.examples, strict=True)]
    train_tagger(pairs, place / TAGGER_PART)
    found, annotated = [], []
    for fold in corpus.measured:
        held_out = [i for i, f in enumerate(corpus.folds) if f == fold]
        kept = [pair for pair, f in zip(pairs, corpus.folds, strict=True) if f != fold]
        if not held_out or not any(label != "O" for _, told in kept for label in told):
            continue
        with tempfile.TemporaryDirectory() as work:
            train_tagger(kept, Path(work) / TAGGER_PART)
            reader = EntityReader(nlu, settings, kinds, Tagger(Path(work) / TAGGER_PART))
            found += [reader.read(corpus.sentences[i], _REFERENCE) for i in held_out]
            annotated += [corpus.examples[i].entities for i in held_out]
    return asdict(score(found, annotated)) if any(annotated) else None


def _rows(corpus: _Corpus, reader: EntityReader, encoder: Encoder, seed: int) -> _Rows:
    rng = random.Random(seed)
    names = (BACKGROUND, *sorted({base_intent(e.intent) for e in corpus.examples}))
    sentences, origin = list(corpus.sentences), list(range(len(corpus.examples)))
    intents = [base_intent(e.intent) for e in corpus.examples]
    for i, example in enumerate(corpus.examples if len(corpus.examples) <= _LARGE else ()):
        wrong = with_typos(Example(corpus.sentences[i].text, example.intent), rng)
        if wrong is not None:
            sentences.append(reader.prepare(wrong.text, _REFERENCE))
            origin.append(i)
            intents.append(intents[i])
    dense = encoder.encode([sentence.text for sentence in sentences])
    others = [reader.prepare(text, _REFERENCE) for text in background(seed, few=len(corpus.examples) < _SMALL)]
    outside = encoder.encode([sentence.text for sentence in others])
    far = far_from(dense[: len(corpus.examples)], outside)
    count = len(sentences)
    folds = np.concatenate([corpus.folds[origin], np.arange(len(far)) % _FOLDS])
    return _Rows(
        names,
        np.array([names.index(intent) for intent in intents] + [0] * len(far)),
        np.concatenate([dense, outside[far]]),
        [sparse_row(sentence) for sentence in [*sentences, *(others[i] for i in far)]],
        np.array([*origin, *range(count, count + len(far))]),
        folds,
        np.arange(count + len(far)) < len(corpus.examples),
    )


def _train_intents(corpus: _Corpus, rows: _Rows) -> tuple[IntentModel, dict[str, Any]]:
    """The intent model with a head per retrieval intent, and what they reach on held-out sentences."""
    labels_, targets = rows.names, rows.targets
    tested, held_out = np.zeros(0, dtype=np.int64), np.zeros((0, len(labels_)), dtype=np.float32)
    for fold in corpus.measured:
        train, test = np.flatnonzero(rows.folds != fold), np.flatnonzero((rows.folds == fold) & rows.clean)
        near, inputs = _neighbours(rows, train)
        head = fit_head(labels_, inputs, [rows.hashed[i] for i in train], targets[train])
        features = np.concatenate([rows.dense[test], near.features(rows.dense[test])], axis=1)
        tested = np.concatenate([tested, test])
        held_out = np.concatenate([held_out, head.logits(features, [rows.hashed[i] for i in test])])
    temperature = float(np.clip(fit_temperature(held_out, targets[tested]), *_TEMPERATURES)) if len(tested) else 1.0
    near, inputs = _neighbours(rows, np.arange(len(targets)))
    head = fit_head(labels_, inputs, rows.hashed, targets, temperature)
    topics, responses = _train_topics(corpus, rows.dense, rows.hashed)
    report: dict[str, Any] = {"intents": None, "responses": responses}
    if len(tested) and len(labels_) > 2:
        right = held_out[:, 1:].argmax(axis=1) + 1 == targets[tested]
        accuracy = round(float(right.mean()), 4)
        report["intents"] = {"accuracy": accuracy, "labels": len(labels_) - 1, "support": len(tested)}
    return IntentModel(head, topics, near, Logistic((0.0,) * 4, 0.0), 0.5), report


def _neighbours(rows: _Rows, chosen: NDArray[np.int64]) -> tuple[Neighbours, FloatArray]:
    """The neighbours (no misspelt copies) and the inputs of rows ``chosen``, none of which is its own neighbour."""
    last = rows.clean | (rows.targets == 0)
    kept = chosen[last[chosen]]
    near, order = Neighbours.group(rows.dense[kept], rows.targets[kept], len(rows.names))
    of_row = rows.origin[kept][order]
    skip = [np.flatnonzero(of_row == own) for own in rows.origin[chosen]]
    return near, np.concatenate([rows.dense[chosen], near.features(rows.dense[chosen], skip)], axis=1)


def _train_topics(
    corpus: _Corpus, dense: FloatArray, hashed: Sequence[dict[int, float]]
) -> tuple[dict[str, SoftmaxHead], dict[str, float]]:
    """A head per retrieval intent and its held-out accuracy, given the right intent."""
    taught: dict[str, list[tuple[int, str]]] = {}
    for i, example in enumerate(corpus.examples):
        kind, slash, topic = example.intent.partition("/")
        if slash:
            taught.setdefault(kind, []).append((i, topic))
    heads, accuracy = {}, {}
    for kind, pairs in taught.items():
        names = tuple(sorted({topic for _, topic in pairs}))
        index, targets = np.array([i for i, _ in pairs]), np.array([names.index(topic) for _, topic in pairs])
        right: list[bool] = []
        for fold in corpus.measured if len(names) > 1 else ():
            train, test = corpus.folds[index] != fold, corpus.folds[index] == fold
            head = fit_head(names, dense[index[train]], [hashed[i] for i in index[train]], targets[train])
            logits = head.logits(dense[index[test]], [hashed[i] for i in index[test]])
            right += (logits.argmax(axis=1) == targets[test]).tolist()
        heads[topic_head(kind)] = fit_head(names, dense[index], [hashed[i] for i in index], targets)
        if right:
            accuracy[kind] = round(sum(right) / len(right), 4)
    return heads, accuracy


def _save_manifest(place: Path, nlu: NluData, kinds: Sequence[Kind]) -> None:
    parts = [name for name in (*INTENT_PARTS, TAGGER_PART) if (place / name).is_file()]
    manifest = {
        "schema": SCHEMA,
        "nlu": nlu_fingerprint(nlu),
        "kinds": [list(kind) for kind in kinds],
        "sha256": {name: file_sha256(place / name) for name in parts},
    }
    (place / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
