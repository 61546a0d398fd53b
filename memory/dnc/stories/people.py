"""Who is where, told directly: negation, doubt, pronouns, pairs of people and times of day (tasks 9 to 14)."""

from __future__ import annotations

import random

from memory.dnc.babi import Question, Story
from memory.dnc.stories.vocabulary import Vocabulary
from memory.dnc.stories.world import MOVES

_THEN = ("Afterwards", "After that", "Following that", "Then")
_TIMES = ("yesterday", "this morning", "this afternoon", "this evening")
Lines = list[str | Question]


def tell(task: int, words: Vocabulary, draw: random.Random, longer: float) -> Story:
    """A story of tasks 9 to 14."""
    rounds = max(1, round(5 * longer))
    if task == 14:
        return Story(task, tuple(_times_of_day(words, draw, rounds)))
    if task in (9, 10):
        return Story(task, tuple(_doubtful(task, words, draw, rounds)))
    return Story(task, tuple(_together(task, words, draw, rounds)))


def _doubtful(task: int, words: Vocabulary, draw: random.Random, rounds: int) -> Lines:
    actors, places = (words.actors, words.places) if task == 9 else (words.people, words.town)
    last: dict[str, tuple[int, str, tuple[str, ...]]] = {}
    lines: Lines = []
    for said in range(2 * rounds):
        actor, chance = draw.choice(actors), draw.random()
        one, two = draw.sample(places, 2)
        kind = "sure"
        if chance < 0.5:
            lines.append(f"{actor} {draw.choice(MOVES)} the {one}.")
        elif chance < 0.75:
            lines.append(f"{actor} is in the {one}.")
        elif task == 9:
            kind = "not"
            lines.append(f"{actor} is {draw.choice(('not', 'no longer'))} in the {one}.")
        else:
            kind = "either"
            lines.append(f"{actor} is either in the {one} or the {two}.")
        last[actor] = (said, kind, (one, two) if kind == "either" else (one,))
        if said % 2:
            lines.append(_whether(draw.choice(list(last)), last, places, draw))
    return lines


def _whether(
    actor: str, last: dict[str, tuple[int, str, tuple[str, ...]]], places: tuple[str, ...], draw: random.Random
) -> Question:
    said, kind, possible = last[actor]
    elsewhere = [x for x in places if x not in possible]
    asked, answer = possible[0], "no"
    if kind == "sure":
        answer = draw.choice(("yes", "no"))
    elif kind == "either":
        answer = "maybe" if draw.random() < 0.6 else "no"
        asked = draw.choice(possible)
    if answer == "no" and kind != "not":
        asked = draw.choice(elsewhere)
    return Question(f"Is {actor} in the {asked}?", (answer,), (said,))


def _together(task: int, words: Vocabulary, draw: random.Random, rounds: int) -> Lines:
    last: dict[str, tuple[str, tuple[int, ...]]] = {}
    lines: Lines = []
    crowd = 1 if task == 11 else 2
    for turn in range(rounds):
        pair = (2 * turn, 2 * turn + 1)
        who, places = draw.sample(words.actors, crowd), draw.sample(words.places, 2)
        lines.append(f"{' and '.join(who)} {draw.choice(MOVES)} the {places[0]}.")
        if task == 12:
            last.update(dict.fromkeys(who, (places[0], pair[:1])))
            who = draw.sample(words.actors, crowd)
            lines.append(f"{' and '.join(who)} {draw.choice(MOVES)} the {places[1]}.")
        else:
            subject = "they" if task == 13 else "he" if who[0] in words.men else "she"
            lines.append(f"{draw.choice(_THEN)} {subject} {draw.choice(MOVES)} the {places[1]}.")
        last.update(dict.fromkeys(who, (places[1], pair[1:] if task == 12 else pair)))
        asked = draw.choice(list(last))
        lines.append(Question(f"Where is {asked}?", (last[asked][0],), last[asked][1]))
    return lines


def _times_of_day(words: Vocabulary, draw: random.Random, rounds: int) -> Lines:
    """Everybody's day is a path; what is told of it comes in any order, but never so that a gap would mislead."""
    told: list[tuple[str, int, str]] = []
    ready = _plan(words, draw)
    seen: dict[str, dict[int, tuple[int, str]]] = {}
    lines: Lines = []
    asked = 0
    while asked < rounds:
        for _ in range(2):
            if ready:
                actor, time, place = ready.pop(0)
                seen.setdefault(actor, {})[time] = (len(told), place)
                lines.append(_timed(actor, time, place, draw))
                told.append((actor, time, place))
        questions = [question for actor in seen for question in _before(actor, seen[actor])]
        if questions:
            lines.append(draw.choice(questions))
            asked += 1
    return lines


def _plan(words: Vocabulary, draw: random.Random) -> list[tuple[str, int, str]]:
    waiting: dict[str, list[tuple[str, int, str]]] = {}
    for actor in words.people:
        day: list[str] = []
        for _ in _TIMES:
            day.append(draw.choice([x for x in words.town if not day or x != day[-1]]))
        first = [(actor, 0, day[0]), (actor, 1, day[1])]
        draw.shuffle(first)
        waiting[actor] = [*first, (actor, 2, day[2]), (actor, 3, day[3])]
    plan: list[tuple[str, int, str]] = []
    while waiting:
        actor = draw.choice(list(waiting))
        plan.append(waiting[actor].pop(0))
        if not waiting[actor]:
            del waiting[actor]
    return plan


def _timed(actor: str, time: int, place: str, draw: random.Random) -> str:
    moved = f"{actor} {draw.choice(MOVES)} the {place}"
    return f"{_TIMES[time].capitalize()} {moved}." if draw.random() < 0.5 else f"{moved} {_TIMES[time]}."


def _before(actor: str, day: dict[int, tuple[int, str]]) -> list[Question]:
    found = []
    last_at = {day[time][1]: time for time in sorted(day)}
    for time in sorted(day):
        if time - 1 in day and last_at[day[time][1]] == time:
            (before, place), (now, there) = day[time - 1], day[time]
            found.append(Question(f"Where was {actor} before the {there}?", (place,), (now, before)))
    return found
