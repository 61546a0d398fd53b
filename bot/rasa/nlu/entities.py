"""Entities of a Rasa project's messages: lookup tables, regular expressions, numbers and times, and the CRF tagger."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bot.nlu.duckling import find_readings
from bot.nlu.duckling_numbers import find_numbers
from bot.nlu.gazetteer import Gazetteer, Hit
from bot.nlu.slots import Sentence
from bot.nlu.tagger import Tagger
from bot.nlu.tokens import lower, tokenize
from bot.rasa.nlu.settings import NluSettings
from bot.rasa.project import NluData, NluEntity
from memory.dialogue import Entity

Kind = tuple[str, str | None, str | None]
"""An entity's name, role and group."""


def kind_of(entity: NluEntity) -> Kind:
    """What the tagger has to tell of an annotation."""
    return entity.entity, entity.role, entity.group


class EntityReader:
    """Finds the entities of messages; ``kinds`` are those that the tagger knows, in the order of its labels."""

    def __init__(
        self,
        nlu: NluData,
        settings: NluSettings,
        kinds: Sequence[Kind],
        tagger: Tagger | None,
        declared: Collection[str] = (),
    ) -> None:
        """``tagger`` None where no entity was annotated; ``declared`` are the domain's entities.

        Tables and expressions with other names than entities' are features only, as in Rasa.
        """
        self._names = {*declared, *(name for name, _, _ in kinds)}
        self._settings, self._kinds, self._tagger = settings, tuple(kinds), tagger
        self._synonyms = nlu.synonyms if settings.synonyms else {}
        tables = [(value, name, value) for name, values in nlu.lookups.items() for value in values]
        self._tables = Gazetteer(tables, lambda word: True)
        flags = re.NOFLAG if settings.case_sensitive else re.IGNORECASE
        self._regexes = [(name, re.compile(pattern, flags)) for name, all_ in nlu.regexes.items() for pattern in all_]

    def prepare(self, text: str, today: date) -> Sentence:
        """The words of a cleaned message and what tables, expressions and the grammar of numbers find in it."""
        hits = self._tables.exact(text)
        hits += [
            Hit(name, match[0], match.start(), match.end())
            for name, regex in self._regexes for match in regex.finditer(text) if match[0].strip()
        ]  # fmt: skip
        return Sentence(text, tokenize(text), hits, find_readings(text, today), None)

    def read(self, sentence: Sentence, today: date) -> tuple[Entity, ...]:
        """All entities, none overlapping another one's of the same name; synonyms are replaced by their values."""
        tagged = self._tagged(sentence)
        found = list(tagged)
        if self._settings.extract_known:
            known_hits = [hit for hit in sentence.hits if hit.entity in self._names]
            for hit in sorted(known_hits, key=lambda h: h.start - h.end):
                words = sentence.text[hit.start : hit.end]
                known = Entity(hit.entity, words, hit.start, hit.end, 1.0, "RegexEntityExtractor")
                if not any(_overlap(known, other) and (other.role or other.group) for other in found):
                    found = [other for other in found if not _overlap(known, other)] + [known]
        found = [self._mapped(sentence.text, entity) for entity in found]
        for entity in self._measures(sentence, today):
            if not any(e.name == entity.name and _overlap(e, entity) for e in found):
                found.append(entity)
        return tuple(sorted(found, key=lambda entity: (entity.start, entity.name)))

    def _tagged(self, sentence: Sentence) -> list[Entity]:
        if self._tagger is None or not sentence.tokens:
            return []
        entities = []
        for run in self._tagger.tag(sentence.rows()):
            name, role, group = self._kinds[int(run.entity)]
            start, end = sentence.tokens[run.first].start, sentence.tokens[run.last - 1].end
            words = sentence.text[start:end]
            entities.append(Entity(name, words, start, end, round(run.marginal, 4), "CRFEntityExtractor", role, group))
        return entities

    def _mapped(self, text: str, entity: Entity) -> Entity:
        value = self._synonyms.get(text[entity.start : entity.end].lower())
        if value is None:
            return entity
        return Entity(
            entity.name, value, entity.start, entity.end, entity.confidence, entity.source, entity.role, entity.group
        )

    def _measures(self, sentence: Sentence, today: date) -> list[Entity]:
        """Numbers and times as duckling tells them, in the dimensions that the pipeline asks for."""
        found = []
        if "number" in self._settings.dimensions:
            found += [("number", value, start, end) for start, end, value in find_numbers(lower(sentence.text))]
        if "time" in self._settings.dimensions:
            times = [reading for reading in sentence.readings if reading.kind == "time"]
            found += [("time", f"{today.isoformat()}T{r.value}:00", r.start, r.end) for r in times]
        return [Entity(name, value, start, end, 1.0, "DucklingEntityExtractor") for name, value, start, end in found]


def labels(sentence: Sentence, entities: Sequence[NluEntity], index: Mapping[Kind, int]) -> list[str]:
    """BIO labels of annotations, `B-3` for the entity kind at 3; a token belongs to the first one that covers it."""
    told = ["O"] * len(sentence.tokens)
    for entity in entities:
        inside = [i for i, t in enumerate(sentence.tokens) if t.start < entity.end and entity.start < t.end]
        for i in inside:
            if told[i] == "O":
                told[i] = f"{'B' if i == inside[0] else 'I'}-{index[kind_of(entity)]}"
    return told


def _overlap(a: Entity, b: Entity) -> bool:
    return a.start < b.end and b.start < a.end


@dataclass(frozen=True, slots=True)
class EntityScore:
    """How well entities are found: spans with name, role and group all right."""

    precision: float
    recall: float
    f1: float
    support: int


def score(found: Sequence[Sequence[Entity]], annotated: Sequence[Sequence[NluEntity]]) -> EntityScore:
    """Micro-averaged scores of ``found`` against ``annotated``, sentence by sentence; entities that no annotation
    names (numbers, for instance) are not counted."""
    names = {entity.entity for entities in annotated for entity in entities}
    hits = told = 0
    for entities, gold in zip(found, annotated, strict=True):
        own = {(e.name, e.role, e.group, e.start, e.end) for e in entities if e.name in names}
        right = {(*kind_of(e), e.start, e.end) for e in gold}
        hits += len(own & right)
        told += len(own)
    support = sum(len({(*kind_of(e), e.start, e.end) for e in gold}) for gold in annotated)
    precision, recall = hits / max(told, 1), hits / max(support, 1)
    f1 = 2 * hits / max(told + support, 1)
    return EntityScore(round(precision, 4), round(recall, 4), round(f1, 4), support)
