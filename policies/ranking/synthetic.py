"""Ranking data of which it is known what matters: informative features, noisy copies of them, and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from policies.ranking.letor import RankingData

Role = Literal["informative", "copy", "noise"]


@dataclass(frozen=True, slots=True)
class SyntheticSettings:
    """How many features of each role; informative and noise features are half binary and half continuous."""

    queries: int = 1500
    candidates: int = 10
    informative: int = 20
    copies: int = 30
    noise: int = 100
    copy_noise: float = 0.7
    label_noise: float = 1.0


@dataclass(frozen=True)
class SyntheticData:
    """The data with the role (F,) of every feature and whether it is binary (F,)."""

    data: RankingData
    roles: tuple[Role, ...]
    binary: NDArray[np.bool_]

    def having(self, role: Role, *, binary: bool | None = None) -> set[int]:
        """The features with this role, of one type or (None) of both."""
        return {i for i, r in enumerate(self.roles) if r == role and binary in (None, bool(self.binary[i]))}


def synthetic(settings: SyntheticSettings | None = None, seed: int = 0) -> SyntheticData:
    """Candidates whose worth is a weighted sum of the informative features and Gaussian noise, as labels 0-4.

    The weights are between 0.5 and 1 standard deviations. A copy is a continuous informative feature plus
    ``copy_noise`` standard deviations of noise, or a binary one with a fifth of its values drawn anew: it says nothing
    that its original doesn't. ``label_noise`` is in units of the informative features' part. The order of features is
    shuffled.
    """
    settings = settings or SyntheticSettings()
    rng = np.random.default_rng([seed, 15])
    rows, half = settings.queries * settings.candidates, settings.informative // 2
    columns = [_binary(rng, rows) for _ in range(half)] + [
        _continuous(rng, rows) for _ in range(settings.informative - half)
    ]
    weights = rng.uniform(0.5, 1.0, size=settings.informative) * rng.choice([-1.0, 1.0], size=settings.informative)
    parts = [(c - c.mean()) / c.std() for c in columns]
    worth = np.sum([w * part for w, part in zip(weights, parts, strict=True)], axis=0)
    worth = worth / worth.std() + settings.label_noise * rng.normal(size=rows)
    labels = np.digitize(worth, np.quantile(worth, [0.6, 0.8, 0.92, 0.98])).astype(np.int32)
    roles: list[Role] = ["informative"] * settings.informative
    binary = [True] * half + [False] * (settings.informative - half)
    for number in range(settings.copies):
        original = number % settings.informative
        columns.append(_copy(rng, columns[original], settings.copy_noise, binary=binary[original]))
        roles.append("copy")
        binary.append(binary[original])
    for number in range(settings.noise):
        binary.append(number % 2 == 0)
        columns.append(_binary(rng, rows) if binary[-1] else _continuous(rng, rows))
        roles.append("noise")
    order = rng.permutation(len(columns))
    features = np.stack([columns[i] for i in order], axis=1).astype(np.float32)
    names = tuple(f"{roles[i]}_{'binary' if binary[i] else 'continuous'}_{i}" for i in order)
    groups = np.full(settings.queries, settings.candidates, dtype=np.int64)
    data = RankingData(features, labels, groups, names)
    return SyntheticData(data, tuple(roles[i] for i in order), np.array(binary)[order])


def _binary(rng: np.random.Generator, rows: int) -> NDArray[np.float64]:
    return (rng.random(rows) < rng.uniform(0.2, 0.5)).astype(np.float64)


def _continuous(rng: np.random.Generator, rows: int) -> NDArray[np.float64]:
    return rng.normal(size=rows)


def _copy(
    rng: np.random.Generator, original: NDArray[np.float64], noise: float, *, binary: bool
) -> NDArray[np.float64]:
    if binary:
        return np.where(rng.random(len(original)) < 0.2, rng.permutation(original), original)
    return original + noise * rng.normal(size=len(original))
