"""Conversations about people: who they are to the user, where they live, what they do and like (family 23)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from memory.dnc.babi import Story
from memory.dnc.stories.speech import USER, Person, Talk, filled
from memory.dnc.stories.vocabulary import MEN, WOMEN

PEOPLE = 23
TOWNS = (
    "Leeds", "York", "Bristol", "Cardiff", "Dublin", "Glasgow", "Oslo", "Lisbon", "Vienna", "Prague", "Geneva", "Lyon",
    "Hamburg", "Turin", "Porto", "Ghent", "Malmo", "Boston", "Denver", "Toronto", "Lima", "Cairo", "Delhi", "Kyoto",
)  # fmt: skip
LIKED = (
    "jazz", "chess", "tennis", "opera", "sushi", "pasta", "hiking", "poetry", "football", "yoga", "sailing", "skiing",
    "gardening", "cooking", "dancing", "cycling", "painting", "techno", "curry", "chocolate", "swimming", "knitting",
)  # fmt: skip
ALLERGENS = (
    "nuts", "milk", "gluten", "pollen", "shellfish", "eggs", "soy", "dust", "cats", "sesame", "wool", "penicillin",
)  # fmt: skip
JOBS = (
    "teacher", "nurse", "lawyer", "baker", "pilot", "painter", "farmer", "plumber", "judge", "chef", "singer", "tailor",
)  # fmt: skip
_WOMEN_OF = ("sister", "mother", "aunt", "niece", "daughter", "wife", "grandmother", "boss", "doctor", "neighbour")
_MEN_OF = ("brother", "father", "uncle", "nephew", "son", "husband", "grandfather", "landlord", "dentist", "friend")
ENTITIES = (*TOWNS, *LIKED, *ALLERGENS, *JOBS, *_WOMEN_OF, *_MEN_OF)
"""What these conversations name besides people."""
_KIN = (
    "{n} is my {k}.", "My {k} is {n}.", "My {k} is called {n}.", "{n} is the name of my {k}.",
    "I have a {k} called {n}.",
    "My {k}'s name is {n}.",
)  # fmt: skip
_KIN_ASKED = (
    "Who is my {k}?", "What is the name of my {k}?", "What is my {k} called?", "Who did I say is my {k}?",
    "Do you know the name of my {k}?", "What is my {k}'s name?",
)  # fmt: skip


@dataclass(frozen=True)
class Topic:
    """What may be said of somebody ({S} {s} and verbs) and asked: about {s}, and who it is ({v})."""

    told: tuple[str, ...]
    asked: tuple[str, ...]
    who: tuple[str, ...]
    values: tuple[str, ...]
    again: tuple[str, ...] = ()


_TOPICS = {
    "home": Topic(
        ("{S} live{z} in {v}.", "{S} {have} a flat in {v}.", "{S} moved to {v}.", "{S} {be} living in {v}.",
         "{S} moved from {w} to {v}.", "{S} {have} a house in {v}."),
        ("Where {do} {s} live?", "In which city {do} {s} live?", "Where {be} {s} living?",
         "Do you know where {s} live{z}?",
         "Where did I say {s} live{z}?", "Where {do} {s} live now?", "Where {be} {s}?"),
        ("Who lives in {v}?", "Who is living in {v}?", "Who has a flat in {v}?", "Who did I say lives in {v}?",
         "Do you know who lives in {v}?"),
        TOWNS, ("{S} moved to {v}.", "Actually {s} live{z} in {v}.", "Now {s} live{z} in {v}.",
                "No, {s} live{z} in {v}."),
    ),
    "taste": Topic(
        ("{S} like{z} {v}.", "{S} love{z} {v}.", "{S} enjoy{z} {v}.", "{S} {be} fond of {v}.",
         "{S} really like{z} {v}."),
        ("What {do} {s} like?", "What {do} {s} love?", "What {do} {s} enjoy?", "What {be} {s} fond of?",
         "What did I say {s} like{z}?"),
        ("Who likes {v}?", "Who loves {v}?", "Who enjoys {v}?", "Who is fond of {v}?", "Who did I say likes {v}?"),
        LIKED,
    ),
    "job": Topic(
        ("{S} {be} a {v}.", "{S} work{z} as a {v}.", "{S} {have} a job as a {v}.", "{S} became a {v}.",
         "{S} {be} working as a {v}."),
        ("What {do} {s} do?", "What do{es} {s} work as?", "What did I say {s} do{es}?", "Which job {do} {s} have?",
         "What {be} {s} working as?"),
        ("Who is a {v}?", "Who works as a {v}?", "Who did I say is a {v}?"),
        JOBS,
    ),
    "allergy": Topic(
        ("{S} {be} allergic to {v}.", "{S} {have} an allergy to {v}.", "{S} {be} very allergic to {v}.",
         "{S} {can} not eat {v}, {p} {be} allergic."),
        ("What {be} {s} allergic to?", "Which allergy {do} {s} have?", "Do you know what {s} {be} allergic to?",
         "What did I say {s} {be} allergic to?"),
        ("Who is allergic to {v}?", "Who has an allergy to {v}?", "Who did I say is allergic to {v}?"),
        ALLERGENS,
    ),
}  # fmt: skip


@dataclass
class Known:
    """Somebody and what was said: ``facts`` topic -> (value, sentences, label used).

    ``linked`` is the sentence that says who is who, ``one_name`` that "my brother Tom" was said.
    """

    person: Person
    kin: str
    linked: int | None = None
    one_name: bool = False
    facts: dict[str, tuple[str, tuple[int, ...], str]] = field(default_factory=dict)

    def labels(self) -> tuple[str, ...]:
        """What the person is called: the name, "my brother"."""
        return (self.person.name,) if self.person.own else (self.person.name, f"my {self.kin}")


class Circle:
    """The user and some people, and what was said of them."""

    def __init__(self, talk: Talk) -> None:
        draw = talk.draw
        self.talk = talk
        men = zip(draw.sample(MEN, 2), draw.sample(_MEN_OF, 2), strict=True)
        women = zip(draw.sample(WOMEN, 2), draw.sample(_WOMEN_OF, 2), strict=True)
        self.people = [Known(Person(n, "he", "him", n), k) for n, k in men]
        self.people += [Known(Person(n, "she", "her", n), k) for n, k in women]
        draw.shuffle(self.people)
        self.stranger = self.people.pop()
        self.people.append(Known(USER, ""))
        self.values = {name: draw.sample(topic.values, len(topic.values)) for name, topic in _TOPICS.items()}
        self.last: tuple[Known, str, tuple[int, ...]] | None = None

    def tell(self) -> None:
        """Say one thing about somebody."""
        draw, known = self.talk.draw, self.talk.draw.choice(self.people)
        if self.last is not None and draw.random() < 0.45:
            known = self.last[0]
        if known.linked is None and not known.one_name and not known.person.own and draw.random() < 0.3:
            known.linked = self.talk.say(filled(_KIN, n=known.person.name, k=known.kin))
            self.last = known, known.person.name, (known.linked,)
            return
        name = draw.choice(list(_TOPICS))
        if name in known.facts and not _TOPICS[name].again:
            return
        self._state(known, name)

    def _state(self, known: Known, name: str) -> None:
        draw, topic = self.talk.draw, _TOPICS[name]
        label = draw.choice(known.labels())
        antecedent: tuple[int, ...] = ()
        value, other = self.values[name].pop(), self.values[name][0]
        texts = topic.told
        if name in known.facts:
            texts, label = topic.again, known.facts[name][2]
        spoken, follows = label, False
        if self.last is not None and self.last[0] is known and not known.person.own and draw.random() < 0.6:
            _, last_label, antecedent = self.last
            if name not in known.facts or last_label == label:
                label, spoken, follows = last_label, known.person.subject, True
            else:
                antecedent = ()
        if not follows and not known.person.own and not known.facts and known.linked is None and draw.random() < 0.2:
            known.one_name, spoken = True, f"my {known.kin} {known.person.name}"
        words = _grammar(known, spoken) | {"v": value, "w": other}
        at = (self.talk.go_on if follows else self.talk.say)(filled(texts, **words))
        supporting = (at, *antecedent) if follows else (at,)
        known.facts[name] = value, supporting, label
        self.last = known, label, supporting[:1] if not follows else supporting

    def ask(self) -> None:
        """Ask something that was said, if it follows for the name that is used."""
        draw = self.talk.draw
        asked = list(self._askable())
        if not asked or self.talk.unanswerable():
            self._ask_not_told()
            return
        texts, answer, supporting = draw.choice(asked)
        self.talk.ask(texts, (answer,), supporting)

    def _askable(self) -> Iterator[tuple[tuple[str, ...], str, tuple[int, ...]]]:
        for known in self.people:
            if known.linked is not None:
                yield filled(_KIN_ASKED, k=known.kin), known.person.name, (known.linked,)
            for name, (value, at, label) in known.facts.items():
                topic = _TOPICS[name]
                for called in known.labels():
                    if called == label or known.one_name or known.linked is not None:
                        needed = called != label and known.linked is not None and known.linked not in at
                        link = (known.linked,) if needed and known.linked is not None else ()
                        yield filled(topic.asked, **_grammar(known, called)), value, (*at, *link)
                called = known.person.name if known.one_name else label
                answer = "you" if known.person.own else called.removeprefix("my ")
                yield filled(topic.who, v=value), answer, at
                yes = self.talk.draw.random() < 0.5
                asked = value if yes else self.values[name][-1]
                texts = _whether(name, known, label, asked)
                if texts:
                    yield texts, "yes" if yes else "no", at

    def _ask_not_told(self) -> None:
        draw = self.talk.draw
        known = draw.choice([*self.people, self.stranger])
        name = draw.choice(list(_TOPICS))
        if not known.person.own and known.linked is None and not known.one_name and draw.random() < 0.25:
            self.talk.ask_not_told(filled(_KIN_ASKED, k=known.kin))
        elif name not in known.facts:
            self.talk.ask_not_told(filled(_TOPICS[name].asked, **_grammar(known, draw.choice(known.labels()))))
        else:
            self.talk.ask_not_told(filled(_TOPICS[name].who, v=self.values[name][-1]))


def tell_people(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 23."""
    talk = Talk(draw, not_told)
    circle = Circle(talk)
    for _ in range(max(1, round(5 * longer))):
        for _ in range(draw.randint(1, 3)):
            circle.tell()
        circle.ask()
    return Story(PEOPLE, tuple(talk.lines))


def _whether(name: str, known: Known, label: str, value: str) -> tuple[str, ...]:
    texts = {
        "home": ("{Do} {s} live in {v}?", "{Be} {s} living in {v}?", "{Be} {s} in {v}?"),
        "taste": ("{Do} {s} like {v}?", "{Do} {s} love {v}?"),
        "job": ("{Be} {s} a {v}?", "{Do} {s} work as a {v}?"),
        "allergy": ("{Be} {s} allergic to {v}?", "Did I say {s} {be} allergic to {v}?"),
    }[name]
    return filled(texts, **_grammar(known, label), v=value)


def _grammar(known: Known, called: str) -> dict[str, str]:
    own = known.person.own
    be, have, do = ("am", "have", "do") if own else ("is", "has", "does")
    return {
        "S": called[0].upper() + called[1:], "s": called, "p": known.person.subject, "be": be, "have": have, "do": do,
        "Be": be.capitalize(), "Do": do.capitalize(), "z": "" if own else "s", "es": "" if own else "es", "can": "can",
    }  # fmt: skip
