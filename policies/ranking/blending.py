"""Blending: one slate from pools of candidates whose scores can't be compared.

Each pool's own order is kept, always; what is decided is only which pool the next slot takes from. The method is a
ratio (deWet 2016, "Personalized content blending", MLconf): shares of the slots per pool, turned into a slate by
systematic sampling. One uniform number u places slot k at ``(u + v_k) mod 1`` on a line on which every pool owns a
piece as long as its share, where v_0, v_1, ... are the multiples of 1/S in van der Corput's order. So

* a pool gets ``floor`` or ``ceil`` of (share x slots), spread over the slate;
* the probability that pool p fills slot k is exactly its share, for every k;
* at most (pools x slots) different slates are possible, so the probability of a slate is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PoolCandidate:
    """Something to show: its text, and its pool's own ``score``, which means nothing to other pools."""

    text: str
    score: float = 0.0


Pools = Mapping[str, Sequence[PoolCandidate]]
"""The candidates of each pool, best first."""


class Placement(NamedTuple):
    """One filled slot: ``candidate`` is number ``rank`` (from 0) of ``pool``; ranks rise along the slate."""

    pool: str
    rank: int
    candidate: PoolCandidate


@dataclass(frozen=True, slots=True)
class BlendedSlate:
    """What is shown, and how probable that was before u was drawn.

    ``propensity``: of this very sequence of pools and ranks. ``slot_propensities``: for each slot, that it is filled
    from the pool that fills it. ``exact``: False where they are Monte Carlo estimates.
    """

    placements: tuple[Placement, ...]
    propensity: float
    slot_propensities: tuple[float, ...]
    exact: bool = True


def gather(
    sources: Mapping[str, Callable[[], Sequence[PoolCandidate]]],
) -> tuple[dict[str, tuple[PoolCandidate, ...]], dict[str, str]]:
    """Ask every pool for its candidates: (pools, what failed by pool); a pool that throws is an empty one."""
    pools: dict[str, tuple[PoolCandidate, ...]] = {}
    failed: dict[str, str] = {}
    for name, source in sources.items():
        try:
            pools[name] = tuple(source())
        except Exception as error:
            pools[name] = ()
            failed[name] = f"{type(error).__name__}: {error}"
    return pools, failed


@dataclass(frozen=True, slots=True)
class SlateLaw:
    """A distribution over sequences of pools.

    ``sequences`` (R, S): pool indices; ``probabilities`` (R,) sum to 1 (equal rows may occur: their probabilities
    add up); ``spare`` (P,): the order in which pools are asked when the one whose turn it is has nothing left.
    """

    sequences: NDArray[np.intp]
    probabilities: Array
    spare: tuple[int, ...]

    def mixed(self, other: SlateLaw, weight: float) -> SlateLaw:
        """This law with probability 1 - ``weight``, else ``other`` (of the same pools and slots)."""
        sequences = np.concatenate([self.sequences, other.sequences])
        probabilities = np.concatenate([self.probabilities * (1 - weight), other.probabilities * weight])
        return SlateLaw(sequences, probabilities, self.spare)

    def draw(self, pools: Pools, rng: np.random.Generator) -> BlendedSlate:
        """Draw a slate with ``rng`` (one uniform number), with its exact propensities.

        No text is shown twice; a slot whose pool is exhausted takes from the next one. The slate has fewer than S
        placements only when there are fewer different texts than slots.
        """
        row = min(int(np.searchsorted(np.cumsum(self.probabilities), rng.random())), len(self.sequences) - 1)
        names, lists = tuple(pools), tuple(pools.values())
        if self._plain(lists):
            cells = self.sequences
            drawn = list(zip(cells[row].tolist(), _ranks(cells[row]), strict=True))
        else:
            filled = self._filled(lists)
            cells, drawn = _cells(filled), filled[row]
        placements = tuple(Placement(names[p], rank, lists[p][rank]) for p, rank in drawn)
        return BlendedSlate(placements, *self._propensities(cells, [p for p, _ in drawn]))

    def estimated(self, slate: BlendedSlate, pools: Pools) -> BlendedSlate:
        """``slate`` with its propensities under this law, marked as estimates (a law that was itself sampled)."""
        names, lists = tuple(pools), tuple(pools.values())
        cells = self.sequences if self._plain(lists) else _cells(self._filled(lists))
        chosen = [names.index(placement.pool) for placement in slate.placements]
        return BlendedSlate(slate.placements, *self._propensities(cells, chosen), exact=False)

    def _propensities(self, cells: NDArray[np.intp], chosen: Sequence[int]) -> tuple[float, tuple[float, ...]]:
        """P(slate) and P(pool of each slot) of the pools ``chosen``, where the law gives ``cells`` (R, S)."""
        wanted = np.full(cells.shape[1], -1)
        wanted[: len(chosen)] = chosen
        same = cells == wanted
        slots = np.minimum(self.probabilities @ same, 1.0)[: len(chosen)]
        return min(float(self.probabilities @ same.all(axis=1)), 1.0), tuple(slots.tolist())

    def _plain(self, lists: Sequence[Sequence[PoolCandidate]]) -> bool:
        """Is every sequence filled as it stands: no pool runs out, no text comes twice?"""
        slots = self.sequences.shape[1]
        heads = [candidates[:slots] for candidates in lists]
        if len({candidate.text for head in heads for candidate in head}) < sum(map(len, heads)):
            return False
        short = [p for p, candidates in enumerate(lists) if len(candidates) < slots]
        return all(int((self.sequences == p).sum(axis=1).max(initial=0)) <= len(lists[p]) for p in short)

    def _filled(self, lists: Sequence[Sequence[PoolCandidate]]) -> list[list[tuple[int, int]]]:
        """The (pool, rank) of each slot of each sequence, when texts repeat or pools run out."""
        return [self._fill(sequence, lists) for sequence in self.sequences.tolist()]

    def _fill(self, sequence: Sequence[int], lists: Sequence[Sequence[PoolCandidate]]) -> list[tuple[int, int]]:
        """The (pool, rank) of each slot when texts repeat or pools run out."""
        heads, shown, slate = [0] * len(lists), set[str](), []
        for wanted in sequence:
            for p in (wanted, *self.spare):
                candidates = lists[p]
                while heads[p] < len(candidates) and candidates[heads[p]].text in shown:
                    heads[p] += 1
                if heads[p] < len(candidates):
                    shown.add(candidates[heads[p]].text)
                    slate.append((p, heads[p]))
                    heads[p] += 1
                    break
        return slate


