"""Conversations about who goes where, takes, leaves and gives what, the user among them (family 26).

Where a carried thing is: where its carrier is, as far as that was said; if it wasn't, or if the thing was given to
somebody who hasn't moved since, the answer is the carrier ("you" for the user). A pronoun means the subject, or the
thing, of the sentence before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from memory.dnc.stories.speech import USER, Person, Talk, filled
from memory.dnc.stories.vocabulary import HOLDERS, MEN, OBJECTS, PLACES, WOMEN

MOST = 3
"""Things that somebody carries at most: as many as an answer holds."""
_GO = (
    "{A} went to the {p}.", "{A} drove to the {p}.", "{A} walked to the {p}.", "{A} went back to the {p}.",
    "{A} {be} in the {p}.", "{A} {be} at the {p} now.", "{A} came to the {p}.", "{A} moved to the {p}.",
    "{A} travelled to the {p}.", "{A} {have} gone to the {p}.", "{A} arrived at the {p}.",
)  # fmt: skip
_GO_BOTH = ("{A} and {B} went to the {p}.", "{A} and {B} drove to the {p}.", "{A} and {B} are in the {p}.")
_GO_THEY = ("Then {they} went to the {p}.", "{They} walked to the {p}.", "After that {they} drove to the {p}.",
            "{They} moved to the {p}.", "Later {they} went back to the {p}.")  # fmt: skip
_TAKE = (
    "{A} took the {o}.", "{A} picked up the {o}.", "{A} grabbed the {o}.", "{A} got the {o}.", "{A} took my {o}.",
    "{A} {have} the {o}.", "{A} borrowed the {o}.", "{A} took the {o} with {me}.", "{A} fetched the {o}.",
    "{A} took the {o} there.",
)  # fmt: skip
_TAKE_IT = ("{A} took {it}.", "{A} picked {it} up.", "{A} took {it} with {me}.", "{A} grabbed {it}.")
_DROP = ("{A} left the {o} there.", "{A} put the {o} down.", "{A} dropped the {o}.", "{A} put down the {o} there.",
         "{A} left my {o} there.")  # fmt: skip
_DROP_IT = ("{A} left {it} there.", "{A} put {it} down.", "{A} dropped {it}.", "{A} put {it} down there.")
_PUT = ("{A} put the {o} in the {p}.", "{A} left the {o} in the {p}.", "{A} hid the {o} in the {p}.",
        "{A} put my {o} on the {p}.")  # fmt: skip
_PUT_IT = (
    "{A} put {it} in the {p}.",
    "{A} left {it} in the {p}.",
    "{A} hid {it} in the {p}.",
    "{A} left {it} at the {p}.",
)
_GIVE = ("{A} gave the {o} to {b}.", "{A} gave {b} the {o}.", "{A} handed the {o} to {b}.", "{A} passed {b} the {o}.",
         "{A} lent the {o} to {b}.", "{A} lent {b} my {o}.", "{A} returned the {o} to {b}.")  # fmt: skip
_GIVE_IT = ("{A} gave {it} to {b}.", "{A} handed {it} to {b}.", "{A} lent {it} to {b}.", "{A} gave {b} {it}.")


@dataclass
class Thing:
    """What was said of a thing."""

    words: dict[str, str]
    holder: Person | None = None
    since: int = -1
    laid: tuple[tuple[int, ...], str] | None = None
    track: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)
    gift: tuple[int, Person, Person] | None = None


class Errands:
    """People and things on the move, and what was said of them."""

    def __init__(self, talk: Talk) -> None:
        draw = talk.draw
        self.talk = talk
        kin = draw.random() < 0.25
        he = Person("my brother", "he", "him", "brother") if kin else _named(draw.choice(MEN), "he", "him")
        she = Person("my sister", "she", "her", "sister") if kin else _named(draw.choice(WOMEN), "she", "her")
        self.people = draw.choice(([USER, he, she], [USER, he], [USER, she], [he, she], [USER]))
        self.stranger = _named(draw.choice([x for x in MEN if x != he.name]), "he", "him")
        objects = draw.sample([x for x in OBJECTS if x not in HOLDERS], 5)
        self.things = {x: Thing(_words(x, plural=draw.random() < 0.2)) for x in objects[:4]}
        self.never = Thing(_words(objects[4], plural=False))
        self.places = draw.sample([x for x in PLACES if x not in objects], 5)
        self.holders = draw.sample(HOLDERS, 2)
        self.at: dict[str, tuple[int, str]] = {}
        self.subject: Person | None = None
        self.both: tuple[Person, Person] | None = None
        self.spoken: Thing | None = None

    def happen(self) -> None:
        """Let something happen and say it."""
        draw, person = self.talk.draw, self.talk.draw.choice(self.people)
        if self.subject is not None and draw.random() < 0.4:
            person = self.subject
        actions = [self.go, self.take, self.lay, self.give, self.go_both]
        for action in draw.sample(actions, counts=[4, 4, 2, 2, 1], k=6):
            if action(person):
                return

    def go(self, person: Person) -> bool:
        """Somebody goes somewhere else, with what he or she carries."""
        place = self.talk.draw.choice([x for x in self.places if x != self._place(person)])
        self._arrive(person, self._say(person, _GO, None, p=place), place)
        self.spoken = None
        return True

    def go_both(self, person: Person) -> bool:
        """Two go together, or go on together."""
        draw = self.talk.draw
        others = [other for other in self.people if other != person and not other.own]
        if self.both is None and not others:
            return False
        place = draw.choice(self.places)
        if self.both is not None:
            pair, they = self.both, "we" if self.both[0].own or self.both[1].own else "they"
            at = self.talk.go_on(filled(_GO_THEY, p=place, they=they, They=they.capitalize()))
        else:
            pair = draw.choice(others), person
            last = "I" if person.own else person.name
            at = self.talk.say(filled(_GO_BOTH, p=place, A=pair[0].start, B=last))
        for each in pair:
            self._arrive(each, at, place)
        self.subject, self.both, self.spoken = None, pair, None
        return True

    def take(self, person: Person) -> bool:
        """Somebody takes a thing that nobody has."""
        free = [x for x in self.things.values() if x.holder is None and self._near(x, person)]
        if not free or sum(x.holder == person for x in self.things.values()) >= MOST:
            return False
        thing = self.spoken if self.spoken in free and self.talk.draw.random() < 0.5 else self.talk.draw.choice(free)
        assert thing is not None
        at = self._say(person, _TAKE, _TAKE_IT, thing)
        thing.holder, thing.since, thing.laid = person, at, None
        thing.taken[person.answer] = at
        here = self.at.get(person.answer)
        if here is not None:
            self._reach(thing, (at, here[0]), here[1])
        return True

    def lay(self, person: Person) -> bool:
        """Somebody lays a thing down here, or puts it somewhere by name."""
        mine = [x for x in self.things.values() if x.holder == person]
        if not mine:
            return False
        thing, here, draw = self.talk.draw.choice(mine), self.at.get(person.answer), self.talk.draw
        if here is None or draw.random() < 0.5:
            place = draw.choice([*self.holders, *(self.places if here is None else [here[1]])])
            at = self._say(person, _PUT, _PUT_IT, thing, p=place)
            thing.laid = (at,), place
        else:
            place = here[1]
            at = self._say(person, _DROP, _DROP_IT, thing)
            thing.laid = (at, here[0]), place
        thing.holder, thing.since = None, at
        self._reach(thing, thing.laid[0], place)
        return True

    def give(self, person: Person) -> bool:
        """Somebody gives a thing to somebody else."""
        mine = [x for x in self.things.values() if x.holder == person]
        others = [x for x in self.people if x != person
                  and sum(thing.holder == x for thing in self.things.values()) < MOST]  # fmt: skip
        if not mine or not others:
            return False
        thing, other = self.talk.draw.choice(mine), self.talk.draw.choice(others)
        at = self._say(person, _GIVE, _GIVE_IT, thing, b="me" if other.own else other.name)
        thing.holder, thing.since, thing.gift = other, at, (at, person, other)
        return True

    def _say(self, person: Person, texts: tuple[str, ...], briefly: tuple[str, ...] | None, thing: Thing | None = None,
             **words: str) -> int:  # fmt: skip
        draw, follows = self.talk.draw, False
        start = person.start
        if self.subject == person and draw.random() < 0.65:
            follows = True
            start = draw.choice((person.subject.capitalize(), *(f"{then} {person.subject}" for then in
                                 ("Then", "Later", "After that", "Afterwards", "Next", "And"))))  # fmt: skip
        if thing is not None:
            if briefly is not None and thing is self.spoken and draw.random() < 0.5:
                texts, follows = briefly, True
            words |= thing.words
        text = filled(texts, A=start, me=person.object, **verbs(person), **words)
        at = self.talk.go_on(text) if follows else self.talk.say(text)
        self.subject, self.both, self.spoken = person, None, thing
        return at

    def _near(self, thing: Thing, person: Person) -> bool:
        """Whether nothing that was said keeps somebody from taking a thing."""
        known = thing.laid is not None and thing.laid[1] in self.places and person.answer in self.at
        return not known or (thing.laid is not None and thing.laid[1] == self._place(person))

    def _place(self, person: Person) -> str:
        here = self.at.get(person.answer)
        return here[1] if here is not None else ""

    def _arrive(self, person: Person, at: int, place: str) -> None:
        self.at[person.answer] = at, place
        for thing in self.things.values():
            if thing.holder == person:
                self._reach(thing, (thing.since, at), place)

    def _reach(self, thing: Thing, supporting: tuple[int, ...], place: str) -> None:
        if not thing.track or thing.track[-1][1] != place:
            thing.track.append((supporting, place))

    def where(self, thing: Thing) -> tuple[str, tuple[int, ...]]:
        """Where a thing is, and which sentences tell it."""
        if thing.laid is not None and thing.holder is None:
            return thing.laid[1], thing.laid[0]
        assert thing.holder is not None
        here = self.at.get(thing.holder.answer)
        given = thing.gift is not None and thing.gift[0] == thing.since
        if here is None or (given and here[0] < thing.since):
            return thing.holder.answer, (thing.since,)
        return here[1], (thing.since, here[0])


def _named(name: str, subject: str, object_: str) -> Person:
    return Person(name, subject, object_, name)


def _words(thing: str, *, plural: bool) -> dict[str, str]:
    if plural and not thing.endswith(("s", "h", "y", "x", "fe")):
        return {"o": thing + "s", "is_": "are", "Is": "Are", "was": "were", "it": "them"}
    return {"o": thing, "is_": "is", "Is": "Is", "was": "was", "it": "it"}


def verbs(person: Person) -> dict[str, str]:
    """The forms of to be, to have and to do that go with a person."""
    be, have, do = ("am", "have", "do") if person.own else ("is", "has", "does")
    return {"be": be, "have": have, "do": do, "Be": be.capitalize(), "Have": have.capitalize(), "Do": do.capitalize()}
