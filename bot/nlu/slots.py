"""From a message to entities with calibrated confidences: known names, readings and the CRF brought together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from bot.nlu.duckling import Reading, find_readings
from bot.nlu.gazetteer import Gazetteer, Hit
from bot.nlu.phrases import (
    DontcarePatterns,
    conditional_from,
    is_denied,
    is_indifferent,
    names_own_slot,
    names_someone,
)
from bot.nlu.tagger import Tagged, Tagger, features
from bot.nlu.tokens import Token, lower, tokenize
from memory.dialogue import DONTCARE, Entity

DUCKLING_KINDS = ("people", "time", "day")
NAME_SLOT = "booking_name"
_MINIMUM = 0.08
"""Entities less probable than this are not worth telling."""
_NAME_LEAD = re.compile(
    r"^(?:(?:it'?s|its|it is|that'?s|that would be|under|in|the|my|name|names|name's|is|i'?m|i am|this is|call me|"
    r"put it|put|down|as|for|please|just|use|book it|make it|with|sure|yes|ok|okay|hi|mr|mrs|ms|miss|dr|of|a|"
    r"reservation|booking|would be|will be|by)[\s,.:]+)*",
    re.IGNORECASE,
)
_NAME_TAIL = re.compile(
    r"(?:[\s,.!]+(?:please|thanks|thank you|pls|plz|will do|is fine|cheers))*[\s,.!?]*$", re.IGNORECASE
)
_NO_NAME = frozenset(
    ("yes", "no", "nope", "yeah", "yep", "ok", "okay", "what", "why", "who", "when", "where", "how", "hello", "hi",
     "thanks", "thank", "you", "cancel", "stop", "help", "restart", "repeat", "sorry", "never", "mind", "nothing",
     "none", "don't", "dont", "not", "know", "want", "table", "book", "a", "the", "please", "again", "anything",
     "whatever", "it", "that", "back", "change", "forget", "wait", "hold", "hang")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible entity before calibration; ``numbers`` are the calibrator's features."""

    entity: Entity
    numbers: tuple[float, ...]
    similarity: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """A cleaned message with everything the rules found in it."""

    text: str
    tokens: list[Token]
    hits: list[Hit]
    readings: list[Reading]
    requested: str | None

    def rows(self) -> list[list[str]]:
        """CRF features."""
        return features(self.tokens, self.hits, self.readings, self.requested)


