"""Groups of users: a Gaussian mixture over what is known of them, fitted in training, served in NumPy.

Users are described by numbers (visits, mean mood, share of each food among their bookings ...); a user's features are
the probabilities of each group. Numbers that are missing are left out of the probabilities, which with diagonal
covariances is exact; a user of whom nothing is known has the groups' shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from policies.ranking.latent.histories import Array, UserHistory, checked_array, read_model, write_model


@dataclass(frozen=True, slots=True, eq=False)
class UserClusters:
    """``names`` of the F numbers; ``shares`` (K,), ``means`` and ``variances`` (K, F) of the K groups."""

    names: tuple[str, ...]
    shares: Array
    means: Array
    variances: Array

    @classmethod
    def fit(cls, table: Array, names: Sequence[str], groups: int = 4, *, seed: int = 0) -> UserClusters:
        """Fit to ``table`` (N, F), users by numbers (training only: scikit-learn).

        Missing numbers (NaN) are taken for the column's mean while fitting. Groups are sorted by size, the largest
        first. ValueError with fewer users than groups, other columns than ``names``, or an infinite number.
        """
        from sklearn.mixture import GaussianMixture

        x = np.array(table, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(names):
            raise ValueError(f"users have shape {x.shape}: a row each, with {len(names)} columns ({', '.join(names)})")
        if len(x) < groups or groups < 1:
            raise ValueError(f"{len(x)} users can't be divided into {groups} groups: ask for fewer")
        if np.isinf(x).any():
            raise ValueError(f"{names[int(np.nonzero(np.isinf(x))[1][0])]} is infinite somewhere: bound it")
        known = ~np.isnan(x)
        center = np.where(known, x, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        x = np.where(known, x, center)
        scale = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
        mixture = GaussianMixture(groups, covariance_type="diag", n_init=4, reg_covar=1e-3, random_state=seed)
        mixture.fit((x - center) / scale)
        order = np.argsort(-mixture.weights_, kind="stable")
        means = mixture.means_[order] * scale + center
        return cls(tuple(names), mixture.weights_[order], means, mixture.covariances_[order] * scale**2)

    def features(self, user: UserHistory) -> dict[str, float]:
        """``cluster_0`` ...: the probability of each group, summing to 1, from the user's ``numbers``."""
        values = np.array([user.numbers.get(name, np.nan) for name in self.names])
        known = np.isfinite(values)
        off = (values[known] - self.means[:, known]) ** 2 / self.variances[:, known]
        density = np.log(self.shares) - 0.5 * (off + np.log(self.variances[:, known])).sum(axis=1)
        likely = np.exp(density - density.max())
        return {f"cluster_{k}": float(p) for k, p in enumerate(likely / likely.sum())}

    def save(self, path: Path) -> None:
        """Write JSON; the file is whole or as it was."""
        arrays = {"shares": self.shares, "means": self.means, "variances": self.variances}
        write_model(path, "clusters", {"names": list(self.names), **{name: a.tolist() for name, a in arrays.items()}})

    @classmethod
    def load(cls, path: Path) -> UserClusters:
        """What ``save`` wrote; LatentModelError where it is missing or damaged."""
        said = read_model(path, "clusters", ("names", "shares"))
        groups, size = len(said["shares"]), len(said["names"])
        shares, means, variances = (
            checked_array(path, said, name, shape)
            for name, shape in (("shares", (groups,)), ("means", (groups, size)), ("variances", (groups, size)))
        )
        return cls(tuple(said["names"]), shares, means, variances)
