"""Generated stories with questions: the twenty bAbI tasks from our own simulation, and families of conversations.

Families 21 to 25 are spoken by a user to a bot, in many wordings, about things and places, appointments, people, and
what was bought; 25 mixes them and asks mostly what was never said.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from memory.dnc.babi import Story
from memory.dnc.stories import acquaintances, belongings, kinds, people, space, world
from memory.dnc.stories.acquaintances import APPOINTMENTS, PEOPLE
from memory.dnc.stories.belongings import BOUGHT, THINGS
from memory.dnc.stories.vocabulary import COLOURS, HOLDERS, MEN, OBJECTS, OFFICIAL, PLACES, WOMEN, Vocabulary

__all__ = [
    "APPOINTMENTS", "BOUGHT", "CONVERSATIONS", "NOT_TOLD", "OFFICIAL", "PEOPLE", "THINGS", "Vocabulary", "closed_words",
    "generate",
]  # fmt: skip
NOT_TOLD = 25
"""The family whose questions are mostly about what was never said."""
CONVERSATIONS = (THINGS, APPOINTMENTS, PEOPLE, BOUGHT, NOT_TOLD)
"""The families of conversations."""
_TALKS = {
    THINGS: belongings.tell_things, APPOINTMENTS: acquaintances.tell_appointments, PEOPLE: acquaintances.tell_people,
    BOUGHT: belongings.tell_bought,
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

    Lower case, without full stops; contractions as they are spoken ("i'm").
    """
    names = {word.lower() for word in (*MEN, *WOMEN, *PLACES, *OBJECTS, *HOLDERS, *COLOURS, *acquaintances.ENTITIES)}
    spoken = {
        word
        for task in CONVERSATIONS
        for story in generate(task, 150, seed=0)
        for line in story.lines
        for word in re.findall(r"[a-z']+", (line if isinstance(line, str) else line.text).lower())
    }
    return tuple(sorted(spoken - names))
