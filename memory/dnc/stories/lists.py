"""Conversations about what was bought, packed, ordered, by whom, and how many (family 24)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from memory.dnc.babi import Story
from memory.dnc.stories.speech import Talk, filled, listed, one
from memory.dnc.stories.vocabulary import MEN, OBJECTS, PLACES, WOMEN
from memory.dnc.stories.world import NUMBERS

BOUGHT = 24
MOST = 3
"""Things of a list: as many as an answer holds."""
VERBS = {
    "bought": "buy", "packed": "pack", "ordered": "order", "found": "find", "sold": "sell", "lost": "lose",
    "borrowed": "borrow", "repaired": "repair", "painted": "paint", "washed": "wash", "ate": "eat", "broke": "break",
}  # fmt: skip
_AMOUNTS = ("two", "three", "four", "five", "ten")
_TIMES = ("today", "yesterday", "this morning", "on Friday", "last week")
_OWN = ("{A} {v} {x}.", "{A} also {v} {x}.", "{A} {v} {x} in town.", "{A} have {v} {x}.", "{A} just {v} {x}.")
_OTHER = ("{A} {v} {x}.", "{A} also {v} {x}.", "{A} {v} {x} in town.", "{A} {v} {x} there.", "Then {a} {v} {x}.")
_TIMED = ("{A} {v} {x} {t}.", "{T} {a} {v} {x}.")
_WHAT = (
    "What did {a} {b}?", "Which things did {a} {b}?", "What have I told you that {a} {v}?", "What did I say {a} {v}?",
    "Can you tell me what {a} {v}?", "Do you remember what {a} {v}?", "What did {a} {b}?",
)  # fmt: skip
_COUNT = (
    "How many things did {a} {b}?", "How many objects did {a} {b}?", "How many did {a} {b}?",
    "How many things did {a} {b} in all?", "Can you count the things that {a} {v}?",
)  # fmt: skip
_WHETHER = ("Did {a} {b} {one}?", "Did {a} {b} the {o}?", "Did I say {a} {v} {one}?", "Did {a} {b} {one} or not?")
_WHO = ("Who {v} the {o}?", "Who {v} {one}?", "Do you know who {v} the {o}?", "Who did I say {v} {one}?")


@dataclass
class Group:
    """Who has a list: the user, somebody, or two together; ``pronoun`` for right after a mention."""

    name: str
    pronoun: str
    members: tuple[str, ...]
    own: bool = False
    lists: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    @property
    def start(self) -> str:
        """The name at the start of a sentence."""
        return self.name[0].upper() + self.name[1:]


def tell_bought(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 24; a list is in the order of mention."""
    talk = Talk(draw, not_told)
    verbs = draw.sample(list(VERBS), 3)
    things = draw.sample(OBJECTS, 16)
    never, place = things.pop(), draw.choice(PLACES)
    groups = _groups(draw)
    time = draw.choice(_TIMES) if draw.random() < 0.4 else ""
    amounts = draw.random() < 0.2  # "two chairs": what "how many" would mean isn't clear then
    for _ in range(max(1, round(5 * longer))):
        group, verb = draw.choice(groups), draw.choice(verbs[:2])
        mine = group.lists.setdefault(verb, [])
        if things and len(mine) < MOST:
            some = [things.pop() for _ in range(min(draw.choice((1, 1, 2, 2, 3)), MOST - len(mine), len(things)))]
            at = _tell(talk, group, verb, [_some(draw, thing, amounts=amounts) for thing in some], time, place)
            mine.extend((at, thing) for thing in some)
        _ask(talk, [g for g in groups if any(g.lists.values())], verbs[2], never, time, counted=not amounts)
    return Story(BOUGHT, tuple(talk.lines))


def _groups(draw: random.Random) -> list[Group]:
    man, woman, other = draw.choice(MEN), draw.choice(WOMEN), draw.choice(MEN)
    groups = [Group("I", "I", ("you",), own=True)]
    kind = draw.random()
    if kind < 0.3:
        groups.append(Group(f"{man} and {woman}", "they", (man, woman)))
    elif kind < 0.4:
        groups = [Group(f"{woman} and I", "we", (woman,))]
    elif kind < 0.7:
        name, pronoun = draw.choice(((man, "he"), (woman, "she"), ("my brother", "he"), ("my sister", "she")))
        groups.append(Group(name, pronoun, (name.removeprefix("my "),)))
    if kind > 0.6 and other != man:
        groups.append(Group(other, "he", (other,)))
    return groups


def _tell(talk: Talk, group: Group, verb: str, some: list[str], time: str, place: str) -> int:
    draw = talk.draw
    x = listed(some, draw)
    words = {"v": verb, "x": x, "a": group.name, "A": group.start, "t": time, "T": time[:1].upper() + time[1:]}
    if not group.own and draw.random() < 0.35:
        talk.say(filled(("{A} went to the {p}.", "{A} were at the {p}.", "{A} arrived at the {p}."), p=place, **words))
        words |= {"a": group.pronoun, "A": group.pronoun.capitalize()}
        return talk.go_on(filled(_TIMED if time and draw.random() < 0.4 else _OTHER, **words))
    texts = _TIMED if time and draw.random() < 0.7 else (_OWN if group.own else _OTHER[:4])
    return talk.say(filled(texts, **words))


def _some(draw: random.Random, thing: str, *, amounts: bool) -> str:
    if amounts and draw.random() < 0.5 and not thing.endswith(("s", "h", "y", "x", "fe")):
        return f"{draw.choice(_AMOUNTS)} {thing}s"
    return draw.choice((one(thing), one(thing), f"the {thing}", f"some {thing}"))


def _ask(talk: Talk, groups: list[Group], unsaid: str, never: str, time: str, *, counted: bool) -> None:
    draw = talk.draw
    group = draw.choice(groups)
    verb = unsaid if talk.unanswerable() else draw.choice([v for v, told in group.lists.items() if told])
    label = group.name
    if len(group.members) > 1 and draw.random() < 0.4:
        label = draw.choice(group.members)  # what two did, each of them did
    words = {"a": label, "v": verb, "b": VERBS[verb]}
    what, count = filled(_WHAT, **words), filled(_COUNT, **words)
    if time and draw.random() < 0.4:
        what = (f"What did {label} {VERBS[verb]} {time}?",)
    if verb == unsaid:
        talk.ask_not_told(draw.choice((what, count)))
        return
    mine = group.lists[verb]
    supporting = tuple(dict.fromkeys(at for at, _ in mine))
    kind = draw.random()
    if kind < 0.45 or (kind < 0.7 and not counted):
        talk.ask(what, tuple(thing for _, thing in mine), supporting)
    elif kind < 0.7:
        talk.ask(count, (NUMBERS[len(mine)],), supporting)
    elif kind < 0.8 and " and " not in group.name:
        at, thing = draw.choice(mine)
        talk.ask(filled(_WHO, v=verb, o=thing, one=one(thing)), group.members, (at,))
    else:
        yes = draw.random() < 0.5
        at, thing = draw.choice(mine) if yes else (-1, never)
        texts = filled(_WHETHER, **words, o=thing, one=one(thing))
        talk.ask(texts, ("yes" if yes else "no",), (at,) if yes else supporting)
