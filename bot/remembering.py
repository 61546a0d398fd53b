"""Which sentences of a message are for the memory: statements to keep, questions about them, what to forget.

Each sentence is sorted by its form (``bot.sentences``), after what it says about lasting preferences
(``bot.preferences``) and what it asks to forget or to list (``bot.topics``) is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bot.clauses import asks_on, clauses, plain
from bot.preferences import PreferenceListener
from bot.sentences import Kind, SentenceSorter, has_cue, is_question
from bot.topics import POLITE, content_words, forgets_what_was_said, forgetting, listing, mentioning, with_references

__all__ = ["Heard", "Known", "RecalledAnswer", "SentenceSorter", "StatementMemory", "sort_message"]

LONGEST = 400
"""Characters of a sentence that is looked at; a longer one is the task's."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)|\n+")
_TIME = re.compile(
    r"\d|\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|tonight|tomorrow|noon|midday|o'clock|one|two|three|four|"
    r"five|six|seven|eight|nine|ten|eleven|twelve)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"i(?: \w+){1,2}\W*$|(?:sorry|oh|oops|well|damn|hey|hi|hello)\W*$", re.IGNORECASE)
"""A clause that says nothing to be kept and asks for nothing: "I lied, my keys are in the car"."""
_ASKS_PREFERENCE = re.compile(POLITE + r"(?:am i|did i|have i|do you)\b", re.IGNORECASE)


class RecalledAnswer(Protocol):
    """An answer of the memory; ``text`` None means "I don't know", ``supporting`` is most relevant first."""

    @property
    def text(self) -> str | None:
        """The answer in a few words."""

    @property
    def confidence(self) -> float:
        """The chance the memory gives its answer, 0 to 1."""

    @property
    def supporting(self) -> tuple[str, ...]:
        """Statements it rests on, verbatim."""

    @property
    def weights(self) -> tuple[float, ...]:
        """How much each of ``supporting`` was read."""


class StatementMemory(Protocol):
    """What the bot needs of a memory: statements, oldest first, are its only state."""

    def ask(self, statements: tuple[str, ...], question: str) -> RecalledAnswer:
        """The answer to ``question``."""

    def knows(self, statements: tuple[str, ...], sentence: str) -> float:
        """Share of the sentence's content words that were mentioned in ``statements``, 0 to 1."""

    def forget(self, statements: tuple[str, ...]) -> None:
        """Keep nothing that was derived from ``statements``: some or all of them were forgotten."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message, sorted: ``rest`` is what remains for the task, in its own words.

    ``doubtful`` is what was taken from the task without an explicit cue, ``shared`` that and the rest. ``forget`` is
    all, ``forgotten`` single statements, ``unmentioned`` topics to forget or to list of which nothing was said;
    ``listed`` are topics to list, "" for all. The last three are names of preferences.
    """

    statements: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    forget: bool = False
    forgotten: tuple[str, ...] = ()
    unmentioned: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    rest: str = ""
    doubtful: str = ""
    shared: str = ""
    stated: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def for_memory(self) -> bool:
        """Whether anything was for the memory."""
        return self != Heard(rest=self.rest, shared=self.shared)


@dataclass(frozen=True, slots=True)
class Known:
    """What a conversation remembers: statements, oldest first, how many the last message added, preferences held."""

    statements: tuple[str, ...] = ()
    noted: int = 0
    preferences: tuple[str, ...] = ()


def sort_message(
    text: str,
    sorter: SentenceSorter,
    listener: PreferenceListener,
    memory: StatementMemory | None,
    known: Known,
) -> Heard:
    """Sort a message; each sentence sees what the sentences before it stated. Without a memory only preferences."""
    sorting = _Sorting(sorter, listener, memory, known)
    for sentence in filter(None, (part.strip() for part in _SENTENCE.split(text))):
        sorting.take(sentence)
    return sorting.heard()


class _Sorting:
    """One message being sorted, sentence by sentence."""

    def __init__(
        self, by: SentenceSorter, listener: PreferenceListener, memory: StatementMemory | None, known: Known
    ) -> None:
        self.by, self.listener, self.memory, self.known = by, listener, memory, known
        self.remembered = list(known.statements)
        self.held = known.preferences
        self.fresh = 0  # how many of them this message stated
        self.forget = False
        self.doubtful: list[str] = []
        self.shared: list[str] = []
        self.in_shared = False  # the sentence at hand
        self.found: dict[str, list[str]] = {
            name: []
            for name in (
                "statements", "questions", "forgotten", "unmentioned", "listed", "rest", "stated", "withdrawn", "asked",
            )
        }  # fmt: skip

    def heard(self) -> Heard:
        found = {name: tuple(dict.fromkeys(texts)) for name, texts in self.found.items()}
        return Heard(
            statements=found["statements"],
            questions=found["questions"],
            forget=self.forget,
            forgotten=found["forgotten"],
            unmentioned=found["unmentioned"],
            listed=found["listed"],
            rest=" ".join(self.found["rest"]),
            doubtful=" ".join(self.doubtful),
            shared=" ".join(self.shared),
            stated=found["stated"],
            withdrawn=found["withdrawn"],
            asked=found["asked"],
        )

    def take(self, sentence: str) -> None:
        self.in_shared = False
        if sentence.startswith("/") or len(sentence) > LONGEST:  # a button's shortcut
            self._rest(sentence)
            return
        asked = self.listener.asked(sentence) if _ASKS_PREFERENCE.match(sentence) else ()
        if asked:
            self.found["asked"].extend(asked)
            return
        preferences = self.listener.hear(sentence, self.held)
        self._prefers(preferences.stated, holds=True)
        self._prefers(preferences.withdrawn, holds=False)
        if preferences.stated and not has_cue(sentence):
            self._doubt(sentence)
        if not preferences.rest:
            return
        if self.memory is None or not (self._forgets(preferences.rest) or self._lists(preferences.rest)):
            self._other(preferences.rest)

    def _forgets(self, sentence: str) -> bool:
        wanted = forgetting(plain(sentence))
        something = bool(self.remembered or self.held)
        if something and forgets_what_was_said(plain(sentence)):
            self._clear()
            self._rest(sentence)  # "start again" to the task
            return True
        if wanted is None:
            return False
        if wanted.scope == "all":
            self._clear()
            return True
        if wanted.scope == "latest":
            count = self.fresh or self.known.noted
            return self._drop(self.remembered[-count:]) if count else False
        return self._forgets_about(wanted.topic, certain=wanted.scope == "about")

    def _forgets_about(self, topic: str, *, certain: bool) -> bool:
        topic = topic if content_words(topic) else "that"
        found = mentioning(self.remembered, topic)
        withdrawn = [name for name in self.held if name in content_words(topic)]
        self._prefers(withdrawn, holds=False)
        if found:
            self._drop(with_references(self.remembered, found))
        elif not withdrawn and (not certain or self.by.of_subject(topic)):
            return False
        elif not withdrawn:
            self.found["unmentioned"].append(topic)
        return True

    def _lists(self, sentence: str) -> bool:
        wanted = listing(plain(sentence))
        if wanted is None:
            return False
        topic = wanted.topic if wanted.scope == "all" or content_words(wanted.topic) else "that"
        found = wanted.scope == "all" or mentioning(self.remembered, topic)
        if not found and self.by.of_subject(topic):
            return False
        self.found["listed" if found else "unmentioned"].append(topic)
        return True

    def _other(self, sentence: str) -> None:
        """One sentence, or each clause of it where all of them are for the memory or plainly for the task."""
        if self.memory is None:
            self._rest(sentence)
            return
        text = plain(sentence)
        parts = self._clauses(text)
        if len(parts) < 2:
            kind, said = self._kind(text)
            asks = kind == "statement" and not has_cue(text) and asks_on(text)
            self._keep(sentence, "task" if asks else kind, said)
            return
        for kind, said, part in parts:
            if kind != "task":
                self._keep(sentence, kind, said, whole=part)
        task = [part for kind, _, part in parts if kind == "task" and not _ASIDE.match(part)]
        if task:  # all of it where a time was told: "I'm meeting Tom at seven, book a table"
            timed = any(_TIME.search(part) for kind, _, part in parts if kind != "task")
            self._rest(sentence if timed else " ".join(task))

    def _kind(self, text: str, fresh: int = 0) -> tuple[Kind, str]:
        assert self.memory is not None
        share = self.memory.knows(tuple(self.remembered), text) if is_question(text) else 0.0
        continues = bool(self.fresh or self.known.noted or fresh)
        return self.by.kind(text, share, follows=bool(self.remembered or fresh), continues=continues)

    def _clauses(self, text: str) -> list[tuple[Kind, str, str]]:
        """Kind, what is kept, and words of each clause; none where the sentence is to be taken as a whole."""
        found: list[tuple[Kind, str, str]] = []
        start: int | None = None
        for begin, end in clauses(text):
            start = begin if start is None else start
            part = text[start:end]
            kind, said = self._kind(part, fresh=sum(kind == "statement" for kind, _, _ in found))
            states = self.by.states(said)
            unclear = (states or not self.by.is_wish(part)) and not _ASIDE.match(part)
            if (kind == "task" and unclear) or (kind == "statement" and not states):
                continue  # "Tom" of "Tom and Anna went to the market": with what follows
            found.append((kind, said, part))
            start = None
        whole = start is not None or all(kind == "task" for kind, _, _ in found)
        return [] if whole else found

    def _keep(self, sentence: str, kind: Kind, said: str, whole: str = "") -> None:
        """What was said in ``sentence`` or in a clause, ``whole``, of it."""
        match kind:
            case "statement":
                self.found["statements"].append(said)
                self.remembered.append(said)
                self.fresh += 1
                if self.by.is_preference(said):
                    self._rest(said)
                elif not has_cue(whole or sentence):
                    self._doubt(sentence)
            case "question":
                self.found["questions"].append(said)
                if not has_cue(said):
                    self._doubt(sentence)
            case _:
                self._rest(sentence)

    def _prefers(self, names: Iterable[str], *, holds: bool) -> None:
        """The last word of a message counts: "I'm vegan. No, I'm not vegan"."""
        now, before = ("stated", "withdrawn") if holds else ("withdrawn", "stated")
        for name in names:
            self.found[now].append(name)
            self.found[before] = [other for other in self.found[before] if other != name]
            self.held = (*(other for other in self.held if other != name), *([name] if holds else []))

    def _rest(self, sentence: str) -> None:
        self.found["rest"].append(sentence)
        self._share(sentence)

    def _doubt(self, sentence: str) -> None:
        self.doubtful.append(sentence)
        self._share(sentence)

    def _share(self, sentence: str) -> None:
        if not self.in_shared:  # a whole sentence is there before what is left of it
            self.shared.append(sentence)
        self.in_shared = True

    def _drop(self, texts: Iterable[str]) -> bool:
        gone = set(texts)
        self.found["forgotten"].extend(text for text in self.remembered if text in gone)
        self.found["statements"] = [text for text in self.found["statements"] if text not in gone]
        self.remembered = [text for text in self.remembered if text not in gone]
        self.fresh = len(self.found["statements"])
        return True

    def _clear(self) -> None:
        self.forget, self.remembered, self.held, self.fresh = True, [], (), 0
        for name in ("statements", "forgotten", "stated", "withdrawn"):
            self.found[name] = []
