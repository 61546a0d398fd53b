"""Users and venues as vectors: alternating least squares for implicit feedback (Hu, Koren and Volinsky 2008).

Trained by the ``implicit`` package over what users chose, served in NumPy: affinity is the product of two vectors. A
user who came after the training, or has chosen since, gets their vector by the step that training itself takes for one
user (``vector_of``); a user of whom nothing is known has the popularity of everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from policies.ranking.latent.histories import (
    Array,
    LatentModelError,
    UserHistory,
    checked_array,
    read_model,
    write_model,
)

Choice = tuple[str, str, float]
"""User, item, and how much was chosen (a booking counts more than a click; times add up)."""


@dataclass(frozen=True, slots=True)
class FactorSettings:
    """``confidence``: a choice of weight w counts confidence x w, what wasn't chosen 1."""

    factors: int = 16
    regularization: float = 1.0
    confidence: float = 10.0
    rounds: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.factors, self.regularization, self.confidence, self.rounds) <= 0:
            raise ValueError("factors, regularization, confidence and rounds are above 0")


@dataclass(frozen=True, slots=True, eq=False)
class Collaborative:
    """``users`` and ``items`` by name, their vectors (U, K) and (I, K); ``popularity`` (I,): share of users who chose
    each item, smoothed.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    user_vectors: Array
    item_vectors: Array
    popularity: Array
    settings: FactorSettings
    _user: Mapping[str, int] = field(init=False, repr=False)
    _item: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_user", {name: n for n, name in enumerate(self.users)})
        object.__setattr__(self, "_item", {name: n for n, name in enumerate(self.items)})

    @classmethod
    def fit(cls, choices: Iterable[Choice], settings: FactorSettings | None = None) -> Collaborative:
        """Fit to ``choices`` (training only: implicit); equal choices and settings give an equal model.

        ValueError without any choice, or for a weight that is not a number above 0.
        """
        from implicit.cpu.als import AlternatingLeastSquares
        from scipy.sparse import csr_matrix

        settings = settings or FactorSettings()
        rows = sorted(choices)
        if not rows:
            raise ValueError("nobody has chosen anything yet: there is nothing to learn from")
        if wrong := [row for row in rows if not (np.isfinite(row[2]) and row[2] > 0)]:
            raise ValueError(f"{wrong[0][0]} chose {wrong[0][1]} with weight {wrong[0][2]}: weights are above 0")
        users, items = tuple(sorted({row[0] for row in rows})), tuple(sorted({row[1] for row in rows}))
        user, item = ({name: n for n, name in enumerate(names)} for names in (users, items))
        u, i = [user[row[0]] for row in rows], [item[row[1]] for row in rows]
        table = csr_matrix(([row[2] for row in rows], (u, i)), shape=(len(users), len(items)), dtype=np.float32)
        table.sum_duplicates()
        model = AlternatingLeastSquares(
            factors=settings.factors, regularization=settings.regularization, alpha=settings.confidence,
            iterations=settings.rounds, num_threads=1, random_state=settings.seed, use_cg=False, dtype=np.float64,
        )  # fmt: skip
        model.fit(table, show_progress=False)
        popularity = (np.diff(table.tocsc().indptr) + 0.5) / (len(users) + 1.0)
        of_users, of_items = (np.asarray(v, dtype=np.float64) for v in (model.user_factors, model.item_factors))
        return cls(users, items, of_users, of_items, popularity, settings)

    def features(self, user: UserHistory) -> dict[str, float]:
        """``taste_0`` ...: the user's vector, from their ``choices`` where there are any, else as it was trained;
        the mean vector for a user of whom nothing is known.
        """
        vector = self._vector(user)
        values = self.user_vectors.mean(axis=0) if vector is None else vector
        return {f"taste_{k}": float(value) for k, value in enumerate(values)}

    def scores_of(self, user: UserHistory) -> dict[str, float]:
        """Affinity of ``user`` to every item: about 1 for what they choose, about 0 for what they don't.

        ``user.choices``: all their choices, those of the training too; without any, their vector of the training
        serves. A user of whom nothing is known has every item's popularity.
        """
        vector = self._vector(user)
        values = self.popularity if vector is None else self.item_vectors @ vector
        return dict(zip(self.items, values.tolist(), strict=True))

    def vector_of(self, choices: Mapping[str, float]) -> Array | None:
        """(K,) the vector of somebody with these choices by item; None where no item is known."""
        known = [(self._item[item], weight) for item, weight in choices.items() if item in self._item and weight > 0]
        if not known:
            return None
        at, weights = [n for n, _ in known], np.array([weight for _, weight in known])
        y, chosen = self.item_vectors, self.item_vectors[at]
        trust = self.settings.confidence * weights
        left = y.T @ y + chosen.T @ ((trust - 1)[:, None] * chosen)
        left += self.settings.regularization * np.eye(y.shape[1])
        return np.asarray(np.linalg.solve(left, chosen.T @ trust))

    def save(self, path: Path) -> None:
        """Write JSON, numbers to 8 digits; the file is whole or as it was."""
        s = self.settings
        write_model(path, "collaborative", {
            "users": list(self.users), "items": list(self.items),
            "user_vectors": np.round(self.user_vectors, 8).tolist(),
            "item_vectors": np.round(self.item_vectors, 8).tolist(), "popularity": self.popularity.tolist(),
            "settings": [s.factors, s.regularization, s.confidence, s.rounds, s.seed],
        })  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> Collaborative:
        """What ``save`` wrote; LatentModelError where it is missing or damaged."""
        said = read_model(path, "collaborative", ("users", "items", "settings"))
        try:
            users, items = (tuple(map(str, said[name])) for name in ("users", "items"))
            settings = FactorSettings(*said["settings"])
        except (KeyError, TypeError, ValueError) as error:
            raise LatentModelError(f"{path}: {error}: fit the collaborative model again") from None
        shapes = {
            "user_vectors": (len(users), settings.factors),
            "item_vectors": (len(items), settings.factors),
            "popularity": (len(items),),
        }
        of_users, of_items, popularity = (checked_array(path, said, name, shape) for name, shape in shapes.items())
        return cls(users, items, of_users, of_items, popularity, settings)

    def _vector(self, user: UserHistory) -> Array | None:
        if (vector := self.vector_of(user.choices)) is not None:
            return vector
        n = self._user.get(user.name)
        return None if n is None else np.asarray(self.user_vectors[n])
