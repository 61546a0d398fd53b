"""The NLU as served: a message in, calibrated dialogue acts out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from bot.assistant import Assistant
from bot.nlu.acts import SOCIAL, ActReader, Clause, Findings
from bot.nlu.encoder import Encoder, EncoderError, file_sha256
from bot.nlu.gazetteer import Gazetteer
from bot.nlu.intents import IntentModel
from bot.nlu.linear import FloatArray, Logistic, softmax
from bot.nlu.phrases import DontcarePatterns
from bot.nlu.sentiment import sentiment
from bot.nlu.slots import Sentence, SlotReader
from bot.nlu.tagger import Tagger
from bot.nlu.tokens import clean, lower, segments, tokenize
from memory.dialogue import NLUResult, SystemAct

SCHEMA = 1
PARTS = ("intents.safetensors", "intents.json", "slots.crfsuite", "slots.json")
_ASKING = ("request", "confirm", "select", "request_open")
_OPENER_NEXT = frozenset(
    ("i", "i'd", "i'm", "it", "it's", "its", "that", "that's", "not", "but", "the", "sorry", "we", "actually",
     "make", "please", "thanks", "thank", "for", "my", "you", "what", "how", "is", "can", "could", "do", "where",
     "this", "there", "let's", "lets", "just")
)  # fmt: skip
_SHOWN_INTENTS = 5
_TOPIC_WORTH = 0.03
"""Topics of an intent less probable than this are not looked up."""


class NLUError(RuntimeError):
    """A trained NLU is missing, damaged or belongs to another assistant; the message says what to do."""


class NLU:
    """Reads messages; built by ``NLU.load``. Stateless and safe to share between threads that do not overlap."""

    def __init__(
        self,
        assistant: Assistant,
        encoder: Encoder,
        slots: SlotReader,
        tagger: Tagger,
        calibrator: Logistic,
        intents: IntentModel,
        openers: dict[str, str],
        clock: Callable[[], date] = date.today,
    ) -> None:
        """Parts of a trained NLU; ``clock`` tells today for dates."""
        self._encoder, self._slots, self._tagger = encoder, slots, tagger
        self._calibrator, self._intents, self._openers, self._clock = calibrator, intents, openers, clock
        self._acts = ActReader(assistant.ontology, assistant.key_entity)

    @classmethod
    def load(cls, model_dir: Path | str, assistant: Assistant, clock: Callable[[], date] = date.today) -> NLU:
        """Open what ``train_nlu`` wrote below ``model_dir``; NLUError says what is wrong and what to do.

        The vocabulary (values, synonyms, names) is the one that was trained; a changed assistant needs training.
        """
        folder = Path(model_dir) / "nlu"
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise NLUError(f"{folder / 'manifest.json'} can't be read ({error}); train the NLU first") from error
        if manifest.get("schema") != SCHEMA:
            raise NLUError(f"{folder} was trained by another version (schema {manifest.get('schema')}); train again")
        if manifest.get("ontology") != assistant.ontology.fingerprint:
            raise NLUError(f"{folder} was trained for other slots or values than {assistant.path}'s; train again")
        for name in PARTS:
            if not (folder / name).is_file() or file_sha256(folder / name) != manifest["sha256"].get(name):
                raise NLUError(f"{folder / name} is missing or damaged (its SHA-256 differs); train the NLU again")
        try:
            encoder = Encoder(folder / "encoder")
            meta = json.loads((folder / "slots.json").read_text(encoding="utf-8"))
            gazetteer = Gazetteer([(s, e, v) for s, e, v in meta["surfaces"]], encoder.is_word, meta["common"])
            closed = (*assistant.ontology.slots, "attribute")
            return cls(
                assistant,
                encoder,
                SlotReader(gazetteer, DontcarePatterns(meta["dontcare"]), closed, assistant.key_entity),
                Tagger(folder / "slots.crfsuite"),
                Logistic.from_json(meta["calibrator"]),
                IntentModel.load(folder),
                dict(meta["openers"]),
                clock,
            )
        except (OSError, ValueError, KeyError, TypeError, EncoderError) as error:
            raise NLUError(f"{folder} can't be opened ({error}); train the NLU again") from error

    def parse(self, text: str, previous: SystemAct | None = None) -> NLUResult:
        """What one message means after the system act ``previous``."""
        return self.parse_batch([text], [previous])[0]

    def parse_batch(self, texts: Sequence[str], previous: Sequence[SystemAct | None]) -> list[NLUResult]:
        """What each message means; each is read on its own, so a batch gives the same answers as single calls."""
        return [self._parse(text, act) for text, act in zip(texts, previous, strict=True)]

    def _parse(self, text: str, previous: SystemAct | None) -> NLUResult:
        cleaned = clean(text)
        if cleaned.isupper():
            cleaned = lower(cleaned)  # shouting carries no spelling
        today = self._clock()
        if not cleaned.strip():
            return NLUResult(text)
        requested = previous.slot if previous is not None and previous.kind in _ASKING else None
        sentence = self._slots.prepare(cleaned, today, requested)
        candidates = self._slots.candidates(sentence, self._tagger, today)
        confidences = self._calibrator([c.numbers for c in candidates])
        entities = self._slots.decide(sentence, candidates, confidences.tolist())
        pieces = segments(cleaned)
        spans = [(0, len(cleaned)), *(pieces if len(pieces) > 1 else ())]
        parts = [_part(sentence, start, end) for start, end in spans]
        embeddings = self._encoder.encode([part.text for part in parts])
        logits = self._intents.logits(embeddings, parts)
        evidence = sum(e.confidence for e in entities)
        outside = float(self._intents.out_of_scope_probability(logits[:1], [evidence])[0])
        clauses = self._clauses(spans, logits)
        topics = {
            name: self._intents.topic(name, embeddings[:1], sentence)
            for name in self._intents.topics
            if max(clause.intents.get(name, 0.0) for clause in clauses) > _TOPIC_WORTH
        }
        refused = _shift(outside, self._intents.threshold)
        findings = Findings(clauses[0], clauses[1:], entities, topics, self._opener(sentence), refused)
        ranked = _ranked(clauses[0].intents, topics)
        return NLUResult(
            text=text,
            acts=tuple(self._acts.acts(findings, previous)),
            intents=tuple((name, round(p, 4)) for name, p in ranked),
            entities=tuple(entities),
            sentiment=sentiment(cleaned),
            out_of_scope=round(outside, 4),
        )

    def _clauses(self, spans: Sequence[tuple[int, int]], logits: FloatArray) -> list[Clause]:
        labels = self._intents.head.labels
        rows = softmax(logits)
        return [
            Clause(start, end, dict(zip(labels, row.tolist(), strict=True)))
            for (start, end), row in zip(spans, rows, strict=True)
        ]

    def _opener(self, sentence: Sentence) -> str | None:
        """The act of a first word such as "no" or "hi" when the rest goes on as a sentence of its own."""
        tokens = sentence.tokens
        if len(tokens) < 3 or tokens[1].lower not in _OPENER_NEXT:
            return None
        return self._openers.get(tokens[0].lower)


def _ranked(intents: Mapping[str, float], topics: Mapping[str, Mapping[str, float]]) -> list[tuple[str, float]]:
    """The most probable intents; chitchat and FAQ by topic, as Rasa's retrieval intents are named."""
    found = {name: p for name, p in intents.items() if name not in SOCIAL or name not in topics}
    for name in SOCIAL:
        found |= {f"{name}/{topic}": p * intents.get(name, 0.0) for topic, p in topics.get(name, {}).items()}
    return sorted(found.items(), key=lambda item: -item[1])[:_SHOWN_INTENTS]


def _part(sentence: Sentence, start: int, end: int) -> Sentence:
    """A clause of a sentence with what was found inside it; offsets count from the clause's start."""
    if (start, end) == (0, len(sentence.text)):
        return sentence
    text = sentence.text[start:end]
    return Sentence(
        text,
        tokenize(text),
        [replace(h, start=h.start - start, end=h.end - start) for h in sentence.hits if start <= h.start < end],
        [replace(r, start=r.start - start, end=r.end - start) for r in sentence.readings if start <= r.start < end],
        sentence.requested,
    )


def _shift(p: float, threshold: float) -> float:
    """Move a probability so that ``threshold`` becomes one half."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    odds = p / (1 - p) * (1 - threshold) / threshold
    return odds / (1 + odds)
