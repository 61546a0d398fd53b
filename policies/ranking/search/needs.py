"""What a user is in need of now ("hunger"): the recency and rhythm of their own choices, a category at a time.

The gaps between a user's choices of a category follow a log-logistic distribution (Bennett 1983), whose two numbers are
shrunk towards those of everybody: the median gap, and how regular it is. The need is the probability that the category
is chosen within the next ``horizon``, given that it hasn't been since the last time: low right after a choice, highest
when the usual gap is over, and fading for what was given up.

The state of a user is four numbers and a time for each category they ever chose, at most ``most_categories``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log, log1p, pi, sqrt

from policies.ranking.search.rates import DAY


@dataclass(frozen=True, slots=True)
class NeedSettings:
    """``usual_days``, ``spread``: median of the gaps of people in general, and standard deviation of their logarithms.

    ``strength``: in gaps, what this prior is worth. ``horizon_days``: need is of a choice within this time.
    ``memory``: gaps after which an old one has faded to 1/e. ``shortest_hours``: choices nearer together are one.
    """

    usual_days: float = 21.0
    spread: float = 1.2
    strength: float = 2.0
    horizon_days: float = 1.0
    memory: float = 20.0
    shortest_hours: float = 1.0
    most_categories: int = 256

    def __post_init__(self) -> None:
        for name in ("usual_days", "spread", "strength", "horizon_days", "memory", "shortest_hours", "most_categories"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} must be above 0")

    @classmethod
    def fitted(cls, gap_days: Sequence[float]) -> NeedSettings:
        """The prior of people in general, from gaps between anybody's choices of one category (days, above 0).

        The default with fewer than 20 of them.
        """
        logs = sorted(log(gap) for gap in gap_days if gap > 0)
        if len(logs) < 20:
            return cls()
        center = logs[len(logs) // 2]
        return cls(usual_days=exp(center), spread=max(sqrt(sum((x - center) ** 2 for x in logs) / len(logs)), 0.1))


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Choices of one category: when the last was (seconds), number, sum and sum of squares of the fading log gaps."""

    last: float
    gaps: float = 0.0
    total: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True, slots=True)
class UserNeeds:
    """What is known of one user: a fold over their choices by ``chosen``; the value itself never changes."""

    rhythms: Mapping[str, Rhythm] = field(default_factory=dict)
    settings: NeedSettings = field(default_factory=NeedSettings)

    def chosen(self, category: str, time: float) -> UserNeeds:
        """After a choice of ``category`` at ``time`` (seconds). A clock that goes backwards changes nothing."""
        s, old = self.settings, self.rhythms.get(category)
        rhythms = dict(self.rhythms)
        if old is None:
            if len(rhythms) >= s.most_categories:
                del rhythms[min(rhythms, key=lambda name: rhythms[name].last)]
            rhythms[category] = Rhythm(time)
        elif time - old.last < s.shortest_hours * 3600:
            return self
        else:
            gap, kept = log((time - old.last) / DAY), 1 - 1 / max(s.memory, 1.0)
            rhythms[category] = Rhythm(
                time, kept * old.gaps + 1, kept * old.total + gap, kept * old.squares + gap * gap
            )
        return UserNeeds(rhythms, s)

    def need(self, category: str, now: float) -> float:
        """Probability, above 0 and below 1, that ``category`` is chosen within the horizon from ``now`` (seconds).

        What this user never chose has the need of anybody, at a moment of which nothing is known.
        """
        s = self.settings
        rhythm = self.rhythms.get(category)
        if rhythm is None:
            return -_expm1_negative(s.horizon_days / (s.usual_days * 1.5))
        usual = log(s.usual_days)
        weight = rhythm.gaps + s.strength
        center = (rhythm.total + s.strength * usual) / weight
        around = rhythm.squares - 2 * center * rhythm.total + rhythm.gaps * center * center
        variance = (max(around, 0.0) + s.strength * (s.spread**2 + (usual - center) ** 2)) / weight
        shape = pi / sqrt(3 * max(variance, 0.01))
        waited = max(now - rhythm.last, 0.0) / DAY
        hazard = _log_odds_past(waited + s.horizon_days, center, shape) - _log_odds_past(waited, center, shape)
        return min(max(-_expm1_negative(hazard), 1e-9), 1 - 1e-9)


def _log_odds_past(days: float, center: float, shape: float) -> float:
    """Minus the log of the probability that a gap is longer than ``days``."""
    if days <= 0:
        return 0.0
    power = shape * (log(days) - center)
    return power + log1p(exp(-power)) if power > 0 else log1p(exp(power))


def _expm1_negative(value: float) -> float:
    """exp(-value) - 1."""
    return exp(-value) - 1
