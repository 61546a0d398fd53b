"""How good a policy is: success, turns and reward over many simulated dialogues, with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from memory.ontology import IntArray, Ontology
from memory.turn import FloatArray
from policies.policy import Policy
from simulator.simulation import DialogueSimulation, SimulationSettings

RESAMPLES = 1000
METRICS = ("success", "turns", "reward")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Dialogues:
    """The outcome of n dialogues, one row per seed: (seeds, dialogues) success (0 or 1), turns, return."""

    success: FloatArray
    turns: FloatArray
    reward: FloatArray


def play(policy: Policy, ontology: Ontology, settings: SimulationSettings, count: int, seed: int) -> Dialogues:
    """Exactly one dialogue for each of ``count`` seeds, played side by side to its end (arrays of shape (1, count)).

    Nothing is autoreset, so short dialogues are not over-represented.
    """
    simulation = DialogueSimulation(ontology, settings, [seed * 1_000_003 + i for i in range(count)])
    rng = np.random.default_rng(seed)
    running = np.ones(count, dtype=np.bool_)
    success, turns, total = (np.zeros(count, dtype=np.float32) for _ in range(3))
    while running.any():
        actions: IntArray = policy.act(simulation.belief, simulation.masks(), rng).actions
        outcome = simulation.step(actions)
        total += np.where(running, outcome.reward, 0)
        turns += running
        ended = running & outcome.done
        success[ended] = outcome.fulfilled[ended]
        running &= ~outcome.done
    return Dialogues(success[None], turns[None], total[None])


def evaluate_policy(
    policy: Policy, ontology: Ontology, settings: SimulationSettings, dialogues: int = 500, seeds: Sequence[int] = (0,)
) -> dict[str, dict[str, float]]:
    """Play ``dialogues`` per seed and estimate ``success``, ``turns`` and ``reward``.

    Returns each as ``{"mean", "low", "high"}``: 95 %, bootstrap over seeds and within them over dialogues.
    """
    parts = [play(policy, ontology, settings, dialogues, seed) for seed in seeds]
    return {name: asdict(bootstrap(np.concatenate([getattr(part, name) for part in parts]))) for name in METRICS}


def bootstrap(samples: FloatArray, resamples: int = RESAMPLES) -> Estimate:
    """Mean of (seeds, dialogues) samples with a two-level percentile bootstrap: seeds first, then dialogues."""
    rng = np.random.default_rng(0)
    seeds, count = (int(size) for size in samples.shape)
    means = np.empty(resamples)
    for i in range(resamples):
        chosen = rng.integers(seeds, size=(seeds, 1))
        means[i] = samples[chosen, rng.integers(count, size=(seeds, count))].mean()
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(float(samples.mean()), float(low), float(high))
