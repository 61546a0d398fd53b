"""Conversations about appointments (family 22) and about people and what they like (family 23)."""

from __future__ import annotations

import random

from memory.dnc.babi import Story
from memory.dnc.stories.speech import Talk
from memory.dnc.stories.vocabulary import COLOURS, MEN, PLACES, WOMEN

APPOINTMENTS, PEOPLE = 22, 23
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TOWNS = (
    "Leeds", "York", "Bristol", "Cardiff", "Dublin", "Glasgow", "Oslo", "Lisbon", "Vienna", "Prague", "Geneva", "Lyon",
    "Hamburg", "Turin", "Porto", "Ghent", "Malmo", "Boston", "Denver", "Toronto", "Lima", "Cairo", "Delhi", "Kyoto",
)  # fmt: skip
LIKED = (
    "jazz", "chess", "tennis", "opera", "sushi", "pasta", "hiking", "poetry", "football", "yoga", "sailing", "skiing",
    "gardening", "cooking", "dancing", "cycling", "painting", "techno", "curry", "chocolate", "swimming", "knitting",
)  # fmt: skip
ALLERGENS = (
    "nuts",
    "milk",
    "gluten",
    "pollen",
    "shellfish",
    "eggs",
    "soy",
    "dust",
    "cats",
    "sesame",
    "wool",
    "penicillin",
)
JOBS = (
    "teacher",
    "nurse",
    "lawyer",
    "baker",
    "pilot",
    "painter",
    "farmer",
    "plumber",
    "judge",
    "chef",
    "singer",
    "tailor",
)
_SISTERS = ("sister", "mother", "aunt", "niece", "daughter", "wife", "grandmother")
_BROTHERS = ("brother", "father", "uncle", "nephew", "son", "husband", "grandfather")
ENTITIES = (*DAYS, *TOWNS, *LIKED, *ALLERGENS, *JOBS, *_SISTERS, *_BROTHERS)
"""Everything that is named in these conversations besides people and places."""
_FAVOURITES: dict[str, tuple[str, ...]] = {"colour": COLOURS, "city": TOWNS, "hobby": LIKED, "place": PLACES}
_VISIT = (
    "I will be at the {p} on {d}.", "On {d} I will be at the {p}.", "I have an appointment at the {p} on {d}.",
    "On {d} I am at the {p}.", "I am going to the {p} on {d}.", "On {d} I have to go to the {p}.",
)  # fmt: skip
_MEETING = (
    "On {d} I am meeting {n} at the {p}.", "I am meeting {n} at the {p} on {d}.", "I will meet {n} at the {p} on {d}.",
    "On {d} I will see {n} at the {p}.", "{n} and I meet at the {p} on {d}.",
)  # fmt: skip
_WHERE = (
    "Where will I be on {d}?", "Where did I say I would be on {d}?", "Where am I going on {d}?", "Where am I on {d}?",
    "Where do I have to go on {d}?", "What is the place of my appointment on {d}?",
)  # fmt: skip
_WHO = (
    "Who am I meeting on {d}?", "Who will I meet on {d}?", "Who do I meet on {d}?", "Who did I say I meet on {d}?",
    "Who will I see on {d}?",
)  # fmt: skip
_WHEN = (
    "When am I at the {p}?", "When will I be at the {p}?", "On which day am I at the {p}?", "When do I go to the {p}?",
    "What day did I say I would be at the {p}?",
)  # fmt: skip
_WHEN_MET = (
    "When am I meeting {n}?", "When will I meet {n}?", "On which day do I meet {n}?", "What day will I see {n}?",
    "When did I say I would meet {n}?",
)  # fmt: skip
_Wordings = tuple[str, ...]
_Fact = tuple[_Wordings, tuple[tuple[_Wordings, str], ...]]
_Asked = list[tuple[_Wordings, str, int]]
"""Wordings of a question, its answer and the sentence that tells it."""


