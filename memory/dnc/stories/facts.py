"""Conversations about single facts: passwords, doctors, colours, pets, favourites, and corrections (family 27)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from memory.dnc.babi import Story
from memory.dnc.stories.acquaintances import LIKED, TOWNS
from memory.dnc.stories.appointments import DAYS
from memory.dnc.stories.speech import Talk, filled
from memory.dnc.stories.vocabulary import COLOURS, MEN, OBJECTS, PLACES, WOMEN

FACTS = 27
_NUMBERS = ("1234", "4471", "007", "88", "42", "39", "5150", "613", "2b", "700", "9911", "12")
_WORDS = (
    "marzipan",
    "volcano",
    "pelican",
    "tangerine",
    "falafel",
    "sapphire",
    "walrus",
    "cinnamon",
    "octopus",
    "ginger",
)
_SECRETS = (
    "wifi password", "alarm code", "pin", "locker number", "door code", "shoe size", "flight number",
    "licence plate", "account number", "username", "gate", "bus line", "room number",
)  # fmt: skip
_ROLES = (
    "doctor", "boss", "landlord", "dentist", "teacher", "trainer", "plumber", "lawyer", "hairdresser", "manager",
    "vet", "neighbour", "professor", "tutor", "accountant",
)  # fmt: skip
_PETS = ("dog", "cat", "parrot", "horse", "hamster", "rabbit", "tortoise", "pony")
_FAVOURITES = {"colour": COLOURS, "city": TOWNS, "hobby": LIKED, "place": PLACES, "food": LIKED, "day": DAYS}
ENTITIES = (*_NUMBERS, *_WORDS, *_SECRETS, *_ROLES, *_PETS, "Dr")
"""What these conversations name besides people, things and places."""
_AGAIN = (
    "No, it is {v}.", "Actually it is {v}.", "It is {v} now.", "Sorry, it is {v}.", "No, I mean {v}.",
    "It changed to {v}.",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of fact: {a} is what it is of, {v} the value."""

    told: tuple[str, ...]
    asked: tuple[str, ...]
    whether: tuple[str, ...]
    again: tuple[str, ...]


_SECRET = Kind(
    ("My {a} is {v}.", "The {a} is {v}.", "{v} is my {a}.", "The {a} is now {v}.", "{v} is the {a}."),
    ("What is my {a}?", "What is the {a}?", "Do you remember my {a}?", "What did I say is my {a}?",
     "Can you tell me the {a}?", "Do you know the {a}?"),
    ("Is my {a} {v}?", "Is the {a} {v}?", "Is {v} my {a}?"),
    ("The {a} changed to {v}.", "Actually my {a} is {v}.", "The {a} is {v} now.", "My new {a} is {v}."),
)  # fmt: skip
_ROLE = Kind(
    ("My {a} is {v}.", "My {a} is called {v}.", "{v} is my {a}.", "My {a}'s name is {v}.", "The {a} is {v}."),
    ("Who is my {a}?", "What is my {a} called?", "What is the name of my {a}?", "Who did I say is my {a}?",
     "Do you remember my {a}?", "Who is the {a}?"),
    ("Is {v} my {a}?", "Is my {a} {v}?", "Is my {a} called {v}?"),
    ("My new {a} is {v}.", "Actually my {a} is {v}.", "{v} is my {a} now.", "Now my {a} is {v}."),
)  # fmt: skip
_COLOUR = Kind(
    ("My {a} is {v}.", "The {a} is {v}.", "The colour of my {a} is {v}."),
    ("What colour is my {a}?", "What colour is the {a}?", "Which colour is my {a}?", "What is the colour of my {a}?",
     "What color is my {a}?"),
    ("Is my {a} {v}?", "Is the {a} {v}?"),
    ("Now my {a} is {v}.", "Actually the {a} is {v}.", "The {a} is {v} now."),
)  # fmt: skip
_PET = Kind(
    ("I have a {a} called {v}.", "My {a} is called {v}.", "My {a}'s name is {v}.", "{v} is my {a}.",
     "The name of my {a} is {v}."),
    ("What is my {a} called?", "What is the name of my {a}?", "What is my {a}'s name?", "Who is my {a}?",
     "Do you remember the name of my {a}?"),
    ("Is my {a} called {v}?", "Is {v} my {a}?"),
    ("Actually my {a} is called {v}.",),
)  # fmt: skip
_FAVOURITE = Kind(
    ("My favourite {a} is {v}.", "{v} is my favourite {a}.", "The {a} I like best is {v}.",
     "I like {v} best, it is my favourite {a}.", "{v} is the {a} I like most."),
    ("What is my favourite {a}?", "Which {a} do I like best?", "Do you remember my favourite {a}?",
     "What did I say is my favourite {a}?", "Which {a} is my favourite?"),
    ("Is {v} my favourite {a}?", "Is my favourite {a} {v}?"),
    ("Actually my favourite {a} is {v}.", "My new favourite {a} is {v}.", "Now my favourite {a} is {v}."),
)  # fmt: skip


