"""Topics of conversations: non-negative matrix factorisation of TF-IDF (Lee and Seung 1999), served in NumPy.

Training finds topics W (K, V) with the documents' rows close to H W; serving finds the h >= 0 of one new text by the
same multiplicative updates with W held fixed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from policies.ranking.latent.histories import Array, UserHistory, checked_array, read_model, write_model

_WORD = re.compile(r"[^\W\d_]{2,}")
_UPDATES = 200
MOST_CHARACTERS = 20_000
"""Of what a user said, the last ones, that are read when they are served."""


@dataclass(frozen=True, slots=True, eq=False)
class Topics:
    """``words`` (V), their ``rarity`` (V,) (inverse document frequency), ``topics`` (K, V), and the mean share of each
    topic (K,), which is what a text without a known word has.
    """

    words: tuple[str, ...]
    rarity: Array
    topics: Array
    shares: Array
    _column: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_column", {word: v for v, word in enumerate(self.words)})

    @classmethod
    def fit(cls, texts: Sequence[str], topics: int = 8, *, most_words: int = 2000, seed: int = 0) -> Topics:
        """Fit to conversations, a text each (training only: scikit-learn).

        Words that are in one conversation only, or in over half of them, say nothing of topics and are left out.
        ValueError with fewer conversations than topics, or when no word is left.
        """
        from sklearn.decomposition import NMF
        from sklearn.feature_extraction.text import TfidfVectorizer

        if len(texts) < topics or topics < 1:
            raise ValueError(f"{len(texts)} conversations can't have {topics} topics: ask for fewer")
        count: Callable[[str], list[str]] = words_of
        tfidf = TfidfVectorizer(analyzer=count, min_df=2, max_df=0.5, max_features=most_words)
        try:
            x = tfidf.fit_transform(texts)
        except ValueError:
            raise ValueError("no word is in two conversations and not in most: too few to find topics") from None
        model: Any = NMF(topics, init="nndsvda", solver="mu", max_iter=500, random_state=seed)
        found = model.fit_transform(x)
        scale = model.components_.sum(axis=1)
        order = np.argsort(-(found * scale).sum(axis=0), kind="stable")
        parts = _shares(found * scale)[:, order]
        return cls(
            tuple(tfidf.get_feature_names_out().tolist()), tfidf.idf_, model.components_[order], parts.mean(axis=0)
        )

    def features(self, user: UserHistory) -> dict[str, float]:
        """``topic_0`` ...: the share of each topic in what the user ``said``, summing to 1."""
        row = np.zeros(len(self.words))
        for word in words_of(user.said[-MOST_CHARACTERS:]):
            if (v := self._column.get(word)) is not None:
                row[v] += 1
        row *= self.rarity
        length = np.linalg.norm(row)
        shares = self.shares
        if length > 0:
            shares = _shares((self.weights(row / length) * self.topics.sum(axis=1))[None])[0]
        return {f"topic_{k}": float(share) for k, share in enumerate(shares)}

    def weights(self, row: Array) -> Array:
        """(K,) h >= 0 with h W nearest to ``row`` (V,), a TF-IDF row of length 1."""
        gram, pull = self.topics @ self.topics.T, self.topics @ row
        h = np.full(len(self.topics), max(float(pull.mean()), 1e-6))
        for _ in range(_UPDATES):
            h = h * pull / np.maximum(gram @ h, 1e-12)
        return np.asarray(h)

    def top_words(self, count: int = 8) -> list[list[str]]:
        """For each topic the words that weigh most in it."""
        best = np.argsort(-self.topics, axis=1, kind="stable")[:, :count]
        return [[self.words[v] for v in row] for row in best.tolist()]

    def save(self, path: Path) -> None:
        """Write JSON; the file is whole or as it was."""
        arrays = {"rarity": self.rarity, "topics": np.round(self.topics, 8), "shares": self.shares}
        write_model(path, "topics", {"words": list(self.words), **{name: a.tolist() for name, a in arrays.items()}})

    @classmethod
    def load(cls, path: Path) -> Topics:
        """What ``save`` wrote; LatentModelError where it is missing or damaged."""
        said = read_model(path, "topics", ("words", "shares"))
        words, topics = tuple(map(str, said["words"])), len(said["shares"])
        shapes = {"rarity": (len(words),), "topics": (topics, len(words)), "shares": (topics,)}
        return cls(words, *(checked_array(path, said, name, shape) for name, shape in shapes.items()))


def words_of(text: str) -> list[str]:
    """The words of two letters and more, small."""
    return _WORD.findall(text.lower())


def _shares(values: Array) -> Array:
    """Rows of ``values`` (N, K) divided by their sums; equal shares where a row is 0."""
    total = values.sum(axis=1, keepdims=True)
    even = np.full_like(values, 1 / values.shape[1])
    return np.asarray(np.divide(values, total, out=even, where=total > 0))
