"""Training data from what users did: actions become relevance, what was ignored or never shown becomes its absence.

Positives are the candidates that were acted on. Negatives are those that were shown and ignored, and a random sample of
the whole match set: a ranker that has only seen what an earlier ranker showed knows nothing about the rest.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from policies.ranking.letor import RankingData
from policies.ranking.slates import Action, Candidate, Slate


def _default_gains() -> dict[Action, float]:
    return {"clicked": 1.0, "accepted": 3.0, "booked": 7.0, "thumbs_up": 3.0, "thumbs_down": 0.0}


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """What actions are worth and how much rows count.

    ``gains``: the worth of a candidate is that of its best action; its label is log2(1 + gain), rounded, since the
    gain of a label is 2^label - 1. A thumbs_down takes all worth away and counts ``disliked_weight``. Shown and
    ignored counts 1 down to the last place acted on (it was seen) and ``unseen_weight`` below; a random negative
    counts ``random_weight``. A positive counts 1 / propensity, at most ``max_weight``, so that what was shown rarely
    is not learnt to be rare (Joachims et al. 2017).
    """

    gains: Mapping[Action, float] = field(default_factory=_default_gains)
    disliked_weight: float = 2.0
    unseen_weight: float = 0.5
    random_weight: float = 0.25
    max_weight: float = 10.0

    def __post_init__(self) -> None:
        for action, gain in self.gains.items():
            if not (np.isfinite(gain) and 0 <= gain < 2**30):
                raise ValueError(f"gain of {action} is {gain}: it is a number from 0")
        if min(self.disliked_weight, self.unseen_weight, self.random_weight) <= 0 or self.max_weight < 1:
            raise ValueError("weights are above 0, max_weight at least 1")


@dataclass(frozen=True, slots=True)
class _Row:
    candidate: Candidate
    label: int
    weight: float


def build_training_set(
    slates: Iterable[Slate],
    match_sets: Mapping[str, Sequence[Candidate]],
    names: Sequence[str],
    *,
    negatives: int = 10,
    settings: LabelSettings | None = None,
    seed: int = 0,
) -> RankingData:
    """Ranking data with a group for each slate that says something (two different labels).

    ``match_sets``: by the slate's query, everything that could have been shown; ``negatives`` of it are drawn that were
    not, by a generator of (``seed``, query), so that a slate gives the same rows whatever else is there. ``names`` are
    the F features; one that a candidate lacks is missing (NaN). ValueError when no slate says anything, when a query
    comes twice, or for an infinite feature, by name.
    """
    settings = settings or LabelSettings()
    rows: list[_Row] = []
    groups: list[int] = []
    seen: set[str] = set()
    for slate in slates:
        if slate.query in seen:
            raise ValueError(f"slate {slate.query} is there twice: a query is one turn")
        seen.add(slate.query)
        group = _shown(slate, settings)
        group += [
            _Row(candidate, 0, settings.random_weight)
            for candidate in _unshown(slate, match_sets.get(slate.query, ()), negatives, seed)
        ]
        if len({row.label for row in group}) > 1:  # otherwise there is no pair to learn from
            rows += group
            groups.append(len(group))
    if not groups:
        raise ValueError("no slate has both a candidate that was acted on and one that was not: nothing to learn from")
    return RankingData(
        _matrix([row.candidate for row in rows], names),
        np.array([row.label for row in rows], dtype=np.int32),
        np.array(groups, dtype=np.int64),
        tuple(names),
        np.array([row.weight for row in rows], dtype=np.float32),
    )


def by_kind(slates: Iterable[Slate]) -> dict[str, list[Slate]]:
    """Each content type's part of the slates: its own candidates and the actions on them; empty parts are left out."""
    parts: dict[str, list[Slate]] = {}
    for slate in slates:
        for kind in dict.fromkeys(candidate.kind for candidate in slate.shown):
            shown = tuple(candidate for candidate in slate.shown if candidate.kind == kind)
            keys = {candidate.key for candidate in shown}
            actions = {key: done for key, done in slate.actions.items() if key in keys}
            chances = slate.propensities
            chances = None if chances is None else {key: p for key, p in chances.items() if key in keys}
            parts.setdefault(kind, []).append(Slate(slate.query, shown, actions, chances))
    return parts


def label_of(actions: Iterable[Action], gains: Mapping[Action, float]) -> int:
    """Relevance of a candidate with these actions; 0 for none, and for a thumbs_down beside whatever else."""
    done = set(actions)
    if not done or "thumbs_down" in done:
        return 0
    return int(np.rint(np.log2(1.0 + max(gains.get(action, 0.0) for action in done))))


def _shown(slate: Slate, settings: LabelSettings) -> list[_Row]:
    acted = [place for place, candidate in enumerate(slate.shown) if slate.actions.get(candidate.key)]
    last = max(acted, default=-1)
    rows = []
    for place, candidate in enumerate(slate.shown):
        actions = slate.actions.get(candidate.key, frozenset())
        label = label_of(actions, settings.gains)
        if label:
            weight = min(1.0 / (slate.propensities or {}).get(candidate.key, 1.0), settings.max_weight)
        elif "thumbs_down" in actions:
            weight = settings.disliked_weight
        else:
            weight = 1.0 if place <= last else settings.unseen_weight
        rows.append(_Row(candidate, label, weight))
    return rows


def _unshown(slate: Slate, match_set: Sequence[Candidate], count: int, seed: int) -> list[Candidate]:
    shown = {candidate.key for candidate in slate.shown}
    rest = [candidate for candidate in match_set if candidate.key not in shown]
    rng = np.random.default_rng([seed, zlib.crc32(slate.query.encode())])
    return [rest[i] for i in sorted(rng.choice(len(rest), size=min(count, len(rest)), replace=False))]


def _matrix(candidates: Sequence[Candidate], names: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    rows = [[candidate.features.get(name, np.nan) for name in names] for candidate in candidates]
    matrix = np.array(rows, dtype=np.float32).reshape(len(rows), len(names))
    if np.isinf(matrix).any():
        row, column = (int(place[0]) for place in np.nonzero(np.isinf(matrix)))
        raise ValueError(f"feature {names[column]} of {candidates[row].key} is infinite: bound it")
    return matrix