def tell_appointments(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 22: where the user will be, when, and with whom."""
    talk = Talk(draw, not_told)
    days, places, names = list(DAYS), draw.sample(PLACES, 7), draw.sample(MEN + WOMEN, 8)
    draw.shuffle(days)
    free = days.pop()
    asked: _Asked = []
    met, seen = _filled(_WHEN_MET, n=names.pop()), _filled(_WHEN, p=places.pop())
    unsaid = (_filled(_WHERE, d=free), _filled(_WHO, d=free), met, seen)
    for _ in range(max(1, round(5 * longer))):
        for _ in range(draw.randint(1, 2)):
            if not days:
                continue
            day, place, name = days.pop(), places.pop(), names.pop()
            asked.extend(_appointment(talk, day, place, name))
        _ask(talk, asked, unsaid)
    return Story(APPOINTMENTS, tuple(talk.lines))


def _appointment(talk: Talk, day: str, place: str, name: str) -> _Asked:
    alone = talk.draw.random() < 0.5
    at = talk.say(_filled(_VISIT if alone else _MEETING, d=day, p=place, n=name))
    known = [(_filled(_WHERE, d=day), place, at), (_filled(_WHEN, p=place), day, at)]
    if not alone:
        known += [(_filled(_WHO, d=day), name, at), (_filled(_WHEN_MET, n=name), day, at)]
    return known


def tell_people(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 23: relatives, where they live, what they like, and the user's own tastes."""
    talk = Talk(draw, not_told)
    men, women = draw.sample(MEN, 4), draw.sample(WOMEN, 4)
    facts = _facts(draw, list(zip(men, draw.sample(_BROTHERS, 4), strict=True))
                   + list(zip(women, draw.sample(_SISTERS, 4), strict=True)))  # fmt: skip
    draw.shuffle(facts)
    held_back = [facts.pop() for _ in range(4)]
    unsaid = tuple(wordings for _, questions in held_back for wordings, _ in questions)
    asked: _Asked = []
    for _ in range(max(1, round(5 * longer))):
        for _ in range(draw.randint(1, 2)):
            if facts:
                wordings, questions = facts.pop()
                at = talk.say(wordings)
                asked.extend((texts, answer, at) for texts, answer in questions)
        _ask(talk, asked, unsaid)
    return Story(PEOPLE, tuple(talk.lines))


def _facts(draw: random.Random, relatives: list[tuple[str, str]]) -> list[_Fact]:
    facts: list[_Fact] = []
    towns, liked, jobs = draw.sample(TOWNS, 8), draw.sample(LIKED, 8), draw.sample(JOBS, 8)
    for (name, kin), town, taste, job in zip(relatives, towns, liked, jobs, strict=True):
        facts.append(((f"{name} is my {kin}.", f"My {kin} is {name}.", f"My {kin} is called {name}.",
                       f"{name} is the name of my {kin}.", f"I have a {kin} called {name}."),
                      ((_kin_asked(kin), name),)))  # fmt: skip
        facts.append(((f"{name} lives in {town}.", f"{name} has a flat in {town}.", f"{name} moved to {town}.",
                       f"{name} is living in {town}.", f"The home of {name} is in {town}."),
                      (((f"Where does {name} live?", f"In which city does {name} live?", f"Where is {name} living?",
                         f"Do you know where {name} lives?", f"Where did I say {name} lives?"), town),
                       ((f"Who lives in {town}?", f"Who is living in {town}?", f"Who has a flat in {town}?",
                         f"Who did I say lives in {town}?", f"Do you know who lives in {town}?"), name))))  # fmt: skip
        facts.append(((f"{name} likes {taste}.", f"{name} loves {taste}.", f"{name} enjoys {taste}.",
                       f"{name} is fond of {taste}.", f"{name} really likes {taste}."),
                      (((f"What does {name} like?", f"What does {name} love?", f"What does {name} enjoy?",
                         f"What is {name} fond of?", f"What did I say {name} likes?"), taste),
                       ((f"Who likes {taste}?", f"Who loves {taste}?", f"Who enjoys {taste}?",
                         f"Who is fond of {taste}?", f"Who did I say likes {taste}?"), name))))  # fmt: skip
        facts.append(((f"{name} is a {job}.", f"{name} works as a {job}.", f"{name} has a job as a {job}.",
                       f"{name} became a {job}.", f"{name} is working as a {job}."),
                      (((f"What does {name} do?", f"What is the job of {name}?", f"What does {name} work as?",
                         f"What did I say {name} does?", f"Which job does {name} have?"), job),)))  # fmt: skip
    return facts + _own(draw)


def _own(draw: random.Random) -> list[_Fact]:
    """The user's favourites and what he or she can't stand."""
    facts: list[_Fact] = []
    for kind, values in _FAVOURITES.items():
        value = draw.choice(values)
        facts.append(((f"My favourite {kind} is {value}.", f"{value} is my favourite {kind}.",
                       f"The {kind} I like best is {value}.", f"I like {value} best, it is my favourite {kind}.",
                       f"{value} is the {kind} I like most."),
                      (((f"What is my favourite {kind}?", f"Which {kind} do I like best?",
                         f"Do you remember my favourite {kind}?", f"What did I say is my favourite {kind}?",
                         f"Which {kind} is my favourite?"), value),)))  # fmt: skip
    value = draw.choice(ALLERGENS)
    facts.append(((f"I am allergic to {value}.", f"I have an allergy to {value}.", f"I am allergic: {value}.",
                   f"My allergy is {value}.", f"I am very allergic to {value}."),
                  ((("What am I allergic to?", "What is my allergy?", "Which allergy do I have?",
                     "What did I say I am allergic to?", "Do you know what I am allergic to?"), value),)))  # fmt: skip
    return facts


def _kin_asked(kin: str) -> tuple[str, ...]:
    return (
        f"Who is my {kin}?", f"What is the name of my {kin}?", f"What is my {kin} called?",
        f"Who did I say is my {kin}?",
        f"Do you know the name of my {kin}?",
    )  # fmt: skip


def _ask(talk: Talk, asked: _Asked, unsaid: tuple[_Wordings, ...]) -> None:
    if talk.unanswerable():
        talk.ask_not_told(talk.draw.choice(unsaid))
        return
    wordings, answer, at = talk.draw.choice(asked)
    talk.ask(wordings, (answer,), (at,))


def _filled(texts: tuple[str, ...], **values: str) -> tuple[str, ...]:
    return tuple(text.format(**values) for text in texts)
