"""The simulated user's words: dialogue acts to a sentence, from the assistant's ``user_phrases.yml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memory.dialogue import DONTCARE, DialogueAct

_JOINTS = (", ", " and ", ", ", ". ")


class UserPhrases:
    """Sentences for user acts; ValueError names a phrase that the file lacks."""

    def __init__(self, phrases: Mapping[str, Any]) -> None:
        self._phrases = phrases

    def open_values(self, slot: str) -> tuple[str, ...]:
        """The normal forms that the file knows for an open slot."""
        values = self._phrases.get("values", {}).get(slot, {})
        return tuple(str(value) for value in values)

    def sentence(self, acts: Sequence[DialogueAct], rng: np.random.Generator) -> str:
        """One utterance that says all ``acts``; empty for none."""
        parts = [self.phrase(act, rng) for act in acts]
        text = parts[0] if parts else ""
        for part in parts[1:]:
            text += _JOINTS[int(rng.integers(len(_JOINTS)))] + part
        return text

    def phrase(self, act: DialogueAct, rng: np.random.Generator) -> str:
        """One act in words."""
        if act.type == "request":
            return self._pick(("request", act.slot), rng)
        if act.type in ("inform", "deny", "confirm") and act.value is not None:
            return self._valued(act, rng)
        return self._pick((act.type,), rng)

    def _valued(self, act: DialogueAct, rng: np.random.Generator) -> str:
        if act.value == DONTCARE:
            slot = act.slot or next(iter(self._phrases["inform_dontcare"]))
            return self._pick(("inform_dontcare", slot if act.slot else "any"), rng, fallback="it doesn't matter to me")
        fallback = "{value}" if act.slot == "name" else None
        text = self._pick((act.type, act.slot), rng, fallback=fallback)
        return text.replace("{value}", self._surface(act.slot or "", act.value or "", rng))

    def _surface(self, slot: str, value: str, rng: np.random.Generator) -> str:
        for table in ("values", "constraint_values"):
            forms = self._phrases.get(table, {}).get(slot, {})
            if isinstance(forms, Mapping) and value in forms:
                return str(forms[value][int(rng.integers(len(forms[value])))])
        return value

    def _pick(self, keys: Sequence[str | None], rng: np.random.Generator, fallback: str | None = None) -> str:
        found: Any = self._phrases
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        if not found:
            if fallback is not None:
                return fallback
            raise ValueError(f"user_phrases.yml has nothing to say for {'.'.join(str(k) for k in keys)}: add phrases")
        return str(found[int(rng.integers(len(found)))])
