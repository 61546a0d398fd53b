"""An NLU's errors on recorded dialogues: the error model of the people one expects rather than of the examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bot.assistant import HeldOut
from bot.nlu.measure import error_model
from bot.nlu.pipeline import NLU
from memory.dialogue import DialogueAct, NLUResult, ScoredAct, SystemAct
from memory.ontology import Ontology
from simulator.corpora.dialogues import NAME, CorpusDialogue, CorpusError, CorpusTurn

Progress = Callable[[int, int], None]


def corpus_error_model(
    nlu: NLU, ontology: Ontology, dialogues: Sequence[CorpusDialogue], progress: Progress = lambda done, total: None
) -> dict[str, Any]:
    """Run every user turn through ``nlu`` and count its errors (``bot.nlu.measure.error_model``).

    Judged are informs of slots and values that ``ontology`` has and requests of attributes that it has: what the
    corpora annotate. A turn with a value the assistant does not know says nothing about that slot. CorpusError when
    nothing remains.
    """
    pairs: list[tuple[HeldOut, NLUResult]] = []
    for done, dialogue in enumerate(dialogues, start=1):
        for turn in dialogue.turns:
            if turn.user_text.strip():
                pairs.append(_pair(nlu, ontology, turn))
        progress(done, len(dialogues))
    if not any(sentence.acts for sentence, _ in pairs):
        raise CorpusError("no turn informs or asks for anything that the assistant knows: nothing can be measured")
    return error_model(pairs)


def _pair(nlu: NLU, ontology: Ontology, turn: CorpusTurn) -> tuple[HeldOut, NLUResult]:
    after = _after(turn.system, ontology)
    result = nlu.parse(turn.user_text, after)
    strange = {
        act.slot
        for act in turn.user
        if act.type == "inform"
        and act.slot in ontology.slot_index
        and (act.slot, act.value) not in ontology.value_index
    }
    gold = tuple(act for act in turn.user if _judged(act, ontology, strange))
    told = tuple(scored for scored in _resolved(result.acts, after) if _judged(scored.act, ontology, strange))
    return HeldOut(turn.user_text, gold, after, line=0), NLUResult(result.text, told)


def _judged(act: DialogueAct, ontology: Ontology, strange: set[str]) -> bool:
    if act.type == "inform":
        return act.slot not in strange and (act.slot, act.value) in ontology.value_index
    return act.type == "request" and act.slot in ontology.request_index


def _resolved(acts: Iterable[ScoredAct], after: SystemAct | None) -> Iterable[ScoredAct]:
    """Acts with a bare "I don't mind" referred to the slot asked about, as the corpora annotate it."""
    for scored in acts:
        bare = scored.act.type == "inform" and scored.act.slot is None
        if bare and after is not None and after.kind == "request":
            yield ScoredAct(DialogueAct("inform", after.slot, scored.act.value), scored.confidence)
        elif not bare:
            yield scored


def _after(acts: Sequence[DialogueAct], ontology: Ontology) -> SystemAct | None:
    """The system act an answer refers to: what was proposed, else asked, else offered."""
    for act in acts:
        if act.type == "confirm" and (act.slot, act.value) in ontology.value_index:
            return SystemAct("confirm", act.slot, act.value)
    for act in acts:
        if act.type == "request" and act.slot in ontology.slot_index:
            return SystemAct("request", act.slot)
    for act in acts:
        if act.type == "offer":
            return SystemAct("offer", entity=act.value if act.slot == NAME else None)
    return None
