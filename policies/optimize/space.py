"""Search spaces that stand next to the settings they are for, as metadata of a dataclass's fields (stdlib only).

A field says what may be tried instead of its default::

    learning_rate: float = field(default=5e-4, metadata={"search": {"low": 1e-4, "high": 5e-3, "log": True}})
    n_step: int = field(default=2, metadata={"search": {"low": 1, "high": 5}})
    objective: str = field(default="lambdarank", metadata={"search": {"choices": ["lambdarank", "rank_xendcg"]}})

so a settings class needs to import nothing to be tuned.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

Value = float | int | str | bool


@dataclass(frozen=True)
class Dimension:
    """One setting and what may be tried for it: numbers from ``low`` to ``high``, or one of ``choices``.

    ``log``: equal ratios count as equal distances, so ``low`` is above 0. ``whole``: integers only. ValueError, naming
    the setting, for a space that can't be searched.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    choices: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        if self.choices:
            return
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"{self.name}: from {self.low} to {self.high}: give low below high")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.name}: log from {self.low}: give a low above 0")
        if self.whole and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise ValueError(f"{self.name}: whole numbers from {self.low} to {self.high}: give whole ends")

    def levels(self, count: int) -> list[Value]:
        """At most ``count`` values that divide the dimension evenly, both ends among them from 2 on; all choices."""
        if self.choices:
            return list(self.choices)
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        shares = [0.5] if count == 1 else [step / (count - 1) for step in range(count)]
        values = [low + share * (high - low) for share in shares]
        points = [min(max(math.exp(value) if self.log else value, self.low), self.high) for value in values]
        if self.whole:
            return list(dict.fromkeys(round(point) for point in points))
        return list(points)


def search_space(settings: type) -> tuple[Dimension, ...]:
    """The dimensions that the fields of a settings dataclass declare, in their order; ValueError for a bad one."""
    found = []
    for field in dataclasses.fields(settings):
        said: dict[str, Any] | None = field.metadata.get("search")
        if said is None:
            continue
        unknown = set(said) - {"low", "high", "log", "choices"}
        if unknown:
            raise ValueError(f"{settings.__name__}.{field.name}: search has no {sorted(unknown)[0]!r}")
        if "choices" in said:
            found.append(Dimension(field.name, choices=tuple(said["choices"])))
        else:
            whole = field.type in (int, "int")
            found.append(Dimension(field.name, said["low"], said["high"], bool(said.get("log")), whole))
    return tuple(found)
