"""From intents and entities to dialogue acts: the rules that say what several findings in one message mean together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memory.dialogue import DONTCARE, DialogueAct, Entity, ScoredAct, SystemAct
from memory.ontology import Ontology

FLOW = (
    "hello", "bye", "thankyou", "ack", "affirm", "negate", "reqalts", "book", "cancel", "repeat", "restart", "help",
    "handoff", "complaint",
)  # fmt: skip
_LEAST = 0.08
_SURE_SEGMENT = 0.45
"""A clause tells an act of its own only when the classifier is this sure of it."""
_SOCIAL = ("chitchat/", "faq/")
_AFTER_VENUE = ("offer", "alternative", "answer", "confirm_booking", "booked")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the message (offsets) with its intent probabilities."""

    start: int
    end: int
    intents: Mapping[str, float]

    @property
    def best(self) -> str:
        """The most probable intent."""
        return max(self.intents, key=lambda intent: self.intents[intent])


@dataclass(frozen=True, slots=True)
class Findings:
    """All that is known about one message before its acts are told.

    ``whole`` classifies the message, ``clauses`` its parts (empty when it has one), ``opener`` is an act told by
    its first words ("no I meant..."), ``refused`` the shifted out-of-scope probability (0.5 at the threshold).
    """

    whole: Clause
    clauses: Sequence[Clause]
    entities: Sequence[Entity]
    opener: str | None
    refused: float


class ActReader:
    """Tells the dialogue acts of one assistant's users."""

    def __init__(self, ontology: Ontology, venue: str) -> None:
        """``venue`` is the entity that names rows of the table."""
        self._ontology, self._venue = ontology, venue

    def acts(self, findings: Findings, previous: SystemAct | None) -> list[ScoredAct]:
        """The acts with their probabilities, most probable first."""
        masses: dict[DialogueAct, float] = {}

        def add(act: DialogueAct, p: float) -> None:
            masses[act] = 1 - (1 - masses.get(act, 0.0)) * (1 - min(max(p, 0.0), 1.0))

        social = self._social(findings, previous)
        keep = 1.0 - max(findings.refused, sum(social.values()))
        for act, p in social.items():
            add(act, p * (1 - findings.refused))
        for entity in findings.entities:
            for act, p in self._entity_acts(entity, findings):
                add(act, p * keep)
        content = max((p for act, p in masses.items() if act.type not in ("faq", "chitchat")), default=0.0)
        for name, p in self._flow(findings, content).items():
            add(DialogueAct(name), p * keep if name not in ("hello", "bye", "thankyou") else p)
        bare = self._bare_dontcare(findings, content)
        if bare > 0:
            slot = previous.slot if previous and previous.kind in ("request", "confirm", "select") else None
            add(DialogueAct("inform", slot, DONTCARE), bare * keep)
        add(DialogueAct("out_of_scope"), findings.refused)
        scored = [ScoredAct(act, round(p, 4)) for act, p in masses.items() if p >= _LEAST]
        return sorted(scored, key=lambda s: -s.confidence)

    def _social(self, findings: Findings, previous: SystemAct | None) -> dict[DialogueAct, float]:
        """Chitchat and FAQ, unless the sentence is about a place: one is named, or under discussion and asked about."""
        named = max((e.confidence for e in findings.entities if e.name == self._venue), default=0.0)
        asked = max((e.confidence for e in findings.entities if e.name == "attribute"), default=0.0)
        about_venue = previous is not None and previous.kind in _AFTER_VENUE
        weight = 1.0 - max(named, asked if about_venue else 0.0)
        found: dict[DialogueAct, float] = {}
        for intent, p in findings.whole.intents.items():
            if p * weight >= _LEAST and intent.startswith(_SOCIAL):
                kind, _, topic = intent.partition("/")
                found[DialogueAct(kind, topic)] = p * weight
        return found

    def _entity_acts(self, entity: Entity, findings: Findings) -> list[tuple[DialogueAct, float]]:
        p = entity.confidence
        if entity.name == "attribute":
            known = entity.value in self._ontology.request_index or entity.value == self._ontology.key
            return [(DialogueAct("request", entity.value), p)] if known else []
        if entity.name == self._venue:
            return [(DialogueAct("inform", self._ontology.key, entity.value), p)]
        if entity.name in self._ontology.open_index:
            return [(DialogueAct("inform", entity.name, entity.value), p)]
        if entity.name not in self._ontology.slot_index:
            return []
        if entity.role == "denied":
            return [(DialogueAct("deny", entity.name, entity.value), p)]
        if entity.value == DONTCARE:
            return [(DialogueAct("inform", entity.name, DONTCARE), p)]
        asking = _clause_of(entity, findings).intents.get("confirm", 0.0)
        return [
            (DialogueAct("inform", entity.name, entity.value), p * (1 - asking)),
            (DialogueAct("confirm", entity.name, entity.value), p * asking),
        ]

    def _flow(self, findings: Findings, content: float) -> dict[str, float]:
        """Acts without a value; "ok" counts only when nothing else was said."""
        found: dict[str, float] = {}
        denied = any(e.role == "denied" for e in findings.entities)
        for name in FLOW:
            p = findings.whole.intents.get(name, 0.0)
            for clause in findings.clauses:
                if clause.best == name and clause.intents[name] >= _SURE_SEGMENT:
                    p = max(p, clause.intents[name])
            if findings.opener == name:
                p = max(p, 0.9)
            found[name] = p
        if not denied:
            found["negate"] = max(found["negate"], findings.whole.intents.get("deny", 0.0) * (1 - content))
        others = max([content, *(p for name, p in found.items() if name not in ("ack", "thankyou", "hello"))])
        found["ack"] *= 1 - others
        return {name: p for name, p in found.items() if p >= _LEAST}

    def _bare_dontcare(self, findings: Findings, content: float) -> float:
        if any(e.value == DONTCARE for e in findings.entities):
            return 0.0
        p = findings.whole.intents.get("dontcare", 0.0) * (1 - 0.5 * content)
        for clause in findings.clauses:
            if clause.best == "dontcare" and clause.intents["dontcare"] >= _SURE_SEGMENT:
                p = max(p, clause.intents["dontcare"])
        return p


def _clause_of(entity: Entity, findings: Findings) -> Clause:
    for clause in findings.clauses:
        if clause.start <= entity.start < clause.end:
            return clause
    return findings.whole
