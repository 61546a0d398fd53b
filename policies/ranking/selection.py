"""Choosing what to say or offer: pools of candidates, a ranker inside each, and the ratio between them.

Which candidate is said has a known probability, whatever the mode:

    P(k) = (1 - e) sum_p ratio_p within_p(k) + e / N

``ratio_p`` is the pool's share (in mode ``learned`` the probability that the pool's first candidate is this person's
best one, by Thompson sampling: ``policies.ranking.blending_bandit``), ``within_p`` gives all to the first candidate of
the pool's order, or spreads over equal wordings by their scores, ``e`` is the share of exploration and ``N`` the number
of candidates. So every choice can be judged afterwards, and another one estimated from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from memory.slates import OfferedCandidate, OfferedSlate
from memory.tastes import NOTHING, Tastes
from policies.ranking.blending import Array
from policies.ranking.blending_bandit import BanditBlender, BlendState
from policies.ranking.blending_posterior import Population, Tally
from policies.ranking.served_ranker import RankerSet

Mode = Literal["learned", "fixed", "uniform"]
Source = Callable[[], Sequence[int]]
"""The candidates of one pool by number, best first."""
SPREAD = frozenset(("templates", "faq"))
"""Content types of equal wordings: a pool's share is spread over its candidates instead of given to the first."""


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """How to choose. ValueError names the setting that is wrong.

    ``mode``: learned, fixed (the first candidate of the first pool; wordings evenly) or uniform (evenly from the whole
    match set). ``exploration``: share of the learned choices that is drawn evenly from the slate. ``candidates``: the
    most of one slate. ``temperature``: a score that is this much higher makes a wording e times as probable.
    """

    mode: Mode = "learned"
    exploration: float = 0.05
    candidates: int = 12
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode: {self.mode!r} is none of {', '.join(get_args(Mode))}")
        if not 0 <= self.exploration <= 1:
            raise ValueError(f"exploration: {self.exploration} must be from 0 to 1")
        if self.candidates < 2 or not self.temperature > 0:
            raise ValueError("candidates is 2 or more, temperature above 0")


