"""Which sentences of a message are for the memory: statements to keep, questions about them, and "forget that".

A rule over the sentence's form. It leans towards the task: a sentence is for the memory only when its form says so and
nothing in it belongs to the assistant's subject (its slot values, wishes, bookings, the word "you").

    "remember that ..."                      -> statement        explicit cue, always
    "forget what I told you"                 -> forget           explicit cue, always
    "did I tell you ...", "what did I say"   -> question         explicit cue, always
    wh-question, mostly of known words       -> question         never about "it", "you" or the assistant's subject
    "where is my ...", after a statement     -> question         as above
    "<I/my x/Priya> <verb of the world> ..." -> statement        never a wish
    "then she took it ..."                   -> statement        only after another one
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

KNOWN_SHARE = 0.5
"""A question without a cue goes to the memory when at least this share of its content words was mentioned before."""

Kind = Literal["statement", "question", "forget", "task"]


class RecalledAnswer(Protocol):
    """An answer of the memory; ``text`` None means "I don't know", ``supporting`` is most relevant first."""

    @property
    def text(self) -> str | None:
        """The answer in a few words."""

    @property
    def supporting(self) -> tuple[str, ...]:
        """Statements it rests on, verbatim."""


class StatementMemory(Protocol):
    """What the bot needs of a memory: statements, oldest first, are its only state."""

    def ask(self, statements: tuple[str, ...], question: str) -> RecalledAnswer:
        """The answer to ``question``."""

    def knows(self, statements: tuple[str, ...], sentence: str) -> float:
        """Share of the sentence's content words that were mentioned in ``statements``, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message, sorted: ``rest`` is what remains for the task, in its own words."""

    statements: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    forget: bool = False
    rest: str = ""

    @property
    def for_memory(self) -> bool:
        """Whether anything was for the memory."""
        return bool(self.statements or self.questions or self.forget)


