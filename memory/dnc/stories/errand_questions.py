"""The questions of family 26: who is where, who has what, who gave what to whom, and how many."""

from __future__ import annotations

import random

from memory.dnc.babi import Story
from memory.dnc.stories.errands import Errands, Thing, verbs
from memory.dnc.stories.speech import Person, Talk, filled
from memory.dnc.stories.world import NUMBERS

ERRANDS = 26
_WHERE_WHO = ("Where {be} {a}?", "Where {be} {a} now?", "Do you know where {a} {be}?", "Where did {a} go?",
              "Can you tell me where {a} {be}?", "Where did I say {a} {be}?")  # fmt: skip
_WHERE = ("Where {is_} the {o}?", "Where {is_} my {o}?", "Where {is_} the {o} now?", "Do you know where my {o} {is_}?",
          "Where can I find the {o}?")  # fmt: skip
_BEFORE = (
    "Where {was} the {o} before the {p}?",
    "Where {was} my {o} before the {p}?",
    "Where {was} the {o} before that?",
)
_WHETHER_THING = ("{Is} the {o} in the {p}?", "{Is} my {o} at the {p}?", "{Is} the {o} in the {p} now?")
_WHETHER_WHO = ("{Be} {a} in the {p}?", "{Be} {a} at the {p}?", "Did {a} go to the {p}?", "{Be} {a} in the {p} now?")
_WHO = (
    "Who has the {o}?",
    "Who has my {o}?",
    "Who has got the {o}?",
    "Who is carrying the {o}?",
    "Who has my {o} now?",
)
_WHO_TOOK = ("Who took the {o}?", "Who took my {o}?", "Who picked up the {o}?", "Do you know who took the {o}?")
_HAS = ("{Do} {a} have the {o}?", "{Have} {a} got the {o}?", "{Be} {a} carrying the {o}?", "{Do} {a} have my {o}?")
_TOOK = ("Did {a} take the {o}?", "Did {a} take my {o}?", "Did {a} pick up the {o}?", "{Have} {a} taken the {o}?")
_WHAT = ("What {be} {a} carrying?", "What {do} {a} have?", "What {do} {a} have with {me}?",
         "Which things {do} {a} have?",
         "What {have} {a} got?")  # fmt: skip
_COUNT = ("How many things {be} {a} carrying?", "How many things {do} {a} have?", "How many objects {be} {a} carrying?",
          "How many things {do} {a} have with {me}?")  # fmt: skip
_GIVER = ("Who gave {b} the {o}?", "Who gave the {o} to {b}?", "Who gave the {o} away?")
_TAKER = ("Who did {a} give the {o} to?", "To whom did {a} give the {o}?", "Who got the {o} from {a}?")


def tell_errands(draw: random.Random, longer: float, not_told: float) -> Story:
    """A conversation of family 26."""
    talk = Talk(draw, not_told)
    errands = Errands(talk)
    for _ in range(max(1, round(5 * longer))):
        for _ in range(draw.randint(1, 3)):
            errands.happen()
        _ask(errands)
    return Story(ERRANDS, tuple(talk.lines))


def _ask(errands: Errands) -> None:
    talk, draw = errands.talk, errands.talk.draw
    if talk.unanswerable():
        _ask_not_told(errands)
        return
    moved = [x for x in errands.people if x.answer in errands.at]
    known = [x for x in errands.things.values() if x.holder is not None or x.laid is not None]
    kind = draw.random()
    if moved and (kind < 0.15 or not known):
        _ask_person(errands, draw.choice(moved))
    elif kind < 0.4:
        _ask_where(errands, draw.choice(known))
    elif kind < 0.7:
        _ask_holder(errands, draw.choice(known))
    elif kind < 0.9:
        _ask_all(errands, draw.choice(errands.people))
    else:
        gifts = [x for x in known if x.gift is not None]
        if gifts:
            _ask_gift(talk, draw.choice(gifts))
        else:
            _ask_where(errands, draw.choice(known))


def _ask_not_told(errands: Errands) -> None:
    draw, nowhere = errands.talk.draw, [x for x in errands.people if x.answer not in errands.at]
    person = draw.choice(nowhere) if nowhere and draw.random() < 0.4 else errands.stranger
    if draw.random() < 0.4:
        about = draw.choice((_WHERE_WHO, _WHETHER_WHO))
        errands.talk.ask_not_told(filled(about, a=person.name, p=draw.choice(errands.places), **verbs(person)))
        return
    person = draw.choice(errands.people)
    texts = draw.choice((_WHERE, _WHO, _WHO_TOOK, _HAS, _TOOK, _WHETHER_THING))
    words = errands.never.words | {"a": person.name, "p": draw.choice(errands.places), "me": person.object}
    errands.talk.ask_not_told(filled(texts, **words, **verbs(person)))


