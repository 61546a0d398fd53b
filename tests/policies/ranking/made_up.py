"""Ranking data whose best order is known."""

from __future__ import annotations

import numpy as np

from policies.ranking.letor import RankingData


def made_up(queries: int = 60, features: int = 8, *, seed: int = 0, missing: float = 0.0) -> RankingData:
    """Queries of 6-14 candidates; features 0 and 1 say the label, the others nothing; a share may be missing."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(6, 15, size=queries)
    x = rng.normal(size=(groups.sum(), features)).astype(np.float32)
    worth = x[:, 0] + 0.7 * x[:, 1] + 0.3 * rng.normal(size=len(x))
    labels = np.digitize(worth, [0.0, 0.8, 1.6]).astype(np.int32)
    x[rng.random(x.shape) < missing] = np.nan
    return RankingData(x, labels, groups.astype(np.int64), tuple(f"f{i}" for i in range(features)))
