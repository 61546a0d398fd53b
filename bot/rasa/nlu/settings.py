"""What a project's pipeline asks of its NLU, as far as Rejoinder's own NLU honours it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.rasa.project import NluData
from bot.rasa.reading.settings import DUCKLING_DIMENSIONS

THRESHOLD, AMBIGUITY = 0.3, 0.1
"""FallbackClassifier's own defaults."""


@dataclass(frozen=True, slots=True)
class NluSettings:
    """Settings of FallbackClassifier (None: there is none), RegexEntityExtractor, EntitySynonymMapper, duckling."""

    threshold: float | None = THRESHOLD
    ambiguity: float = AMBIGUITY
    extract_known: bool = False
    """Whether what tables and regular expressions find is an entity, not only a hint."""
    case_sensitive: bool = False
    synonyms: bool = True
    dimensions: tuple[str, ...] = ()

    @classmethod
    def of(cls, pipeline: Sequence[Mapping[str, Any]]) -> NluSettings:
        """Of config.yml's entries; an empty pipeline is Rasa's default one. ValueError for a setting of wrong type."""
        if not pipeline:
            return cls()
        entries = {str(entry["name"]).rsplit(".", maxsplit=1)[-1]: entry for entry in pipeline}
        fallback, known = entries.get("FallbackClassifier"), entries.get("RegexEntityExtractor")
        duckling = entries.get("DucklingEntityExtractor") or entries.get("DucklingHTTPExtractor")
        wanted = (duckling.get("dimensions") or DUCKLING_DIMENSIONS) if duckling is not None else ()
        return cls(
            threshold=None if fallback is None else _number(fallback, "threshold", THRESHOLD),
            ambiguity=AMBIGUITY if fallback is None else _number(fallback, "ambiguity_threshold", AMBIGUITY),
            extract_known=known is not None,
            case_sensitive=known is not None and bool(known.get("case_sensitive", False)),
            synonyms="EntitySynonymMapper" in entries,
            dimensions=tuple(name for name in DUCKLING_DIMENSIONS if name in wanted),
        )


def _number(entry: Mapping[str, Any], key: str, default: float) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"config.yml: {entry['name']}: {key!r} is {value!r}; write a number from 0 to 1")
    return float(value)


def nlu_fingerprint(nlu: NluData) -> str:
    """SHA-256 of all training sentences, synonyms, tables and expressions."""
    return hashlib.sha256(json.dumps(asdict(nlu), sort_keys=True).encode()).hexdigest()
