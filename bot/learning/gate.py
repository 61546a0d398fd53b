"""The gate before a promotion: candidate and served policy meet the same simulated users, and are compared in pairs.

Common random numbers: dialogue i has the same goal, the same patience and the same stream of misunderstandings for
both policies, so the difference is far less noisy than two separate means.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from memory.ontology import Ontology
from policies.policy import Policy
from simulator.evaluate import Estimate, bootstrap, play
from simulator.simulation import SimulationSettings

GATE_SEED = 505
"""Of the users that decide about promotions; training and reports use others."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean reward and success of both on the same users, and the paired difference in reward with its 95 % interval."""

    candidate: dict[str, float]
    reference: dict[str, float]
    difference: Estimate
    margin: float

    @property
    def passed(self) -> bool:
        """Whether the lower bound of the difference is at least -margin."""
        return self.difference.low >= -self.margin

    def to_json(self) -> dict[str, Any]:
        """For reports."""
        return {**asdict(self), "passed": self.passed}


def compare(
    candidate: Policy,
    reference: Policy,
    ontology: Ontology,
    settings: SimulationSettings,
    *,
    dialogues: int,
    margin: float,
    seed: int = GATE_SEED,
) -> Comparison:
    """Play ``dialogues`` users with each policy; bootstrap over users."""
    played = [play(policy, ontology, settings, dialogues, seed) for policy in (candidate, reference)]
    means = [{"reward": float(p.reward.mean()), "success": float(p.success.mean())} for p in played]
    return Comparison(means[0], means[1], bootstrap(played[0].reward - played[1].reward), margin)
