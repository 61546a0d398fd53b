"""Conversations about where things are, in the first person (family 21), and what was bought (family 24)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from memory.dnc.babi import Story
from memory.dnc.stories.speech import Talk
from memory.dnc.stories.vocabulary import HOLDERS, MEN, OBJECTS, PLACES, WOMEN
from memory.dnc.stories.world import NUMBERS

THINGS, BOUGHT = 21, 24
_LEFT = (
    "I left the {o} in the {p}.", "I put the {o} in the {p}.", "The {o} is in the {p}.", "My {o} is in the {p}.",
    "I put my {o} in the {p}.", "I have put the {o} in the {p}.", "I left my {o} at the {p}.",
    "I took the {o} to the {p}.",
)  # fmt: skip
_ONWARD = (
    "Then I took it to the {p}.", "After that I moved it to the {p}.", "Later I brought it to the {p}.",
    "Now it is in the {p}.", "Then I put it in the {p}.", "{n} took it to the {p}.",
)  # fmt: skip
_OTHERS = (
    "{n} took the {o} to the {p}.", "{n} put the {o} in the {p}.", "{n} left the {o} in the {p}.",
    "{n} moved my {o} to the {p}.", "{n} brought my {o} to the {p}.",
)  # fmt: skip
_EITHER = (
    "The {o} is either in the {p} or the {q}.", "My {o} is in the {p} or the {q}.",
    "I left the {o} either in the {p} or in the {q}.", "The {o} must be in the {p} or in the {q}.",
    "My {o} is either in the {p} or in the {q}.",
)  # fmt: skip
_WHERE = (
    "Where is my {o}?", "Where is the {o}?", "Do you know where my {o} is?", "Where can I find the {o}?",
    "Can you tell me where the {o} is?", "Where is the {o} now?",
)  # fmt: skip
_BEFORE = (
    "Where was the {o} before the {p}?", "Where was my {o} before the {p}?", "Where was my {o} before?",
    "Where was the {o} before it was in the {p}?", "Where was the {o} before that?",
    "Where was my {o} before it was in the {p}?",
)  # fmt: skip
_WHETHER = (
    "Is the {o} in the {p}?", "Is my {o} in the {p}?", "Is the {o} in the {p} now?", "Is my {o} still in the {p}?",
    "Can I find the {o} in the {p}?",
)  # fmt: skip
VERBS = {
    "bought": "buy", "packed": "pack", "ordered": "order", "found": "find", "sold": "sell", "lost": "lose",
    "borrowed": "borrow", "repaired": "repair", "painted": "paint", "washed": "wash",
}  # fmt: skip
_LISTED = (
    "I {v} {x}.", "Today I {v} {x}.", "I {v} {x} this morning.", "Yesterday I {v} {x}.", "I also {v} {x}.",
    "I {v} {x} in town.",
)  # fmt: skip
_WHAT = (
    "What did I {v}?", "Which things did I {v}?", "What have I told you that I {v}?", "What did I say I {v}?",
    "Can you tell me what I {v}?", "Do you remember what I {v}?",
)  # fmt: skip
_COUNT = (
    "How many things did I {v}?", "How many objects did I {v}?", "How many did I {v}?",
    "How many things did I {v} in all?", "Can you count the things that I {v}?",
)  # fmt: skip


@dataclass
class Kept:
    """What was said of a thing: ``path`` of (sentences, place); ``either`` the last doubt, if any."""

    path: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    either: tuple[int, tuple[str, str]] | None = None


def tell_things(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 21: things, places and things that hold things."""
    talk = Talk(draw, not_told)
    holders = draw.sample(HOLDERS, 2)
    free = [x for x in OBJECTS if x not in holders]
    things = draw.sample(free, 5)
    places = draw.sample([x for x in PLACES if x not in things], 5)
    kept: dict[str, Kept] = {}
    people = [draw.choice(MEN), draw.choice(WOMEN)]
    for _ in range(max(1, round(5 * longer))):
        for _ in range(draw.randint(1, 3)):
            _happen(talk, kept, [*things[:4], *holders], places, holders, people)
        _ask_things(talk, kept, things[4], places)
    return Story(THINGS, tuple(talk.lines))


