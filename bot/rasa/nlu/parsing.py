"""The NLU of a Rasa project as served: a message in, intents and entities out, as Rasa tells them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from bot.nlu.encoder import Encoder, EncoderError, file_sha256
from bot.nlu.intents import OUT_OF_SCOPE, IntentModel
from bot.nlu.linear import softmax
from bot.nlu.pipeline import NLUError
from bot.nlu.sentiment import sentiment
from bot.nlu.slots import Sentence
from bot.nlu.tagger import Tagger
from bot.nlu.tokens import clean, lower
from bot.rasa.nlu.background import BACKGROUND
from bot.rasa.nlu.entities import EntityReader
from bot.rasa.nlu.settings import NluSettings, nlu_fingerprint
from bot.rasa.nlu.shortcut import Shortcut, read_shortcut
from bot.rasa.project import RasaProject
from bot.rasa.reading.names import DEFAULT_INTENTS, FALLBACK_INTENT, base_intent
from memory.dialogue import Entity, NLUResult

SCHEMA = 1
INTENT_PARTS = ("intents.safetensors", "intents.json")
TAGGER_PART = "entities.crfsuite"
_TAUGHT = 0.98
"""How sure it is that a sentence of the training data, said again, means what it was taught to mean."""

Ranking = tuple[tuple[str, float], ...]


def topic_head(intent: str) -> str:
    """The name of the head that tells a retrieval intent's responses apart."""
    return f"topic/{intent}"


def spelling(text: str) -> str:
    """A sentence without what doesn't count in comparing: capitals, outer marks, runs of blanks."""
    return " ".join(re.sub(r"^[\W_]+|[\W_]+$", "", lower(text)).split()) or text.strip()


