"""Users with hidden tastes who accept, refuse, book or leave by what they are offered: to learn selection from.

B users, E venues, S slots, V values. What a user thinks of a venue is its quality, which all agree on, and the sum of
their own taste for each of its values, the more so the more they care for that slot (one looks at prices, another at
the food); the probability that they take an offer up is the logistic function of it. Tastes drift a little every day,
and at half-time some users turn to others altogether. Users don't know what a policy knows: their luck depends on
(seed, day, user, attempt) alone, so that all policies meet the same people, visits, wishes and luck. It is a
simulation: it ranks ways to choose, and is no evidence about people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FeedbackScene:
    """``days`` of visits; each user comes on a day with probability ``visits``.

    ``tastes``: standard deviation, in log odds, of what a user makes of a venue's values; ``shared``: of what everybody
    makes of them; ``quality``: of venues. ``caring``: the smaller, the fewer slots a user cares for (a Dirichlet's).
    ``usual``: log odds of taking up a venue that is neither liked nor disliked. ``drift``: share of a taste that is
    renewed every day; ``turning``: share of the users who get other tastes at half-time. ``wishes``: probability that a
    slot is wished for, slot by slot (the last one's for further slots). ``attempts``: offers a visit at most;
    ``leaving``: probability of leaving after a refusal. ``booking``: probability that what is taken up is booked, at
    odds of 1 for the venue.
    """

    days: int = 20
    visits: float = 0.4
    tastes: float = 1.5
    shared: float = 0.5
    quality: float = 0.8
    caring: float = 0.3
    usual: float = -1.0
    drift: float = 0.005
    turning: float = 0.2
    wishes: tuple[float, ...] = (0.35, 0.35, 0.2, 0.0)
    attempts: int = 4
    leaving: float = 0.3
    booking: float = 0.5

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("visits", "drift", "turning", "leaving", "booking")}
        shares |= {f"wishes[{s}]": share for s, share in enumerate(self.wishes)}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: {share} is a share from 0 to 1")
        if min(self.days, self.attempts, len(self.wishes)) < 1:
            raise ValueError("days and attempts are at least 1, and wishes has a probability for the first slot")
        if min(self.tastes, self.shared, self.quality) < 0 or self.caring <= 0:
            raise ValueError("tastes, shared and quality are not negative, caring is above 0")


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """One day. ``users`` (b,) who come; ``wishes`` (b, S) the value of each slot, -1 for none.

    ``likes`` (b, E): probability that each venue is taken up; ``luck`` (b, attempts, 3), uniform: an offer is taken up
    below ``likes``, then booked, and after a refusal the user leaves, see ``reaction``.
    """

    scene: FeedbackScene
    users: Ints
    wishes: Ints
    likes: Array
    luck: Array

    def reaction(self, visit: int, attempt: int, venue: int) -> tuple[bool, bool, bool]:
        """(taken up, booked, leaves without) when ``venue`` is offered in that attempt of that visit."""
        like, (accept, book, leave) = float(self.likes[visit, venue]), self.luck[visit, attempt].tolist()
        if accept < like:
            odds = self.scene.booking / max(1 - self.scene.booking, 1e-9) * like / max(1 - like, 1e-9)
            return True, book < odds / (1 + odds), False
        return False, False, attempt + 1 >= self.scene.attempts or leave < self.scene.leaving


class FeedbackUsers:
    """B users before a table of venues; ``day`` after ``day`` in order."""

    def __init__(self, entity_values: NDArray[np.integer], users: int, scene: FeedbackScene, seed: int) -> None:
        """``entity_values`` (E, S): the value that each venue has in each slot, as numbers from 0.

        ValueError without users, or without venues and slots.
        """
        if users < 1 or entity_values.ndim != 2 or not entity_values.size:
            raise ValueError(f"{users} users and venues of shape {entity_values.shape}: there must be some")
        self.scene, self.seed, self.users = scene, seed, users
        self._values = np.asarray(entity_values, dtype=np.int64)
        rng = np.random.default_rng([seed, 0])
        self._count = int(self._values.max()) + 1
        self._shared = rng.normal(0, scene.shared, size=self._count)
        self._quality = rng.normal(0, scene.quality, size=len(self._values))
        self._tastes = self._drawn(rng, users)
        self._cares = np.sqrt(rng.dirichlet(np.full(self._values.shape[1], scene.caring), size=users))
        self._day = 0

    def day(self) -> Visits:
        """The visits of the next day."""
        s, rng = self.scene, np.random.default_rng([self.seed, 1, self._day])
        if self._day:
            kept = np.sqrt(1 - s.drift)
            self._tastes = kept * self._tastes + np.sqrt(s.drift) * self._drawn(rng, self.users)
        if self._day == max(s.days // 2, 1):
            turned = rng.random(self.users) < s.turning
            self._tastes[turned] = self._drawn(rng, int(turned.sum()))
        come = rng.random(self.users) < s.visits
        luck = rng.random((self.users, s.attempts, 3))
        wishes = self._wishes(rng)
        self._day += 1
        users = np.flatnonzero(come)
        return Visits(s, users, wishes[users], self.likes(users), luck[users])

    def likes(self, users: Ints) -> Array:
        """(b, E) the probability that each of ``users`` takes each venue up, today."""
        values, tastes, cares = self._values, self._tastes[users], self._cares[users]
        everybody = self._shared[values].sum(axis=1) / np.sqrt(values.shape[1])
        likes = np.broadcast_to(self.scene.usual + self._quality + everybody, (len(users), len(values))).copy()
        for s in range(values.shape[1]):
            likes += cares[:, s, None] * tastes[:, values[:, s]]
        return np.asarray(1 / (1 + np.exp(-likes)))

    def _wishes(self, rng: np.random.Generator) -> Ints:
        """(B, S) what everybody would wish for today: values of a venue that they may well like, some of its slots."""
        s, slots = self.scene, self._values.shape[1]
        chance = np.array([s.wishes[min(k, len(s.wishes) - 1)] for k in range(slots)])
        named = rng.random((self.users, slots)) < chance
        noise = rng.gumbel(size=(self.users, len(self._values)))
        likes = self.likes(np.arange(self.users))
        venue = np.argmax(np.log(likes) + noise, axis=1)  # drawn in proportion to the likes
        return np.where(named, self._values[venue], -1)

    def _drawn(self, rng: np.random.Generator, users: int) -> Array:
        return rng.normal(0, self.scene.tastes, size=(users, self._count))