class SlotReader:
    """Reads entities out of messages."""

    def __init__(self, gazetteer: Gazetteer, dontcare: DontcarePatterns, closed: Sequence[str], venue: str) -> None:
        """``closed`` entities take only known values (constraint slots, attribute); ``venue`` names table rows."""
        self.gazetteer, self._dontcare = gazetteer, dontcare
        self._closed, self._venue = frozenset(closed), venue

    def prepare(self, text: str, today: date, requested: str | None = None) -> Sentence:
        """Everything found by rules in a cleaned ``text``."""
        tokens = tokenize(text)
        exact = self.gazetteer.exact(text)
        hits = exact + self._dontcare.find(lower(text)) + self.gazetteer.typos(tokens, exact)
        return Sentence(text, tokens, hits, find_readings(text, today, requested), requested)

    def candidates(self, sentence: Sentence, tagger: Tagger, today: date) -> list[Candidate]:
        """Possible entities of a sentence with the calibrator's features."""
        runs = tagger.tag(sentence.rows())
        found: dict[tuple[str, str, int, int], tuple[float, bool]] = {}
        for hit in sentence.hits:
            key = (hit.entity, hit.value, hit.start, hit.end)
            found[key] = (max(hit.score, found.get(key, (0.0, False))[0]), False)
        for reading in sentence.readings:
            if reading.kind in DUCKLING_KINDS and _wanted(reading, sentence):
                found[reading.kind, reading.value, reading.start, reading.end] = (1.0, True)
        for run in runs:
            for entity, value, start, end, score in self._resolve(sentence, run, list(found), today):
                found.setdefault((entity, value, start, end), (score, False))
        name = _asked_name(sentence)
        if name is not None and not any(key[0] == NAME_SLOT for key in found):
            found[NAME_SLOT, _title(name[0]), name[1], name[2]] = (0.5, False)
        return [self._candidate(sentence, tagger, runs, *item) for item in found.items()]

    def _resolve(
        self, sentence: Sentence, run: Tagged, found: Sequence[tuple[str, str, int, int]], today: date
    ) -> list[tuple[str, str, int, int, float]]:
        """Values of a CRF run that no rule has found at that place already."""
        start, end = sentence.tokens[run.first].start, sentence.tokens[run.last - 1].end
        if run.role == DONTCARE:
            return [(run.entity, DONTCARE, start, end, 1.0)]
        if any(name == run.entity and s < end and start < e for name, _, s, e in found):
            return []
        words = sentence.text[start:end]
        if run.entity in self._closed or run.entity == self._venue:
            hits = self.gazetteer.similar(words, run.entity)[:2]
            return [(run.entity, hit.value, start, end, hit.score) for hit in hits]
        if run.entity in DUCKLING_KINDS:
            readings = [r for r in find_readings(words, today, run.entity) if r.kind == run.entity]
            return [(run.entity, r.value, start, end, 0.9) for r in readings[:1]]
        return [(run.entity, _title(words), start, end, 0.9)]

    def _candidate(
        self,
        sentence: Sentence,
        tagger: Tagger,
        runs: Sequence[Tagged],
        key: tuple[str, str, int, int],
        origin: tuple[float, bool],
    ) -> Candidate:
        name, value, start, end = key
        score, duckling = origin
        inside = [i for i, t in enumerate(sentence.tokens) if t.start < end and start < t.end]
        first, last = (inside[0], inside[-1] + 1) if inside else (0, 0)
        marginal = tagger.marginal(name, first, last)
        denied = tagger.marginal(name, first, last, "denied")
        dontcare = tagger.marginal(name, first, last, DONTCARE)
        rivals = len({(h.entity, h.value) for h in sentence.hits if h.start < end and start < h.end} - {(name, value)})
        role = "denied" if denied > 0.5 * max(marginal, 1e-6) else None
        covers = any(r.first < last and first < r.last and r.entity == name for r in runs)
        other = any(r.first < last and first < r.last and r.entity != name for r in runs)
        wrong_kind = dontcare if value != DONTCARE else marginal - dontcare
        numbers = (
            _logit(marginal), float(score >= 1.0), score, float(duckling), float(sentence.requested == name),
            float(min(rivals, 3)), float(covers), float(other), _logit(1 - wrong_kind), float(value == DONTCARE),
            float(name in self._closed), float(name == "attribute"), float(name == self._venue),
            float(name == NAME_SLOT), min(end - start, 12) / 12,
        )  # fmt: skip
        source = "duckling" if duckling else "gazetteer" if score >= 1.0 else "crf" if covers else "typo"
        return Candidate(Entity(name, value, start, end, 1.0, source, role), numbers, score)

    def decide(self, sentence: Sentence, candidates: Sequence[Candidate], confidences: Sequence[float]) -> list[Entity]:
        """Resolve overlaps: the most probable wins; readings of the same span of one entity share its probability."""
        confidences = [self._believed(sentence, c.entity, p) for c, p in zip(candidates, confidences, strict=True)]
        ranked = sorted(zip(candidates, confidences, strict=True), key=lambda c: (-c[1], c[0].entity.start))
        groups: list[list[tuple[Candidate, float]]] = []
        for candidate, confidence in ranked:
            entity = candidate.entity
            clash = [g for g in groups if entity.start < g[0][0].entity.end and g[0][0].entity.start < entity.end]
            if not clash:
                groups.append([(candidate, confidence)])
            elif len(clash) == 1 and _alternative(candidate, clash[0][0][0]):
                clash[0].append((candidate, confidence))
        entities = [entity for group in groups for entity in _shares(group) if entity.confidence >= _MINIMUM]
        return sorted(_in_context(sentence.text, entities), key=lambda e: (e.start, -e.confidence))

    def _believed(self, sentence: Sentence, entity: Entity, p: float) -> float:
        """Correct a calibrated confidence by what the words around a span rule in or out."""
        if entity.value == DONTCARE and not is_indifferent(sentence.text, entity):
            return 0.1 * p
        if entity.name == NAME_SLOT and sentence.requested != NAME_SLOT and not names_someone(sentence.text, entity):
            return 0.2 * p
        if entity.name == "day" and entity.source == "duckling" and entity.end - entity.start >= 5:
            return max(p, 0.9)  # a day spelt out is a day, annotated or not
        if entity.name == self._venue and entity.source == "gazetteer":
            words = lower(sentence.text[entity.start : entity.end])
            if " " in words or not self.gazetteer.is_word(words):
                return max(p, 0.9)  # a name of several words, or of no common word, means its bearer
        return p