@dataclass
class Fact:
    """Something of which a value was said."""

    kind: Kind
    of: str
    values: list[str]
    told: tuple[int, ...] = ()

    def words(self) -> dict[str, str]:
        """What it is of, and the value in force."""
        return {"a": self.of, "v": self.values[0]}


def tell_facts(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 27: what was said last is in force."""
    talk = Talk(draw, not_told)
    facts = _facts(draw)
    unsaid = [facts.pop() for _ in range(3)]
    told: list[Fact] = []
    for _ in range(max(1, round(5 * longer))):
        for _ in range(draw.randint(1, 2)):
            if told and len((again := draw.choice(told)).values) > 2 and draw.random() < 0.15:
                again.values.pop(0)
                again.told = (talk.say(filled(again.kind.again, **again.words())),)
            elif facts:
                told.append(facts.pop())
                _tell(talk, told[-1])
        _ask(talk, told, unsaid)
    return Story(FACTS, tuple(talk.lines))


def _facts(draw: random.Random) -> list[Fact]:
    names, things = draw.sample(MEN + WOMEN, 24), draw.sample([x for x in OBJECTS if x not in COLOURS], 3)
    texts = [*_NUMBERS, *_WORDS]
    draw.shuffle(texts)
    named = [f"Dr {name}" if draw.random() < 0.1 else name for name in names]
    facts = [Fact(_SECRET, of, [texts.pop() for _ in range(4)]) for of in draw.sample(_SECRETS, 5)]
    facts += [Fact(_ROLE, of, [named.pop() for _ in range(4)]) for of in draw.sample(_ROLES, 3)]
    facts += [Fact(_COLOUR, of, draw.sample(COLOURS, 5)) for of in things]
    facts += [Fact(_PET, of, [named.pop() for _ in range(5)]) for of in draw.sample(_PETS, 2)]
    liked = draw.sample(list(_FAVOURITES), 4)
    facts += [
        Fact(_FAVOURITE, of, draw.sample(_FAVOURITES[of], 6)) for of in liked if of != "food" or "hobby" not in liked
    ]
    draw.shuffle(facts)
    return facts


def _tell(talk: Talk, fact: Fact) -> None:
    at = talk.say(filled(fact.kind.told, **fact.words()))
    fact.told = (at,)
    if talk.draw.random() < 0.15:
        fact.values.pop(0)
        fact.told = (talk.go_on(filled(_AGAIN, **fact.words())), at)


def _ask(talk: Talk, told: list[Fact], unsaid: list[Fact]) -> None:
    draw = talk.draw
    if talk.unanswerable():
        fact = draw.choice(unsaid)
        talk.ask_not_told(filled(draw.choice((fact.kind.asked, fact.kind.asked, fact.kind.whether)), **fact.words()))
        return
    fact = draw.choice(told)
    if draw.random() < 0.2:
        yes = draw.random() < 0.5
        asked = fact.words() | ({} if yes else {"v": fact.values[1]})
        talk.ask(filled(fact.kind.whether, **asked), ("yes" if yes else "no",), fact.told)
    else:
        talk.ask(filled(fact.kind.asked, **fact.words()), (fact.values[0],), fact.told)
