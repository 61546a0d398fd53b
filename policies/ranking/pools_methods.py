"""The methods that ``rejoinder benchmark blending`` compares, each a learner for the simulation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from policies.ranking.blending import PoolCandidate
from policies.ranking.blending_bandit import BanditBlender, BlendSettings
from policies.ranking.pools_simulation import BanditLearner, Environment, Learner, RatioLearner, Scene, best_ratio, play

POOLS = ("faq", "venues", "news", "smalltalk")
SCENES: Mapping[str, Scene] = {
    "stationary": Scene(),
    "drift": Scene(turns=240, drift=True),
    "drift, short": Scene(drift=True),
}
"""Tastes that stay for 120 turns; that change after 120, or after 60, and stay as long again."""
DEFAULT = BlendSettings(POOLS)
BANDITS: Mapping[str, BlendSettings] = {
    "win-share": DEFAULT,
    "mean": replace(DEFAULT, sampling="mean"),
    "one draw": replace(DEFAULT, sampling="draw"),
    "best arm": replace(DEFAULT, sampling="arm"),
    "no curves": replace(DEFAULT, curves=False),
    "no forgetting": replace(DEFAULT, discount=1.0, change_rate=0.0),
    "decay .65": replace(DEFAULT, discount=0.65, change_rate=0.0),
}
RATIOS: Mapping[str, Callable[[Environment], Learner]] = {
    "even": lambda world: RatioLearner(np.full(world.scene.pools, 1 / world.scene.pools), world.scene.slots),
    "fixed": lambda world: RatioLearner(best_ratio(world, (0,)), world.scene.slots),
    "fixed, hindsight": lambda world: RatioLearner(best_ratio(world, (1,)), world.scene.slots),
}
"""``fixed`` is the best ratio for all users before half-time, ``fixed, hindsight`` the best after it."""
METHODS = (*RATIOS, *BANDITS)


@dataclass(frozen=True, slots=True)
class BlendingRun:
    """One method in one environment.

    ``last20``, ``cumulative``, ``after``: regret of the last 20 turns, of all, and of those after half-time, each as a
    share of what the oracle gets in them. ``curve``: regret of every turn, mean over users, in reward; ``oracle``: mean
    reward a turn of the oracle. ``settings``: of the bandit, so that a run is never mistaken for another's.
    """

    scene: str
    method: str
    seed: int
    last20: float
    cumulative: float
    after: float
    oracle: float
    curve: list[float]
    settings: dict[str, Any]


def run_blending(scene: str, method: str, seed: int) -> BlendingRun:
    """Play ``method`` in the environment of ``seed``: equal arguments give an equal run."""
    world = Environment.draw(SCENES[scene], seed)
    bandit = BANDITS.get(method)
    learner = RATIOS[method](world) if bandit is None else BanditLearner(BanditBlender(bandit), world.scene.slots)
    regret, best = play(world, learner, POOLS, seed)
    half = len(regret) // 2
    last20, cumulative, after = (
        float(regret[part].sum() / best[part].sum()) for part in (slice(-20, None), slice(None), slice(half, None))
    )
    curve = [round(value, 5) for value in regret.tolist()]
    return BlendingRun(scene, method, seed, last20, cumulative, after, float(best.mean()), curve, chosen(method))


def chosen(method: str) -> dict[str, Any]:
    """The settings of a bandit as JSON has them; none for a ratio."""
    bandit = BANDITS.get(method)
    return {} if bandit is None else {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(bandit).items()}


@dataclass(frozen=True, slots=True)
class DecisionSpeed:
    """Microseconds of a decision for a known user (full pools; the turn's generator is there already), and the
    share of slates from pools of random length in which every pool kept its order.
    """

    p50_us: float
    p99_us: float
    order_kept: float
    decisions: int


def measure_decisions(decisions: int = 2000) -> DecisionSpeed:
    """Time the default bandit on 4 pools of 12 candidates and 8 slots, and look whether pools kept their order."""
    blender, rng = BanditBlender(DEFAULT), np.random.default_rng(0)
    state = blender.begin()
    learner = BanditLearner(blender, 8)
    play(Environment.draw(Scene(users=4, turns=40), 0), learner, POOLS, 0)
    state = learner.state
    full = {name: [PoolCandidate(f"{name} {r}") for r in range(12)] for name in POOLS}
    taken, kept = [], 0
    for number in range(decisions):
        turn = np.random.Generator(np.random.Philox(key=number))
        started = time.perf_counter()
        blender.decide(state, str(number % 4), full, 8, turn)
        taken.append(time.perf_counter() - started)
    for number in range(decisions):
        pools = {name: full[name][:n] for name, n in zip(POOLS, rng.integers(0, 13, size=len(POOLS)), strict=True)}
        slate = blender.decide(state, str(number % 4), pools, 8, np.random.default_rng(number))
        ranks = {name: [p.rank for p in slate.placements if p.pool == name] for name in POOLS}
        kept += all(found == sorted(set(found)) for found in ranks.values())
    p50, p99 = (float(np.percentile(np.array(taken) * 1e6, q)) for q in (50, 99))
    return DecisionSpeed(p50, p99, kept / decisions, decisions)