_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)|\n+")
_POLITE = r"^(?:(?:please|and|but|so|oh|ok|okay|well|also|by the way|btw)[,\s]+)*(?:can you |could you )?(?:please )?"
_KEEP = re.compile(
    _POLITE + r"(?:remember|note|keep in mind|bear in mind|don't forget|do not forget)"
    r"\s*(?:this|that|:)?[:,]?\s+(?P<what>.+)$",
    re.IGNORECASE,
)  # fmt: skip
_FORGET = re.compile(
    _POLITE + r"(?:forget|delete|erase|clear)\s+(?:everything|all|what|whatever|your memory)\b"
    r"(?=.*\b(?:told|about|memory|know|remember)\b)",
    re.IGNORECASE,
)  # fmt: skip
_ASK = re.compile(
    r"\b(?:did|have) i (?:ever )?(?:tell|told|say|said|mention|mentioned|leave|left|put|hide|lose|park)\b"
    r"|\bdo you (?:remember|recall) (?!that|this)"
    r"|\bwhat do you (?:know|remember) about (?:me|my)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(_POLITE + r"(?:where|when|who|whose|whom|what|which|how many|is|was|did|does)\b", re.IGNORECASE)
_ABOUT_BOT = re.compile(r"\b(?:you|your|yours|you're|it|its|it's|they|their|there)\b", re.IGNORECASE)
_WISH = re.compile(
    r"\b(?:want|wants|wanted|need|needs|wish|would|'d|prefer|fancy|craving|looking|searching|find|show|book|booking|"
    r"reserve|reservation|table|tables|restaurant|restaurants|place|somewhere|anywhere|something|anything|food|venue|"
    r"cuisine|price|prices|menu|phone|address|postcode|hungry|starving|stomach|booked|cancel|recommend|suggest|"
    r"fine|ok|okay|perfect|sounds|good|great|too|enough|better|one|ones|name is|name's|surname|"
    r"reference|people|persons|guests|don't care|don't mind|told|asked|mean|meant|said)\b",
    re.IGNORECASE,
)
_PAST = (
    r"left|put|went|took|gave|met|bought|lost|found|kept|hid|got|had|saw|ate|drove|flew|sold|broke|sent|brought|"
    r"moved|parked|dropped|picked|handed|passed|placed|packed|travelled|lent|stored|locked|visited|journeyed|"
    r"forgot|grew up|married|finished|started"
)
_STANDING = r"live|lives|work|works|own|owns|has|keep|keeps|study|studies|play|plays|sleeps|teaches|drives|speaks"
_OTHERS = rf"is|are|was|were|'s|{_PAST}|{_STANDING}|likes|loves|hates|will|flies|arrives|leaves|said|told"
_MINE = re.compile(
    rf"^(?:i|we)\s+(?:(?:have|just|also|already|always|never|still)\s+)*(?:{_PAST}|{_STANDING})\s+\S+"
    r"|^(?:i|we)(?:'ll| will|'m going to| am going to) "
    r"(?:be (?:in|at|with|away|back|home)|fly|travel|meet|stay|visit|move)\b"
    r"|^i(?:'m| am) (?:allergic|vegetarian|vegan|coeliac|diabetic|from|born|a|an|married|flying|travelling|staying)\b"
    r"|^(?:i|we)(?:'m|'re| am| are) (?:in|at) .*\b(?:on|until|from|tomorrow|tonight|next)\b",
    re.IGNORECASE,
)
_ABOUT_MINE = re.compile(rf"^(?:my|our)\s+(?:[\w'-]+\s+){{1,4}}?(?:{_OTHERS})\b", re.IGNORECASE)
_ABOUT_OTHER = re.compile(
    rf"^(?:[A-Z][\w-]+(?: and [A-Z][\w-]+)?|[Tt]he [\w-]+(?: [\w-]+)?|[Hh]e|[Ss]he)(?: |(?='s ))(?:{_OTHERS})\s+\S+"
)
_OF_MINE = re.compile(r"\b(?:my|our|i|we)\b", re.IGNORECASE)
_CONTINUED = re.compile(
    r"^(?:(?:then|later|afterwards|after that|and|also|next)[,\s]+)*(?:i|we|he|she|they)\s+"
    rf"(?:then\s+|later\s+)?(?:{_PAST})\s+\S+",
    re.IGNORECASE,
)
_PREFERENCE = re.compile(r"(?:i|we)\b", re.IGNORECASE)
_NOT_NAMES = frozenset(
    {"it", "that", "this", "there", "let", "what", "which", "where", "these", "those", "here", "yes", "no"}
)


class SentenceSorter:
    """Sorts the sentences of a message by what they are for.

    ``subject`` are the words of the assistant's own subject (its slot values), ``names`` those of its entities, as they
    are written: a sentence with one of them is the task's unless an explicit cue says otherwise.
    """

    def __init__(self, subject: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        words = sorted({re.escape(value.lower()) for value in subject if value}, key=len, reverse=True)
        self._subject = re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE) if words else None
        named = [re.escape(name) for name in sorted(names, key=len, reverse=True)]
        self._named = re.compile(rf"\b(?:{'|'.join(named)})\b") if named else None

    def kind(self, sentence: str, known_share: float = 0.0, *, follows: bool = False) -> tuple[Kind, str]:
        """What one sentence is for, and the statement or question in it without its cue.

        ``follows``: something is remembered already, which "it" and "she" can refer to.
        """
        text = sentence.strip().replace("\u2019", "'")
        if text.startswith("/"):  # a button's shortcut
            return "task", text
        if _FORGET.search(text):
            return "forget", text
        if _ASK.search(text):
            return "question", text
        kept = _KEEP.match(text)
        if kept is not None and not text.endswith("?"):
            return "statement", kept["what"].strip()
        if follows and _CONTINUED.match(text) and not text.endswith("?") and not self._of_subject(text):
            return "statement", text
        if self._of_task(text):
            return "task", text
        if _QUESTION.match(text) or text.endswith("?"):
            of_mine = follows and _OF_MINE.search(text) is not None
            asks = _QUESTION.match(text) is not None and (of_mine or known_share >= KNOWN_SHARE)
            return ("question" if asks else "task"), text
        return ("statement" if self._states(text) else "task"), text

    def sort(self, text: str, memory: StatementMemory, remembered: tuple[str, ...]) -> Heard:
        """Sort a message; each sentence sees what the sentences before it stated."""
        statements: list[str] = []
        questions: list[str] = []
        rest: list[str] = []
        forget = False
        for sentence in filter(None, (part.strip() for part in _SENTENCE.split(text))):
            share = memory.knows((*remembered, *statements), sentence) if _QUESTION.match(sentence) else 0.0
            match self.kind(sentence, share, follows=bool(remembered or statements)):
                case "statement", said:
                    statements.append(said)
                    if _PREFERENCE.match(said) and self._subject is not None and self._subject.search(said):
                        rest.append(said)  # "remember that I'm vegetarian" is also a wish
                case "question", asked:
                    questions.append(asked)
                case "forget", _:
                    forget, statements = True, []
                case _:
                    rest.append(sentence)
        return Heard(tuple(statements), tuple(questions), forget, " ".join(rest))

    def _of_task(self, text: str) -> bool:
        return _ABOUT_BOT.search(text) is not None or self._of_subject(text)

    def _of_subject(self, text: str) -> bool:
        if _WISH.search(text):
            return True
        return any(words is not None and words.search(text) is not None for words in (self._subject, self._named))

    def _states(self, text: str) -> bool:
        text = re.sub(_POLITE, "", text, flags=re.IGNORECASE)
        if text.split(" ", 1)[0].lower().removesuffix("'s") in _NOT_NAMES:
            return False
        return any(form.match(text) for form in (_MINE, _ABOUT_MINE, _ABOUT_OTHER))
