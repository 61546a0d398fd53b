"""Fit the agenda user on recorded dialogues: goals, what is done when, how many things at once, when people leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from memory.ontology import BoolArray
from memory.turn import KIND
from simulator.corpora.dialogues import CorpusDialogue, fingerprint
from simulator.user_parameters import UserParameters
from simulator.users.estimate import Counts, count, hazard, share
from simulator.users.fitted import Count, FittedUser, Share
from simulator.users.replay import Replay, Step, effective_goal
from simulator.users.situation import LABEL

Tally = tuple[Counts, Counts]
"""(trials, successes) of each row of a step."""

MOST_REQUESTS = 6


def fit_user(dialogues: Sequence[CorpusDialogue], corpus: str, files: Sequence[Path] = ()) -> FittedUser:
    """An agenda user with the habits of ``dialogues``; CorpusError when they name no constraint.

    Every probability of ``UserParameters`` whose situation can be recognised is a count of choices (``TALLIES``)
    smoothed with the hand-set one; the others (which need to see what the system misheard) stay as they are.
    """
    replay = Replay(dialogues)
    goals = [effective_goal(dialogue) for dialogue in dialogues]
    trials, successes = tallies(replay)
    hand = UserParameters.sampled()
    counts = {name: count(successes[name], trials[name], getattr(hand, name)) for name in TALLIES}
    if counts["bare_dontcare"].trials:  # one habit, two names: fitted as the first
        counts["vague_answer"] = count(*_none(len(replay.dialogues)), (0.0, 0.0))
    counts["bye_when_done"] = _leaving(counts)
    slots = sorted({slot for goal in goals for slot in goal.constraints})
    asked = sorted({name for goal in goals for name in goal.requests})
    numbers = Counter(min(len(goal.requests), MOST_REQUESTS) for goal in goals)
    goodbyes, thanked = (table["thank_with_bye"] for table in (trials, successes))
    unserved = np.array([not dialogue.completed for dialogue in replay.dialogues], dtype=np.bool_)
    return FittedUser(
        corpus={
            "name": corpus, "files": [file.name for file in files], "fingerprint": fingerprint(dialogues),
            "dialogues": len(dialogues), "turns": int(replay.turns.sum()),
        },
        constraints={slot: share(np.array([slot in goal.constraints for goal in goals])) for slot in slots},
        requests={name: share(np.array([name in goal.requests for goal in goals])) for name in asked},
        request_counts=tuple(numbers[n] for n in range(max(numbers) + 1)),
        books=share(np.array([goal.books for goal in goals])),
        unsatisfiable=share(np.array([bool(goal.first_choice) for goal in goals])),
        counts=counts,
        thanks=_proportion(thanked, goodbyes),
        hazard=hazard(replay.turns, unserved) if len(replay.turns) else (),
    )  # fmt: skip


def _leaving(counts: Mapping[str, Count]) -> Count:
    """The goodbyes of those who do not thank or nod first, as everybody may who is told something."""
    byes, first = counts["bye_when_done"], (1 - counts["thank"].mean) * (1 - counts["acknowledge"].mean)
    if not byes.trials:
        return byes
    mean, low, high = (round(min(value / first, 0.999), 4) for value in (byes.mean, byes.low, byes.high))
    alike = sum(byes.beta)
    return replace(byes, mean=mean, low=low, high=high, beta=(round(mean * alike, 4), round((1 - mean) * alike, 4)))


def _proportion(successes: Counts, trials: Counts) -> Share:
    hits, total = int(successes.sum()), int(trials.sum())
    return Share(hits, total, round((hits + 0.5) / (total + 1.0), 4))


def _none(dialogues: int) -> Tally:
    return np.zeros(dialogues, dtype=np.int64), np.zeros(dialogues, dtype=np.int64)


def tallies(replay: Replay) -> tuple[Mapping[str, Counts], Mapping[str, Counts]]:
    """Per name (dialogues,) trials and successes over all turns."""
    names = (*TALLIES, "thank_with_bye")
    trials = {name: _none(len(replay.dialogues))[0] for name in names}
    successes = {name: _none(len(replay.dialogues))[0] for name in names}
    for step in replay.steps():
        for name in names:
            tried, hit = TALLIES[name](step) if name in TALLIES else _thank_with_bye(step)
            trials[name][step.rows] += tried
            successes[name][step.rows] += hit
    return trials, successes


def _any(flags: BoolArray) -> BoolArray:
    """(B,) rows with any True."""
    found: BoolArray = np.any(flags, axis=1)
    return found


def _did(step: Step, *names: str) -> BoolArray:
    """(B,) who said one of these flow acts."""
    return _any(step.said.flow[:, [LABEL[name] for name in names]])


def _after(step: Step, *kinds: str) -> BoolArray:
    return np.isin(step.situation.kind, [KIND[kind] for kind in kinds])


def _coin(trials: BoolArray, success: BoolArray) -> Tally:
    return trials.astype(np.int64), (trials & success).astype(np.int64)


def _wishes(step: Step) -> BoolArray:
    """(B,) who said something about slots."""
    return _any(step.said.inform) | _any(step.said.open)


def _combined(step: Step, rows: BoolArray, free: int) -> Tally:
    """A geometric run: each further wish is a success, stopping while wishes are left a failure.

    ``free`` wishes are said anyway (the first of an opening, the one asked for).
    """
    news = (step.said.inform & ~step.situation.said).sum(axis=1)
    left = step.situation.pending.sum(axis=1)
    counted = rows & (left > free) & (news >= free)
    hits = np.where(counted, news - free, 0)
    stopped = counted & (news < left)
    return (hits + stopped).astype(np.int64), hits.astype(np.int64)


def _inform_combination(step: Step) -> Tally:
    asked = _any(step.situation.asked & step.situation.pending & step.said.inform)
    first = (step.situation.turn == 0) & _wishes(step)
    return _combined(step, first | (_after(step, "request") & asked), 1)


def _affirm_combination(step: Step) -> Tally:
    return _combined(step, _after(step, "confirm") & _did(step, "affirm"), 0)


def _add_request(step: Step) -> Tally:
    number = (step.said.request & step.situation.unfilled).sum(axis=1)
    several = step.situation.unfilled.sum(axis=1) >= 2
    return _coin((number >= 1) & several & (step.situation.turn > 0), number >= 2)


def _no_after_reqmore(step: Step) -> Tally:
    return _coin(_after(step, "reqmore") & step.situation.complete, _did(step, "negate"))


def _yes_after_reqmore(step: Step) -> Tally:
    return _coin(_after(step, "reqmore") & ~step.situation.venue, _did(step, "affirm"))


def _bye_after_none(step: Step) -> Tally:
    return _coin(_after(step, "offer_none"), _did(step, "bye") & ~_wishes(step))


def _constraint_relax(step: Step) -> Tally:
    gives_way = _did(step, "affirm", "dontcare") & ~_any(step.changed)
    stays = _after(step, "offer_none") & ~(_did(step, "bye") & ~_wishes(step))
    return _coin(stays & (gives_way | _any(step.changed)), gives_way)


def _first_offer(step: Step) -> BoolArray:
    return _after(step, "offer") & ~step.situation.offered_once & ~_any(step.situation.wrong)


def _alternatives_first(step: Step) -> Tally:
    return _coin(_first_offer(step), _did(step, "reqalts") & ~_wishes(step))


def _change_first(step: Step) -> Tally:
    return _coin(_first_offer(step) & ~(_did(step, "reqalts") & ~_wishes(step)), _any(step.changed))


def _indifferent(step: Step) -> BoolArray:
    """(B,) who is asked about a slot without having a wish there."""
    asked = step.situation.asked
    return _after(step, "request") & _any(asked) & ~_any(asked & step.situation.cares)


def _repeat_constraint(step: Step) -> Tally:
    return _coin(_indifferent(step), _any(step.said.inform) & ~_did(step, "dontcare"))


def _bare_dontcare(step: Step) -> Tally:
    repeats = _any(step.said.inform) & ~_did(step, "dontcare")
    return _coin(_indifferent(step) & ~repeats, _did(step, "dontcare"))


def _negate_inform(step: Step) -> Tally:
    return _coin(_after(step, "confirm") & _any(step.situation.wrong), _did(step, "negate"))


def _goes_on(step: Step) -> BoolArray:
    """(B,) who said something that moves the dialogue, not only thanks or "ok"."""
    return _wishes(step) | _any(step.said.request) | _did(step, "reqalts", "book", "bye", "negate", "affirm")


def _pleased(step: Step) -> BoolArray:
    """(B,) who is told something and still has things to do."""
    return _after(step, "offer", "answer") & ~step.situation.complete & step.situation.venue


def _thank(step: Step) -> Tally:
    return _coin(_pleased(step), _did(step, "thankyou") & ~_goes_on(step))


def _acknowledge(step: Step) -> Tally:
    thanks = _did(step, "thankyou")
    return _coin(_pleased(step) & ~(thanks & ~_goes_on(step)), _did(step, "ack") & ~thanks & ~_goes_on(step))


def _greeting(step: Step) -> Tally:
    return _coin(step.situation.turn == 0, _did(step, "hello"))


def _request_up_front(step: Step) -> Tally:
    first = (step.situation.turn == 0) & _any(step.situation.unfilled)
    only_greets = _did(step, "hello") & ~_wishes(step) & ~_any(step.said.request)
    return _coin(first & ~only_greets, _any(step.said.request))


def _book_up_front(step: Step) -> Tally:
    return _coin((step.situation.turn == 0) & step.situation.books, _did(step, "book") | _any(step.said.open))


def _done(step: Step) -> BoolArray:
    return _after(step, "offer", "answer", "booked") & step.situation.complete


def _bye_when_done(step: Step) -> Tally:
    return _coin(_done(step) & ~_wishes(step) & ~_any(step.said.request), _did(step, "bye"))


def _thank_with_bye(step: Step) -> Tally:
    return _coin(_done(step) & _did(step, "bye"), _did(step, "thankyou"))


TALLIES: Mapping[str, Callable[[Step], Tally]] = {
    "inform_combination": _inform_combination,
    "affirm_combination": _affirm_combination,
    "add_request": _add_request,
    "no_after_reqmore": _no_after_reqmore,
    "yes_after_reqmore": _yes_after_reqmore,
    "greeting": _greeting,
    "constraint_relax": _constraint_relax,
    "bye_after_none": _bye_after_none,
    "bare_dontcare": _bare_dontcare,
    "alternatives_first": _alternatives_first,
    "change_first": _change_first,
    "repeat_constraint": _repeat_constraint,
    "negate_inform": _negate_inform,
    "thank": _thank,
    "acknowledge": _acknowledge,
    "request_up_front": _request_up_front,
    "book_up_front": _book_up_front,
    "bye_when_done": _bye_when_done,
}
"""How each probability of ``UserParameters`` is counted in a step of a replay."""
