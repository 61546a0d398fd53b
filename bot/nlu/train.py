"""Training of the NLU: encoder export, slot tagger, intent head, calibration, and a report of what they reach.

Everything here may import scikit-learn, and the encoder's export imports torch; nothing of it is used in serving.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.assistant import Assistant, Example
from bot.nlu.augment import with_typos
from bot.nlu.encoder import Encoder, file_sha256
from bot.nlu.encoder_export import DEFAULT_MODEL, export_encoder
from bot.nlu.gazetteer import Gazetteer, assistant_surfaces, common_words
from bot.nlu.intents import OUT_OF_SCOPE, WIDTH, IntentModel, Neighbours, scope_features, sparse_row
from bot.nlu.linear import FloatArray, Logistic, SoftmaxHead, expected_calibration_error, fit_temperature, softmax
from bot.nlu.phrases import DontcarePatterns, indifference
from bot.nlu.pipeline import NLU, PARTS, SCHEMA
from bot.nlu.settings import DEFAULTS, NLUTraining
from bot.nlu.slots import Candidate, Sentence, SlotReader
from bot.nlu.tagger import Tagger, gold_labels, train_tagger
from bot.nlu.tokens import clean, lower, tokenize

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction done so far (0 to 1)."""

FOLDS = 3
REFERENCE = date(2026, 11, 23)
"""Dates in training sentences are read as seen from this day, so that training does not depend on the calendar."""
_OPENER_INTENTS = ("affirm", "negate", "hello", "thankyou")


@dataclass(frozen=True)
class Corpus:
    """Training sentences with what the rules find in them; copies answer a question or are misspelt."""

    examples: list[Example]
    sentences: list[Sentence]
    origin: list[int]
    """For each sentence the position of the one it is a copy of (its own when it is none)."""
    asked: list[int]
    """Positions of copies that follow a question; they train the tagger only."""
    misspelt: list[int]
    """Positions of copies with typing errors; they train everything and are not counted in the report."""


