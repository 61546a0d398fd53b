"""A house with people who move, take, drop and give things, and the questions of tasks 1, 2, 3, 5, 6, 7 and 8.

A random actor tries a random action; what isn't possible isn't done. Where people and things are at first isn't said.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from memory.dnc.babi import Question, Story
from memory.dnc.stories.vocabulary import Vocabulary

MOVES = ("moved to", "went to", "went back to", "journeyed to", "travelled to")
GETS = ("got", "took", "grabbed", "picked up")
DROPS = ("dropped", "left", "discarded", "put down")
GIVES = ("gave", "passed", "handed")
NUMBERS = ("none", "one", "two", "three", "four", "five", "six")
_EVERY = 2
"""Statements between two chances of a question."""
_CHANCES = {2: (0.68, 0.83, 0.89), 3: (0.7, 0.8, 0.9)}
"""That a question is asked about one, two, three answerable things (tasks 2 and 3)."""
_STILL_CARRIED = 0.35
"""How often a thing that is still carried is a candidate in task 3, fitted to the published stories."""
_FRESH = 5
"""Task 5 asks about a gift of the last five sentences."""
_ASKED_AGAIN = 0.5
_GIVING = 3.5
"""How much more often than other actions giving is tried, fitted to the published stories of task 5."""


@dataclass
class House:
    """The state of the world, what was said of it, and which sentence said it."""

    task: int
    actors: tuple[str, ...]
    places: tuple[str, ...]
    objects: tuple[str, ...]
    draw: random.Random
    said: int = 0
    place: dict[str, str] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    moves: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    handled: dict[str, tuple[int, str, bool]] = field(default_factory=dict)
    carried: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    held: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    lies: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    given: tuple[int, str, str, str] | None = None

    def __post_init__(self) -> None:
        self.place = {thing: self.draw.choice(self.places) for thing in (*self.actors, *self.objects)}

    def step(self) -> str:
        """Let something happen and say it."""
        kinds, weights = ("go", "get", "drop", "give"), [1.0, 1.0, 1.0, 0.0]
        if self.task == 1:
            weights = [1.0, 0.0, 0.0, 0.0]
        elif self.task in (5, 7):
            weights[3] = _GIVING if self.task == 5 else 2.5
        actions = {"go": self.go, "get": self.get, "drop": self.drop, "give": self.give}
        while True:
            actor, kind = self.draw.choice(self.actors), self.draw.choices(kinds, weights)[0]
            sentence = actions[kind](actor)
            if sentence is not None:
                self.said += 1
                return sentence

    def go(self, actor: str) -> str | None:
        """Move somewhere else."""
        place = self.draw.choice(self.places)
        if place == self.place[actor]:
            return None
        self.place[actor] = place
        self.moves.setdefault(actor, []).append((self.said, place))
        for thing, owner in self.owner.items():
            if owner == actor:
                self.carried[thing].append((self.said, place))
        return f"{actor} {self.draw.choice(MOVES)} the {place}."

    def get(self, actor: str) -> str | None:
        """Take a thing that lies here."""
        here = [x for x in self.objects if x not in self.owner and self.place[x] == self.place[actor]]
        if not here:
            return None
        thing = self.draw.choice(here)
        self.owner[thing] = actor
        self.handled[thing] = (self.said, actor, True)
        self.carried[thing] = []
        self.held.setdefault(actor, {}).setdefault(thing, []).append(self.said)
        there = "" if self.task == 3 and self.draw.random() < 0.8 else " there"
        return f"{actor} {self.draw.choice(GETS)} the {thing}{there}."

    def drop(self, actor: str) -> str | None:
        """Leave a thing here."""
        mine = [x for x in self.objects if self.owner.get(x) == actor]
        if not mine:
            return None
        thing = self.draw.choice(mine)
        del self.owner[thing]
        self.place[thing] = self.place[actor]
        self.handled[thing] = (self.said, actor, False)
        self.held[actor][thing].append(self.said)
        self.lies[thing] = self.moves.get(actor, [])[-1:]
        there = " there" if self.draw.random() < 0.2 else ""
        return f"{actor} {self.draw.choice(DROPS)} the {thing}{there}."

    def give(self, actor: str) -> str | None:
        """Give a thing to somebody who is here."""
        mine = [x for x in self.objects if self.owner.get(x) == actor]
        others = [x for x in self.actors if x != actor and self.place[x] == self.place[actor]]
        if not mine or not others:
            return None
        thing, other = self.draw.choice(mine), self.draw.choice(others)
        self.owner[thing] = other
        self.given = (self.said, actor, thing, other)
        self.held.setdefault(actor, {}).setdefault(thing, []).append(self.said)
        self.held.setdefault(other, {}).setdefault(thing, []).append(self.said)
        return f"{actor} {self.draw.choice(GIVES)} the {thing} to {other}."

    def found(self, thing: str) -> Question | None:
        """Task 2: where a thing is, if two sentences tell."""
        if thing not in self.handled:
            return None
        at, actor, kept = self.handled[thing]
        moves = [m for m in self.moves.get(actor, []) if m[0] > at] if kept else self.lies[thing]
        if not moves:
            return None
        return Question(f"Where is the {thing}?", (moves[-1][1],), (at, moves[-1][0]))

    def earlier(self, thing: str) -> Question | None:
        """Task 3: where a thing was before it came where it is now, if it was carried to both places.

        As published, of a thing that was dropped any stop on its way is asked, of one that is carried only the second.
        """
        moves = self.carried.get(thing, [])
        last = {place: number for number, (_, place) in enumerate(moves)}
        stops = [number for number in last.values() if number > 0]
        if not stops or (thing in self.owner and (len(moves) > 2 or self.draw.random() > _STILL_CARRIED)):
            return None
        stop = self.draw.choice(stops)
        before, now = moves[stop - 1], moves[stop]
        text = f"Where was the {thing} before the {now[1]}?"
        return Question(text, (before[1],), (self.handled[thing][0], now[0], before[0]))

    def holding(self, actor: str) -> Question | None:
        """Tasks 7 and 8: how many things, or which, in the order in which they first came into these hands."""
        things = self.held.get(actor)
        if not things:
            return None
        mine = tuple(x for x in things if self.owner.get(x) == actor)
        if self.task == 7:
            supporting = tuple(sorted(at for times in things.values() for at in times))
            return Question(f"How many objects is {actor} carrying?", (NUMBERS[len(mine)],), supporting)
        supporting = tuple(at for times in things.values() for at in times)
        return Question(f"What is {actor} carrying?", mine or ("nothing",), supporting)

    def gift(self) -> Question | None:
        """Task 5: about the last thing given, while that is fresh."""
        if self.given is None or self.said - self.given[0] > _FRESH:
            return None
        at, giver, thing, taker = self.given
        forms = (
            (f"What did {giver} give to {taker}?", thing), (f"What did {giver} give to {taker}?", thing),
            (f"Who gave the {thing}?", giver), (f"Who gave the {thing} to {taker}?", giver),
            (f"Who received the {thing}?", taker), (f"Who did {giver} give the {thing} to?", taker),
        )  # fmt: skip
        text, answer = self.draw.choice(forms)
        return Question(text, (answer,), (at,))

    def whereabouts(self, actor: str) -> Question | None:
        """Tasks 1 and 6: where somebody is, or whether."""
        if actor not in self.moves:
            return None
        at, place = self.moves[actor][-1]
        if self.task == 1:
            return Question(f"Where is {actor}?", (place,), (at,))
        yes = self.draw.random() < 0.5
        asked = place if yes else self.draw.choice([x for x in self.places if x != place])
        return Question(f"Is {actor} in the {asked}?", ("yes" if yes else "no",), (at,))


def tell(task: int, words: Vocabulary, draw: random.Random, longer: float) -> Story:
    """A story of task 1, 2, 3, 5, 6, 7 or 8 with five questions (more if ``longer``)."""
    house = House(task, words.givers if task == 5 else words.actors, words.places, words.objects, draw)
    lines: list[str | Question] = []
    wanted = max(1, round(5 * longer))
    asked = 0
    last = ""
    while asked < wanted:
        lines.extend(house.step() for _ in range(_EVERY))
        question, last = _question(house, last)
        if question is not None:
            lines.append(question)
            asked += 1
    return Story(task, tuple(lines))


def _question(house: House, last: str) -> tuple[Question | None, str]:
    draw = house.draw
    if house.task == 5:
        return house.gift(), last
    ask = {1: house.whereabouts, 6: house.whereabouts, 2: house.found, 3: house.earlier}.get(house.task, house.holding)
    about = house.objects if house.task in (2, 3) else house.actors
    known = {x: question for x in about if (question := ask(x)) is not None}
    if not known or (house.task in (2, 3) and draw.random() > _CHANCES[house.task][min(len(known), 3) - 1]):
        return None, last
    again = house.task not in (1, 6) and last in known and draw.random() < _ASKED_AGAIN
    chosen = last if again else draw.choice(list(known))
    return known[chosen], chosen
