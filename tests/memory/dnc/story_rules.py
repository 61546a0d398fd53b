"""Answers derived from a story's sentences by symbolic rules: an oracle for the tasks, apart from the generator."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence

Answer = tuple[str, ...]
MOVE = re.compile(r"(\w+) (?:moved to|went to|went back to|journeyed to|travelled to) the (\w+)\.")
GET = re.compile(r"(\w+) (?:got|took|grabbed|picked up) the (\w+)(?: there)?\.")
DROP = re.compile(r"(\w+) (?:dropped|left|discarded|put down) the (\w+)(?: there)?\.")
GIVE = re.compile(r"(\w+) (?:gave|passed|handed) the (\w+) to (\w+)\.")
STEPS = {
    "north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0),
    "above": (0, 1), "below": (0, -1), "right": (1, 0), "left": (-1, 0),
}  # fmt: skip
TIMES = ("yesterday", "this morning", "this afternoon", "this evening")


def asked(pattern: str, question: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, question)
    assert found is not None, question
    return found.groups()


def house(task: int, said: Sequence[str], question: str) -> Answer:
    place: dict[str, str] = {}
    track: dict[str, list[str]] = {}
    held: dict[str, dict[str, bool]] = {}
    gifts: list[tuple[str, str, str]] = []
    for sentence in said:
        if move := MOVE.fullmatch(sentence):
            place[move[1]] = move[2]
            for thing, kept in held.get(move[1], {}).items():
                if kept:
                    track[thing].append(move[2])
        elif get := GET.fullmatch(sentence):
            held.setdefault(get[1], {})[get[2]] = True
            track[get[2]] = [place[get[1]]] if get[1] in place else []
        elif drop := DROP.fullmatch(sentence):
            held[drop[1]][drop[2]] = False
        elif give := GIVE.fullmatch(sentence):
            held.setdefault(give[1], {})[give[2]] = False
            held.setdefault(give[3], {})[give[2]] = True
            gifts.append((give[1], give[2], give[3]))
    if task == 1:
        return (place[asked(r"Where is (\w+)\?", question)[0]],)
    if task == 2:
        return (track[asked(r"Where is the (\w+)\?", question)[0]][-1],)
    if task == 3:
        thing, now = asked(r"Where was the (\w+) before the (\w+)\?", question)
        seen = track[thing]
        at = len(seen) - 1 - seen[::-1].index(now)
        return (seen[at - 1],)
    if task == 5:
        return given(gifts[::-1], question)
    if task == 6:
        who, where = asked(r"Is (\w+) in the (\w+)\?", question)
        return ("yes" if place[who] == where else "no",)
    who = question.removesuffix(" carrying?").split()[-1]
    mine = tuple(thing for thing, kept in held[who].items() if kept)
    return (("none", "one", "two", "three")[len(mine)],) if task == 7 else (mine or ("nothing",))


def given(gifts: Sequence[tuple[str, str, str]], question: str) -> Answer:
    forms: tuple[tuple[str, Callable[[tuple[str, str, str], tuple[str, ...]], bool], int], ...] = (
        (r"What did (\w+) give to (\w+)\?", lambda g, x: (g[0], g[2]) == x, 1),
        (r"Who gave the (\w+)\?", lambda g, x: g[1] == x[0], 0),
        (r"Who gave the (\w+) to (\w+)\?", lambda g, x: (g[1], g[2]) == x, 0),
        (r"Who received the (\w+)\?", lambda g, x: g[1] == x[0], 2),
        (r"Who did (\w+) give the (\w+) to\?", lambda g, x: (g[0], g[1]) == x, 2),
    )
    for pattern, fits, part in forms:
        if found := re.fullmatch(pattern, question):
            return (next(gift[part] for gift in gifts if fits(gift, found.groups())),)
    raise AssertionError(question)


def people(task: int, said: Sequence[str], question: str) -> Answer:
    last: dict[str, tuple[str, ...]] = {}
    who: list[str] = []
    for sentence in said:
        words = sentence.rstrip(".").split()
        if re.match(r"(Afterwards|After that|Following that|Then) ", sentence):
            last.update(dict.fromkeys(who, (words[-1],)))
        elif " either " in sentence:
            last[words[0]] = (words[5], words[-1])
        elif " is not " in sentence or " no longer " in sentence:
            last[words[0]] = ("not", "", words[-1])
        else:
            who = [words[0], words[2]] if words[1] == "and" else [words[0]]
            last.update(dict.fromkeys(who, (words[-1],)))
    if task in (11, 12, 13):
        return last[asked(r"Where is (\w+)\?", question)[0]]
    actor, where = asked(r"Is (\w+) in the (\w+)\?", question)
    known = last[actor]
    if len(known) == 2:
        return ("maybe" if where in known else "no",)
    return ("yes" if known == (where,) else "no",)


def times(_: int, said: Sequence[str], question: str) -> Answer:
    actor, place = asked(r"Where was (\w+) before the (\w+)\?", question)
    day: dict[int, str] = {}
    for sentence in said:
        time = next(at for at, name in enumerate(TIMES) if name in sentence.lower())
        bare = re.sub(TIMES[time], "", sentence, flags=re.IGNORECASE).strip(" .")
        if bare.split()[0] == actor:
            day[time] = bare.split()[-1]
    last = max(time for time in day if day[time] == place)
    return (day[max(time for time in day if time < last)],)


def deduction(_: int, said: Sequence[str], question: str) -> Answer:
    singular = {"mice": "mouse", "wolves": "wolf", "cats": "cat", "sheep": "sheep"}
    kinds: dict[str, str] = {}
    feared: dict[str, str] = {}
    for sentence in said:
        words = sentence.lower().rstrip(".").split()
        one = [singular.get(word, word.removesuffix("s")) for word in (words[0], words[-1])]
        if " are afraid of " in sentence:
            feared[one[0]] = one[1]
        else:
            kinds[words[0]] = words[-1]
    return (feared[kinds[asked(r"What is (\w+) afraid of\?", question)[0]]],)


def induction(_: int, said: Sequence[str], question: str) -> Answer:
    who = asked(r"What color is (\w+)\?", question)[0]
    facts = [sentence.rstrip(".").split() for sentence in said]
    kinds = {words[0]: words[3] for words in facts if words[2] == "a"}
    colours = {words[0]: words[2] for words in facts if words[2] != "a"}
    return (colours[[name for name in kinds if name != who and kinds[name] == kinds[who]][-1]],)


def motives(_: int, said: Sequence[str], question: str) -> Answer:
    states = {words[0].lower(): words[2] for s in said if (words := s.rstrip(".").split())[1] == "is"}
    if found := re.fullmatch(r"Where will (\w+) go\?", question):
        return ({"hungry": "kitchen", "thirsty": "kitchen", "bored": "garden", "tired": "bedroom"}[states[found[1]]],)
    return (states[asked(r"Why did (\w+) (?:go|get) .*", question)[0]],)


def points(said: Sequence[str]) -> tuple[dict[str, dict[str, tuple[int, int]]], list[tuple[str, str, str]]]:
    """How to get from one thing to its neighbours, and the relations as they were said."""
    beside: dict[str, dict[str, tuple[int, int]]] = {}
    relations = []
    for sentence in said:
        one, way, two = asked(r"The (.+) is (?:to the )?(\w+)(?: of)? the (.+)\.", sentence)
        x, y = STEPS[way]
        beside.setdefault(two, {})[one] = (x, y)
        beside.setdefault(one, {})[two] = (-x, -y)
        relations.append((one, way, two))
    return beside, relations


def walk(beside: dict[str, dict[str, tuple[int, int]]], start: str, end: str) -> list[tuple[int, int]]:
    paths: deque[tuple[str, list[tuple[int, int]]]] = deque([(start, [])])
    seen = {start}
    while paths:
        at, steps = paths.popleft()
        if at == end:
            return steps
        for other, step in beside[at].items():
            if other not in seen:
                seen.add(other)
                paths.append((other, [*steps, step]))
    raise AssertionError(f"no way from {start} to {end}")


def places(task: int, said: Sequence[str], question: str) -> Answer:
    beside, _ = points(said)
    if task == 19:
        start, end = asked(r"How do you go from the (\w+) to the (\w+)\?", question)
        names = {STEPS[way]: way[0] for way in ("north", "south", "east", "west")}
        return tuple(names[step] for step in walk(beside, start, end))
    if task == 17:
        one, way, two = asked(r"Is the (.+) (above|below|(?:to the (?:left|right) of)) the (.+)\?", question)
        steps = walk(beside, two, one)
        x, y = STEPS[way.split()[2] if " " in way else way]
        return ("yes" if sum(dx * x + dy * y for dx, dy in steps) > 0 else "no",)
    if found := re.fullmatch(r"What is (\w+) of the (\w+)\?", question):
        wanted, known = STEPS[found[1]], found[2]
    else:
        known, name = asked(r"What is the (\w+) (\w+) of\?", question)
        wanted = (-STEPS[name][0], -STEPS[name][1])
    return tuple(other for other, step in beside[known].items() if step == wanted)


def sizes(_: int, said: Sequence[str], question: str) -> Answer:
    bigger: dict[str, set[str]] = {}
    for sentence in said:
        if found := re.fullmatch(r"The (.+) fits inside the (.+)\.", sentence):
            bigger.setdefault(found[1], set()).add(found[2])
        else:
            big, small = asked(r"The (.+) is bigger than the (.+)\.", sentence)
            bigger.setdefault(small, set()).add(big)
    if found := re.fullmatch(r"Does the (.+) fit in the (.+)\?", question):
        small, big = found.groups()
    else:
        big, small = asked(r"Is the (.+) bigger than the (.+)\?", question)
    reached = [small]
    for at in reached:
        reached.extend(x for x in bigger.get(at, ()) if x not in reached)
    return ("yes" if big in reached else "no",)


def answer(task: int, said: Sequence[str], question: str) -> Answer:
    """The answer that follows from the sentences said so far."""
    rules: dict[int, Callable[[int, Sequence[str], str], Answer]] = {
        14: times, 15: deduction, 16: induction, 18: sizes, 20: motives,
        **dict.fromkeys((4, 17, 19), places), **dict.fromkeys((9, 10, 11, 12, 13), people),
    }  # fmt: skip
    return rules.get(task, house)(task, said, question)
