"""The counts behind blending: what one user did (``Tally``) and what everybody does (``Population``).

Shapes: P pools, A action types, R ranks within a pool. Arrays are float64. These values are treated as immutable once
they are part of a ``BlendState``; the functions here change copies that a fold has made for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from math import exp, isfinite, lgamma, log
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.ranking.blending import Array


@dataclass(slots=True)
class Tally:
    """One user: ``actions`` and ``exposures`` (P, A) of closed batches, ``new_*`` (P, A) of the batch that is open.

    An exposure is worth c[pool, action, rank], so that actions / exposures estimates the rate at rank 0. ``slates``: of
    the open batch. ``time``: of the latest event, in seconds; -inf before the first.
    """

    actions: Array
    exposures: Array
    new_actions: Array
    new_exposures: Array
    slates: int = 0
    time: float = -float("inf")

    @classmethod
    def empty(cls, pools: int, actions: int) -> Tally:
        """Nobody's counts yet."""
        zeros = np.zeros((4, pools, actions))
        return cls(zeros[0], zeros[1], zeros[2], zeros[3])

    def copy(self) -> Tally:
        """An equal one that may be changed."""
        closed, opened = (
            (self.actions.copy(), self.exposures.copy()),
            (self.new_actions.copy(), self.new_exposures.copy()),
        )
        return Tally(*closed, *opened, self.slates, self.time)

    def age(self, time: float, half_life: float) -> None:
        """Let ``time`` (seconds) come; a clock that goes back, or isn't finite, changes nothing."""
        if not isfinite(time) or time <= self.time:
            return
        if isfinite(self.time):
            kept = 0.5 ** ((time - self.time) / half_life)
            for counts in (self.actions, self.exposures, self.new_actions, self.new_exposures):
                counts *= kept
        self.time = time

    def to_lists(self) -> dict[str, Any]:
        """For JSON."""
        return _to_lists(self) | {"time": self.time if isfinite(self.time) else None}

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any], shape: tuple[int, int]) -> Tally:
        """Read ``to_lists``; ValueError for arrays that don't have ``shape`` (P, A), or counts below 0."""
        names = ("actions", "exposures", "new_actions", "new_exposures")
        time = -float("inf") if lists["time"] is None else float(lists["time"])
        arrays = {name: _array(lists, name, shape) for name in names}
        return cls(**arrays, slates=int(lists["slates"]), time=time)


