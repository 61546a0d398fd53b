"""What the NLU makes of a user's turn: acts lost, confused or invented, each with a confidence.

The shape follows the semantic error model of PyDial (value / slot / type confusions .5 / .3 / .2) with confidences
drawn from a profile for right and one for wrong hypotheses, either the published DSTC2 ones or measured on an NLU.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from memory.turn import FloatArray

QUANTILES = 64
"""Confidences are drawn from a table of this many equally probable values."""


class ErrorModelError(ValueError):
    """An error model's numbers make no sense; the message names the file and key."""


def normal_quantiles(mean: float, sd: float) -> FloatArray:
    """(QUANTILES,) of N(mean, sd^2), clipped to [.01, .99]."""
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    if sd <= 0:
        return np.full(QUANTILES, np.clip(mean, 0.01, 0.99), dtype=np.float32)
    table = [NormalDist(mean, sd).inv_cdf(p) for p in middles]
    return np.clip(np.array(table, dtype=np.float32), 0.01, 0.99)


def histogram_quantiles(counts: Sequence[float]) -> FloatArray:
    """(QUANTILES,) of a histogram over equal bins of [0, 1], uniform within each bin, clipped to [.01, .99]."""
    edges = np.linspace(0.0, 1.0, len(counts) + 1)
    cumulative = np.concatenate([[0.0], np.cumsum(counts)]) / np.sum(counts)
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    return np.clip(np.interp(middles, cumulative, edges), 0.01, 0.99).astype(np.float32)


_CORRECT = (0.871, 0.029**0.5)
_WRONG = (0.757, 0.052**0.5)
"""Mean and standard deviation of the first hypothesis' confidence in DSTC2 (PyDial's parameter set 1)."""


@dataclass(frozen=True)
class ErrorModel:
    """Error rates per user act and confidence profiles.

    ``deletion``/``substitution``: probability that an act is lost / replaced; ``per_slot`` overrides the latter for
    the constraint and open slots it names; ``insertion``: probability of one invented act per turn. ``correct`` and
    ``wrong`` (QUANTILES,) confidences of right and wrong hypotheses. ``value``/``slot`` shares of the kinds of
    confusion (the rest confuses the act's type). ``alternative``: share of the remaining confidence that goes to a
    second hypothesis.
    """

    deletion: float = 0.0
    substitution: float = 0.0
    insertion: float = 0.0
    per_slot: Mapping[str, float] = field(default_factory=dict)
    correct: FloatArray = field(default_factory=lambda: normal_quantiles(*_CORRECT))
    wrong: FloatArray = field(default_factory=lambda: normal_quantiles(*_WRONG))
    value: float = 0.5
    slot: float = 0.3
    alternative: float = 0.5

    def __post_init__(self) -> None:
        shares = ("deletion", "substitution", "insertion", "value", "slot", "alternative")
        rates = {**{name: getattr(self, name) for name in shares}, **self.per_slot}
        for name, rate in rates.items():
            if not 0.0 <= rate <= 1.0:
                raise ErrorModelError(f"error model: {name} is {rate}: give a number between 0 and 1")
        if self.deletion + max([self.substitution, *self.per_slot.values()]) > 1 or self.value + self.slot > 1:
            raise ErrorModelError("error model: deletion + substitution and value + slot must not exceed 1")

    @classmethod
    def none(cls) -> ErrorModel:
        """Everything is heard, with certainty."""
        certain = np.ones(QUANTILES, dtype=np.float32)
        return cls(correct=certain, wrong=certain)

    @classmethod
    def at(cls, rate: float) -> ErrorModel:
        """A semantic error rate as in the PyDial benchmark: each act is replaced with probability ``rate``."""
        return cls.none() if rate == 0 else cls(substitution=rate)

    @classmethod
    def from_json(cls, path: str | Path) -> ErrorModel:
        """The profile that the NLU measurement writes; ErrorModelError when the file is not one."""
        try:
            return cls.from_profile(json.loads(Path(path).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ErrorModelError(f"{path}: no such file: measure the NLU first") from None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ErrorModelError(f"{path}: not an error model ({error!r}): measure the NLU again") from None

    @classmethod
    def from_profile(cls, profile: Mapping[str, Any]) -> ErrorModel:
        """From the parsed JSON: ``rates`` and ``confidence_correct``/``confidence_wrong`` (mean, sd, histogram)."""
        rates = profile["rates"]
        return cls(
            deletion=float(rates["deletion"]),
            substitution=float(rates["substitution"]),
            insertion=float(rates["insertion"]),
            per_slot={slot: float(rate) for slot, rate in rates.get("per_slot", {}).items()},
            correct=_quantiles(profile["confidence_correct"]),
            wrong=_quantiles(profile["confidence_wrong"]),
        )


def _quantiles(profile: Mapping[str, Any]) -> FloatArray:
    """Quantiles of a histogram (a list of counts, or a mapping with ``counts``) if it has any, else of a normal."""
    histogram = profile.get("histogram") or ()
    counts = histogram.get("counts", ()) if isinstance(histogram, Mapping) else histogram
    if sum(counts) > 0:
        return histogram_quantiles([float(count) for count in counts])
    return normal_quantiles(float(profile["mean"]), float(profile["sd"]))
