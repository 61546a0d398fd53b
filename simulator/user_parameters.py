"""How simulated people behave: the probabilities of the agenda-based user and their presets."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from memory.turn import FloatArray

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class UserParameters:
    """Ranges from which each dialogue's personality is drawn uniformly (PyDial's `sampledUM`; names in its spirit).

    ``inform_combination``: say the next thing on the agenda too (repeated). ``affirm_combination``: the same after
    "yes". ``add_request``: ask for another attribute too. ``no_after_reqmore``/``yes_after_reqmore``,
    ``greeting``, ``constraint_relax``: give a constraint up rather than replace it, ``tell_about_change``: say the
    new wish rather than only "something else?". ``bye_after_none``: give up when nothing matches.
    ``name_venue``: name the venue when asking about it. ``bare_dontcare``: "I don't mind" without naming the slot.
    ``overrule_correction``: see a contradiction and only ask for something else. ``alternatives_first`` and
    ``change_first``: on the first good offer ask for another one / change the goal. ``repeat_constraint`` and
    ``vague_answer``: answers to a question about a slot without a wish. ``negate_inform``/``deny_inform``: forms of
    a correction. ``thank``/``acknowledge``: only that, instead of going on. ``request_up_front``/``book_up_front``:
    already in the first turn. ``bye_when_done``: leave at once when all is done. ``patience``: how many exact
    repetitions by the system are tolerated (integers, both included).

    Two habits that only fitted users have: ``thank_with_bye`` (one number for everybody), thanks with the goodbye;
    ``hazard``: the probability of giving up unserved at the user's first, second, ... turn (the last one goes on).
    """

    inform_combination: Range = (0.6, 0.6)
    affirm_combination: Range = (1.0, 1.0)
    add_request: Range = (0.333, 0.333)
    no_after_reqmore: Range = (0.7, 0.7)
    yes_after_reqmore: Range = (0.25, 0.25)
    greeting: Range = (0.5, 0.5)
    constraint_relax: Range = (0.667, 0.667)
    tell_about_change: Range = (0.5, 0.5)
    bye_after_none: Range = (0.0, 0.0)
    name_venue: Range = (0.05, 0.05)
    bare_dontcare: Range = (0.8, 0.8)
    overrule_correction: Range = (0.1, 0.1)
    alternatives_first: Range = (0.143, 0.143)
    change_first: Range = (0.143, 0.143)
    repeat_constraint: Range = (0.2, 0.2)
    vague_answer: Range = (0.2, 0.2)
    negate_inform: Range = (0.45, 0.45)
    deny_inform: Range = (0.4, 0.4)
    thank: Range = (0.1, 0.1)
    acknowledge: Range = (0.1, 0.1)
    request_up_front: Range = (0.1, 0.1)
    book_up_front: Range = (0.15, 0.15)
    bye_when_done: Range = (0.85, 0.85)
    patience: tuple[int, int] = (4, 5)
    thank_with_bye: float = 0.0
    hazard: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in PROBABILITIES:
            low, high = getattr(self, name)
            if not 0.0 <= low <= high <= 1.0:
                raise ValueError(f"{name} is {(low, high)}: give 0 <= low <= high <= 1")
        if not 1 <= self.patience[0] <= self.patience[1]:
            raise ValueError(f"patience is {self.patience}: give 1 <= low <= high")
        if not all(0.0 <= chance <= 1.0 for chance in (self.thank_with_bye, *self.hazard)):
            raise ValueError(f"thank_with_bye {self.thank_with_bye} and hazard {self.hazard}: give numbers from 0 to 1")

    @property
    def habits(self) -> bool:
        """Whether the choices that only fitted users have are made at all; others draw no numbers for them."""
        return self.thank_with_bye > 0 or any(self.hazard)

    @classmethod
    def default(cls) -> UserParameters:
        """Everybody alike."""
        return cls()

    @classmethod
    def sampled(cls) -> UserParameters:
        """People differ: PyDial's `sampledUM` ranges."""
        return _with(_SAMPLED)

    @classmethod
    def unfriendly(cls) -> UserParameters:
        """People say little per turn and change their minds silently: PyDial's `unfriendlyUM`."""
        return _with({**_SAMPLED, **_UNFRIENDLY})

    def draw(self, uniforms: FloatArray) -> tuple[FloatArray, FloatArray]:
        """From (n, WIDTH) uniforms: personalities (n, len(PROBABILITIES)) and patiences (n,)."""
        ranges = np.array([getattr(self, name) for name in PROBABILITIES], dtype=np.float32)
        low, high = ranges[:, 0], ranges[:, 1]
        personality: FloatArray = low + uniforms[:, :-1] * (high - low)
        fewest, most = self.patience
        return personality, np.float32(fewest) + np.floor(uniforms[:, -1] * (most - fewest + 1))


def _with(ranges: dict[str, Range]) -> UserParameters:
    settings: dict[str, Any] = dict(ranges)
    return UserParameters(**settings)


_OTHERS = ("patience", "thank_with_bye", "hazard")
PROBABILITIES = tuple(field.name for field in fields(UserParameters) if field.name not in _OTHERS)
WIDTH = len(PROBABILITIES) + 1

_SAMPLED: dict[str, Range] = {
    "inform_combination": (0.2, 0.7),
    "affirm_combination": (0.2, 0.7),
    "add_request": (0.2, 0.4),
    "no_after_reqmore": (0.8, 0.9),
    "yes_after_reqmore": (0.2, 0.3),
    "greeting": (0.3, 0.7),
    "constraint_relax": (0.5, 0.8),
    "tell_about_change": (0.4, 0.6),
    "name_venue": (0.01, 0.2),
    "bare_dontcare": (0.7, 0.9),
    "overrule_correction": (0.01, 0.2),
    "alternatives_first": (0.01, 0.3),
    "change_first": (0.01, 0.3),
    "repeat_constraint": (0.1, 0.4),
    "vague_answer": (0.1, 0.4),
    "negate_inform": (0.3, 0.5),
    "deny_inform": (0.3, 0.5),
    "thank": (0.01, 0.2),
    "acknowledge": (0.01, 0.2),
    "request_up_front": (0.0, 0.2),
    "book_up_front": (0.0, 0.3),
}
_UNFRIENDLY: dict[str, Range] = {
    "inform_combination": (0.0, 0.4),
    "affirm_combination": (0.0, 0.4),
    "greeting": (0.1, 0.4),
    "constraint_relax": (0.2, 0.5),
    "tell_about_change": (0.2, 0.4),
}
