"""Simulated users who come and go: a rhythm of their own, and a mood that decides how soon they are back.

It is made so that the history matters more than the last visit, to see whether a model notices; it is no evidence about
people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.ranking.latent.survival import Array, Flags

FEATURES = ("log gap", "satisfaction", "messages")
"""Of a visit: log days since the one before, how content the user sounded (noisy), log number of messages."""


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """``histories``: one (T, 3) a user, columns as FEATURES; ``times`` (N,) days until the next visit or the end of the
    recording; ``happened`` (N,): was there a next visit?
    """

    histories: list[Array]
    times: Array
    happened: Flags

    @property
    def gaps(self) -> list[Array]:
        """For each user the days (T - 1,) between visits."""
        return [np.exp(history[1:, 0]) for history in self.histories]


def summary(history: Array) -> Array:
    """(7,) what an analyst would give to Cox's model: last and mean of each feature, number of visits."""
    return np.concatenate([history[-1], history.mean(axis=0), [np.log(len(history))]])


def draw_visits(users: int, seed: int) -> Visits:
    """``users`` with 3 to 20 visits each; about a quarter is not seen again."""
    rng = np.random.default_rng(seed)
    histories, times, happened = [], np.empty(users), np.zeros(users, dtype=bool)
    for user in range(users):
        usual = rng.normal(1.0, 0.5)  # log days
        mood, gap, rows = rng.normal(0, 0.5), float(np.exp(usual)), []
        for _ in range(int(rng.integers(3, 21))):
            mood = 0.85 * mood + rng.normal(0, 0.3)
            rows.append([np.log(gap), np.tanh(mood) + rng.normal(0, 0.5), rng.normal(1.5 + 0.3 * mood, 0.5)])
            gap = float(np.exp(usual - 1.2 * mood) * rng.weibull(1.5))
            gap = max(gap, 0.01)
        end = float(np.exp(rng.normal(2.3, 0.7)))
        histories.append(np.array(rows))
        times[user], happened[user] = min(gap, end), gap <= end
    return Visits(histories, times, happened)