@dataclass(frozen=True, slots=True)
class MatchSet:
    """All that could be said: ``keys`` by number, ``texts`` (two with the same text are one; None: all differ), and the
    (n, F) ``features`` of the numbers asked for, named by ``names``; NaN is missing.
    """

    keys: Sequence[str]
    names: tuple[str, ...]
    features: Callable[[Sequence[int]], NDArray[np.float64]]
    texts: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The ``number`` that was chosen, its slate (None where there was only one candidate), and the pools that threw."""

    number: int
    slate: OfferedSlate | None
    failed: Mapping[str, str]


class Selector:
    """Chooses; holds nothing of any conversation.

    ``rankers`` order the candidates inside pools, for the content types they know. ``blenders``: by content type how
    pools are blended, with what is known of everybody; without one all pools with candidates share alike.
    """

    def __init__(
        self,
        settings: SelectionSettings | None = None,
        rankers: RankerSet | None = None,
        blenders: Mapping[str, tuple[BanditBlender, Population]] | None = None,
    ) -> None:
        self.settings = settings or SelectionSettings()
        self.rankers = rankers
        self.blenders = blenders or {}

    def choose(
        self, kind: str, query: str, sources: Mapping[str, Source], match: MatchSet, everything: Sequence[int],
        rng: np.random.Generator, tastes: Tastes | None = None,
    ) -> Choice | None:  # fmt: skip
        """One of ``everything`` (numbers of the match set), from the pools of ``sources`` in the editor's order.

        None only when ``everything`` is empty: a pool that is empty or throws leaves its share to the others.
        """
        s = self.settings
        pools, failed = _gathered(sources, match, everything)
        rows = self._rows(pools, _first_of_text(match, everything), rng)
        if not rows:
            return None
        if len(rows) == 1:
            return Choice(rows[0], None, failed)
        place = {number: i for i, number in enumerate(rows)}
        own = {name: [place[number] for number in numbers if number in place] for name, numbers in pools.items()}
        features = match.features(rows)
        scores, ranker = self._scores(kind, features, match.names)
        ratio = self._ratio(kind, own, tastes)
        spread = kind in SPREAD
        exploration = 1.0 if s.mode == "uniform" else s.exploration if s.mode == "learned" else 0.0
        order = ranked(own, scores)
        chance = probabilities(order, ratio, len(rows), exploration, scores if spread else None, spread, s.temperature)
        chosen = min(int(np.searchsorted(np.cumsum(chance), rng.random() * chance.sum(), side="right")), len(rows) - 1)
        credited = _credited(chosen, order, ratio, spread, rng)
        candidates = tuple(
            _candidate(i, match.keys[rows[i]], credited if i == chosen else pool, own, features[i], chance[i], scores,
                       i == chosen)
            for i, pool in arranged(chosen, order, ratio, len(rows))
        )  # fmt: skip
        slate = OfferedSlate(kind, query, s.mode, _rounded(ratio), exploration, ranker, match.names, candidates)
        return Choice(rows[chosen], slate, failed)

    def _rows(
        self, pools: Mapping[str, Sequence[int]], everything: Sequence[int], rng: np.random.Generator
    ) -> list[int]:
        """The numbers of the slate: the heads of the pools, filled up with a random sample of the rest."""
        limit = self.settings.candidates
        if len(everything) <= limit:
            return list(everything)
        heads: list[int] = []
        if self.settings.mode != "uniform":
            depth = max(1, (limit - 1) // max(1, sum(bool(numbers) for numbers in pools.values())))
            heads = list(dict.fromkeys(number for numbers in pools.values() for number in numbers[:depth]))[:limit]
        known = set(heads)
        rest = [number for number in everything if number not in known]
        drawn = rng.choice(len(rest), size=limit - len(heads), replace=False) if limit > len(heads) else ()
        return heads + [rest[int(i)] for i in sorted(drawn)]

    def _scores(
        self, kind: str, features: NDArray[np.float64], names: tuple[str, ...]
    ) -> tuple[NDArray[np.float64] | None, str]:
        """(N,) scores and the ranker's version; None without a ranker, or when it gives no finite score."""
        if self.settings.mode != "learned" or self.rankers is None or kind not in self.rankers.kinds:
            return None, ""
        ranker = self.rankers[kind]
        try:
            scores = ranker.score(ranker.aligned(features, names)).astype(np.float64)
        except Exception:  # a ranker that fails must not take the reply with it
            return None, ""
        return (scores, ranker.version) if np.isfinite(scores).all() else (None, "")

    def _ratio(self, kind: str, pools: Mapping[str, Sequence[int]], tastes: Tastes | None) -> dict[str, float]:
        """The share of each pool, 0 for an empty one."""
        there = [name for name, numbers in pools.items() if numbers]
        if not there:
            return dict.fromkeys(pools, 0.0)
        if self.settings.mode == "fixed":
            return {name: float(name == there[0]) for name in pools}
        if self.settings.mode == "uniform" or kind not in self.blenders or len(there) == 1:
            return {name: 1 / len(there) if name in there else 0.0 for name in pools}
        blender, population = self.blenders[kind]
        known = blender.settings.pools
        users = {} if tastes is None else {"user": tally_of(tastes, known)}
        lengths = tuple(len(pools.get(name, ())) for name in known)
        shares = blender.shares(BlendState(users, population), "user", lengths, 1)
        found = dict(zip(known, shares.tolist(), strict=True))
        total = sum(found.get(name, 0.0) for name in there) or 1.0
        return {name: found.get(name, 0.0) / total if name in there else 0.0 for name in pools}


def tally_of(tastes: Tastes, pools: Sequence[str]) -> Tally:
    """One person's counts as the blender reads them: exposures, and positive, negative and view actions."""
    counts = [tastes.pools.get(name, NOTHING) for name in pools]
    zeros = np.zeros((len(pools), 3))
    actions = np.array([[c.positive, c.negative, c.viewed] for c in counts]).reshape(len(pools), 3)
    exposures = np.repeat(np.array([[c.shown] for c in counts]), 3, axis=1)
    return Tally(actions, exposures, zeros, zeros, 0, tastes.time)


def ranked(pools: Mapping[str, Sequence[int]], scores: Array | None) -> dict[str, list[int]]:
    """Each pool in the order of ``scores`` (N,), best first, equal ones as they were; in its own order without any."""
    if scores is None:
        return {name: list(numbers) for name, numbers in pools.items()}
    return {name: sorted(numbers, key=lambda i: -scores[i]) for name, numbers in pools.items()}


