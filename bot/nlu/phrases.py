"""Word patterns around values: negation, indifference, conditions. What a value means depends on them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from bot.assistant import Example
from bot.nlu.gazetteer import Hit
from bot.nlu.tokens import lower, segments, tokenize
from memory.dialogue import DONTCARE, Entity

_NEGATION = re.compile(
    r"\b(?:not|no|non|don'?t|dont|doesn'?t|didn'?t|isn'?t|wasn'?t|never|without|except|but|hate|can'?t|cannot|avoid|"
    r"neither|nor|nothing|instead of|rather than|other than|too|sick of|tired of|dislike|wrong|scared|had|less|"
    r"overrated|enough of|allergic|skip|drop)\b"
)
_JUST_BEFORE = re.compile(
    r"(?<!why )\b(?:not(?: really| necessarily)?"
    r"(?: wanting| in the mood for| interested in| keen on| a fan of| into| after)?|"
    r"anything but|everything but|except(?: for)?|neither|rather than|instead of|other than)"
    r"(?: (?:in|on|at|the|a|an|any|for|to))*\s*$"
)
_CONDITION = re.compile(
    r"\b(?:if (?:not|nothing|there|that|you|they|none|it|unavailable|no)|otherwise|or else|failing that|"
    r"(?:would|could|i'd|will) settle for|willing to|second choice|as a backup|as an alternative|plan b)\b"
)
_NAME_CUE = re.compile(
    r"\b(?:names?|name's|under|called|call me|i am|i'm|im|this is|it's|for|mr|mrs|ms|miss|dr|surname|family|booking|"
    r"reservation|book|reserve|behalf|put)\b"
)
_INDIFFERENT = re.compile(
    r"\b(?:any\w*|every\w*|all|whatever|wherever|whichever|care|mind|matter\w*|fuss\w*|prefer\w*|bother\w*|issue|"
    r"object|open|flexible|surprise|either|important|irrelevant|limit|concern\w*|problem|picky|don'?t|dont|doesn'?t|"
    r"doesnt|no|not|up to you|you choose|you pick|throughout|whole|entire|difference)\b"
)
_FILLERS = frozenset(
    ("the", "a", "an", "of", "in", "on", "for", "about", "to", "at", "is", "are", "any", "all", "no", "not", "my",
     "our", "your", "what", "which", "where", "we", "i", "it", "and", "or", "please")
)  # fmt: skip


def indifference(examples: Iterable[Example], nouns: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Per slot the nouns that name it ("price range"): known ones, and words only its dontcare spans use."""
    users: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        for entity in example.entities:
            if entity.value == DONTCARE:
                for token in tokenize(example.text[entity.start : entity.end]):
                    if token.lower.isalpha() and len(token.lower) >= 4 and not _INDIFFERENT.fullmatch(token.lower):
                        users[token.lower][entity.name] += 1
    found: dict[str, list[str]] = defaultdict(list)
    for surface, slot in nouns:
        found[slot].append(lower(surface))
    for word, slots in sorted(users.items()):
        if len(slots) == 1 and sum(slots.values()) >= 2:
            found[next(iter(slots))].append(word)
    return {slot: sorted(set(words)) for slot, words in found.items()}


class DontcarePatterns:
    """ "any price range", "don't care about the area", "the atmosphere doesn't matter"."""

    def __init__(self, nouns: dict[str, list[str]]) -> None:
        """``nouns``: slot -> the words for it."""
        self._patterns = [(slot, _patterns(words)) for slot, words in nouns.items() if words]

    def find(self, text: str) -> list[Hit]:
        """Hits with the value dontcare in lower-case ``text``."""
        return [
            Hit(slot, DONTCARE, match.start(), match.end())
            for slot, pattern in self._patterns
            for match in pattern.finditer(text)
        ]


def _patterns(words: Sequence[str]) -> re.Pattern[str]:
    noun = "(?:" + "|".join(sorted((re.escape(w) for w in words), key=len, reverse=True)) + ")s?"
    kind = r"(?:(?:kind|type|sort|style|old|random|specific|particular|special)s? )?(?:of )?"
    negated = r"(?:don'?t|do not|dont|doesn'?t) (?:really |much |particularly )?(?:care|mind|matter|bother)"
    unimportant = r"(?:matter|important|an? (?:factor|issue|problem|concern)|issue|problem|object|difference|factor)"
    verb = r"(?:(?:does|do|is|are|should|would)(?:n'?t| not)|doesnt|isnt|makes no|is no)"
    preference = r"(?:no|any|don'?t have an?y?|do not have an?y?) (?:specific |particular |strong )?preferences?"
    return re.compile(
        rf"\b(?:(?:in |at |for |with )?(?:any|whatever|whichever|all) {kind}{noun}\b(?! (?:number|of (?:them|the)))"
        rf"|(?:no|without(?: a| any)?) (?:specific |particular |special )?{noun} (?:preference|restriction|limit)s?"
        rf"|{preference} (?:on|for|about|regarding|as to|of|in|to) (?:the |which |what )?{kind}{noun}"
        rf"|{negated}(?: about| for| what| which| where| how)*(?: the| its)? {kind}{noun}"
        rf"|(?:the )?{noun} (?:really |just |also )?{verb} ?(?:be |really |that )?{unimportant}"
        rf"|(?:the )?{noun} (?:is|can be) (?:irrelevant|unimportant|open|flexible|anything|up to you))"
    )


def is_denied(text: str, entity: Entity, learned: bool) -> bool:
    """Whether a value is rejected: right after "not"..., or as ``learned`` if its clause holds a negation at all."""
    lowered = lower(text)
    start, end = _clause(text, entity)
    if _JUST_BEFORE.search(lowered[start : entity.start]):
        return True
    return learned and bool(_NEGATION.search(lowered[start:end]))


def is_indifferent(text: str, entity: Entity) -> bool:
    """Whether the clause of a dontcare entity holds any word of indifference."""
    start, end = _clause(text, entity)
    return bool(_INDIFFERENT.search(lower(text)[start:end]))


def names_someone(text: str, entity: Entity) -> bool:
    """Whether a word before a personal name introduces it ("under", "my name is", "book ... for")."""
    return bool(_NAME_CUE.search(lower(text)[max(0, entity.start - 30) : entity.start]))


def conditional_from(text: str) -> int:
    """Where the first condition ("if not, ...") begins; the length of the text when there is none."""
    match = _CONDITION.search(lower(text))
    return match.start() if match else len(text)


def names_own_slot(text: str, attribute: Entity, entities: Sequence[Entity]) -> bool:
    """Whether an attribute word only completes a value of the same slot: "north side of town", "cheap price range"."""
    for value in entities:
        if value.name == attribute.value and value.value != attribute.value:
            left, right = sorted((value, attribute), key=lambda e: e.start)
            gap = lower(text)[left.end : right.start].split()
            if left.end <= right.start and len(gap) <= 1 and all(word in _FILLERS | {"in"} for word in gap):
                return True
            if left.end > right.start:
                return True
    return False


def _clause(text: str, entity: Entity) -> tuple[int, int]:
    for start, end in segments(text, limit=40):
        if start <= entity.start < end:
            return start, max(end, entity.end)
    return 0, len(text)
