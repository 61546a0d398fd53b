"""Relations of things in space: two-place relations, positions, sizes and paths (tasks 4, 17, 18 and 19)."""

from __future__ import annotations

import random
from collections.abc import Callable

from memory.dnc.babi import Question, Story
from memory.dnc.stories.vocabulary import Vocabulary

Point = tuple[int, int]
COMPASS: dict[str, Point] = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
SIDES: dict[str, Point] = {"above": (0, 1), "below": (0, -1), "to the right of": (1, 0), "to the left of": (-1, 0)}
_BACK = {"north": "south", "south": "north", "east": "west", "west": "east"}
_ONE_MORE_OF_SIZE = 0.56
"""The published stories of task 18 have five or more comparisons, 6.3 on average."""
_STATEMENTS_OF_SIZE, _QUESTIONS_OF_SIZE, _QUESTIONS_OF_POSITION = 5, 5, 8


def tell(task: int, words: Vocabulary, draw: random.Random, longer: float) -> Story:
    """A story of task 4, 17, 18 or 19."""
    family: dict[int, Callable[[Vocabulary, random.Random, float], list[str | Question]]] = {
        4: _two_places, 17: _positions, 18: _sizes, 19: _paths,
    }  # fmt: skip
    return Story(task, tuple(family[task](words, draw, longer)))


def _two_places(words: Vocabulary, draw: random.Random, longer: float) -> list[str | Question]:
    """Three rooms in a row; one of the two neighbourhoods is asked for, from either end."""
    del longer
    row = draw.sample(words.places, 3)
    way = draw.choice(("north", "east"))
    pairs = [(row[0], row[1]), (row[1], row[2])]
    draw.shuffle(pairs)
    lines: list[str | Question] = []
    for one, two in pairs:
        said = (two, _BACK[way], one) if draw.random() < 0.5 else (one, way, two)
        lines.append(f"The {said[0]} is {said[1]} of the {said[2]}.")
    at = draw.randrange(2)
    one, two = pairs[at]
    forms = (
        (f"What is {way} of the {two}?", one), (f"What is {_BACK[way]} of the {one}?", two),
        (f"What is the {one} {way} of?", two), (f"What is the {two} {_BACK[way]} of?", one),
    )  # fmt: skip
    text, answer = draw.choice(forms)
    return [*lines, Question(text, (answer,), (at,))]


def _grown(
    names: list[str], draw: random.Random, chain: bool = False
) -> tuple[dict[str, Point], list[tuple[str, str]]]:
    """Names on a grid, no two at a point, and the neighbours through which each was placed."""
    where: dict[str, Point] = {names[0]: (0, 0)}
    edges: list[tuple[str, str]] = []
    for name in names[1:]:
        while True:
            beside = list(where)[-1] if chain else draw.choice(list(where))
            step = draw.choice(list(COMPASS.values()))
            point = (where[beside][0] + step[0], where[beside][1] + step[1])
            if point not in where.values():
                break
        where[name] = point
        edges.append((name, beside))
    return where, edges


def _related(one: Point, two: Point, names: dict[str, Point]) -> str:
    step = (one[0] - two[0], one[1] - two[1])
    return next(name for name, way in names.items() if way == step)


def _positions(words: Vocabulary, draw: random.Random, longer: float) -> list[str | Question]:
    names = draw.sample(words.shapes, 3)
    middle = names[1]
    where, edges = _grown(names, draw, chain=True)
    draw.shuffle(edges)
    lines: list[str | Question] = []
    for pair in edges:
        one, two = draw.sample(pair, 2)
        lines.append(f"The {one} is {_related(where[one], where[two], SIDES)} the {two}.")
    first = next(x for x in edges[0] if x != middle)
    ends = [names[0], names[2]]
    for _ in range(max(1, round(_QUESTIONS_OF_POSITION * longer))):
        one, two = draw.sample(ends, 2)
        side = draw.choice(list(SIDES))
        step = SIDES[side]
        along = (where[one][0] - where[two][0]) * step[0] + (where[one][1] - where[two][1]) * step[1]
        supporting = (0, 1) if one == first else (1, 0)
        lines.append(Question(f"Is the {one} {side} the {two}?", ("yes" if along > 0 else "no",), supporting))
    return lines


def _sizes(words: Vocabulary, draw: random.Random, longer: float) -> list[str | Question]:
    """Things of different sizes: any two are compared, and asked are those that a third one links."""
    order = [*words.containers[:2], *draw.sample(words.containers[2:], len(words.containers) - 2)]
    said = max(2, round(_STATEMENTS_OF_SIZE * longer))
    while draw.random() < _ONE_MORE_OF_SIZE:
        said += 1
    while True:
        pairs = [sorted(draw.sample(range(len(order)), 2)) for _ in range(said)]
        links = {
            (small, big): (low, high)
            for low, (small, mid) in enumerate(pairs) for high, (middle, big) in enumerate(pairs) if mid == middle
        }  # fmt: skip
        if links:
            break
    lines: list[str | Question] = []
    for small, big in pairs:
        inside = f"The {order[small]} fits inside the {order[big]}."
        lines.append(inside if draw.random() < 0.5 else f"The {order[big]} is bigger than the {order[small]}.")
    for _ in range(max(1, round(_QUESTIONS_OF_SIZE * longer))):
        (small, big), (low, high) = draw.choice(list(links.items()))
        yes, fits = draw.random() < 0.5, draw.random() < 0.5
        one, two = (big, small) if yes else (small, big)
        text = f"Is the {order[one]} bigger than the {order[two]}?"
        if fits:
            text = f"Does the {order[two]} fit in the {order[one]}?"
        lines.append(Question(text, ("yes" if yes else "no",), (high, low) if yes else (low, high)))
    return lines


def _paths(words: Vocabulary, draw: random.Random, longer: float) -> list[str | Question]:
    """Six rooms that hang together; asked is a way of two steps."""
    del longer
    names = draw.sample(words.places, 6)
    where, edges = _grown(names, draw)
    draw.shuffle(edges)
    lines: list[str | Question] = []
    for pair in edges:
        one, two = draw.sample(pair, 2)
        lines.append(f"The {one} is {_related(where[one], where[two], COMPASS)} of the {two}.")
    at = {frozenset(pair): number for number, pair in enumerate(edges)}
    ways = [
        (a, b, c) for a in names for b in names for c in names
        if a != c and frozenset((a, b)) in at and frozenset((b, c)) in at
    ]  # fmt: skip
    start, middle, end = draw.choice(ways)
    steps = tuple(_related(where[y], where[x], COMPASS)[0] for x, y in ((start, middle), (middle, end)))
    supporting = (at[frozenset((start, middle))], at[frozenset((middle, end))])
    return [*lines, Question(f"How do you go from the {start} to the {end}?", steps, supporting)]
