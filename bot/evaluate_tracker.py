"""How well an assistant's NLU and belief tracker follow recorded dialogues (WOZ 2.0)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.assistant import Assistant
from bot.nlu.pipeline import NLU
from memory.belief import BeliefState, observe_system, observe_user, top_values
from memory.dialogue import DONTCARE, DialogueAct, NLUResult, ScoredAct, SystemAct
from memory.ontology import Ontology
from memory.turn import OpenValues, evidence_from_acts, system_turn
from simulator.corpora.woz2 import CorpusError, WozTurn, read_woz2

_ACCEPT = 0.5


@dataclass(frozen=True, slots=True)
class TrackedTurn:
    """One turn of the corpus with what the bot believed after it and how long it took to get there."""

    dialogue: int
    turn: WozTurn
    goal: dict[str, str]
    requests: frozenset[str]
    milliseconds: float
    acts: tuple[str, ...]


def evaluate_tracker(corpus_path: Path | str, model_dir: Path | str, assistant: Assistant) -> dict[str, Any]:
    """Joint goal accuracy, slot accuracy and request F1 of the assistant on a WOZ 2.0 file, with latency.

    A turn's joint goal is right when every slot of the corpus has exactly the annotated value: believed with more
    than 0.5, ``dontcare`` included, and nothing where nothing was said. Requests are compared turn by turn.
    Raises CorpusError for a file that does not parse, NLUError for a missing or unfitting model.
    """
    nlu = NLU.load(model_dir, assistant)
    turns = list(track(corpus_path, nlu, assistant.ontology))
    if not turns:
        raise CorpusError(f"{corpus_path}: the corpus holds no turns")
    slots = sorted({slot for t in turns for slot in t.turn.goal})
    slot_right = [t.goal.get(slot) == t.turn.goal.get(slot) for t in turns for slot in slots]
    joint = [all(t.goal.get(slot) == t.turn.goal.get(slot) for slot in slots) for t in turns]
    hits = sum(len(t.requests & t.turn.requests) for t in turns)
    told, gold = sum(len(t.requests) for t in turns), sum(len(t.turn.requests) for t in turns)
    times = [t.milliseconds for t in turns]
    return {
        "turns": len(turns),
        "joint_goal_accuracy": round(float(np.mean(joint)), 4),
        "slot_accuracy": round(float(np.mean(slot_right)), 4),
        "request_f1": round(2 * hits / max(1, told + gold), 4),
        "p50_ms": round(float(np.percentile(times, 50)), 3),
        "p95_ms": round(float(np.percentile(times, 95)), 3),
    }


def track(corpus_path: Path | str, nlu: NLU, ontology: Ontology) -> Iterator[TrackedTurn]:
    """Every user turn of a WOZ 2.0 file, run through ``nlu`` and the belief update."""
    for dialogue in read_woz2(corpus_path):
        state = BeliefState.initial(ontology)
        heard: OpenValues = tuple(() for _ in ontology.open_slots)
        for turn in dialogue.turns:
            started = time.perf_counter()
            act = _system_act(turn, ontology)
            state, heard, requests, acts = _step(nlu, ontology, state, heard, turn, act)
            elapsed = 1e3 * (time.perf_counter() - started)
            yield TrackedTurn(dialogue.number, turn, _goal(ontology, state), requests, elapsed, acts)


def _step(
    nlu: NLU, ontology: Ontology, state: BeliefState, heard: OpenValues, turn: WozTurn, act: SystemAct
) -> tuple[BeliefState, OpenValues, frozenset[str], tuple[str, ...]]:
    result = nlu.parse(turn.transcript, act)
    acts = [*result.acts, *_for_all_asked(result, turn, act, ontology)]
    state = observe_system(ontology, state, system_turn(ontology, act))
    evidence, heard = evidence_from_acts(ontology, acts, heard)
    state = observe_user(ontology, state, evidence)
    asked = {s.act.slot for s in acts if s.act.type == "request" and s.confidence > _ACCEPT and s.act.slot}
    return state, heard, frozenset(asked), tuple(f"{s.act} {s.confidence:.2f}" for s in acts)


def _for_all_asked(result: NLUResult, turn: WozTurn, act: SystemAct, ontology: Ontology) -> list[ScoredAct]:
    """A bare "I don't mind" after a question about several slots answers all of them; our own bot asks one."""
    if any(entity.value == DONTCARE for entity in result.entities):
        return []
    told = {s.act.slot for s in result.acts if s.act.type == "inform"}
    bare = [s.confidence for s in result.acts if s.act == DialogueAct("inform", act.slot, DONTCARE)]
    others = [slot for slot in turn.asked if slot in ontology.slot_index and slot not in told]
    return [ScoredAct(DialogueAct("inform", slot, DONTCARE), p) for p in bare for slot in others]


def _system_act(turn: WozTurn, ontology: Ontology) -> SystemAct:
    """The recorded system act that an answer refers to: what it proposed, else what it asked first."""
    for slot, value in turn.proposed:
        if (slot, value) in ontology.value_index:
            return SystemAct("confirm", slot, value)
    for slot in turn.asked:
        if slot in ontology.slot_index:
            return SystemAct("request", slot)
    return SystemAct("none")


def _goal(ontology: Ontology, state: BeliefState) -> dict[str, str]:
    index, belief = top_values(ontology, state)
    pairs = zip(ontology.slots, index[0], belief[0], strict=True)
    return {slot: ontology.values[v][1] for slot, v, p in pairs if p > _ACCEPT}
