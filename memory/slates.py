"""What could have been said in a turn, and what was: the record that selection learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Content = Literal["venues", "templates", "faq"]
"""Content types: a row of the entity table to offer, a wording of a response, an answer of the FAQ."""
VENUES: Content = "venues"


@dataclass(frozen=True, slots=True)
class OfferedCandidate:
    """One candidate of a slate.

    ``pools``: its rank in the own order of each pool that has it, from 0; none for a random sample of the match set.
    ``pool``: the one it was taken from, "" for a sample. ``features`` in the order of the slate's ``features``, None
    where missing. ``propensity``: the probability with which it was said; those of a slate sum to 1. ``score``: the
    ranker's, None without one.
    """

    key: str
    pool: str
    pools: dict[str, int]
    features: tuple[float | None, ...]
    propensity: float
    score: float | None = None
    said: bool = False


@dataclass(frozen=True, slots=True)
class OfferedSlate:
    """The candidates of one choice, from the first place to the last; the first one was said.

    ``query`` names it, once in the conversation. ``mode`` chose it: learned, fixed or uniform. ``ratio``: the pools'
    shares; ``exploration``: the share of choices drawn evenly from all candidates; ``ranker``: its
    version, "" for none.
    """

    kind: str
    query: str
    mode: str
    ratio: dict[str, float]
    exploration: float
    ranker: str
    features: tuple[str, ...]
    candidates: tuple[OfferedCandidate, ...]