def _in_context(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """Roles by negation; attribute words that only complete a value go; values under a condition hardly count."""
    condition = conditional_from(text)
    kept = []
    for entity in entities:
        if entity.name == "attribute" and names_own_slot(text, entity, entities):
            continue
        denied = is_denied(text, entity, entity.role == "denied") and entity.value != DONTCARE
        earlier = any(e.name == entity.name and e.start < condition <= entity.start for e in entities)
        p = 0.2 * entity.confidence if earlier and entity.name != "attribute" else entity.confidence
        kept.append(replace(entity, role="denied" if denied else None, confidence=p))
    return kept


def _wanted(reading: Reading, sentence: Sentence) -> bool:
    """A lone number answers only what was asked; anything longer speaks for itself."""
    return not reading.bare or sentence.requested == reading.kind


def _asked_name(sentence: Sentence) -> tuple[str, int, int] | None:
    """What is left of the answer to "under which name?" without "it's", "please"...; None when it is no name."""
    if sentence.requested != NAME_SLOT:
        return None
    lead, tail = _NAME_LEAD.match(sentence.text), _NAME_TAIL.search(sentence.text)
    start = lead.end() if lead else 0
    end = tail.start() if tail else len(sentence.text)
    words = sentence.text[start:end]
    parts = [t.lower for t in tokenize(words)]
    if not 1 <= len(parts) <= 4 or any(p in _NO_NAME or not p[0].isalpha() for p in parts if p not in "-.'"):
        return None
    return words, start, end


def _title(words: str) -> str:
    """A name as it is written: "o'brien" -> "O'Brien", capitals that the user chose stay."""
    if words != words.lower():
        return words
    return re.sub(r"(?:^|(?<=[\s'-]))\w", lambda m: m[0].upper(), words)


def _alternative(candidate: Candidate, best: Candidate) -> bool:
    a, b = candidate.entity, best.entity
    return (a.name, a.start, a.end) == (b.name, b.start, b.end) and a.value != b.value and candidate.similarity < 1.0


def _shares(group: Sequence[tuple[Candidate, float]]) -> list[Entity]:
    """Spelling alternatives divide the group's probability by how near they are (softmax, 0.04 apart = e times)."""
    top = group[0][1]
    if len(group) == 1:
        return [replace(group[0][0].entity, confidence=top)]
    weights = np.exp(np.array([candidate.similarity for candidate, _ in group]) / 0.04 - 25)
    shares = top * weights / weights.sum()
    return [replace(c.entity, confidence=float(p)) for (c, _), p in zip(group, shares, strict=True)]


def _logit(p: float) -> float:
    p = min(max(p, 1e-3), 1 - 1e-3)
    return float(np.log(p / (1 - p)))
