"""Generated stories with questions: the twenty bAbI tasks from our own simulation, and families of conversations.

Families 21 to 27 are spoken by a user to a bot, in many wordings, about things and places, appointments, people, what
was bought, errands of several people, and single facts; 25 mixes them and asks mostly what was never said.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from memory.dnc.babi import Story
from memory.dnc.stories import (
    acquaintances,
    appointments,
    belongings,
    errand_questions,
    facts,
    kinds,
    lists,
    people,
    space,
    speech,
    world,
)
from memory.dnc.stories.acquaintances import PEOPLE
from memory.dnc.stories.appointments import APPOINTMENTS
from memory.dnc.stories.belongings import THINGS
from memory.dnc.stories.errand_questions import ERRANDS
from memory.dnc.stories.facts import FACTS
from memory.dnc.stories.lists import BOUGHT
from memory.dnc.stories.vocabulary import COLOURS, HOLDERS, MEN, OBJECTS, OFFICIAL, PLACES, WOMEN, Vocabulary
from memory.dnc.words import singular, words_of

__all__ = [
    "APPOINTMENTS", "BOUGHT", "CONVERSATIONS", "ERRANDS", "FACTS", "NOT_TOLD", "OFFICIAL", "PEOPLE", "THINGS",
    "Vocabulary", "closed_words", "generate",
]  # fmt: skip
NOT_TOLD = 25
"""The family whose questions are mostly about what was never said."""
CONVERSATIONS = (THINGS, APPOINTMENTS, PEOPLE, BOUGHT, NOT_TOLD, ERRANDS, FACTS)
"""The families of conversations."""
_TALKS = {
    THINGS: belongings.tell_things, APPOINTMENTS: appointments.tell_appointments, PEOPLE: acquaintances.tell_people,
    BOUGHT: lists.tell_bought, ERRANDS: errand_questions.tell_errands, FACTS: facts.tell_facts,
}  # fmt: skip
_NOT_TOLD_SHARE, _MOSTLY_NOT_TOLD = 0.15, 0.6
_FAMILIES = {
    **dict.fromkeys((1, 2, 3, 5, 6, 7, 8), world.tell),
    **dict.fromkeys((4, 17, 18, 19), space.tell),
    **dict.fromkeys((9, 10, 11, 12, 13, 14), people.tell),
    **dict.fromkeys((15, 16, 20), kinds.tell),
}


def generate(task: int, stories: int, seed: int, words: Vocabulary = OFFICIAL, longer: float = 1.0) -> Iterator[Story]:
    """``stories`` stories of a task, the same for the same seed.

    Args:
        task: 1 to 20, or one of ``CONVERSATIONS``.
        stories: how many.
        seed: of the random draws.
        words: the entities to talk about; conversations draw theirs from a list of hundreds.
        longer: how much longer than the published stories, for example 1.5; tasks 4, 16, 19 and 20 are never longer.

    Raises:
        ValueError: no such task.
    """
    draw = random.Random(f"{task} {seed}")
    if task in CONVERSATIONS:
        for _ in range(stories):
            yield _converse(task, draw, longer)
        return
    if task not in _FAMILIES:
        raise ValueError(f"no task {task}: choose one of 1 to 20 or of {CONVERSATIONS}")
    for _ in range(stories):
        yield _FAMILIES[task](task, words, draw, longer)


def _converse(task: int, draw: random.Random, longer: float) -> Story:
    if task != NOT_TOLD:
        return _TALKS[task](draw, longer, _NOT_TOLD_SHARE)
    told = _TALKS[draw.choice(list(_TALKS))](draw, longer, _MOSTLY_NOT_TOLD)
    return Story(NOT_TOLD, told.lines)


def closed_words() -> tuple[str, ...]:
    """Words of the conversations that name nothing, sorted: what an encoder must know to read them.

    Lower case, contractions opened ("i am" for "I'm").
    """
    entities = (
        *MEN, *WOMEN, *PLACES, *OBJECTS, *HOLDERS, *COLOURS, *acquaintances.ENTITIES, *appointments.ENTITIES,
        *facts.ENTITIES, *speech.STRANGE,
    )  # fmt: skip
    names = {word for entity in entities for word in _words(entity)}
    spoken = {
        word
        for task in CONVERSATIONS
        for story in generate(task, 150, seed=0)
        for line in story.lines
        for word in _words(line if isinstance(line, str) else line.text)
    }
    return tuple(sorted(word for word in spoken - names if singular(word) not in names))


def _words(text: str) -> list[str]:
    return [word for word in words_of(text) if word.isalpha()]