def probabilities(
    order: Mapping[str, Sequence[int]], ratio: Mapping[str, float], count: int, exploration: float,
    scores: Array | None = None, spread: bool = False, temperature: float = 1.0,
) -> Array:  # fmt: skip
    """(N,) the probability that each of ``count`` candidates is said; see the module. Sums to 1."""
    chance = np.zeros(count)
    for name, numbers in order.items():
        if not numbers or not ratio.get(name):
            continue
        if spread:
            weights = np.ones(len(numbers)) if scores is None else _softmax(scores[list(numbers)] / temperature)
            chance[list(numbers)] += ratio[name] * weights / weights.sum()
        else:
            chance[numbers[0]] += ratio[name]
    if chance.sum() <= 0:
        return np.full(count, 1 / count)
    return np.asarray((1 - exploration) * chance / chance.sum() + exploration / count)


def arranged(
    chosen: int, order: Mapping[str, Sequence[int]], ratio: Mapping[str, float], count: int
) -> list[tuple[int, str]]:
    """All candidates in the order of the slate, each with the pool that put it there ("" for the chosen one, and for
    those that no pool has): the chosen one, then the pools' in turn, as their ratio has it.
    """
    heads = {name: [i for i in numbers if i != chosen] for name, numbers in order.items()}
    taken = dict.fromkeys(heads, 0)
    shown, seen = [(chosen, "")], {chosen}
    while any(heads.values()):
        name = max((n for n in heads if heads[n]), key=lambda n: ratio.get(n, 0.0) * (len(shown) + 1) - taken[n])
        number = heads[name].pop(0)
        taken[name] += 1
        if number not in seen:
            shown.append((number, name))
            seen.add(number)
    return shown + [(i, "") for i in range(count) if i not in seen]


def _gathered(
    sources: Mapping[str, Source], match: MatchSet, everything: Sequence[int]
) -> tuple[dict[str, list[int]], dict[str, str]]:
    """Every pool's candidates, each text once, only those that match; and why a pool has none."""
    pools: dict[str, list[int]] = {}
    failed: dict[str, str] = {}
    texts = match.texts
    allowed = {n if texts is None else texts[n]: n for n in reversed(everything)}
    for name, source in sources.items():
        try:
            found = source() if texts is None else [texts[n] for n in source()]
            pools[name] = list(dict.fromkeys(allowed[item] for item in found if item in allowed))
        except Exception as error:
            pools[name] = []
            failed[name] = f"{type(error).__name__}: {error}"
    return pools, failed


def _first_of_text(match: MatchSet, everything: Sequence[int]) -> list[int]:
    if match.texts is None:
        return list(dict.fromkeys(everything))
    texts = match.texts
    first: dict[str, int] = {}
    for number in everything:
        first.setdefault(texts[number], number)
    return list(first.values())


def _credited(
    chosen: int, order: Mapping[str, Sequence[int]], ratio: Mapping[str, float], spread: bool, rng: np.random.Generator
) -> str:
    """The pool that the choice counts for: one that would have said it, drawn by their shares; else one that has it."""
    having = [name for name, numbers in order.items() if chosen in numbers]
    said_by = [n for n in having if ratio.get(n, 0.0) > 0 and (spread or order[n][0] == chosen)]
    if not said_by:
        return having[0] if having else ""
    weights = np.array([ratio[name] for name in said_by])
    return said_by[int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right"))]


def _candidate(
    number: int, key: str, pool: str, pools: Mapping[str, Sequence[int]], features: NDArray[np.float64],
    chance: float, scores: Array | None, said: bool,
) -> OfferedCandidate:  # fmt: skip
    ranks = {name: numbers.index(number) for name, numbers in pools.items() if number in numbers}
    values = tuple(round(value, 5) if value == value else None for value in features.tolist())  # noqa: PLR0124
    score = None if scores is None else round(float(scores[number]), 5)
    return OfferedCandidate(key, pool, ranks, values, float(chance), score, said)


def _rounded(ratio: Mapping[str, float]) -> dict[str, float]:
    return {name: float(share) for name, share in ratio.items()}


def _softmax(values: Array) -> Array:
    return np.asarray(np.exp(values - values.max()))