def train_nlu(
    assistant: Assistant,
    out_dir: Path | str,
    progress: Progress | None = None,
    *,
    encoder_name: str = DEFAULT_MODEL,
    target_in_scope_loss: float = 0.03,
    seed: int = 0,
    training: NLUTraining = DEFAULTS,
) -> dict[str, Any]:
    """Train on ``assistant.examples`` and its FAQ, write ``<out_dir>/nlu`` and return the report.

    ``target_in_scope_loss``: share of held-out sentences in scope that the out-of-scope threshold may refuse.
    The report (also saved as report.json) holds cross-validated intent accuracy, calibration error, slot F1, the
    out-of-scope curve, and the act F1 on validation.yml when there is one. The folder is replaced only on success.
    """
    tell = progress or (lambda what, done: None)
    target = Path(out_dir)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".nlu-") as work:
        folder = Path(work) / "nlu"
        folder.mkdir()
        tell("exporting the encoder", 0.0)
        exported = export_encoder(folder / "encoder", encoder_name)
        encoder = Encoder(folder / "encoder")
        surfaces = assistant_surfaces(assistant)
        common = common_words(assistant)
        nouns = indifference(assistant.examples, slot_nouns(assistant, surfaces))
        reader = slot_reader(assistant, encoder, surfaces, common, nouns)
        corpus = training_corpus(assistant, reader, random.Random(seed), training)
        tell("training the slot tagger", 0.2)
        calibrator, slot_report, evidence = _train_slots(corpus, reader, folder, seed)
        tell("encoding sentences", 0.5)
        answers = [(reader.prepare(clean(a), REFERENCE), f.id) for f in assistant.faq for a in f.answers]
        model, intent_report = _train_intents(
            corpus, answers, encoder, evidence, target_in_scope_loss, seed, tell, training
        )
        model.save(folder)
        content: dict[str, Any] = {
            "surfaces": surfaces,
            "common": common,
            "dontcare": nouns,
            "openers": _openers(corpus.examples),
        }
        content["calibrator"] = calibrator.to_json()
        (folder / "slots.json").write_text(json.dumps(content), encoding="utf-8")
        _save_manifest(folder, assistant, exported)
        tell("measuring", 0.9)
        report: dict[str, Any] = {"encoder": {k: v for k, v in exported.items() if k != "sha256"}}
        report |= {"sentences": len(corpus.examples), "intents": intent_report, "slots": slot_report}
        if assistant.validation:
            from bot.nlu.measure import measure_nlu

            report["validation"] = measure_nlu(NLU.load(work, assistant), assistant, folder)
        (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        final = target / "nlu"
        if final.exists():
            shutil.rmtree(final)
        folder.rename(final)
    tell("done", 1.0)
    return report


def training_corpus(
    assistant: Assistant, reader: SlotReader, rng: random.Random, training: NLUTraining = DEFAULTS
) -> Corpus:
    """The assistant's sentences and its FAQ's questions, with copies that answer a question or are misspelt."""
    examples = [*assistant.examples]
    examples += [Example(question, f"faq/{entry.id}") for entry in assistant.faq for question in entry.questions]
    examples = [Example(clean(e.text), e.intent, e.entities) for e in examples if e.text.strip()]
    askable = {*assistant.ontology.slots, *assistant.ontology.open_slots}
    sentences = [reader.prepare(e.text, REFERENCE) for e in examples]
    origin = list(range(len(examples)))
    asked: list[int] = []
    misspelt: list[int] = []
    for i, example in enumerate(list(examples)):
        slots = {entity.name for entity in example.entities if entity.name in askable}
        wrong = with_typos(example, rng) if rng.random() < training.typo_share else None
        copies = [(example, rng.choice(sorted(slots)), asked)] if slots and len(tokenize(example.text)) <= 7 else []
        for copy, slot, kind in [*copies, *([(wrong, None, misspelt)] if wrong else [])]:
            kind.append(len(examples))
            examples.append(copy)
            sentences.append(reader.prepare(copy.text, REFERENCE, slot))
            origin.append(i)
    return Corpus(examples, sentences, origin, asked, misspelt)


def folds(keys: Sequence[str], seed: int) -> NDArray[np.int64]:
    """A fold for each item, spread evenly over each key."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(keys), dtype=np.int64)
    for key in sorted(set(keys)):
        members = np.array([i for i, k in enumerate(keys) if k == key])
        rng.shuffle(members)
        fold[members] = (np.arange(len(members)) + rng.integers(FOLDS)) % FOLDS
    return fold


def _train_slots(
    corpus: Corpus, reader: SlotReader, folder: Path, seed: int
) -> tuple[Logistic, dict[str, Any], list[float]]:
    """The final tagger (written to ``folder``), the calibrator, the report, and held-out evidence per sentence."""
    pairs = [
        (s.rows(), gold_labels(s.tokens, e.entities)) for s, e in zip(corpus.sentences, corpus.examples, strict=True)
    ]
    fold_of = folds([corpus.examples[i].intent for i in corpus.origin], seed)[corpus.origin]
    found: list[list[Candidate]] = [[] for _ in corpus.sentences]
    for fold in range(FOLDS):
        with tempfile.TemporaryDirectory() as work:
            path = Path(work) / "fold.crfsuite"
            train_tagger([p for p, f in zip(pairs, fold_of, strict=True) if f != fold], path)
            tagger = Tagger(path)
            for i, sentence in enumerate(corpus.sentences):
                if fold_of[i] == fold:
                    found[i] = reader.candidates(sentence, tagger, REFERENCE)
    rows = [c.numbers for candidates in found for c in candidates]
    labels = [_right(c, e) for candidates, e in zip(found, corpus.examples, strict=True) for c in candidates]
    calibrator = Logistic.fit(rows, labels, c=0.5)
    train_tagger(pairs, folder / "slots.crfsuite")
    confidences = [calibrator([c.numbers for c in candidates]).tolist() for candidates in found]
    decided = [reader.decide(s, c, p) for s, c, p in zip(corpus.sentences, found, confidences, strict=True)]
    report = _slot_report(decided, corpus, set(corpus.misspelt)) | {
        "misspelt_f1": _slot_report(decided, corpus, {i for i in range(len(decided)) if i not in set(corpus.misspelt)})[
            "f1"
        ]
    }
    evidence = [float(sum(entity.confidence for entity in entities)) for entities in decided]
    return calibrator, report, evidence


def _right(candidate: Candidate, example: Example) -> bool:
    own = candidate.entity
    return any(
        own.name == gold.name and _same(own.value, gold.value) and own.start < gold.end and gold.start < own.end
        for gold in example.entities
    )


def _same(a: str, b: str) -> bool:
    return lower(a).removeprefix("the ") == lower(b).removeprefix("the ")


def _slot_report(decided: Sequence[Sequence[Any]], corpus: Corpus, without: set[int]) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = {}
    told: list[tuple[float, bool]] = []
    for i, (entities, example) in enumerate(zip(decided, corpus.examples, strict=True)):
        if i in without:
            continue
        gold = {(e.name, lower(e.value).removeprefix("the ")) for e in example.entities if e.name != "number"}
        sure = {(e.name, lower(e.value).removeprefix("the ")) for e in entities if e.confidence >= 0.5}
        for name, _ in gold | sure:
            counts.setdefault(name, Counter())
        for item in sure:
            counts[item[0]]["hit" if item in gold else "false"] += 1
        for item in gold - sure:
            counts[item[0]]["missed"] += 1
        told.extend((e.confidence, (e.name, lower(e.value).removeprefix("the ")) in gold) for e in entities)
    total: Counter[str] = sum(counts.values(), Counter())
    return {
        "f1": _f1(total),
        "per_entity_f1": {name: _f1(count) for name, count in sorted(counts.items())},
        "calibration_error": round(expected_calibration_error([p for p, _ in told], [r for _, r in told]), 4),
    }


def _f1(count: Counter[str]) -> float:
    return round(2 * count["hit"] / max(1, 2 * count["hit"] + count["false"] + count["missed"]), 4)


def _train_intents(
    corpus: Corpus,
    answers: list[tuple[Sentence, str]],
    encoder: Encoder,
    evidence: list[float],
    loss: float,
    seed: int,
    tell: Progress,
    training: NLUTraining,
) -> tuple[IntentModel, dict[str, Any]]:
    asked = frozenset(corpus.asked)
    chosen = [i for i in range(len(corpus.examples)) if i not in asked]
    examples, sentences = [corpus.examples[i] for i in chosen], [corpus.sentences[i] for i in chosen]
    clean_rows = np.array([i not in frozenset(corpus.misspelt) for i in chosen])
    intents = [e.intent.split("/", maxsplit=1)[0] for e in examples]
    labels = tuple(sorted(set(intents)))
    targets = np.array([labels.index(intent) for intent in intents])
    dense = encoder.encode([e.text for e in examples])
    hashed = [sparse_row(sentence) for sentence in sentences]
    fold = folds([corpus.examples[i].intent for i in corpus.origin], seed)[[corpus.origin[i] for i in chosen]]
    origin = np.array([corpus.origin[i] for i in chosen])
    held_out = np.zeros((len(examples), len(labels)), dtype=np.float32)
    for f in range(FOLDS):
        tell("training the intent model", 0.6 + 0.05 * f)
        train, test = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        near, inputs = neighbours(dense[train], targets[train], origin[train], clean_rows[train], len(labels))
        head = fit_head(labels, inputs, [hashed[i] for i in train], targets[train], training=training)
        tested = np.concatenate([dense[test], near.features(dense[test])], axis=1)
        held_out[test] = head.logits(tested, [hashed[i] for i in test])
    temperature = fit_temperature(held_out, targets)
    held_out /= temperature
    near, inputs = neighbours(dense, targets, origin, clean_rows, len(labels))
    head = fit_head(labels, inputs, hashed, targets, temperature, training=training)
    topics, topic_accuracy = _train_topics(examples, dense, hashed, fold, answers, encoder, training)
    scope_rows = scope_features(labels, held_out, [evidence[i] for i in chosen])
    outside = np.array([e.intent == OUT_OF_SCOPE for e in examples])
    scope_model = Logistic.fit(scope_rows, outside.tolist())
    threshold, curve = _threshold(scope_model(scope_rows)[clean_rows], outside[clean_rows], loss)
    report = _intent_report(labels, softmax(held_out)[clean_rows], targets[clean_rows])
    report |= {
        "temperature": round(temperature, 4),
        "misspelt_accuracy": _share((held_out.argmax(axis=1) == targets)[~clean_rows]),
        "topic_accuracy": topic_accuracy,
        "out_of_scope": {"threshold": round(threshold, 4), "target_in_scope_loss": loss, "curve": curve},
    }
    return IntentModel(head, topics, near, scope_model, threshold), report


def neighbours(
    dense: FloatArray, targets: NDArray[np.int64], origin: NDArray[np.int64], kept: NDArray[np.bool_], labels: int
) -> tuple[Neighbours, FloatArray]:
    """The neighbours (sentences as written) and the training inputs, in which no sentence is its own neighbour."""
    rows = np.flatnonzero(kept)
    near, order = Neighbours.group(dense[rows], targets[rows], labels)
    of_row = origin[rows][order]
    skip = [np.flatnonzero(of_row == own) for own in origin]
    return near, np.concatenate([dense, near.features(dense, skip)], axis=1)


def _share(right: NDArray[np.bool_]) -> float:
    return round(float(right.mean()), 4) if len(right) else 0.0


def _intent_report(labels: tuple[str, ...], p: NDArray[np.float64], targets: NDArray[np.int64]) -> dict[str, Any]:
    best = p.argmax(axis=1)
    right = best == targets
    return {
        "accuracy": round(float(right.mean()), 4),
        "labels": len(labels),
        "calibration_error": round(expected_calibration_error(p.max(axis=1).tolist(), right.tolist()), 4),
        "confused": _confused(labels, targets, best),
    }


def _train_topics(
    examples: Sequence[Example],
    dense: FloatArray,
    hashed: Sequence[dict[int, float]],
    fold: NDArray[np.int64],
    answers: Sequence[tuple[Sentence, str]],
    encoder: Encoder,
    training: NLUTraining,
) -> tuple[dict[str, SoftmaxHead], dict[str, float]]:
    """A head per intent that has topics, and their held-out accuracy given the right intent.

    The FAQ's answers are further examples of their topics: they name what the questions are about.
    """
    dense = np.concatenate([dense, encoder.encode([sentence.text for sentence, _ in answers])])
    hashed = [*hashed, *(sparse_row(sentence) for sentence, _ in answers)]
    fold = np.concatenate([fold, np.full(len(answers), -1)])
    taught: dict[str, list[tuple[int, str]]] = {}
    for i, example in enumerate(examples):
        kind, _, topic = example.intent.partition("/")
        asked = {entity.value for entity in example.entities if entity.name == "attribute"}
        if kind == "request" and len(asked) == 1:
            topic = asked.pop()
        if topic:
            taught.setdefault(kind, []).append((i, topic))
    for i, (_, topic) in enumerate(answers, start=len(examples)):
        taught.setdefault("faq", []).append((i, topic))
    heads, accuracy = {}, {}
    for kind, pairs in taught.items():
        labels = tuple(sorted({topic for _, topic in pairs}))
        if len(labels) < 2:
            continue
        index, targets = np.array([i for i, _ in pairs]), np.array([labels.index(topic) for _, topic in pairs])
        own = [hashed[i] for i in index]
        held_out = np.zeros((len(index), len(labels)), dtype=np.float32)
        for f in range(FOLDS):
            train, test = np.flatnonzero(fold[index] != f), np.flatnonzero(fold[index] == f)
            head = fit_head(labels, dense[index[train]], [own[i] for i in train], targets[train], training=training)
            held_out[test] = head.logits(dense[index[test]], [own[i] for i in test])
        asked_rows = fold[index] >= 0
        temperature = fit_temperature(held_out[asked_rows], targets[asked_rows])
        heads[kind] = fit_head(labels, dense[index], own, targets, temperature, training=training)
        accuracy[kind] = round(float((held_out.argmax(axis=1) == targets)[asked_rows].mean()), 4)
    return heads, accuracy


def fit_head(
    labels: tuple[str, ...],
    dense: FloatArray,
    hashed: Sequence[dict[int, float]],
    targets: NDArray[np.int64],
    temperature: float = 1.0,
    *,
    training: NLUTraining = DEFAULTS,
) -> SoftmaxHead:
    """A softmax head on (N, D) ``dense`` and hashed features; labels that ``targets`` lacks get no probability."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate([np.full(len(h), i) for i, h in enumerate(hashed)])
    columns = np.concatenate([np.fromiter(h, dtype=np.int64, count=len(h)) for h in hashed])
    values = np.concatenate([np.fromiter(h.values(), dtype=np.float32, count=len(h)) for h in hashed])
    grams = sparse.csr_matrix((values, (rows, columns)), shape=(len(hashed), WIDTH))
    inputs = sparse.hstack([sparse.csr_matrix(dense), grams]).tocsr()
    if len(set(targets.tolist())) < 2:
        only = np.full(len(labels), -30.0, dtype=np.float32)
        only[targets[:1]] = 0.0
        empty = np.zeros((dense.shape[1], len(labels)), np.float32), np.zeros((WIDTH, len(labels)), np.float32)
        return SoftmaxHead(labels, *empty, only, temperature)
    sizes = np.bincount(targets, minlength=len(labels)).astype(np.float64)
    weight = (sizes.max() / np.maximum(sizes, 1)) ** training.balance
    model = LogisticRegression(C=training.inverse_regularisation, max_iter=100, tol=1e-3)
    model.fit(inputs, targets, sample_weight=(weight / np.average(weight, weights=sizes))[targets])
    weights = np.zeros((inputs.shape[1], len(labels)), dtype=np.float32)
    bias = np.full(len(labels), -30.0, dtype=np.float32)
    of = model.classes_ if len(model.classes_) > 2 else model.classes_[1:]
    bias[model.classes_[0]] = 0.0  # of two labels scikit-learn fits the second's logit only
    weights[:, of] = model.coef_.T
    bias[of] = model.intercept_
    return SoftmaxHead(labels, weights[: dense.shape[1]], weights[dense.shape[1] :], bias, temperature)


def _threshold(p: NDArray[np.float64], outside: NDArray[np.bool_], loss: float) -> tuple[float, list[dict[str, float]]]:
    """The threshold that refuses at most ``loss`` of the sentences in scope, and the curve of the choices."""
    curve = []
    chosen = 0.5
    for allowed in sorted({0.005, 0.01, 0.02, 0.03, 0.05, 0.1, loss}):
        level = float(np.clip(np.quantile(p[~outside], 1 - allowed), 0.02, 0.98)) if (~outside).any() else 0.5
        refused = float((p[outside] > level).mean()) if outside.any() else 0.0
        curve.append({"in_scope_loss": allowed, "threshold": round(level, 4), "out_of_scope_recall": round(refused, 4)})
        if allowed == loss:
            chosen = level
    return chosen, curve


def _confused(labels: Sequence[str], targets: NDArray[np.int64], best: NDArray[np.int64]) -> list[list[Any]]:
    pairs = Counter((labels[t], labels[b]) for t, b in zip(targets, best, strict=True) if t != b)
    return [[a, b, n] for (a, b), n in pairs.most_common(15)]


def _openers(examples: Sequence[Example]) -> dict[str, str]:
    """Single words that are an act of their own in the training sentences: "no" -> negate."""
    found: dict[str, str] = {}
    for example in examples:
        tokens = [t for t in tokenize(example.text) if t.text[0].isalnum()]
        if len(tokens) == 1 and example.intent in _OPENER_INTENTS:
            found.setdefault(tokens[0].lower, example.intent)
    return found


def slot_reader(
    assistant: Assistant, encoder: Encoder, surfaces: list[tuple[str, str, str]], common: list[str],
    nouns: dict[str, list[str]],
) -> SlotReader:  # fmt: skip
    """What finds slots in a sentence without a tagger: the assistant's names, and phrases of indifference."""
    gazetteer = Gazetteer(surfaces, encoder.is_word, common)
    closed = (*assistant.ontology.slots, "attribute")
    return SlotReader(gazetteer, DontcarePatterns(nouns), closed, assistant.key_entity)


def slot_nouns(assistant: Assistant, surfaces: Sequence[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """(word, slot) for every way to name a slot itself: "price range", "part of town"."""
    slots = set(assistant.ontology.slots)
    return [(surface, value) for surface, entity, value in surfaces if entity == "attribute" and value in slots]


def _save_manifest(folder: Path, assistant: Assistant, exported: dict[str, Any]) -> None:
    manifest = {
        "schema": SCHEMA,
        "assistant": assistant.name,
        "ontology": assistant.ontology.fingerprint,
        "encoder": exported["sha256"]["model.onnx"],
        "sha256": {name: file_sha256(folder / name) for name in PARTS},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
