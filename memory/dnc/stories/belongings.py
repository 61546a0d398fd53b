"""Conversations about where things are, in the first person (family 21): the nearest place or container that was named.

"I put the keys in the blue bag. I put the bag in the car." The keys are in the blue bag, the bag is in the car.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from memory.dnc.babi import Story
from memory.dnc.stories.speech import Talk, filled
from memory.dnc.stories.vocabulary import COLOURS, HOLDERS, MEN, OBJECTS, PLACES, WOMEN

THINGS = 21
_PREPOSITIONS = ("in", "in", "in", "in", "at", "on", "under", "behind", "beside", "inside", "next to", "near")
_LEFT = (
    "I left the {o} {in_} the {p}.", "I put the {o} {in_} the {p}.", "The {o} {is_} {in_} the {p}.",
    "My {o} {is_} {in_} the {p}.", "I put my {o} {in_} the {p}.", "I have put the {o} {in_} the {p}.",
    "I left my {o} {in_} the {p}.", "I took the {o} to the {p}.", "I hid the {o} {in_} the {p}.",
    "I keep the {o} {in_} the {p}.", "I parked the {o} {in_} the {p}.", "I forgot my {o} {in_} the {p}.",
    "We left the {o} {in_} the {p}.", "I moved the {o} to the {p}.",
)  # fmt: skip
_ONWARD = (
    "Then I took {it} to the {p}.", "After that I moved {it} to the {p}.", "Later I brought {it} to the {p}.",
    "Now {it_} {is_} {in_} the {p}.", "Then I put {it} {in_} the {p}.", "{n} took {it} to the {p}.",
    "No, {it_} {is_} {in_} the {p}.", "Actually I put {it} {in_} the {p}.", "Later {n} moved {it} to the {p}.",
    "I put {it} {in_} the {p}.",
)  # fmt: skip
_OTHERS = (
    "{n} took the {o} to the {p}.", "{n} put the {o} {in_} the {p}.", "{n} left the {o} {in_} the {p}.",
    "{n} moved my {o} to the {p}.", "{n} brought my {o} to the {p}.", "{n} hid my {o} {in_} the {p}.",
)  # fmt: skip
_EITHER = (
    "The {o} {is_} either in the {p} or the {q}.", "My {o} {is_} in the {p} or the {q}.",
    "I left the {o} either in the {p} or in the {q}.", "The {o} must be in the {p} or in the {q}.",
    "My {o} {is_} either in the {p} or in the {q}.",
)  # fmt: skip
_WHERE = (
    "Where {is_} my {o}?", "Where {is_} the {o}?", "Do you know where my {o} {is_}?", "Where can I find the {o}?",
    "Can you tell me where the {o} {is_}?", "Where {is_} the {o} now?", "Where did I leave my {o}?",
    "Where did I put the {o}?", "Where have I put my {o}?", "Where did I say my {o} {is_}?", "Where is the {o}?",
)  # fmt: skip
_BEFORE = (
    "Where {was} the {o} before the {p}?", "Where {was} my {o} before the {p}?", "Where {was} my {o} before?",
    "Where {was} the {o} before {it_} {was} in the {p}?", "Where {was} the {o} before that?",
    "Where {was} my {o} before {it_} {was} in the {p}?", "Where {was} the {o} at first?",
)  # fmt: skip
_WHETHER = (
    "{Is} the {o} in the {p}?", "{Is} my {o} in the {p}?", "{Is} the {o} {in_} the {p} now?",
    "{Is} my {o} still in the {p}?", "Can I find the {o} in the {p}?", "{Is} my {o} {in_} the {p}?",
    "Did I leave the {o} in the {p}?", "Did I put my {o} in the {p}?",
)  # fmt: skip
_INSIDE = (
    "What is in the {p}?",
    "What did I say is in the {p}?",
    "Which things are in the {p}?",
    "What do I have in the {p}?",
)


@dataclass
class Kept:
    """What was said of a thing: ``path`` of (sentences, place); ``either`` the last doubt, if any."""

    words: dict[str, str]
    path: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    either: tuple[int, tuple[str, str]] | None = None
    mentioned: bool = False


class Household:
    """Things, places, things that hold things, and what was said of them."""

    def __init__(self, talk: Talk) -> None:
        draw = talk.draw
        self.talk = talk
        self.holders = draw.sample(HOLDERS, 2)
        things = draw.sample([x for x in OBJECTS if x not in self.holders], 5)
        self.places = draw.sample([x for x in PLACES if x not in things], 6)
        self.people = [draw.choice(MEN), draw.choice(WOMEN), "my sister"]
        full = {x: x if draw.random() < 0.75 else f"{draw.choice(COLOURS)} {x}" for x in (*self.holders, *things)}
        self.kept = {full[x]: Kept(_words(full[x], draw.random() < 0.25 and x not in self.holders)) for x in full}
        self.holders = [full[x] for x in self.holders]
        self.things = [full[x] for x in things[:4]]
        self.never = self.kept.pop(full[things[4]])

    def happen(self) -> None:
        """Say where a thing is put, sometimes a second time at once, or that it is in one of two places."""
        talk, draw = self.talk, self.talk.draw
        thing, name = draw.choice([*self.things, *self.holders]), draw.choice(self.people)
        known = self.kept[thing]
        now = known.path[-1][1] if known.path else ""
        options = [x for x in (self.places if thing in self.holders else [*self.places, *self.holders]) if x != now]
        place, other, third = draw.sample(options, 3)
        words = self._words(known)
        if draw.random() < 0.1:
            known.either = (
                talk.say(filled(_EITHER, **words, p=self._called(place), q=self._called(other))),
                (place, other),
            )
            return
        texts = _OTHERS if draw.random() < 0.25 else _LEFT
        start = name[0].upper() + name[1:]
        at = talk.say(filled(texts, **words, p=self._called(place), n=start))
        known.path.append(((at,), place))
        known.either = None
        if draw.random() < 0.25:
            onward = filled(_ONWARD, **self._words(known), p=self._called(third), n=draw.choice(self.people[:2]))
            known.path.append(((at, talk.go_on(onward)), third))

    def ask(self) -> None:
        """Ask where a thing is or was, whether it is there, or what is somewhere."""
        talk, draw = self.talk, self.talk.draw
        if talk.unanswerable():
            texts = draw.choice((_WHERE, _WHETHER))
            talk.ask_not_told(filled(texts, **self._words(self.never), p=draw.choice(self.places)))
            return
        thing = draw.choice([x for x, known in self.kept.items() if known.path or known.either])
        known, kind = self.kept[thing], draw.random()
        inside = self.kept.get(known.path[-1][1]) if known.path else None
        if inside is not None and inside.either is not None:
            kind = 0.0  # what holds it is in doubt: only what was said of the thing itself is asked
        words = self._words(known)
        if known.either is not None:
            at, doubtful = known.either
            maybe = draw.random() < 0.6
            place = draw.choice(doubtful) if maybe else draw.choice([x for x in self.places if x not in doubtful])
            talk.ask(filled(_WHETHER, **words, p=self._called(place)), ("maybe" if maybe else "no",), (at,))
        elif kind < 0.5:
            at_all, place = known.path[-1]
            talk.ask(filled(_WHERE, **words), (place,), tuple(reversed(at_all)))
        elif kind < 0.7:
            self._ask_before(known)
        elif kind < 0.8:
            self._ask_inside(known.path[-1][1])
        else:
            self._ask_whether(known)

    def _ask_before(self, known: Kept) -> None:
        asked = filled(_BEFORE[:-1], **self._words(known), p=self._called(known.path[-1][1]))
        if len(known.path) == 1:
            self.talk.ask_not_told(asked)
            return
        if len(known.path) == 2:
            asked = (*asked, _BEFORE[-1].format(**self._words(known)))
        before, now = known.path[-2:]
        self.talk.ask(asked, (before[1],), tuple(dict.fromkeys((*reversed(now[0]), *before[0]))))

    def _ask_inside(self, place: str) -> None:
        here = [(known.path[-1][0], x) for x, known in self.kept.items()
                if not known.either and known.path and known.path[-1][1] == place]  # fmt: skip
        here.sort(key=lambda each: each[0][-1])
        if len(here) > 3:
            return
        supporting = tuple(dict.fromkeys(at for at_all, _ in here for at in at_all))
        self.talk.ask(filled(_INSIDE, p=self._called(place)), tuple(x for _, x in here), supporting)

    def _ask_whether(self, known: Kept) -> None:
        draw = self.talk.draw
        at_all, now = known.path[-1]
        yes = draw.random() < 0.5
        around = [now, *(place for _, place in self.kept[now].path[-1:])] if now in self.kept else [now]
        place = now if yes else draw.choice([x for x in self.places if x not in around])
        texts = filled(_WHETHER, **self._words(known), p=self._called(place))
        self.talk.ask(texts, ("yes" if yes else "no",), tuple(reversed(at_all)))

    def _words(self, known: Kept) -> dict[str, str]:
        return known.words | {"o": self._called(known.words["o"]), "in_": self.talk.draw.choice(_PREPOSITIONS)}

    def _called(self, thing: str) -> str:
        """A thing's full name at first, then perhaps only the noun: "blue bag", "bag"."""
        known = self.kept.get(thing)
        if known is None:
            return thing
        if known.mentioned and " " in thing and self.talk.draw.random() < 0.6:
            return known.words["o"].split()[1]
        known.mentioned = True
        return known.words["o"]


def tell_things(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 21."""
    talk = Talk(draw, not_told)
    household = Household(talk)
    for _ in range(max(1, round(5 * longer))):
        for _ in range(draw.randint(1, 3)):
            household.happen()
        household.ask()
    return Story(THINGS, tuple(talk.lines))


def _words(thing: str, plural: bool) -> dict[str, str]:
    """What a thing is called and the words that agree with it."""
    if plural and not thing.endswith(("s", "h", "y", "x", "fe")):
        return {"o": thing + "s", "is_": "are", "Is": "Are", "was": "were", "it": "them", "it_": "they"}
    return {"o": thing, "is_": "is", "Is": "Is", "was": "was", "it": "it", "it_": "it"}
