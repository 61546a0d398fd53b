"""From intents and entities to dialogue acts: the rules that say what several findings in one message mean together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from memory.dialogue import DONTCARE, DialogueAct, Entity, ScoredAct, SystemAct
from memory.ontology import Ontology

FLOW = (
    "hello", "bye", "thankyou", "ack", "affirm", "negate", "reqalts", "book", "cancel", "repeat", "restart", "help",
    "handoff", "complaint",
)  # fmt: skip
_LEAST = 0.08
_ANSWERS = ("affirm", "negate")
"""Acts that are told first or not at all: "please" at the end of a wish is no yes."""
_LIGHT = ("hello", "ack", "thankyou", "affirm", "negate")
_WEAK = ("reqalts", "help", "repeat")
"""Acts whose words also occur in ordinary wishes; a clause alone hardly tells them beside a value."""
_ASKING = ("request", "confirm", "select")
_MOVING_ON = ("request", "thankyou", "bye", "book")
_OPEN = ("people", "day", "time", "booking_name", "number")
_SURE_SEGMENT = 0.45
"""A clause tells an act of its own only when the classifier is this sure of it."""
SOCIAL = ("chitchat", "faq")
"""Intents that are told with a topic and are no part of the task."""
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

    ``whole`` classifies the message, ``clauses`` its parts (empty when it has one). ``topics`` holds P(topic | intent)
    of chitchat, faq and request (what is asked for, when no word names it). ``opener`` is an act told by its first
    words ("no I meant..."), ``refused`` the shifted out-of-scope probability (0.5 at the threshold).
    """

    whole: Clause
    clauses: Sequence[Clause]
    entities: Sequence[Entity]
    topics: Mapping[str, Mapping[str, float]]
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

        answered = _answer_to(previous, findings)
        social = {act: p * (1 - answered) for act, p in self._social(findings, previous).items()}
        refused = findings.refused * (1 - _task_evidence(findings)) * (1 - answered)
        findings = replace(findings, refused=refused)
        keep = 1.0 - max(findings.refused, min(1.0, sum(social.values())))
        for act, p in social.items():
            add(act, p * (1 - findings.refused))
        for entity in findings.entities:
            for act, p in self._entity_acts(entity, findings, previous):
                add(act, p * keep)
        for act, p in self._implied_requests(findings):
            add(act, p * keep)
        content = max((p for act, p in masses.items() if act.type not in ("faq", "chitchat")), default=0.0)
        for name, p in self._flow(findings, content).items():
            add(DialogueAct(name), p * keep if name not in ("hello", "bye", "thankyou") else p)
        self._add_answers(findings, previous, content, keep, masses, add)
        add(DialogueAct("out_of_scope"), findings.refused)
        scored = [ScoredAct(act, round(p, 4)) for act, p in masses.items() if p >= _LEAST]
        return sorted(scored, key=lambda s: -s.confidence)

    def _social(self, findings: Findings, previous: SystemAct | None) -> dict[DialogueAct, float]:
        """Chitchat and FAQ, unless the sentence is about a place: one is named, or under discussion and asked about."""
        named = max((e.confidence for e in findings.entities if e.name == self._venue), default=0.0)
        asked = max((e.confidence for e in findings.entities if e.name == "attribute"), default=0.0)
        about_venue = previous is not None and previous.kind in _AFTER_VENUE
        value = max((e.confidence for e in findings.entities if e.name in self._ontology.slot_index), default=0.0)
        found: dict[DialogueAct, float] = {}
        for kind in SOCIAL:
            p = findings.whole.intents.get(kind, 0.0)
            mass = p * (1.0 - max(named, asked if about_venue else 0.0, value * (1 - p)))
            for topic, p in findings.topics.get(kind, {}).items():
                if mass * p >= _LEAST:
                    found[DialogueAct(kind, topic)] = mass * p
        return found

    def _entity_acts(
        self, entity: Entity, findings: Findings, previous: SystemAct | None
    ) -> list[tuple[DialogueAct, float]]:
        p = entity.confidence
        if entity.name == "attribute":
            known = entity.value in self._ontology.request_index or entity.value == self._ontology.key
            return [(DialogueAct("request", entity.value), p)] if known else []
        if entity.name == self._venue:
            return [(DialogueAct("inform", self._ontology.key, entity.value), p)]
        if entity.name in self._ontology.open_index:
            kind = "deny" if entity.role == "denied" else "inform"
            return [(DialogueAct(kind, entity.name, entity.value), p)]
        if entity.name not in self._ontology.slot_index:
            return []
        if entity.role == "denied":
            return [(DialogueAct("deny", entity.name, entity.value), p)]
        if entity.value == DONTCARE:
            return [(DialogueAct("inform", entity.name, DONTCARE), p)]
        asking = _clause_of(entity, findings).intents.get("confirm", 0.0)
        if previous is not None and previous.kind in ("request", "select"):
            asking *= 0.3  # an answer is expected, and no place is under discussion
        return [
            (DialogueAct("inform", entity.name, entity.value), p * (1 - asking)),
            (DialogueAct("confirm", entity.name, entity.value), p * asking),
        ]

    def _implied_requests(self, findings: Findings) -> list[tuple[DialogueAct, float]]:
        """Requests read from the sentence as a whole ("could you tell me a bit about it").

        They count when no word names an attribute, and support the attribute that an uncertain word names.
        """
        words = {e.value for e in findings.entities if e.name == "attribute" and e.confidence >= 0.4}
        asking = max(
            [findings.whole.intents.get("request", 0.0), *(c.intents.get("request", 0.0) for c in findings.clauses)]
        )
        return [
            (DialogueAct("request", name), p * asking)
            for name, p in findings.topics.get("request", {}).items()
            if p * asking >= _LEAST and (not words or name in words)
        ]

    def _flow(self, findings: Findings, content: float) -> dict[str, float]:
        """Acts without a value; "ok" counts only when nothing else was said."""
        found: dict[str, float] = {}
        for name in FLOW:
            p = findings.whole.intents.get(name, 0.0)
            if name in _ANSWERS and len(findings.clauses) > 1:
                p *= 0.5
            for position, clause in enumerate(findings.clauses):
                if clause.best == name and clause.intents[name] >= _SURE_SEGMENT:
                    if name in _ANSWERS and any(c.best not in _LIGHT for c in findings.clauses[:position]):
                        continue
                    weight = 1 - 0.6 * content if name in _WEAK else 1.0
                    p = max(p, clause.intents[name] * weight)
            if findings.opener == name:
                p = max(p, 0.9)
            found[name] = p
        if not any(e.role == "denied" for e in findings.entities):
            found["negate"] = max(found["negate"], findings.whole.intents.get("deny", 0.0) * (1 - content))
        others = max([content, *(p for name, p in found.items() if name not in ("ack", "thankyou", "hello"))])
        found["ack"] *= 1 - others
        return {name: p for name, p in found.items() if p >= _LEAST}

    def _add_answers(
        self,
        findings: Findings,
        previous: SystemAct | None,
        content: float,
        keep: float,
        masses: Mapping[DialogueAct, float],
        add: Callable[[DialogueAct, float], None],
    ) -> None:
        """What a bare "I don't mind", "no" or a question means as the answer to ``previous``."""
        asked = previous.slot if previous is not None and previous.kind in _ASKING else None
        told = max((p for a, p in masses.items() if a.type in ("inform", "deny") and a.slot == asked), default=0.0)
        bare = self._bare_dontcare(findings, 0.5 * told if asked else content)
        if bare > 0:
            add(DialogueAct("inform", asked, DONTCARE), bare * keep)
        if asked is None or previous is None:
            return
        moving_on = max((p for a, p in masses.items() if a.type in _MOVING_ON), default=0.0)
        if previous.kind == "request" and bare < 0.5 and max(moving_on, content) < 0.5:
            add(DialogueAct("inform", asked, DONTCARE), 0.9 * masses.get(DialogueAct("negate"), 0.0) * (1 - told))
        against = max(told, masses.get(DialogueAct("negate"), 0.0), masses.get(DialogueAct("reqalts"), 0.0))
        if previous.kind == "confirm" and moving_on > 0.5 and against < 0.3:
            add(DialogueAct("affirm"), 0.6 * moving_on)

    def _bare_dontcare(self, findings: Findings, content: float) -> float:
        if any(e.value == DONTCARE for e in findings.entities):
            return 0.0
        weight = 1 - 0.7 * content
        p = findings.whole.intents.get("dontcare", 0.0) * weight
        for clause in findings.clauses:
            if clause.best == "dontcare" and clause.intents["dontcare"] >= _SURE_SEGMENT:
                p = max(p, clause.intents["dontcare"] * weight)
        return p


def _answer_to(previous: SystemAct | None, findings: Findings) -> float:
    """Probability that the sentence gives the open slot just asked for: "call me Ishmael" is a name then, no chat."""
    if previous is None or previous.kind != "request_open":
        return 0.0
    given = (e.confidence for e in findings.entities if e.name == previous.slot and e.role != "denied")
    return max(given, default=0.0)


def _task_evidence(findings: Findings) -> float:
    """How sure it is that the sentence is about the task: something recognised in a sentence that sounds like one."""
    found = max((e.confidence for e in findings.entities if e.name not in _OPEN), default=0.0)
    foreign = sum(p for intent, p in findings.whole.intents.items() if intent in (*SOCIAL, "out_of_scope"))
    return found * (1 - foreign)


def _clause_of(entity: Entity, findings: Findings) -> Clause:
    for clause in findings.clauses:
        if clause.start <= entity.start < clause.end:
            return clause
    return findings.whole
