"""Known names in a text: exact ones by Aho-Corasick, misspelt ones by edit distance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import ahocorasick
from rapidfuzz import process
from rapidfuzz.distance import OSA

from bot.assistant import Assistant
from bot.nlu.tokens import Token, lower, tokenize

_MAX_TYPOS = 10
"""Unknown words looked up in one message."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A span that names ``value`` of ``entity``; ``score`` is 1 for exact hits, else the spelling's similarity."""

    entity: str
    value: str
    start: int
    end: int
    score: float = 1.0


class Gazetteer:
    """Surface forms of an assistant's values, attributes and entity names."""

    def __init__(
        self,
        surfaces: Iterable[tuple[str, str, str]],
        is_word: Callable[[str], bool],
        common: Iterable[str] = (),
    ) -> None:
        """``surfaces``: (surface, entity, value); words of ``is_word`` or in ``common`` are never taken for typos."""
        self._meanings: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for surface, entity, value in surfaces:
            key = lower(surface).strip()
            if key and (entity, value) not in self._meanings[key]:
                self._meanings[key].append((entity, value))
        self._automaton = ahocorasick.Automaton()
        for surface in self._meanings:
            self._automaton.add_word(surface, surface)
        self._automaton.make_automaton()
        self.is_word = is_word
        self._words = set(common) | {token.lower for surface in self._meanings for token in tokenize(surface)}
        self._by_words: dict[int, list[str]] = defaultdict(list)
        for surface in self._meanings:
            if len(surface) >= 4:
                self._by_words[len(tokenize(surface))].append(surface)

    def exact(self, text: str) -> list[Hit]:
        """Whole-word hits, the longest at each place; a surface with several meanings gives several hits."""
        lowered = lower(text)
        found = []
        for last, surface in self._automaton.iter(lowered) if self._meanings else ():
            start, end = last + 1 - len(surface), last + 1
            if not (_inside_word(lowered, start) or _inside_word(lowered, end)):
                found.append((start, end, surface))
        found.sort(key=lambda f: (f[0] - f[1], f[0]))
        kept: list[tuple[int, int, str]] = []
        for start, end, surface in found:
            if all(end <= s or start >= e for s, e, _ in kept):
                kept.append((start, end, surface))
        return [Hit(entity, value, s, e) for s, e, surface in sorted(kept) for entity, value in self._meanings[surface]]

    def typos(self, tokens: Sequence[Token], taken: Sequence[Hit]) -> list[Hit]:
        """Misspelt names around unknown words that no exact hit covers; near-ties give several hits per span."""
        unknown = [i for i, token in enumerate(tokens) if self._unknown(token) and not _covered(token, taken)]
        hits: list[Hit] = []
        for i in unknown[:_MAX_TYPOS]:
            best: list[Hit] = []
            for width in (3, 2, 1):
                for first in range(max(0, i - width + 1), min(i, len(tokens) - width) + 1):
                    span = tokens[first : first + width]
                    if not any(_covered(token, taken) for token in span):
                        best.extend(self._similar(" ".join(t.lower for t in span), span[0].start, span[-1].end, width))
            if best:
                top = max(hit.score for hit in best)
                hits.extend(hit for hit in best if hit.score > top - 0.06)
        return list(dict.fromkeys(hits))

    def similar(self, text: str, entity: str, cutoff: float = 0.75) -> list[Hit]:
        """Values of ``entity`` whose surface is spelt like the whole of ``text``, best first."""
        words = [surface for surface, pairs in self._meanings.items() if any(e == entity for e, _ in pairs)]
        close = process.extract(lower(text), words, scorer=OSA.normalized_similarity, score_cutoff=cutoff, limit=3)
        return [
            Hit(entity, value, 0, len(text), float(score))
            for surface, score, _ in close for e, value in self._meanings[surface] if e == entity
        ]  # fmt: skip

    def _unknown(self, token: Token) -> bool:
        word = token.lower
        return len(word) >= 3 and word.isalpha() and word not in self._words and not self.is_word(word)

    def _similar(self, words: str, start: int, end: int, width: int) -> list[Hit]:
        if len(words) < 3:
            return []
        edits = 1 if len(words) <= 5 else 2 if len(words) <= 10 else 3
        cutoff = max(0.65, 1 - edits / len(words) - 1e-6)
        close = process.extract(
            words, self._by_words[width], scorer=OSA.normalized_similarity, score_cutoff=cutoff, limit=4
        )
        return [
            Hit(entity, value, start, end, float(score))
            for surface, score, _ in close for entity, value in self._meanings[surface]
        ]  # fmt: skip


def _inside_word(text: str, cut: int) -> bool:
    """Whether ``cut`` splits a word."""
    return 0 < cut < len(text) and text[cut - 1].isalnum() and text[cut].isalnum()


def _covered(token: Token, hits: Sequence[Hit]) -> bool:
    return any(token.start < hit.end and hit.start < token.end for hit in hits)


def assistant_surfaces(assistant: Assistant) -> list[tuple[str, str, str]]:
    """(surface, entity, value) of everything the assistant can name: values, synonyms, entity names, examples."""
    ontology = assistant.ontology
    surfaces: list[tuple[str, str, str]] = []
    owners: dict[str, list[str]] = defaultdict(list)
    for slot, values in ontology.constraints.items():
        for value in values:
            owners[value].append(slot)
            surfaces.append((value, slot, value))
            if value.isalpha() and not value.endswith("s"):
                surfaces.append((f"{value}s", slot, value))
    for attribute in (*ontology.requestable, ontology.key):
        owners[attribute].append("attribute")
    for surface, value in sorted(assistant.synonyms.items()):
        surfaces.extend((surface, slot, value) for slot in owners.get(value, ()))
    for name in ontology.entity_names:
        plain = name.lower()
        forms = {plain, plain.removeprefix("the "), plain.replace("'", ""), plain.replace(" and ", " & ")}
        surfaces.extend((form, assistant.key_entity, name) for form in forms if len(form) > 2)
    return surfaces + _taught(assistant)


def common_words(assistant: Assistant, least: int = 2) -> list[str]:
    """Words that training sentences use ``least`` times outside annotations: known, though maybe in no dictionary."""
    counts: Counter[str] = Counter()
    for example in assistant.examples:
        for token in tokenize(example.text):
            if not any(token.start < e.end and e.start < token.end for e in example.entities):
                counts[token.lower] += 1
    return sorted(word for word, count in counts.items() if count >= least and word.isalpha())


def _taught(assistant: Assistant) -> list[tuple[str, str, str]]:
    """Surface forms that the training sentences annotate at least half of the times they occur."""
    closed = {*assistant.ontology.slots, "attribute"}
    marked: Counter[tuple[str, str, str]] = Counter()
    texts = [f" {' '.join(t.lower for t in tokenize(example.text))} " for example in assistant.examples]
    for example in assistant.examples:
        for entity in example.entities:
            if entity.name in closed:
                marked[example.text[entity.start : entity.end].lower(), entity.name, entity.value] += 1
    taught = []
    for (surface, slot, value), count in marked.items():
        padded = f" {' '.join(t.lower for t in tokenize(surface))} "
        if 2 * count >= sum(padded in text for text in texts):
            taught.append((surface, slot, value))
    return taught
