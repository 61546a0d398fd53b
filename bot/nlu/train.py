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
from bot.nlu.encoder import Encoder, file_sha256
from bot.nlu.encoder_export import DEFAULT_MODEL, export_encoder
from bot.nlu.gazetteer import Gazetteer, assistant_surfaces
from bot.nlu.intents import OUT_OF_SCOPE, WIDTH, IntentModel, scope_features, sparse_row
from bot.nlu.linear import FloatArray, Logistic, SoftmaxHead, expected_calibration_error, fit_temperature, softmax
from bot.nlu.pipeline import NLU, PARTS, SCHEMA
from bot.nlu.slots import Candidate, Sentence, SlotReader
from bot.nlu.tagger import Tagger, gold_labels, train_tagger
from bot.nlu.tokens import clean, lower, tokenize
from memory.dialogue import DONTCARE

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction done so far (0 to 1)."""

_FOLDS = 4
_INVERSE_REGULARISATION = 6.0
_REFERENCE = date(2026, 11, 23)
"""Dates in training sentences are read as seen from this day, so that training does not depend on the calendar."""
_OPENER_INTENTS = ("affirm", "negate", "hello", "thankyou")


@dataclass(frozen=True)
class _Corpus:
    """Training sentences with what the rules find in them; ``asked`` copies answer a question."""

    examples: list[Example]
    sentences: list[Sentence]
    asked: list[int]
    """Positions, among ``sentences``, of copies that follow a question; they train the tagger only."""


def train_nlu(
    assistant: Assistant,
    out_dir: Path | str,
    progress: Progress | None = None,
    *,
    encoder_name: str = DEFAULT_MODEL,
    target_in_scope_loss: float = 0.03,
    seed: int = 0,
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
        gazetteer = Gazetteer(surfaces, encoder.is_word)
        reader = SlotReader(gazetteer, (*assistant.ontology.slots, "attribute"), assistant.key_entity)
        corpus = _corpus(assistant, reader, random.Random(seed))
        tell("training the slot tagger", 0.2)
        calibrator, slot_report, evidence = _train_slots(corpus, reader, folder, seed)
        tell("encoding sentences", 0.5)
        model, intent_report = _train_intents(corpus, encoder, evidence, target_in_scope_loss, seed, tell)
        model.save(folder)
        _save_slots(folder, surfaces, calibrator, _openers(corpus.examples))
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


def _corpus(assistant: Assistant, reader: SlotReader, rng: random.Random) -> _Corpus:
    examples = [*assistant.examples]
    examples += [Example(question, f"faq/{entry.id}") for entry in assistant.faq for question in entry.questions]
    examples = [Example(clean(e.text), e.intent, e.entities) for e in examples if e.text.strip()]
    askable = {*assistant.ontology.slots, *assistant.ontology.open_slots}
    sentences = [reader.prepare(e.text, _REFERENCE) for e in examples]
    asked: list[int] = []
    for example in list(examples):
        slots = {entity.name for entity in example.entities if entity.name in askable}
        if slots and len(tokenize(example.text)) <= 7:
            asked.append(len(sentences))
            sentences.append(reader.prepare(example.text, _REFERENCE, rng.choice(sorted(slots))))
            examples.append(example)
    return _Corpus(examples, sentences, asked)


def _folds(keys: Sequence[str], seed: int) -> NDArray[np.int64]:
    """A fold for each item, spread evenly over each key."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(keys), dtype=np.int64)
    for key in sorted(set(keys)):
        members = np.array([i for i, k in enumerate(keys) if k == key])
        rng.shuffle(members)
        fold[members] = (np.arange(len(members)) + rng.integers(_FOLDS)) % _FOLDS
    return fold


def _train_slots(
    corpus: _Corpus, reader: SlotReader, folder: Path, seed: int
) -> tuple[Logistic, dict[str, Any], list[float]]:
    """The final tagger (written to ``folder``), the calibrator, the report, and held-out evidence per sentence."""
    pairs = [
        (s.rows(), gold_labels(s.tokens, e.entities)) for s, e in zip(corpus.sentences, corpus.examples, strict=True)
    ]
    text_fold = dict(
        zip([e.text for e in corpus.examples], _folds([e.intent for e in corpus.examples], seed), strict=True)
    )
    found: list[list[Candidate]] = [[] for _ in corpus.sentences]
    for fold in range(_FOLDS):
        with tempfile.TemporaryDirectory() as work:
            path = Path(work) / "fold.crfsuite"
            train_tagger([p for p, e in zip(pairs, corpus.examples, strict=True) if text_fold[e.text] != fold], path)
            tagger = Tagger(path)
            for i, (sentence, example) in enumerate(zip(corpus.sentences, corpus.examples, strict=True)):
                if text_fold[example.text] == fold:
                    found[i] = reader.candidates(sentence, tagger, _REFERENCE)
    rows = [c.numbers for candidates in found for c in candidates]
    labels = [_right(c, e) for candidates, e in zip(found, corpus.examples, strict=True) for c in candidates]
    calibrator = Logistic.fit(rows, labels, c=0.5)
    train_tagger(pairs, folder / "slots.crfsuite")
    confidences = [calibrator([c.numbers for c in candidates]).tolist() for candidates in found]
    decided = [reader.decide(c, p) for c, p in zip(found, confidences, strict=True)]
    report = _slot_report(decided, corpus)
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


