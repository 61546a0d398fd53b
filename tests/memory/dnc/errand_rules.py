"""Who is where and has what, read off the sentences of an errand by rules: an oracle apart from the generator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from memory.dnc.stories.vocabulary import HOLDERS, MEN, OBJECTS, PLACES, WOMEN
from memory.dnc.words import singular, words_of

PEOPLE = frozenset(name.lower() for name in (*MEN, *WOMEN)) | {"brother", "sister"}
THINGS = frozenset(singular(thing) for thing in OBJECTS if thing not in HOLDERS)
PLACE_NAMES = frozenset((*PLACES, *HOLDERS))
GO = frozenset({"went", "drove", "walked", "came", "moved", "travelled", "gone", "arrived"})
TAKE = frozenset({"borrowed", "took", "picked", "grabbed", "got", "fetched", "have", "has"})
GIVE = frozenset({"gave", "handed", "passed", "lent", "returned"})
LAY = frozenset({"left", "put", "dropped", "hid"})


@dataclass
class Read:
    """What follows from the sentences so far: places of people and things, and who has what since when."""

    at: dict[str, tuple[int, str]] = field(default_factory=dict)
    has: dict[str, tuple[int, str, bool]] = field(default_factory=dict)
    lies: dict[str, str] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    thing: str = ""
    count: int = 0

    def hear(self, sentence: str) -> None:
        """Take in a sentence."""
        self.count += 1
        words = [word for word in words_of(sentence) if word != "my"]
        people = [place for place, word in enumerate(words) if word in PEOPLE or word in ("i", "me")]
        pronoun = next((word for word in words if word in ("he", "she", "they", "we")), "")
        verb = next(
            (place for place, word in enumerate(words) if word in GO | TAKE | GIVE | LAY | {"am", "is", "are"}), 0
        )
        if not verb or {"weather", "day", "coffee", "film", "traffic", "bit", "fun", "kind", "how"} & set(words):
            return
        who = tuple(words[place] for place in people if place < verb)
        self.subjects = who if who else self.subjects
        assert self.subjects, sentence
        assert who or pronoun, sentence
        told = {word for word in words[verb:] if word in GO | TAKE | GIVE | LAY}
        things = [singular(word) for word in words if singular(word) in THINGS]
        places = [word for word in words[verb:] if word in PLACE_NAMES]
        if not told & (TAKE | GIVE | LAY) or "gone" in told:
            for each in self.subjects:
                self.at[each] = self.count, places[-1]
            self.thing = ""
            return
        self.thing = things[0] if things else self.thing
        assert self.thing, sentence
        if told & LAY:
            del self.has[self.thing]
            self.lies[self.thing] = places[-1] if places else self.at[self.subjects[0]][1]
        elif told & GIVE:
            receiver = next(words[place] for place in people if place > verb)
            self.has[self.thing] = self.count, receiver.replace("me", "i") if receiver == "me" else receiver, True
        else:
            self.has[self.thing] = self.count, self.subjects[0], False

    def where(self, thing: str) -> str:
        """Where a thing is, or who has it when that isn't known."""
        if thing not in self.has:
            return self.lies[thing]
        since, who, given = self.has[thing]
        at, place = self.at.get(who, (0, ""))
        return named(who) if not place or (given and at < since) else place

    def holder(self, thing: str) -> str:
        """Who has a thing."""
        return named(self.has[thing][1]) if thing in self.has else "nobody"

    def held(self, who: str) -> list[str]:
        """What somebody has, in the order of getting it."""
        return [
            thing for _, thing in sorted((since, thing) for thing, (since, each, _) in self.has.items() if each == who)
        ]


def named(who: str) -> str:
    """The answer that means somebody."""
    return "you" if who == "i" else who


def read(sentences: Iterable[str]) -> Read:
    """What follows from these sentences."""
    known = Read()
    for sentence in sentences:
        known.hear(sentence)
    return known
