"""A simulation of blending with a known optimum: users who like some pools, and pools that get worse further down.

The environment is drawn from its own seed, every outcome included, so that all methods meet the same users, the same
drift and the same luck (paired). Regret is the expected reward that the best slate would have had minus that of the
slate shown. It ranks mechanisms; it is no evidence about people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Protocol

import numpy as np

from policies.ranking.blending import Array, PoolCandidate, Pools, SlateLaw, interleaved
from policies.ranking.blending_bandit import ACTIONS, ActionTaken, BanditBlender, BlendEvent, SlateShown


@dataclass(frozen=True, slots=True)
class Scene:
    """Size of the simulation: feedback of ``feedback_every`` turns arrives together; ``drift``: tastes are redrawn
    at half-time.
    """

    users: int = 80
    pools: int = 4
    slots: int = 8
    turns: int = 120
    feedback_every: int = 20
    drift: bool = False
    rewards: tuple[float, float, float] = (1.0, -1.0, 0.1)


@dataclass(frozen=True, slots=True)
class Environment:
    """``rates`` (2, U, P, A): of each action at rank 0, before and after half-time. ``curves`` (P, A, S): what is left
    of them at each rank. ``luck`` (T, U, P, S, A): an action is taken where it is below its rate.
    """

    scene: Scene
    rates: Array
    curves: Array
    luck: Array

    @classmethod
    def draw(cls, scene: Scene, seed: int) -> Environment:
        """Users, pools and all outcomes of ``seed``.

        How much a user likes a pool is Beta(.65 f, 1.9): mostly little, sometimes a lot; f is the pool's popularity,
        0.8 to 1.2, in an order that drift draws anew. Liking raises the rates of positive actions and views and lowers
        that of negative ones; each also has its own noise. A ratio for everybody can then reach half of what is best.
        """
        rng = np.random.default_rng(seed)
        shape = (2, scene.users, scene.pools)
        popularity = np.stack([rng.permutation(np.linspace(0.8, 1.2, scene.pools)) for _ in range(2)])
        liking = rng.beta(0.65 * popularity[:, None, :], 1.9, size=shape)
        positive = 0.02 + 0.27 * liking * rng.uniform(0.7, 1.3, size=shape)
        negative = 0.01 + 0.15 * (1 - liking) * rng.beta(1, 2, size=shape)
        view = 0.1 + 0.6 * liking * rng.uniform(0.5, 1.0, size=shape)
        rates = np.stack([positive, negative, view], axis=-1)
        if not scene.drift:
            rates[1] = rates[0]
        fall = rng.uniform(0.02, 0.12, size=(scene.pools, 1, 1)) * np.array([1.0, 0.0, 0.7])[:, None]
        curves = np.exp(-fall * np.arange(scene.slots))
        luck = rng.random((scene.turns, scene.users, scene.pools, scene.slots, len(ACTIONS)), dtype=np.float32)
        return cls(scene, rates, curves, luck.astype(np.float64))

    def values(self, phase: int) -> Array:
        """(U, P, S + 1) expected reward of showing the first n candidates of a pool, n = 0 ... S."""
        weighted = self.rates[phase] * np.array(self.scene.rewards)
        worth = np.einsum("upa,par->upr", weighted, self.curves)
        return np.concatenate([np.zeros((*worth.shape[:2], 1)), np.cumsum(worth, axis=2)], axis=2)


def compositions(slots: int, pools: int) -> Array:
    """(N, P) all ways to divide ``slots`` slots among ``pools`` pools."""
    bars = np.array(list(combinations_with_replacement(range(pools), slots)))
    return np.asarray(np.stack([(bars == p).sum(axis=1) for p in range(pools)], axis=1))


def reward_of(values: Array, counts: Array) -> Array:
    """(U, N) expected reward for every user of each of the ``counts`` (N, P) of candidates per pool."""
    total = np.zeros((len(values), len(counts)))
    for p in range(counts.shape[1]):
        total += values[:, p, counts[:, p].astype(int)]
    return total


class Learner(Protocol):
    """A method in the simulation; ``learns``: it wants to be told what happens."""

    learns: bool

    def law(self, user: int, turn: int) -> SlateLaw:
        """What it would show to ``user`` in ``turn``."""
        ...

    def learn(self, events: Sequence[BlendEvent]) -> None:
        """The feedback of ``feedback_every`` turns of all users."""
        ...


class RatioLearner:
    """One ratio for everybody and always; learns nothing."""

    learns = False

    def __init__(self, shares: Array, slots: int) -> None:
        self._law = interleaved(shares, slots)

    def law(self, user: int, turn: int) -> SlateLaw:
        """See ``Learner``."""
        return self._law

    def learn(self, events: Sequence[BlendEvent]) -> None:
        """Nothing."""


class BanditLearner:
    """``BanditBlender`` with its state; laws are kept until feedback comes, unless each decision draws anew."""

    learns = True

    def __init__(self, blender: BanditBlender, slots: int) -> None:
        self._blender, self._slots, self.state = blender, slots, blender.begin()
        self._pools: Pools = {name: [PoolCandidate(f"{name} {r}") for r in range(slots)] for name in names(blender)}
        self._laws: dict[int, SlateLaw] = {}
        self._fresh = blender.settings.sampling in ("draw", "arm")

    def law(self, user: int, turn: int) -> SlateLaw:
        """See ``Learner``."""
        if self._fresh:
            rng = np.random.default_rng([self._blender.settings.seed, user, turn])
            lengths = (self._slots,) * len(self._pools)
            return interleaved(self._blender.shares(self.state, str(user), lengths, self._slots, rng), self._slots)
        if user not in self._laws:
            self._laws[user] = self._blender.law(self.state, str(user), self._pools, self._slots)
        return self._laws[user]

    def learn(self, events: Sequence[BlendEvent]) -> None:
        """See ``Learner``."""
        self.state = self._blender.fold(self.state, events)
        self._laws.clear()


def names(blender: BanditBlender) -> tuple[str, ...]:
    """The pools a blender was set up for."""
    return blender.settings.pools


def play(environment: Environment, learner: Learner, pools: Sequence[str], seed: int) -> tuple[Array, Array]:
    """(regret, best), each (T,): per turn, mean over users, in expected reward."""
    scene = environment.scene
    rng = np.random.default_rng([seed, 1])
    divisions = compositions(scene.slots, scene.pools)
    values = [environment.values(phase) for phase in (0, 1)]
    best = [reward_of(v, divisions).max(axis=1) for v in values]
    regret, optimum = np.zeros(scene.turns), np.zeros(scene.turns)
    events: list[BlendEvent] = []
    for turn in range(scene.turns):
        phase = int(turn >= scene.turns // 2)
        slates = _slates(learner, rng.random(scene.users), turn, scene.slots)
        counts = np.stack([(slates == p).sum(axis=1) for p in range(scene.pools)], axis=1)
        reward = values[phase][np.arange(scene.users)[:, None], np.arange(scene.pools), counts].sum(axis=1)
        regret[turn], optimum[turn] = float((best[phase] - reward).mean()), float(best[phase].mean())
        if learner.learns:
            events += _events(environment, turn, phase, slates, pools)
        if (turn + 1) % scene.feedback_every == 0:
            learner.learn(events)
            events = []
    return regret, optimum


def best_ratio(environment: Environment, phases: Iterable[int] = (0, 1)) -> Array:
    """(P,) the shares of the one division that is best for all users in hindsight over ``phases``."""
    divisions = compositions(environment.scene.slots, environment.scene.pools)
    total = sum(reward_of(environment.values(phase), divisions).mean(axis=0) for phase in phases)
    return np.asarray(divisions[int(np.argmax(total))] / environment.scene.slots)


def _slates(learner: Learner, uniform: Array, turn: int, slots: int) -> Array:
    """(U, S) the pools shown to each user."""
    slates = np.empty((len(uniform), slots), dtype=int)
    for user, u in enumerate(uniform.tolist()):
        law = learner.law(user, turn)
        row = min(int(np.searchsorted(np.cumsum(law.probabilities), u)), len(law.probabilities) - 1)
        slates[user] = law.sequences[row]
    return slates


def _events(environment: Environment, turn: int, phase: int, slates: Array, pools: Sequence[str]) -> list[BlendEvent]:
    """What the users see and do, in the order it happens."""
    users, slots = slates.shape
    ranks = np.zeros_like(slates)
    for slot in range(1, slots):
        ranks[:, slot] = (slates[:, :slot] == slates[:, slot : slot + 1]).sum(axis=1)
    rows = np.arange(users)[:, None]
    chance = environment.rates[phase][rows, slates] * environment.curves[slates, :, ranks]
    taken = environment.luck[turn, rows, slates, ranks] < chance
    events: list[BlendEvent] = []
    for user in range(users):
        shown = tuple(pools[p] for p in slates[user].tolist())
        rank = ranks[user].tolist()
        events.append(SlateShown(str(user), shown, tuple(rank)))
        for slot, action in np.argwhere(taken[user]).tolist():
            events.append(ActionTaken(str(user), shown[slot], rank[slot], ACTIONS[action]))  # type: ignore[arg-type]
    return events
