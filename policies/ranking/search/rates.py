"""How often each document is clicked and chosen where it is seen, with priors for those that hardly anybody has seen.

The raw rate of a new document is 0 of 0: taken for 0 it is buried, never seen, and stays at 0 of 0. Here every rate is
the posterior of a Beta whose prior is fitted to the documents of its category (empirical Bayes by moments), and how
much is chosen a day that of a Gamma, so a new document begins as what its category is like. What is seen counts by the
probability that its place is looked at (clicks over expected clicks; Chapelle and Zhang 2009), so that being shown
last is no proof of being bad.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.ranking.search.documents import Array, Catalogue

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class RateSettings:
    """``examination``: probability that each place of a slate is looked at, the last one's for places beyond.

    ``half_life_days``: counts halve over this time. ``mean``, ``strength``: of the Beta prior before anything is known,
    the strength in views; a category's own is fitted within ``least`` and ``most`` views. ``prior_days``: what the
    Gamma prior of choices a day is worth. ``smoothed``: False gives raw rates (0 of 0 is 0), to compare with.
    """

    examination: tuple[float, ...] = (1.0, 0.85, 0.72, 0.61, 0.52, 0.44, 0.38, 0.32)
    half_life_days: float = 60.0
    mean: float = 0.1
    strength: float = 20.0
    least: float = 5.0
    most: float = 100.0
    prior_days: float = 7.0
    smoothed: bool = True

    def __post_init__(self) -> None:
        if not self.examination or not all(0 < p <= 1 for p in self.examination):
            raise ValueError(f"examination: {self.examination} are probabilities above 0, one a place")
        if not 0 < self.mean < 1:
            raise ValueError(f"mean: {self.mean} lies between 0 and 1")
        if min(self.half_life_days, self.strength, self.least, self.prior_days) <= 0 or self.most < self.least:
            raise ValueError("half_life_days, strength, least and prior_days are above 0, most is at least least")


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """(N,) each: ``click`` and ``choice``: posterior mean rate per look; ``spread``: standard deviation of ``choice``;
    ``prior``: the category's mean of ``choice``; ``daily``: choices a day.
    """

    click: Array
    choice: Array
    spread: Array
    prior: Array
    daily: Array


class ViewCounts:
    """Views, clicks and choices of N documents, fading: the fold of what was shown. Size and cost are bounded by N."""

    def __init__(self, catalogue: Catalogue, settings: RateSettings | None = None) -> None:
        self.catalogue = catalogue
        self.settings = settings or RateSettings()
        size = len(catalogue.documents)
        self.seen, self.clicked, self.chosen = np.zeros(size), np.zeros(size), np.zeros(size)
        self.time: float | None = None

    def add(self, shown: Sequence[int], clicked: Sequence[int], chosen: Sequence[int], time: float) -> None:
        """One slate at ``time`` (seconds): positions of documents from the first place to the last, and the actions."""
        self._age(time)
        self.seen[list(shown)] += looked_at(self.settings, len(shown))
        self.clicked[list(clicked)] += 1
        self.chosen[list(chosen)] += 1

    def rates(self, now: float) -> Rates:
        """What is believed at ``now`` (seconds)."""
        s, days = self.settings, np.maximum((now - self.catalogue.added) / DAY, 0.0)
        remembered = s.half_life_days / np.log(2.0)
        days = remembered * -np.expm1(-days / remembered)  # days that the fading counts stand for
        if not s.smoothed:
            click, choice = _ratio(self.clicked, self.seen), _ratio(self.chosen, self.seen)
            return Rates(click, choice, np.zeros_like(choice), np.zeros_like(choice), _ratio(self.chosen, days))
        click = _mean(*self._posterior(self.clicked)[:2])
        alpha, beta, prior = self._posterior(self.chosen)
        choice = _mean(alpha, beta)
        spread = np.sqrt(choice * (1 - choice) / (alpha + beta + 1))
        total = self.catalogue.by_category(self.chosen), self.catalogue.by_category(days)
        everywhere = (total[0].sum() + 1.0) / (total[1].sum() + s.prior_days)
        usual = (total[0] + everywhere * s.prior_days) / (total[1] + s.prior_days)
        daily = (self.chosen + usual[self.catalogue.category_of] * s.prior_days) / (days + s.prior_days)
        return Rates(click, choice, spread, prior, daily)

    def to_json(self) -> str:
        """As JSON by key; ``from_json`` reads it for any catalogue."""
        columns = zip(self.seen.tolist(), self.clicked.tolist(), self.chosen.tolist(), strict=True)
        rows = {document.key: row for document, row in zip(self.catalogue.documents, columns, strict=True)}
        return json.dumps({"version": 1, "time": self.time, "documents": rows})

    @classmethod
    def from_json(cls, text: str, catalogue: Catalogue, settings: RateSettings | None = None) -> ViewCounts:
        """What ``to_json`` wrote; documents that are gone are dropped, new ones begin at 0. ValueError if damaged."""
        counts = cls(catalogue, settings)
        try:
            said: dict[str, Any] = json.loads(text)
            if said["version"] != 1:
                raise ValueError(f"version {said['version']}, this program reads version 1")
            counts.time = None if said["time"] is None else float(said["time"])
            for key, row in said["documents"].items():
                if (n := catalogue.position.get(key)) is not None:
                    counts.seen[n], counts.clicked[n], counts.chosen[n] = map(float, row)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"view counts: {error}: count anew from the log") from None
        return counts

    def _age(self, time: float) -> None:
        if self.time is not None and time > self.time:  # a clock that goes backwards ages nothing
            kept = 0.5 ** ((time - self.time) / (self.settings.half_life_days * DAY))
            for counts in (self.seen, self.clicked, self.chosen):
                counts *= kept
        self.time = time if self.time is None else max(time, self.time)

    def _posterior(self, done: Array) -> tuple[Array, Array, Array]:
        """(N,) alpha, beta and prior mean of each document."""
        s, catalogue = self.settings, self.catalogue
        done = np.minimum(done, self.seen)  # places are looked at oftener than expected, by chance
        totals = catalogue.by_category(done), catalogue.by_category(self.seen)
        overall = (totals[0].sum() + s.mean * s.strength) / (totals[1].sum() + s.strength)
        means = ((totals[0] + overall * s.strength) / (totals[1] + s.strength))[catalogue.category_of]
        strengths = self._strength(done, means)[catalogue.category_of]
        return means * strengths + done, (1 - means) * strengths + self.seen - done, means

    def _strength(self, done: Array, means: Array) -> Array:
        """(C,) how much alike the documents of a category are, in views: its variance beyond chance, by moments."""
        s, by = self.settings, self.catalogue.by_category
        known = self.seen >= s.least
        usual = by(np.where(known, 1.0, 0.0))
        off = np.where(known, (_ratio(done, self.seen) - means) ** 2, 0.0)
        chance = np.where(known, means * (1 - means) / np.maximum(self.seen, 1.0), 0.0)
        variance = _ratio(by(off) - by(chance), usual)
        mean = _ratio(by(np.where(known, means, 0.0)), usual)
        fitted = _ratio(mean * (1 - mean), np.maximum(variance, 1e-9)) - 1
        weight = usual / (usual + 3.0)  # of few documents nothing is known about how alike they are
        return np.asarray(weight * np.clip(fitted, s.least, s.most) + (1 - weight) * s.strength)


def looked_at(settings: RateSettings, places: int) -> Array:
    """(places,) probability that each place is looked at."""
    return np.array([settings.examination[min(k, len(settings.examination) - 1)] for k in range(places)])


def _mean(alpha: Array, beta: Array) -> Array:
    return np.asarray(alpha / (alpha + beta))


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