def _happen(
    talk: Talk, kept: dict[str, Kept], things: list[str], places: list[str], holders: list[str], people: list[str]
) -> None:
    draw = talk.draw
    thing, name = draw.choice(things), draw.choice(people)
    known = kept.setdefault(thing, Kept())
    now = known.path[-1][1] if known.path else ""
    options = [x for x in (places if thing in holders else [*places, *holders]) if x != now]
    place, other, third = draw.sample(options, 3)
    if draw.random() < 0.12:
        wordings = [text.format(o=thing, p=place, q=other) for text in _EITHER]
        known.either = (talk.say(wordings), (place, other))
        return
    texts = _OTHERS if draw.random() < 0.3 else _LEFT
    at = talk.say([text.format(o=thing, p=place, n=name) for text in texts])
    known.path.append(((at,), place))
    known.either = None
    if draw.random() < 0.25:
        talk.aside, usual = 0.0, talk.aside
        onward = talk.say([text.format(p=third, n=name) for text in _ONWARD])
        talk.aside = usual
        known.path.append(((at, onward), third))


def _ask_things(talk: Talk, kept: dict[str, Kept], never: str, places: list[str]) -> None:
    draw = talk.draw
    if talk.unanswerable():
        texts = draw.choice((_WHERE, _WHETHER))
        talk.ask_not_told([text.format(o=never, p=draw.choice(places)) for text in texts])
        return
    thing = draw.choice(list(kept))
    known, kind = kept[thing], draw.random()
    inside = kept.get(known.path[-1][1]) if known.path else None
    if inside is not None and inside.either is not None:
        kind = 0.0  # what holds it is in doubt: only what was said of the thing itself is asked
    if known.either is not None:
        at, doubtful = known.either
        maybe = draw.random() < 0.6
        place = draw.choice(doubtful) if maybe else draw.choice([x for x in places if x not in doubtful])
        answer = "maybe" if maybe else "no"
        talk.ask([text.format(o=thing, p=place) for text in _WHETHER], (answer,), (at,))
    elif kind < 0.5:
        at_all, place = known.path[-1]
        talk.ask([text.format(o=thing) for text in _WHERE], (place,), tuple(reversed(at_all)))
    elif kind < 0.75:
        asked = [text.format(o=thing, p=known.path[-1][1]) for text in _BEFORE]
        if len(known.path) == 1:
            talk.ask_not_told(asked)
            return
        before, now = known.path[-2:]
        talk.ask(asked, (before[1],), tuple(dict.fromkeys((*reversed(now[0]), *before[0]))))
    else:
        at_all, now_at = known.path[-1]
        yes = draw.random() < 0.5
        around = [now_at, *(now for _, now in kept[now_at].path[-1:])] if now_at in kept else [now_at]
        place = now_at if yes else draw.choice([x for x in places if x not in around])
        answer = "yes" if yes else "no"
        talk.ask([text.format(o=thing, p=place) for text in _WHETHER], (answer,), tuple(reversed(at_all)))


def tell_bought(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 24: what was bought, packed, ordered, and how many; lists in the order of mention."""
    talk = Talk(draw, not_told)
    verbs = draw.sample(list(VERBS), 3)
    things = draw.sample(OBJECTS, 14)
    never = things.pop()
    lists: dict[str, list[tuple[int, str]]] = {}
    for _ in range(max(1, round(5 * longer))):
        verb = draw.choice(verbs[:2])
        if things and len(lists.get(verb, [])) < 3:
            some = [things.pop() for _ in range(min(draw.randint(1, 2), 3 - len(lists.get(verb, [])), len(things)))]
            listed = " and ".join(_one(thing) for thing in some)
            at = talk.say([text.format(v=verb, x=listed) for text in _LISTED])
            lists.setdefault(verb, []).extend((at, thing) for thing in some)
        _ask_bought(talk, lists, verbs[2], never)
    return Story(BOUGHT, tuple(talk.lines))


def _ask_bought(talk: Talk, lists: dict[str, list[tuple[int, str]]], unsaid: str, never: str) -> None:
    draw = talk.draw
    verb = unsaid if talk.unanswerable() else draw.choice(list(lists))
    told = VERBS[verb]
    what = [text.format(v=told if " did I {v}" in text else verb) for text in _WHAT]
    count = [text.format(v=told if "did I {v}" in text else verb) for text in _COUNT]
    if verb == unsaid:
        talk.ask_not_told(draw.choice((what, count)))
        return
    mine = lists[verb]
    supporting = tuple(dict.fromkeys(at for at, _ in mine))
    kind = draw.random()
    if kind < 0.45:
        talk.ask(what, tuple(thing for _, thing in mine), supporting)
    elif kind < 0.8:
        talk.ask(count, (NUMBERS[len(mine)],), supporting)
    else:
        yes = draw.random() < 0.5
        at, thing = draw.choice(mine) if yes else (-1, never)
        texts = [f"Did I {told} {_one(thing)}?", f"Did I {told} the {thing}?", f"Did I say I {verb} {_one(thing)}?"]
        talk.ask(texts, ("yes" if yes else "no",), (at,) if yes else supporting)


def _one(thing: str) -> str:
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"
