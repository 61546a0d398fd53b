"""Rasa's message shortcut: ``/inform{"food": "thai"}`` says an intent and its entities without going through NLU."""

from __future__ import annotations

import json
import re
from typing import Any

from memory.dialogue import USER_ACT_TYPES, DialogueAct, Entity, NLUResult, ScoredAct
from memory.ontology import Ontology

_SHORTCUT = re.compile(r"^/(?P<intent>[a-z_]+(?:/[a-z_0-9]+)?)\s*(?P<entities>\{.*\})?\s*$", re.DOTALL)


def parse_shortcut(text: str, ontology: Ontology) -> NLUResult | None:
    """The NLU result of a shortcut; None when ``text`` is none (an unknown intent is plain text, as in Rasa)."""
    match = _SHORTCUT.match(text)
    if match is None:
        return None
    intent, _, topic = match["intent"].partition("/")
    if intent not in (*USER_ACT_TYPES, "dontcare", "change"):
        return None
    try:
        entities = json.loads(match["entities"] or "{}")
    except (json.JSONDecodeError, RecursionError):
        return None
    if not isinstance(entities, dict):
        return None
    acts = list(_acts(intent, topic, entities, ontology))
    found = tuple(Entity(str(k), str(v), 0, len(text), 1.0, "shortcut") for k, v in entities.items())
    return NLUResult(text, tuple(ScoredAct(act, 1.0) for act in acts), ((intent, 1.0),), found)


def _acts(intent: str, topic: str, entities: dict[str, Any], ontology: Ontology) -> list[DialogueAct]:
    acts = []
    if intent == "dontcare":
        acts.append(DialogueAct("inform", None, "dontcare"))
    elif intent in ("faq", "chitchat"):
        acts.append(DialogueAct(intent, topic or None))
    elif intent not in ("inform", "change", "request", "deny", "confirm"):
        acts.append(DialogueAct(intent))
    for name, value in entities.items():
        if name == "attribute":
            acts.append(DialogueAct("request", str(value)))
            continue
        slot = ontology.key if name == "venue" else name
        known = (slot, str(value)) in ontology.value_index or slot in (*ontology.open_slots, ontology.key)
        if known:
            acts.append(DialogueAct(intent if intent in ("deny", "confirm") else "inform", slot, str(value)))
    return acts
