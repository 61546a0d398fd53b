"""Conversations about where the user will be, when and with whom, what is when, and what was moved (family 22)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from memory.dnc.babi import Story
from memory.dnc.stories.speech import Talk, filled
from memory.dnc.stories.vocabulary import MEN, PLACES, WOMEN

APPOINTMENTS = 22
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_OTHER_DAYS = ("tomorrow", "tonight", "May", "June", "July", "March", "October", "Easter")
HOURS = ("nine", "ten", "eleven", "noon", "seven", "eight", "9:30", "14:15", "midnight", "half past ten")
EVENTS = (
    "concert", "wedding", "flight", "exam", "interview", "rehearsal", "haircut", "party", "picnic",
    "funeral", "match", "check-up", "dentist", "piano lesson", "team lunch", "board review", "court hearing", "recital",
    "barbecue", "train", "ferry", "sister's birthday", "mother's birthday", "meeting", "dentist appointment",
)  # fmt: skip
_KNOWN = ("tomorrow", "tonight", "meeting", "dentist appointment")
ENTITIES = tuple(word for word in (*DAYS, *_OTHER_DAYS, *HOURS, *EVENTS) if word not in _KNOWN)
"""What these conversations name besides people and places; "tomorrow" and "meeting" are words with a meaning."""
_VISIT = (
    "I will be at the {p} {on}.", "{On} I will be at the {p}.", "I have an appointment at the {p} {on}.",
    "{On} I am at the {p}.", "I am going to the {p} {on}.", "{On} I have to go to the {p}.",
    "I will be in the {p} {on}.",
    "My appointment at the {p} is {on}.",
)  # fmt: skip
_MEETING = (
    "{On} I am meeting {n} at the {p}.", "I am meeting {n} at the {p} {on}.", "I will meet {n} at the {p} {on}.",
    "{On} I will see {n} at the {p}.", "{n} and I meet at the {p} {on}.", "I have to meet {n} {on} at the {p}.",
)  # fmt: skip
_DATE = (
    "I am meeting {n} {on}.", "I will see {n} {on}.", "{On} I will meet {n}.", "{n} is coming {on}.",
    "{n} arrives {on}.",
    "I am visiting {n} {on}.", "{On}, {n} and I meet.",
)  # fmt: skip
_EVENT = (
    "The {e} is {on}.", "My {e} is {on}.", "I have a {e} {on}.", "The {e} starts {on}.", "Our {e} leaves {on}.",
    "The {e} will be {on}.", "{On} there is a {e}.", "{On} I have my {e}.", "Our {e} is {on}.",
)  # fmt: skip
_TIMED_EVENT = (
    "The {e} is {on} at {t}.", "My {e} is {on} at {t}.", "The {e} is at {t} {on}.", "Our {e} leaves {on} at {t}.",
    "I have a {e} {on} at {t}.", "The {e} starts at {t} {on}.",
)  # fmt: skip
_MOVED = {
    "visit": ("My appointment at the {p} moved to {d}.", "The appointment at the {p} was moved to {d}.",
              "I will be at the {p} {on} instead.", "I am going to the {p} {on} now.", "The {p} is {on} instead."),
    "meeting": ("I am meeting {n} {on} instead.", "The meeting with {n} moved to {d}.", "I will meet {n} {on} now.",
                "{n} can only meet me {on}."),
    "date": ("I am meeting {n} {on} instead.", "The meeting with {n} moved to {d}.", "{n} is coming {on} now."),
    "event": ("The {e} moved to {d}.", "The {e} has been moved to {d}.", "My {e} is {on} now.",
              "They moved the {e} to {d}.",
              "Actually the {e} is {on}.", "The {e} was postponed to {d}."),
}  # fmt: skip
_NO = (
    "No, it moved to {d}.", "No, it is {on}.", "Actually it is {on}.", "Sorry, it is {on}.", "Wait, it moved to {d}.",
    "It moved to {d}.", "It was moved to {d}.", "No, I mean {on}.", "Actually, it was moved to {d}.", "It is {on} now.",
)  # fmt: skip
_WHERE = (
    "Where will I be {on}?", "Where did I say I would be {on}?", "Where am I going {on}?", "Where am I {on}?",
    "Where do I have to go {on}?", "What is the place of my appointment {on}?", "Where did I say I'd be {on}?",
    "Where do I need to be {on}?",
)  # fmt: skip
_WHO = (
    "Who am I meeting {on}?", "Who will I meet {on}?", "Who do I meet {on}?", "Who did I say I meet {on}?",
    "Who will I see {on}?", "Who do I see {on}?",
)  # fmt: skip
_WHEN = {
    "visit": ("When am I at the {p}?", "When will I be at the {p}?", "On which day am I at the {p}?",
              "When do I go to the {p}?", "What day did I say I would be at the {p}?",
              "When is my appointment at the {p}?"),
    "meeting": ("When am I meeting {n}?", "When will I meet {n}?", "On which day do I meet {n}?",
                "What day will I see {n}?", "When did I say I would meet {n}?"),
    "date": ("When am I meeting {n}?", "When will I see {n}?", "On which day do I meet {n}?", "When does {n} arrive?",
             "When is {n} coming?", "When do I see {n}?"),
    "event": ("When is the {e}?", "When is my {e}?", "On which day is the {e}?", "What day is my {e}?",
              "When did I say the {e} is?", "When does the {e} start?", "When does our {e} leave?",
              "Which day is the {e}?"),
}  # fmt: skip
_BEFORE = (
    "When was the {e} before?", "When was my {e} before that?", "When was the {e} at first?",
    "When was the {e} originally?",
)  # fmt: skip
_WHAT = ("What is {on}?", "What do I have {on}?", "What is happening {on}?", "What did I say is {on}?")
_HOUR = ("What time is the {e}?", "At what time is my {e}?", "What time does the {e} start?", "What time is my {e}?")
_WHETHER = {
    "visit": ("Am I at the {p} {on}?", "Will I be at the {p} {on}?", "Do I go to the {p} {on}?"),
    "meeting": ("Am I meeting {n} {on}?", "Do I meet {n} {on}?", "Will I see {n} {on}?"),
    "date": ("Am I meeting {n} {on}?", "Is {n} coming {on}?", "Will I see {n} {on}?"),
    "event": ("Is the {e} {on}?", "Is my {e} {on}?", "Did I say the {e} is {on}?"),
}  # fmt: skip


@dataclass
class Entry:
    """One line of the diary: what it is called, its day, where it was said first and where its day was said."""

    kind: str
    words: dict[str, str]
    day: str
    told: int
    dated: tuple[int, ...]
    days: list[tuple[tuple[int, ...], str]]
    timed: bool = False


class Diary:
    """What was said of a week: every day holds at most one entry."""

    def __init__(self, talk: Talk) -> None:
        draw = talk.draw
        self.talk = talk
        self.free = [*DAYS[: draw.randint(5, 7)], *draw.sample(_OTHER_DAYS, 3)]
        draw.shuffle(self.free)
        self.places, self.names = draw.sample(PLACES, 7), draw.sample(MEN + WOMEN, 7)
        self.events = [event for event in draw.sample(EVENTS, 9) if event.split()[0] not in self.places]
        if "dentist" in self.events and "dentist appointment" in self.events:
            self.events.remove("dentist")
        self.entries: list[Entry] = []

    def add(self) -> None:
        """Say what is on a free day; sometimes it is moved at once."""
        draw = self.talk.draw
        kind = draw.choice(("visit", "meeting", "date", "event", "event"))
        day = self.free.pop()
        words = {"p": self.places.pop(), "n": self.names.pop(), "e": self.events.pop(), "t": draw.choice(HOURS)}
        timed = kind == "event" and draw.random() < 0.35
        texts = {"visit": _VISIT, "meeting": _MEETING, "date": _DATE, "event": _TIMED_EVENT if timed else _EVENT}[kind]
        at = self.talk.say(filled(texts, **words, **_on(day)))
        self.entries.append(Entry(kind, words, day, at, (at,), [((at,), day)], timed))
        if len(self.free) > 1 and draw.random() < 0.2:
            self.move(self.entries[-1], at_once=True)

    def move(self, entry: Entry, *, at_once: bool = False) -> None:
        """Say that an entry is on another day; its old day is free again, but nothing is said of it any more."""
        day = self.free.pop()
        words = entry.words | _on(day)
        if at_once:
            at = self.talk.go_on(filled(_NO, **words))
            entry.dated = (at, entry.told)
        else:
            at = self.talk.say(filled(_MOVED[entry.kind], **words))
            entry.dated = (at,)
        entry.day = day
        entry.days.append((entry.dated, day))

    def ask(self) -> None:
        """Ask about an entry."""
        draw, entry = self.talk.draw, self.talk.draw.choice(self.entries)
        words = entry.words | _on(entry.day)
        both = tuple(dict.fromkeys((*entry.dated, entry.told)))
        kind = draw.random()
        if kind < 0.15:
            yes = draw.random() < 0.5
            other = entry.day if yes else draw.choice([d for d in (*DAYS, *_OTHER_DAYS) if d != entry.day])
            texts = filled(_WHETHER[entry.kind], **(entry.words | _on(other)))
            self.talk.ask(texts, ("yes" if yes else "no",), entry.dated)
        elif kind < 0.3 and entry.kind == "event" and len(entry.days) > 1:
            last, now = entry.days[-2:]
            texts = _BEFORE if len(entry.days) == 2 else _BEFORE[:2]
            self.talk.ask(filled(texts, **words), (last[1],), tuple(dict.fromkeys((*now[0], *last[0]))))
        elif kind < 0.5 and entry.timed:
            self.talk.ask(filled(_HOUR, **words), (words["t"],), (entry.told,))
        elif kind < 0.6:
            self.talk.ask(filled(_WHEN[entry.kind], **words), (entry.day,), entry.dated)
        elif entry.kind == "event":
            event = words["e"] if words["e"] != "dentist appointment" else "dentist"
            self.talk.ask(filled(_WHAT, **words), (event,), both)
        elif entry.kind == "date" or (entry.kind == "meeting" and kind < 0.8):
            self.talk.ask(filled(_WHO, **words), (words["n"],), both)
        else:
            self.talk.ask(filled(_WHERE, **words), (words["p"],), both)

    def ask_not_told(self) -> None:
        """Ask about a day, a place, somebody or something of which nothing was said."""
        draw = self.talk.draw
        left = [entry for entry in self.entries if len(entry.days) > 1]
        if left and draw.random() < 0.3:
            entry = draw.choice(left)
            texts = {"visit": _WHERE, "meeting": _WHO, "date": _WHO, "event": _WHAT}[entry.kind]
            self.talk.ask_not_told(filled(texts, **_on(entry.days[0][1])))
            return
        words = {"p": self.places[-1], "n": self.names[-1], "e": self.events[0]}
        about_days = (_WHERE, _WHO, _WHAT) if self.free else ()
        on = _on(self.free[0] if self.free else DAYS[0])
        self.talk.ask_not_told(filled(draw.choice((*about_days, *_WHEN.values())), **words, **on))


def tell_appointments(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 22."""
    talk = Talk(draw, not_told)
    diary = Diary(talk)
    for _ in range(max(1, round(5 * longer))):
        for _ in range(draw.randint(1, 2)):
            if diary.entries and len(diary.free) > 1 and draw.random() < 0.25:
                diary.move(draw.choice(diary.entries))
            elif len(diary.free) > 2 and len(diary.entries) < 6:
                diary.add()
        if talk.unanswerable():
            diary.ask_not_told()
        else:
            diary.ask()
    return Story(APPOINTMENTS, tuple(talk.lines))


def _on(day: str) -> dict[str, str]:
    """A day with its preposition, in the middle and at the start of a sentence."""
    if day in ("tomorrow", "tonight"):
        return {"d": day, "on": day, "On": day.capitalize()}
    which = "On" if day in DAYS else "At" if day == "Easter" else "In"
    return {"d": day, "on": f"{which.lower()} {day}", "On": f"{which} {day}"}
