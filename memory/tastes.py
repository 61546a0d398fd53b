"""What one person did with what was offered to them: bounded, forgetting counts that selection learns from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import NamedTuple

KEPT = 64
"""Candidates remembered of one person; the longest unseen go first."""
DISCOUNT = 0.98
"""What stays of the counts at each new slate: tastes change."""
HALF_LIFE = 90 * 86400.0
"""Seconds over which they halve by themselves."""


class Counts(NamedTuple):
    """How often something was ``shown``, and what for: ``positive`` (accepted, booked, thumbs up), ``negative``
    (refused, left, thumbs down), ``viewed`` (a button below it was clicked).
    """

    shown: float = 0.0
    positive: float = 0.0
    negative: float = 0.0
    viewed: float = 0.0

    def plus(self, name: str, by: float = 1.0) -> Counts:
        """More of ``name``."""
        return self._replace(**{name: getattr(self, name) + by})

    def times(self, factor: float) -> Counts:
        """All of them faded."""
        return Counts(*(value * factor for value in self))


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Tastes:
    """Counts of venues: by pool, and by venue (the latest ``KEPT``, the longest unseen first); ``time`` of the last.

    Instead of fading all counts at each slate, what is new weighs more: ``unit`` is the weight of one event now.
    """

    weighted_pools: Mapping[str, Counts] = field(default_factory=dict)
    weighted_candidates: Mapping[str, Counts] = field(default_factory=dict)
    unit: float = 1.0
    time: float = -float("inf")

    @property
    def pools(self) -> dict[str, Counts]:
        """What this person did with the venues of each pool, faded."""
        return {name: counts.times(1 / self.unit) for name, counts in self.weighted_pools.items()}

    @property
    def candidates(self) -> dict[str, Counts]:
        """What this person did with each venue, faded."""
        return {name: counts.times(1 / self.unit) for name, counts in self.weighted_candidates.items()}

    def shown(self, candidates: Iterable[tuple[str, str]], timestamp: float) -> Tastes:
        """After a slate of which ``candidates`` (key, pool) were said; a clock that goes back fades nothing."""
        passed = timestamp - self.time
        factor = DISCOUNT * (0.5 ** min(passed / HALF_LIFE, 100.0) if isfinite(passed) and passed > 0 else 1.0)
        faded = replace(self, unit=self.unit / factor)
        if faded.unit > _LARGE:
            faded = replace(faded, weighted_pools=faded.pools, weighted_candidates=faded.candidates, unit=1.0)
        for key, pool in candidates:
            faded = faded.acted(key, pool, "shown")
        return replace(faded, time=max(self.time, timestamp) if isfinite(timestamp) else self.time)

    def acted(self, key: str, pool: str, what: str) -> Tastes:
        """After one more ``what`` (a field of Counts) on candidate ``key`` that came from ``pool``."""
        pools, known = dict(self.weighted_pools), dict(self.weighted_candidates)
        if pool:
            pools[pool] = pools.get(pool, NOTHING).plus(what, self.unit)
        known[key] = (known.pop(key, NOTHING) if what == "shown" else known.get(key, NOTHING)).plus(what, self.unit)
        if len(known) > KEPT:
            del known[next(iter(known))]
        return replace(self, weighted_pools=pools, weighted_candidates=known)


_LARGE = 1e12
