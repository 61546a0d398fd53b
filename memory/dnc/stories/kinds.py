"""Species, colours and motives: deduction, induction and why people do things (tasks 15, 16 and 20)."""

from __future__ import annotations

import random

from memory.dnc.babi import Question, Story
from memory.dnc.stories.vocabulary import Vocabulary
from memory.dnc.stories.world import GETS, MOVES

MOTIVES = {
    "hungry": ("kitchen", "apple"), "thirsty": ("kitchen", "milk"), "bored": ("garden", "football"),
    "tired": ("bedroom", "pajamas"),
}  # fmt: skip
"""Where somebody goes in such a state, and what for."""
_TRUE_TO_KIND = 0.65
"""How often an animal has its species' colour (task 16), fitted to the published stories."""


def tell(task: int, words: Vocabulary, draw: random.Random, longer: float) -> Story:
    """A story of task 15, 16 or 20."""
    if task == 16:
        return Story(task, tuple(_induction(words, draw)))
    return Story(task, tuple(_deduction(words, draw, longer) if task == 15 else _motives(words, draw, longer)))


def _deduction(words: Vocabulary, draw: random.Random, longer: float) -> list[str | Question]:
    kinds = {name: draw.choice(words.creatures) for name in words.keepers}
    feared = {kind: draw.choice([x for x in words.creatures if x != kind]) for kind in words.creatures}
    facts: list[tuple[str, str]] = [(name, "") for name in kinds] + [("", kind[0]) for kind in feared]
    draw.shuffle(facts)
    at = {name or kind: number for number, (name, kind) in enumerate(facts)}
    many = {kind[0]: f"{kind[1].capitalize()} are afraid of {other[1]}." for kind, other in feared.items()}
    lines: list[str | Question] = [f"{name} is a {kinds[name][0]}." if name else many[kind] for name, kind in facts]
    for _ in range(max(1, round(4 * longer))):
        name = draw.choice(words.keepers)
        kind = kinds[name]
        lines.append(Question(f"What is {name.lower()} afraid of?", (feared[kind][0],), (at[name], at[kind[0]])))
    return lines


def _induction(words: Vocabulary, draw: random.Random) -> list[str | Question]:
    """Five animals, of each its species, then its colour, but for the last colour: that is the one of its species.

    As published, of several animals of the species the one whose species was said last decides, and a minority may
    have another colour; two others of the species don't occur.
    """
    colour_of = {kind: draw.choice(words.colours) for kind in words.beasts}
    while True:
        order = _told_by_turns(words.owners, draw)
        asked = order[-1]
        kinds = {name: draw.choice(words.beasts) for name in words.owners}
        peers = [name for name in words.owners if name != asked and kinds[name] == kinds[asked]]
        if len(peers) not in (0, 2):
            break
    lines: list[str | Question] = []
    kind_at: dict[str, int] = {}
    colours: dict[str, tuple[int, str]] = {}
    for said, name in enumerate(order[:-1]):
        if name in kind_at:
            colour = colour_of[kinds[name]] if draw.random() < _TRUE_TO_KIND else draw.choice(words.colours)
            colours[name] = (said, colour)
            lines.append(f"{name} is {colour}.")
        else:
            kind_at[name] = said
            lines.append(f"{name} is a {kinds[name]}.")
    peer = max(peers, key=lambda name: kind_at[name])
    at, colour = colours[peer]
    return [*lines, Question(f"What color is {asked}?", (colour,), (kind_at[asked], kind_at[peer], at))]


def _told_by_turns(names: tuple[str, ...], draw: random.Random) -> list[str]:
    left = [name for name in names[:5] for _ in range(2)]
    order = []
    while left:
        order.append(draw.choice(sorted(set(left))))
        left.remove(order[-1])
    return order


def _motives(words: Vocabulary, draw: random.Random, longer: float) -> list[str | Question]:
    waiting = dict.fromkeys(words.idlers, 0)
    states = dict(zip(words.idlers, draw.sample(list(MOTIVES), 4), strict=True))
    told: dict[str, int] = {}
    lines: list[str | Question] = []
    said = asked = 0
    wanted = round(draw.choice((9, 10, 10, 10, 11, 11, 11, 11, 11, 12)) * min(longer, 1.0)) or 1
    while waiting and asked < wanted:
        name = draw.choice(list(waiting))
        state, done = states[name], waiting[name]
        place, thing = MOTIVES[state]
        told.setdefault(name, said)
        spoken, text, answer = (
            (f"{name} is {state}.", f"Where will {name.lower()} go?", place),
            (f"{name} {draw.choice(MOVES)} the {place}.", f"Why did {name.lower()} go to the {place}?", state),
            (f"{name} {draw.choice(GETS)} the {thing} there.", f"Why did {name.lower()} get the {thing}?", state),
        )[done]
        lines.extend((spoken, Question(text, (answer,), (told[name],))))
        said, asked = said + 1, asked + 1
        waiting[name] += 1
        if waiting[name] == 3:
            del waiting[name]
    return lines