def _ask_person(errands: Errands, person: Person) -> None:
    draw, (at, place) = errands.talk.draw, errands.at[person.answer]
    if draw.random() < 0.6:
        errands.talk.ask(filled(_WHERE_WHO, a=person.name, **verbs(person)), (place,), (at,))
        return
    yes = draw.random() < 0.5
    asked = place if yes else draw.choice([x for x in errands.places if x != place])
    texts = _WHETHER_WHO if yes else _WHETHER_WHO[:2]  # somebody may have gone to where he or she no longer is
    errands.talk.ask(filled(texts, a=person.name, p=asked, **verbs(person)), ("yes" if yes else "no",), (at,))


def _ask_where(errands: Errands, thing: Thing) -> None:
    talk, draw = errands.talk, errands.talk.draw
    answer, supporting = errands.where(thing)
    in_place = bool(thing.track) and thing.track[-1][1] == answer
    kind = draw.random()
    if kind < 0.55 or not in_place:
        talk.ask(filled(_WHERE, **thing.words), (answer,), supporting)
    elif kind < 0.75 and len(thing.track) > 1:
        before = thing.track[-2]
        both = tuple(dict.fromkeys((*supporting, *before[0])))
        talk.ask(filled(_BEFORE, **thing.words, p=answer), (before[1],), both)
    else:
        yes = draw.random() < 0.5
        place = (
            answer if yes else draw.choice([x for x in errands.places if x not in (answer, *_around(errands, thing))])
        )
        talk.ask(filled(_WHETHER_THING, **thing.words, p=place), ("yes" if yes else "no",), supporting)


def _around(errands: Errands, thing: Thing) -> tuple[str, ...]:
    """Where the container of a thing may be: it isn't said that the thing is not there."""
    return tuple(place for _, place in thing.track[-2:]) if errands.where(thing)[0] in errands.holders else ()


def _ask_holder(errands: Errands, thing: Thing) -> None:
    talk, draw = errands.talk, errands.talk.draw
    kind, person = draw.random(), draw.choice(errands.people)
    if kind < 0.35:
        answer = thing.holder.answer if thing.holder is not None else "nobody"
        talk.ask(filled(_WHO, **thing.words), (answer,), (thing.since,))
    elif kind < 0.5 and thing.taken:
        name, at = list(thing.taken.items())[-1]
        talk.ask(filled(_WHO_TOOK, **thing.words), (name,), (at,))
    elif kind < 0.75 or not thing.taken:
        yes = thing.holder == person
        texts = filled(_HAS, **thing.words, a=person.name, **verbs(person))
        talk.ask(texts, ("yes" if yes else "no",), (thing.since,))
    else:
        took = thing.taken.get(person.answer)
        texts = filled(_TOOK, **thing.words, a=person.name, **verbs(person))
        talk.ask(texts, ("no" if took is None else "yes",), tuple(thing.taken.values()) if took is None else (took,))


def _ask_all(errands: Errands, person: Person) -> None:
    """What somebody has, in the order in which it came to these hands, or how many."""
    mine = sorted((x for x in errands.things.values() if x.holder == person), key=lambda x: x.since)
    ever = [x for x in errands.things.values() if person.answer in x.taken or (x.gift and person in x.gift[1:])]
    words = {"a": person.name, "me": person.object, **verbs(person)}
    if not ever:
        errands.talk.ask_not_told(filled(_WHAT, **words))
        return
    supporting = tuple(sorted(x.since for x in mine or ever))
    if errands.talk.draw.random() < 0.5:
        things = tuple(x.words["o"] for x in mine) or ("nothing",)
        errands.talk.ask(filled(_WHAT, **words), things, supporting)
    else:
        errands.talk.ask(filled(_COUNT, **words), (NUMBERS[len(mine)],), supporting)


def _ask_gift(talk: Talk, thing: Thing) -> None:
    assert thing.gift is not None
    at, giver, taker = thing.gift
    words = {"a": giver.name, "b": "me" if taker.own else taker.name, **thing.words}
    if talk.draw.random() < 0.5:
        talk.ask(filled(_GIVER, **words), (giver.answer,), (at,))
    else:
        talk.ask(filled(_TAKER, **words), (taker.answer,), (at,))
