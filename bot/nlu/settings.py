"""The settings of the NLU's training, and what may be tried instead of their defaults (stdlib only)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NLUTraining:
    """How the NLU learns from an assistant's sentences.

    ``inverse_regularisation`` of the intents' logistic regression (scikit-learn's C). ``balance``: how far small
    intents are weighed up against large ones (0 not at all, 1 to the same total weight). ``typo_share`` of the
    sentences also get a misspelt copy. ValueError for what is out of range.
    """

    inverse_regularisation: float = field(default=6.0, metadata={"search": {"low": 0.1, "high": 100.0, "log": True}})
    balance: float = field(default=0.5, metadata={"search": {"low": 0.0, "high": 1.0}})
    typo_share: float = field(default=0.6, metadata={"search": {"low": 0.0, "high": 1.0}})

    def __post_init__(self) -> None:
        if not self.inverse_regularisation > 0:
            raise ValueError(f"inverse_regularisation = {self.inverse_regularisation}: give a number above 0")
        for name in ("balance", "typo_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)}: give a number in [0, 1]")


DEFAULTS = NLUTraining()
"""What is used without `rejoinder tune nlu`."""