def _cells(filled: Sequence[Sequence[tuple[int, int]]]) -> NDArray[np.intp]:
    """(R, S) the pools of ``filled`` slates, -1 where a slot stays empty."""
    cells = np.full((len(filled), max(map(len, filled), default=0)), -1)
    for number, slate in enumerate(filled):
        cells[number, : len(slate)] = [p for p, _ in slate]
    return cells


def interleaved(shares: Array, slots: int) -> SlateLaw:
    """The law of systematic sampling with ``shares`` (P,) (not negative, sum 1) of ``slots`` slots, see the module."""
    edges = np.cumsum(shares)
    edges /= edges[-1]
    offsets = _offsets(slots)
    breaks = np.sort(np.concatenate([((edges[:, None] - offsets) % 1.0).ravel(), _ENDS]))
    lengths = np.diff(breaks)
    keep = lengths > 1e-12
    middles = (breaks[:-1] + lengths / 2)[keep]
    points = (middles[:, None] + offsets) % 1.0
    sequences = np.minimum(np.searchsorted(edges, points, side="right"), len(edges) - 1)
    probabilities = lengths[keep]
    spare = tuple(np.argsort(-shares, kind="stable").tolist())
    return SlateLaw(sequences, probabilities / probabilities.sum(), spare)


def available_shares(weights: Array, pools: Pools) -> Array:
    """``weights`` (P,) over the pools that have candidates, summing to 1; equal where all of their weights are 0."""
    there = np.array([len(candidates) > 0 for candidates in pools.values()], dtype=float)
    weights = weights * there
    total = weights.sum()
    if total <= 0:
        weights, total = there, max(there.sum(), 1.0)
    return np.asarray(weights / total if there.any() else np.full(len(there), 1 / max(len(there), 1)))


@dataclass(frozen=True, slots=True)
class FixedRatio:
    """The ratio that an editor sets, such as ``{"faq": 2, "venues": 5, "smalltalk": 1}``; unnamed pools get nothing.

    They still fill slots that would stay empty. ValueError for a negative or non-finite part, or when all are 0.
    """

    ratio: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, part in self.ratio.items():
            if not (np.isfinite(part) and part >= 0):
                raise ValueError(f"ratio of pool {name!r} is {part}: write a number of 0 or more")
        if not sum(self.ratio.values()) > 0:
            raise ValueError("every pool's part of the ratio is 0: give at least one pool a part above 0")

    def decide(self, pools: Pools, slots: int, rng: np.random.Generator) -> BlendedSlate:
        """A slate of ``slots`` candidates of ``pools``; fewer only when there are fewer different texts."""
        weights = np.array([self.ratio.get(name, 0.0) for name in pools], dtype=float)
        return blend(pools, available_shares(weights, pools), slots, rng)


def blend(pools: Pools, shares: Array, slots: int, rng: np.random.Generator) -> BlendedSlate:
    """A slate of ``pools`` with the given ``shares`` (P,), in the order of ``pools``."""
    if not any(pools.values()) or slots <= 0:
        return BlendedSlate((), 1.0, ())
    return interleaved(shares, slots).draw(pools, rng)


_ENDS = np.array([0.0, 1.0])


@cache
def _offsets(slots: int) -> Array:
    """(S,) the multiples of 1/S in the order of van der Corput's sequence (base 2): early ones far apart."""
    bits = max(slots - 1, 1).bit_length()
    reversed_bits = [int(f"{k:0{bits}b}"[::-1], 2) for k in range(slots)]
    return np.asarray(np.argsort(np.argsort(reversed_bits)) / slots)


def _ranks(sequence: NDArray[np.intp]) -> list[int]:
    """How many earlier slots of ``sequence`` (S,) have the same pool."""
    seen: dict[int, int] = {}
    ranks = []
    for pool in sequence.tolist():
        ranks.append(seen.get(pool, 0))
        seen[pool] = ranks[-1] + 1
    return ranks