@dataclass(slots=True)
class Population:
    """Everybody: the prior of a user nobody knows, and how rates fall with rank.

    ``users`` (faded number of closed batches), ``mean`` and ``square`` (P, A): sums of the first and second moments of
    posteriors at the end of batches. ``acted`` and ``expected`` (P, A, R): actions, and those expected were all ranks
    like the first. Derived at the end of each batch: ``alpha``, ``beta`` (P, A), ``curve`` (P, A, R).
    """

    users: float
    mean: Array
    square: Array
    acted: Array
    expected: Array
    alpha: Array
    beta: Array
    curve: Array

    @classmethod
    def empty(cls, shape: tuple[int, int, int], rates: Array, strength: float, users: float) -> Population:
        """Before anybody: Beta(rate x strength, (1 - rate) x strength), worth ``users`` users."""
        mean = np.broadcast_to(rates, shape[:2]).copy()
        square = mean * (mean * strength + 1) / (strength + 1)
        counts = (np.zeros(shape), np.zeros(shape))
        return cls(users, mean * users, square * users, *counts, mean * strength, (1 - mean) * strength, np.ones(shape))

    def copy(self) -> Population:
        """An equal one that may be changed."""
        return Population(self.users, *(getattr(self, item.name).copy() for item in fields(self)[1:]))

    def posterior(self, tally: Tally | None) -> tuple[Array, Array]:
        """(alpha, beta), each (P, A): the Beta posterior of a user, the prior without ``tally``."""
        if tally is None:
            return self.alpha, self.beta
        actions = tally.actions + tally.new_actions
        # an action may come without its exposure (a log that begins in the middle)
        idle = np.maximum(tally.exposures + tally.new_exposures - actions, 0.0)
        return self.alpha + actions, self.beta + idle

    def to_lists(self) -> dict[str, Any]:
        """For JSON."""
        return _to_lists(self)

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any], shape: tuple[int, int, int]) -> Population:
        """Read ``to_lists``; ValueError for arrays that don't have ``shape`` (P, A, R), or values below 0."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("mean", "square", "alpha", "beta"), shape[:2])
        shapes |= dict.fromkeys(("acted", "expected", "curve"), shape)
        arrays = {name: _array(lists, name, wanted) for name, wanted in shapes.items()}
        return cls(users=float(lists["users"]), **arrays)


def seen_slate(tally: Tally, population: Population, slots: Sequence[tuple[int, int]]) -> None:
    """Count the exposures of a slate; ``slots``: (pool, rank) of each."""
    tally.slates += 1
    if not slots:
        return
    last = population.curve.shape[2] - 1
    pools = [p for p, _ in slots]
    ranks = [min(max(r, 0), last) for _, r in slots]
    alpha, beta = population.posterior(tally)
    rates = alpha / (alpha + beta)
    for p, r in zip(pools, ranks, strict=True):
        population.expected[p, :, r] += rates[p]
    np.add.at(tally.new_exposures, pools, population.curve[pools, :, ranks])


def closed(tally: Tally, population: Population, discount: float, change_rate: float) -> Tally:
    """The tally at the end of its batch: the past is discounted (see ``change_probability``), the batch joins it."""
    kept = discount
    if change_rate > 0:
        kept *= 1 - change_probability(tally, population, change_rate)
    empty = np.zeros_like(tally.actions)
    return Tally(
        tally.actions * kept + tally.new_actions,
        tally.exposures * kept + tally.new_exposures,
        empty,
        empty.copy(),
        0,
        tally.time,
    )


def generalize(population: Population, tally: Tally, memory: float, *, curves: bool) -> None:
    """Learn about everybody from a user whose batch was just closed."""
    alpha, beta = population.posterior(tally)
    mean = alpha / (alpha + beta)
    fade = exp(-1 / memory)
    population.users = population.users * fade + 1
    population.mean = population.mean * fade + mean
    population.square = population.square * fade + mean * (alpha + 1) / (alpha + beta + 1)
    population.acted *= fade
    population.expected *= fade
    _derive(population, curves=curves)


def change_probability(tally: Tally, population: Population, rate: float) -> float:
    """P(tastes changed | the open batch), when they change with probability ``rate`` between batches.

    The open batch's actions, given its exposures, are Beta-binomial: under the user's past if nothing changed, under
    the prior if everything did.
    """
    if not tally.exposures.any() or not tally.new_exposures.any():
        return 0.0
    done = tally.new_actions.ravel().tolist()
    idle = np.maximum(tally.new_exposures - tally.new_actions, 0.0).ravel().tolist()
    past_alpha = (population.alpha + tally.actions).ravel().tolist()
    past_beta = (population.beta + np.maximum(tally.exposures - tally.actions, 0.0)).ravel().tolist()
    alpha, beta = population.alpha.ravel().tolist(), population.beta.ravel().tolist()
    odds = log(rate) - log(1 - rate) if rate < 1 else float("inf")
    for a, b, pa, pb, s, f in zip(alpha, beta, past_alpha, past_beta, done, idle, strict=True):
        odds += _log_beta(a + s, b + f) - _log_beta(a, b) - _log_beta(pa + s, pb + f) + _log_beta(pa, pb)
    return 1 / (1 + exp(-min(max(odds, -500.0), 500.0)))


def beta_draws(alpha: Array, beta: Array, draws: int, seed: int) -> Array:
    """(draws, P, A) from Beta(``alpha``, ``beta``), both (P, A): the same for the same arguments, and quick.

    Each Beta is a ratio of Gammas, each Gamma a cube of a normal (Marsaglia and Tsang 2000, whose rejection step is
    left out: for shapes of 1 and more it would reject under 5 %) with shape raised by 1 and U^(1/shape) in return. The
    normal and uniform numbers are a fixed Latin hypercube, so that few draws cover the posterior evenly.
    """
    normal, log_uniform = _hypercube(draws, *alpha.shape, seed)
    shape = np.array([alpha, beta], dtype=np.float32)[:, None]
    d = shape + np.float32(2 / 3)
    root = normal * (np.float32(1 / 3) / np.sqrt(d))
    root += np.float32(1)
    np.maximum(root, np.float32(1e-3), out=root)
    gamma = log_uniform * (np.float32(1) / shape)
    np.exp(gamma, out=gamma)
    gamma *= root * root * root
    gamma *= d
    gamma += np.float32(1e-30)
    return np.asarray(gamma[0] / (gamma[0] + gamma[1]), dtype=np.float64)


@cache
def _hypercube(draws: int, pools: int, actions: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(2, draws, P, A) normal and log uniform numbers, each column with one number in each of ``draws`` strata."""
    rng = np.random.default_rng(seed)
    shape = (2, 2, pools, actions, draws)
    uniform = (rng.permuted(np.broadcast_to(np.arange(draws), shape), axis=-1) + rng.random(shape)) / draws
    uniform = np.moveaxis(np.clip(uniform, 1e-9, 1 - 1e-9), -1, 2)
    quantile = np.vectorize(NormalDist().inv_cdf, otypes=[np.float32])
    return quantile(uniform[0]), np.log(uniform[1]).astype(np.float32)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _derive(population: Population, *, curves: bool) -> None:
    """Prior and curves from the sums: the Beta with the population's two moments; observed over expected actions."""
    mean = population.mean / population.users
    variance = np.maximum(population.square / population.users - mean**2, 1e-9)
    strength = np.clip(mean * (1 - mean) / variance - 1, 0.5, 100.0)
    population.alpha, population.beta = mean * strength, (1 - mean) * strength
    if curves:
        weight = 10.0  # expected actions after which the data weigh as much as "no fall"
        ratio = (population.acted + weight) / (population.expected + weight)
        # a list that is best first can't get better further down
        population.curve = np.maximum(np.minimum.accumulate(ratio / ratio[:, :, :1], axis=2), 0.05)


def _to_lists(value: Tally | Population) -> dict[str, Any]:
    found = {item.name: getattr(value, item.name) for item in fields(value)}
    return {name: part.tolist() if isinstance(part, np.ndarray) else part for name, part in found.items()}


def _array(lists: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Array:
    array = np.array(lists[name], dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"{name} must be {' x '.join(map(str, shape))} numbers of 0 or more")
    return array