def _slot_report(decided: Sequence[Sequence[Any]], corpus: _Corpus) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = {}
    told: list[tuple[float, bool]] = []
    for entities, example in zip(decided, corpus.examples, strict=True):
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
    corpus: _Corpus, encoder: Encoder, evidence: list[float], loss: float, seed: int, tell: Progress
) -> tuple[IntentModel, dict[str, Any]]:
    asked = frozenset(corpus.asked)
    chosen = [i for i in range(len(corpus.examples)) if i not in asked]
    examples, sentences = [corpus.examples[i] for i in chosen], [corpus.sentences[i] for i in chosen]
    labels = tuple(sorted({e.intent for e in examples}))
    targets = np.array([labels.index(e.intent) for e in examples])
    dense = encoder.encode([e.text for e in examples])
    hashed = [sparse_row(sentence) for sentence in sentences]
    fold = _folds([e.intent for e in examples], seed)
    held_out = np.zeros((len(examples), len(labels)), dtype=np.float32)
    for f in range(_FOLDS):
        tell("training the intent model", 0.6 + 0.05 * f)
        train, test = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        head = _fit_head(labels, dense[train], [hashed[i] for i in train], targets[train])
        held_out[test] = head.logits(dense[test], [hashed[i] for i in test])
    temperature = fit_temperature(held_out, targets)
    held_out /= temperature
    head = _fit_head(labels, dense, hashed, targets, temperature)
    scope_rows = scope_features(labels, held_out, [evidence[i] for i in chosen])
    outside = [e.intent == OUT_OF_SCOPE for e in examples]
    scope_model = Logistic.fit(scope_rows, outside)
    threshold, curve = _threshold(scope_model(scope_rows), np.array(outside), loss)
    probabilities = softmax(held_out)
    right = probabilities.argmax(axis=1) == targets
    report = {
        "accuracy": round(float(right.mean()), 4),
        "labels": len(labels),
        "temperature": round(temperature, 4),
        "calibration_error": round(expected_calibration_error(probabilities.max(axis=1).tolist(), right.tolist()), 4),
        "out_of_scope": {"threshold": round(threshold, 4), "target_in_scope_loss": loss, "curve": curve},
        "confused": _confused(labels, targets, probabilities.argmax(axis=1)),
    }
    return IntentModel(head, scope_model, threshold), report


def _fit_head(
    labels: tuple[str, ...],
    dense: FloatArray,
    hashed: Sequence[dict[int, float]],
    targets: NDArray[np.int64],
    temperature: float = 1.0,
) -> SoftmaxHead:
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate([np.full(len(h), i) for i, h in enumerate(hashed)])
    columns = np.concatenate([np.fromiter(h, dtype=np.int64, count=len(h)) for h in hashed])
    values = np.concatenate([np.fromiter(h.values(), dtype=np.float32, count=len(h)) for h in hashed])
    grams = sparse.csr_matrix((values, (rows, columns)), shape=(len(hashed), WIDTH))
    inputs = sparse.hstack([sparse.csr_matrix(dense), grams]).tocsr()
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=150, tol=1e-3).fit(inputs, targets)
    weights = np.zeros((inputs.shape[1], len(labels)), dtype=np.float32)
    bias = np.full(len(labels), -30.0, dtype=np.float32)
    weights[:, model.classes_] = model.coef_.T
    bias[model.classes_] = model.intercept_
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


def _save_slots(folder: Path, surfaces: Any, calibrator: Logistic, openers: dict[str, str]) -> None:
    content = {"surfaces": surfaces, "calibrator": calibrator.to_json(), "openers": openers, "dontcare": DONTCARE}
    (folder / "slots.json").write_text(json.dumps(content), encoding="utf-8")


def _save_manifest(folder: Path, assistant: Assistant, exported: dict[str, Any]) -> None:
    manifest = {
        "schema": SCHEMA,
        "assistant": assistant.name,
        "ontology": assistant.ontology.fingerprint,
        "encoder": exported["sha256"]["model.onnx"],
        "sha256": {name: file_sha256(folder / name) for name in PARTS},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
