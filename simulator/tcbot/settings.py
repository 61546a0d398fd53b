"""Settings of the environment: how long, what success is worth, how often the user is misheard."""

from __future__ import annotations

from dataclasses import dataclass

SLOT_ERRORS = ("value", "mixed", "lose")
"""What happens to a misheard slot: another value of the dictionary; that in a third of the cases and else the slot is
lost; the slot is lost. (The original's further mode, "another slot", loses it too: the new one is never read.)"""


@dataclass(frozen=True, slots=True)
class MovieSettings:
    """``max_turn`` counts both sides' turns, as the original does: 40 are 20 of the system; another one fails.

    Rewards: -1 a system turn, 2 ``max_turn`` in place of it for success, -``max_turn`` for failure.
    ``slot_error`` and ``intent_error``: probability that a told slot, or the user's act, is misheard from the second
    user turn on; ``slot_error_mode`` one of ``SLOT_ERRORS``. ValueError for what is out of range.
    """

    max_turn: int = 40
    slot_error: float = 0.0
    slot_error_mode: str = "value"
    intent_error: float = 0.0

    def __post_init__(self) -> None:
        if self.max_turn < 2:
            raise ValueError(f"max_turn = {self.max_turn}: give at least 2, one turn of each side")
        for name in ("slot_error", "intent_error"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)}: give a probability")
        if self.slot_error_mode not in SLOT_ERRORS:
            raise ValueError(f"slot_error_mode = {self.slot_error_mode!r}: use one of {', '.join(SLOT_ERRORS)}")

    @property
    def system_turns(self) -> int:
        """How many turns the system has."""
        return self.max_turn // 2