class RasaNLU:
    """Reads messages; stateless. Built by ``RasaNLU.load``."""

    def __init__(
        self,
        project: RasaProject,
        entities: EntityReader,
        encoder: Encoder | None,
        intents: IntentModel | None,
        clock: Callable[[], date] = date.today,
    ) -> None:
        """``encoder`` and ``intents`` are None for a project without NLU data; ``clock`` tells today for times."""
        self._entities, self._encoder, self._intents, self._clock = entities, encoder, intents, clock
        self._settings = NluSettings.of(project.pipeline)
        self._known = {*project.domain.intents, *DEFAULT_INTENTS}
        self._known |= {base_intent(example.intent) for example in project.nlu.examples}
        self._taught = _unanimous(project)

    @classmethod
    def load(cls, folder: Path | str, project: RasaProject, clock: Callable[[], date] = date.today) -> RasaNLU:
        """Open what ``train_rasa_nlu`` wrote to ``folder``; NLUError says what is wrong and what to do.

        A model of other NLU data than the project's is refused.
        """
        place = Path(folder)
        manifest = _manifest(place)
        if manifest["nlu"] != nlu_fingerprint(project.nlu):
            raise NLUError(f"{place} was trained on other NLU data than {project.path} has now; train again")
        for name, digest in manifest["sha256"].items():
            if not (place / name).is_file() or file_sha256(place / name) != digest:
                raise NLUError(f"{place / name} is missing or damaged (its SHA-256 differs); train the NLU again")
        try:
            kinds = [(str(name), role, group) for name, role, group in manifest["kinds"]]
            tagger = Tagger(place / TAGGER_PART) if TAGGER_PART in manifest["sha256"] else None
            reader = EntityReader(project.nlu, NluSettings.of(project.pipeline), kinds, tagger, project.domain.entities)
            if INTENT_PARTS[0] not in manifest["sha256"]:
                return cls(project, reader, None, None, clock)
            return cls(project, reader, Encoder(place / "encoder"), IntentModel.load(place), clock)
        except (OSError, ValueError, KeyError, TypeError, EncoderError) as error:
            raise NLUError(f"{place} can't be opened ({error}); train the NLU again") from error

    def parse(self, text: str) -> NLUResult:
        """What one message means.

        ``intents`` is the full ranking, best first; what is missing to a sum of 1 is the probability that the message
        resembles nothing taught. A retrieval intent stands under its best response,
        `faq/ask_name`, with the probability of `faq`. `nlu_fallback` comes first when FallbackClassifier's
        threshold or ambiguity says so. A shortcut (`/greet{"name": "Ann"}`) of a known intent is taken at its word.
        """
        shortcut = read_shortcut(text)
        if shortcut is not None and base_intent(shortcut.intent) in self._known:
            return _from_shortcut(text, shortcut)
        cleaned = clean(text)
        if cleaned.isupper():
            cleaned = lower(cleaned)  # shouting carries no spelling
        if not cleaned.strip():
            return NLUResult(text)
        today = self._clock()
        sentence = self._entities.prepare(cleaned, today)
        entities = self._entities.read(sentence, today)
        ranking = self._ranking(sentence)
        outside = dict(ranking).get(OUT_OF_SCOPE, 0.0) + max(0.0, 1.0 - sum(p for _, p in ranking)) if ranking else 0.0
        if self._unsure(ranking):
            ranking = ((FALLBACK_INTENT, float(self._settings.threshold or 0.0)), *ranking)
        return NLUResult(
            text=text,
            intents=ranking,
            entities=entities,
            sentiment=sentiment(cleaned),
            out_of_scope=round(outside, 4),
        )

    def responses(self, text: str) -> Mapping[str, Ranking]:
        """For each retrieval intent its responses (`faq/ask_name`) with P(response | intent), best first."""
        if self._encoder is None or self._intents is None or not self._intents.topics or not text.strip():
            return {}
        sentence = self._entities.prepare(clean(text), self._clock())
        embedding = self._encoder.encode([sentence.text])
        found: dict[str, Ranking] = {}
        for head in self._intents.topics:
            topics = self._intents.topic(head, embedding, sentence)
            intent = head.removeprefix(topic_head(""))
            ranked = sorted(topics.items(), key=lambda item: -item[1])
            found[intent] = tuple((f"{intent}/{topic}", round(p, 4)) for topic, p in ranked)
        return found

    def _ranking(self, sentence: Sentence) -> Ranking:
        if self._encoder is None or self._intents is None:
            return ()
        embedding = self._encoder.encode([sentence.text])
        row = softmax(self._intents.logits(embedding, [sentence]))[0]
        scores = dict(zip(self._intents.head.labels, row.tolist(), strict=True))
        taught = self._taught.get(spelling(sentence.text))
        if taught is not None:
            scores = {name: p * (1 - _TAUGHT) for name, p in scores.items()}
            scores[base_intent(taught)] = scores.get(base_intent(taught), 0.0) + _TAUGHT
        scores.pop(BACKGROUND, None)
        ranked = sorted(scores.items(), key=lambda item: -item[1])
        told = []
        for name, p in ranked:
            topics = self._intents.topic(topic_head(name), embedding, sentence)
            full = max(topics, key=lambda topic: topics[topic]) if topics else None
            known = taught if taught is not None and base_intent(taught) == name else None
            told.append((known or (f"{name}/{full}" if full else name), round(p, 4)))
        return tuple(told)

    def _unsure(self, ranking: Ranking) -> bool:
        """Rasa's rule: the best is below the threshold, or hardly above the second."""
        if self._settings.threshold is None or not ranking:
            return False
        close = len(ranking) > 1 and ranking[0][1] - ranking[1][1] < self._settings.ambiguity
        return ranking[0][1] < self._settings.threshold or close


def _unanimous(project: RasaProject) -> dict[str, str]:
    """Training sentence -> its intent, where all examples spelt so agree."""
    taught: dict[str, set[str]] = {}
    for example in project.nlu.examples:
        taught.setdefault(spelling(example.text), set()).add(example.intent)
    return {text: next(iter(intents)) for text, intents in taught.items() if len(intents) == 1}


def _from_shortcut(text: str, shortcut: Shortcut) -> NLUResult:
    entities = tuple(
        Entity(name, value, shortcut.start, shortcut.end, 1.0, "RegexMessageHandler")
        for name, value in shortcut.entities
    )
    return NLUResult(text=text, intents=((shortcut.intent, shortcut.confidence),), entities=entities)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        known = manifest["schema"] == SCHEMA
        if not isinstance(manifest["sha256"], dict) or not isinstance(manifest["kinds"], list) or "nlu" not in manifest:
            raise ValueError("an entry is missing")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NLUError(f"{folder / 'manifest.json'} can't be read ({error}); train the NLU first") from error
    if not known:
        raise NLUError(f"{folder} was trained by another version (schema {manifest['schema']}); train again")
    return manifest
