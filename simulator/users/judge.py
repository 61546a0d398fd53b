"""How like recorded people a simulated user is: likelihood of what they said, and the dialogues it leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.ontology import IntArray, Ontology
from policies.rule import RulePolicy
from simulator.evaluate import RESAMPLES, Estimate
from simulator.simulation import DialogueSimulation, SimulationSettings
from simulator.user_parameters import UserParameters
from simulator.users.estimate import beta_binomial, uniform_binomial
from simulator.users.fit import TALLIES, tallies
from simulator.users.fitted import FittedUser
from simulator.users.predict import Predictor
from simulator.users.replay import Replay
from simulator.users.situation import FLOW_LABELS, LABEL, Said, said_of

Reals = NDArray[np.float64]

ACTS = (*FLOW_LABELS, "inform", "request", "detail")
"""The acts whose frequencies are compared; ``detail`` is a booking detail."""


def ratio(numerator: Reals, denominator: Reals) -> Estimate:
    """sum / sum over (n,) dialogues with a 95 % bootstrap interval over dialogues."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(numerator), size=(RESAMPLES, len(numerator)))
    resampled = numerator[chosen].sum(axis=1) / np.maximum(denominator[chosen].sum(axis=1), 1e-9)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Estimate(float(numerator.sum() / max(float(denominator.sum()), 1e-9)), float(low), float(high))


def likelihood(predictor: Predictor, replay: Replay) -> dict[str, Estimate]:
    """Per turn log-likelihood in nats, and micro-F1 of the labels given probability above one half.

    Both over the labels that could be said (``Situation.possible``), given the recorded past; intervals are over
    dialogues.
    """
    count = len(replay.dialogues)
    logs, hits, told = np.zeros(count), np.zeros(count), np.zeros(count)
    for step in replay.steps():
        chance = np.clip(predictor(step), 1e-6, 1 - 1e-6)
        said, could = step.said.flat, step.situation.possible().flat
        logs[step.rows] += (np.where(said, np.log(chance), np.log1p(-chance)) * could).sum(axis=1)
        guessed = (chance > 0.5) & could
        hits[step.rows] += 2 * (guessed & said & could).sum(axis=1)
        told[step.rows] += guessed.sum(axis=1) + (said & could).sum(axis=1)
    return {"log_likelihood": ratio(logs, replay.turns.astype(np.float64)), "micro_f1": ratio(hits, told)}


@dataclass(frozen=True, slots=True)
class Conversations:
    """What many dialogues look like: ``turns`` (n,), ``acts`` per turn by ACTS, share with a changed wish."""

    turns: IntArray
    acts: Mapping[str, float]
    goal_change: float


def recorded(replay: Replay) -> Conversations:
    """The look of recorded dialogues."""
    totals, changed = np.zeros(len(ACTS)), np.zeros(len(replay.dialogues), dtype=np.bool_)
    for step in replay.steps():
        totals += _totals(step.said)
        changed[step.rows] |= step.changed.any(axis=1)
    return _summary(replay.turns, totals, float(changed.mean()))


def generated(ontology: Ontology, settings: SimulationSettings, count: int, seed: int = 0) -> Conversations:
    """The look of ``count`` dialogues of simulated users with the rule policy.

    A dialogue ends with the user's first goodbye, or with thanks when nothing is left to do, as recordings do.
    """
    simulation = DialogueSimulation(ontology, settings, [seed * 1_000_003 + i for i in range(count)])
    policy, rng = RulePolicy(ontology, simulation.space), np.random.default_rng(seed)
    dontcare = simulation.users.matcher.dontcare
    running, changed = np.ones(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    turns, totals = np.zeros(count, dtype=np.int32), np.zeros(len(ACTS))
    known = np.full((count, len(ontology.slots)), -1, dtype=np.int32)
    while running.any():
        turn = simulation.user_turn
        said = said_of(turn, dontcare)
        turns += running
        totals += _totals(Said(*(getattr(said, name)[running] for name in Said.__slots__)))
        news = said.inform & (known >= 0) & (known != turn.inform)
        changed |= news.any(axis=1) & running
        known = np.where(said.inform, turn.inform, known)
        thanks = said.flow[:, LABEL["thankyou"]] & simulation.users.fulfilled()
        running &= ~(said.flow[:, LABEL["bye"]] | thanks | simulation.users.state.hung_up)
        outcome = simulation.step(policy.act(simulation.belief, simulation.masks(), rng).actions)
        running &= ~outcome.truncated
    return _summary(turns, totals, float(changed.mean()))


def _totals(said: Said) -> Reals:
    totals: Reals = np.array([*said.flow.sum(axis=0), said.inform.sum(), said.request.sum(), said.open.sum()])
    return totals


def _summary(turns: IntArray, totals: Reals, changed: float) -> Conversations:
    frequencies = totals / max(int(turns.sum()), 1)
    return Conversations(turns, dict(zip(ACTS, map(float, frequencies), strict=True)), changed)


def ks_distance(a: IntArray, b: IntArray) -> float:
    """Kolmogorov-Smirnov distance of two samples of whole numbers: the largest gap between their distributions."""
    points = np.union1d(a, b)
    gaps = [abs(float((a <= point).mean()) - float((b <= point).mean())) for point in points]
    return max(gaps, default=0.0)


def people(fitted: FittedUser, replay: Replay) -> dict[str, Any]:
    """Held-out log-likelihood per choice of three ideas of how people differ: not at all, a range, a Beta.

    Summed over all probabilities that the recordings show; the hand-set range is given for comparison.
    """
    trials, successes = tallies(replay)
    hand = UserParameters.sampled()
    totals = dict.fromkeys(("alike", "range", "beta", "hand_set"), 0.0)
    choices = 0
    for name in TALLIES:
        number = fitted.counts[name]
        n, s = trials[name], successes[name]
        if not n.any() or not number.trials:
            continue
        choices += int(n.sum())
        totals["alike"] += uniform_binomial(s, n, number.mean, number.mean)
        totals["range"] += uniform_binomial(s, n, number.low, number.high)
        totals["beta"] += beta_binomial(s, n, *number.beta)
        totals["hand_set"] += uniform_binomial(s, n, *getattr(hand, name))
    return {"choices": choices, **{name: round(total / max(choices, 1), 4) for name, total in totals.items()}}


def compare(models: Mapping[str, Predictor], replay: Replay) -> dict[str, dict[str, Estimate]]:
    """``likelihood`` of each model on one replay."""
    return {name: likelihood(model, replay) for name, model in models.items()}


def lengths(found: Mapping[str, Conversations], truth: Conversations) -> dict[str, dict[str, float]]:
    """Per model: KS distance of the numbers of turns, mean turns, and the share of dialogues with a changed wish."""
    return {
        name: {
            "ks_distance": ks_distance(look.turns, truth.turns),
            "mean_turns": float(look.turns.mean()),
            "goal_change": look.goal_change,
        }
        for name, look in found.items()
    }


def noise_floor(samples: Sequence[int]) -> float:
    """The KS distance that two samples of one distribution exceed in 5 % of cases (asymptotically)."""
    return float(1.358 * np.sqrt(sum(1.0 / n for n in samples)))
