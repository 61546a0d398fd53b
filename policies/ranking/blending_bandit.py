"""Blending that learns what each user likes: a multi-armed bandit with an arm a pool.

One Beta posterior per user, pool and action type (``ACTIONS``); the utility of a pool is the reward-weighted sum of
its action rates (deWet 2016). Thompson sampling in batches (Chapelle and Li 2011): of ``draws`` draws from the
posterior, the share of the slots that a pool would win is its share of the slate (``policies.ranking.blending``).
The draws depend on (seed, counts) alone, so shares are a pure function of the state and propensities are exact.

What is beyond a textbook Beta bandit:

* rates fall with the rank within a pool: curves c[pool, action, rank], learned from everybody, correct exposures and
  say what the next candidate of each pool is worth;
* a hierarchical prior: mean and strength of each Beta come from all users (moments of their posteriors), so a new
  user sees some of everything and is understood quickly;
* forgetting: counts are discounted at the end of each batch, and dropped when the batch is better explained by a
  stranger (the prior) than by this user's past (Bayes factor of Beta-binomials): tastes that change are relearned.

The state is a small immutable value, a fold over events (``fold``); its size and the time of a decision don't depend
on how many events there were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from policies.ranking.blending import Array, BlendedSlate, Pools, SlateLaw, interleaved
from policies.ranking.blending_posterior import Population, Tally, beta_draws, closed, generalize, seen_slate

Action = Literal["positive", "negative", "view"]
ACTIONS: tuple[str, ...] = get_args(Action)
"""Accepted or liked; refused or disliked; looked at."""
Sampling = Literal["win-share", "draw", "arm", "mean"]
"""Shares from many draws; from one draw a decision; all slots to the best pool of one draw; from expected values."""


@dataclass(frozen=True, slots=True)
class BlendSettings:
    """How slates are blended and learned from. ValueError names the setting that is wrong.

    ``rewards``: worth of each of ACTIONS. ``exploration``: share of the slots spread over all pools evenly, which keeps
    every propensity above 0. ``batch``: slates of a user after which counts are closed. ``discount``: what stays of a
    user's counts then. ``change_rate``: prior probability, per batch, that a user's tastes changed (0: never look).
    ``half_life_days``: counts halve over this time. ``prior_rates``, ``prior_strength``: of each of ACTIONS before
    anybody was seen, worth ``prior_users`` users. ``memory``: batches, of all users, after which what is known
    of everybody has faded to 1/e. ``curves``: learn how rates fall with rank (else: all ranks are equal).
    """

    pools: tuple[str, ...]
    rewards: tuple[float, float, float] = (1.0, -1.0, 0.1)
    sampling: Sampling = "win-share"
    draws: int = 64
    exploration: float = 0.01
    batch: int = 20
    discount: float = 0.98
    change_rate: float = 0.05
    half_life_days: float = 90.0
    prior_rates: tuple[float, float, float] = (0.1, 0.05, 0.3)
    prior_strength: float = 2.0
    prior_users: float = 5.0
    memory: float = 2000.0
    curves: bool = True
    ranks: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.pools or len(set(self.pools)) < len(self.pools):
            raise ValueError(f"pools: {self.pools} must name at least one pool, each once")
        if self.sampling not in get_args(Sampling):
            raise ValueError(f"sampling: {self.sampling!r} is none of {', '.join(get_args(Sampling))}")
        shares = {"exploration": self.exploration, "discount": self.discount, "change_rate": self.change_rate}
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: {value} must be from 0 to 1")
        above = ("draws", "batch", "half_life_days", "prior_strength", "prior_users", "memory", "ranks")
        for name in above:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} must be above 0")
        if not all(0 < rate < 1 for rate in self.prior_rates):
            raise ValueError(f"prior_rates: {self.prior_rates} must lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class SlateShown:
    """``user`` was shown a slate: the pool of each slot, the rank within it, and the time in seconds."""

    user: str
    pools: tuple[str, ...]
    ranks: tuple[int, ...]
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class ActionTaken:
    """``user`` did ``action`` with the candidate at ``rank`` of ``pool``."""

    user: str
    pool: str
    rank: int
    action: Action
    time: float = 0.0


BlendEvent = SlateShown | ActionTaken


@dataclass(frozen=True, slots=True)
class BlendState:
    """What is known of each user, and of everybody."""

    users: Mapping[str, Tally]
    population: Population

    def to_json(self) -> str:
        """As JSON; ``from_json`` gives an equal state."""
        users = {name: tally.to_lists() for name, tally in self.users.items()}
        return json.dumps({"version": 1, "users": users, "population": self.population.to_lists()})

    @classmethod
    def from_json(cls, text: str, settings: BlendSettings) -> BlendState:
        """Read what ``to_json`` wrote; ValueError where it is damaged or of other pools."""
        shape = (len(settings.pools), len(ACTIONS))
        try:
            loaded: dict[str, Any] = json.loads(text)
            if loaded["version"] != 1:
                raise ValueError(f"version {loaded['version']}, this program reads version 1")
            users = {name: Tally.from_lists(lists, shape) for name, lists in loaded["users"].items()}
            population = Population.from_lists(loaded["population"], (*shape, settings.ranks))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"blending state: {error}; was it written with other pools? Begin a new one") from None
        return cls(users, population)


@dataclass(frozen=True, slots=True)
class BanditBlender:
    """Decides with ``BlendSettings`` and a ``BlendState``; holds no state itself."""

    settings: BlendSettings
    _rewards: Array = field(init=False, repr=False)
    _index: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rewards", np.array(self.settings.rewards))
        object.__setattr__(self, "_index", {name: p for p, name in enumerate(self.settings.pools)})

    def begin(self) -> BlendState:
        """The state before any event."""
        s = self.settings
        shape = (len(s.pools), len(ACTIONS), s.ranks)
        return BlendState({}, Population.empty(shape, np.array(s.prior_rates), s.prior_strength, s.prior_users))

    def fold(self, state: BlendState, events: Iterable[BlendEvent]) -> BlendState:
        """``state`` after ``events``; those of unknown pools are passed over. ``state`` itself stays as it is.

        A call copies the table of users once: hand over events in groups where there are many users.
        """
        s, users, population = self.settings, dict(state.users), state.population.copy()
        own: set[str] = set()
        for event in events:
            if event.user not in own:
                own.add(event.user)
                tally = users.get(event.user)
                users[event.user] = Tally.empty(len(s.pools), len(ACTIONS)) if tally is None else tally.copy()
            tally = users[event.user]
            tally.age(event.time, s.half_life_days * 86400.0)
            if isinstance(event, ActionTaken):
                p = self._index.get(event.pool)
                if p is not None:
                    a = ACTIONS.index(event.action)
                    tally.new_actions[p, a] += 1
                    population.acted[p, a, min(max(event.rank, 0), s.ranks - 1)] += 1
                continue
            if tally.slates >= s.batch:
                tally = users[event.user] = closed(tally, population, s.discount, s.change_rate)
                generalize(population, tally, s.memory, curves=s.curves)
            known = [(self._index[n], r) for n, r in zip(event.pools, event.ranks, strict=True) if n in self._index]
            seen_slate(tally, population, known)
        return BlendState(users, population)

    def shares(
        self, state: BlendState, user: str, lengths: tuple[int, ...], slots: int, rng: np.random.Generator | None = None
    ) -> Array:
        """(P,) share of the slots for each pool, 0 for empty ones.

        ``lengths``: candidates of each pool. With ``win-share`` and ``mean`` the same state gives the same shares;
        ``draw`` and ``arm`` draw with ``rng``.
        """
        s = self.settings
        tally = state.users.get(user)
        if tally is not None and tally.slates >= s.batch:  # the batch is complete: it will be closed like this
            tally = closed(tally, state.population, s.discount, s.change_rate)
        alpha, beta = state.population.posterior(tally)
        if s.sampling == "mean":
            rates = (alpha / (alpha + beta))[None]
        elif s.sampling == "win-share":
            rates = beta_draws(alpha, beta, s.draws, s.seed)
        else:
            rates = (np.random.default_rng(s.seed) if rng is None else rng).beta(alpha, beta)[None]
        curve = state.population.curve
        worth = np.matmul((rates * self._rewards).transpose(1, 0, 2), curve)  # (P, draws, ranks)
        shares = _won(worth, lengths, slots, one=s.sampling == "arm" or not s.curves)
        even = [min(length, slots) for length in lengths]
        return np.asarray((1 - s.exploration) * shares + (s.exploration / sum(even)) * np.array(even))

    def law(self, state: BlendState, user: str, pools: Pools, slots: int) -> SlateLaw:
        """The distribution of slates for ``user``, for samplings whose shares are a function of the state."""
        lengths = tuple(len(pools.get(name, ())) for name in self.settings.pools)
        return interleaved(self.shares(state, user, lengths, slots), slots)

    def decide(self, state: BlendState, user: str, pools: Pools, slots: int, rng: np.random.Generator) -> BlendedSlate:
        """A slate of ``slots`` candidates of ``pools`` for ``user``, drawn with ``rng`` (of the turn).

        Never empty while any pool of ``settings.pools`` has a candidate. With ``draw`` and ``arm`` the shares are
        random too, and propensities are estimated with ``settings.draws`` further draws.
        """
        pools = {name: pools.get(name, ()) for name in self.settings.pools}
        if slots <= 0 or not any(pools.values()):
            return BlendedSlate((), 1.0, ())
        if self.settings.sampling in ("win-share", "mean"):
            return self.law(state, user, pools, slots).draw(pools, rng)
        lengths = tuple(len(candidates) for candidates in pools.values())
        laws = [
            interleaved(self.shares(state, user, lengths, slots, rng), slots) for _ in range(self.settings.draws + 1)
        ]
        slate = laws[0].draw(pools, rng)
        others = SlateLaw(
            np.concatenate([law.sequences for law in laws[1:]]),
            np.concatenate([law.probabilities for law in laws[1:]]) / self.settings.draws,
            laws[0].spare,
        )
        return others.estimated(slate, pools)


def _won(worth: Array, lengths: tuple[int, ...], slots: int, *, one: bool) -> Array:
    """(P,) mean share of the slots that each pool wins: in each draw the ``slots`` best candidates win one each.

    ``worth`` (P, draws, ranks): of each candidate. ``one``: the pool with the best first candidate takes all slots.
    """
    pools, draws, ranks = worth.shape
    if one:
        worth = np.where((np.array(lengths) > 0)[:, None], worth[:, :, 0], -np.inf)
        return np.asarray(np.bincount(worth.argmax(axis=0), minlength=pools) / draws)
    if sum(min(length, ranks) for length in lengths) <= slots:
        taken = np.minimum(lengths, slots)
        return np.asarray(taken / taken.sum())
    if min(lengths) < ranks:
        reachable = np.arange(ranks) < np.array(lengths)[:, None]
        worth = np.where(reachable[:, None, :], worth, -np.inf)
    flat = worth.transpose(1, 0, 2).reshape(draws, pools * ranks)
    least = np.sort(flat, axis=1)[:, -slots]
    won = (np.ones(draws) @ (flat >= least[:, None])).reshape(pools, ranks).sum(axis=1)
    return np.asarray(won / won.sum())
