"""Estimates of what a policy would have earned: exact where they must be, and intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from memory.turn import FloatArray
from policies.episodes import Log, record_log
from policies.off_policy import FQEConfig, fitted_q_estimate, greedy_probabilities, importance_estimate
from simulator.probes import DELAY, SLOT, Probe, ProbeEnv
from tests.policies.playing import best_actions, slipping_expert

QUICK = FQEConfig(heads=10, updates=500, refit=50, batch_size=128, hidden=16)


def log_of(probe: Probe, slips: float, seed: int, steps: int = 40) -> Log:
    return record_log(ProbeEnv(probe), slipping_expert(probe, slips, seed), steps, seed)


def slipping(log: Log, probe: Probe, slips: float) -> FloatArray:
    """The probabilities of an expert that slips that often."""
    best = np.eye(probe.actions, dtype=np.float32)[best_actions(probe, log.features)]
    return (slips * log.masks / log.masks.sum(axis=1, keepdims=True) + (1 - slips) * best).astype(np.float32)


def truth(slips: float) -> float:
    """What that expert earns in ``slot``, worked out: ask, guess or waste a turn, then answer."""
    right = 1 - slips + slips / 6
    asked = 20 * right - 1
    unasked = slips * 3 / 6 * 20 / 3 - 1  # the expert itself would ask, in vain: the dialogue is over
    return (1 - slips + slips / 6) * (-1 + asked) + slips * (2 / 6 * (-1 + unasked) + 3 / 6 * (20 / 3 - 1))


def test_of_the_logging_policy_itself_both_know_the_mean() -> None:
    log = log_of(SLOT, 0.5, 0, steps=200)
    itself = slipping(log, SLOT, 0.5)
    estimate = importance_estimate(log, itself)
    assert estimate.mean == pytest.approx(float(log.returns().mean()), abs=1e-3)
    assert estimate.effective == pytest.approx(len(log.starts), rel=1e-3)
    assert estimate.mean == pytest.approx(truth(0.5), abs=0.5)
    assert fitted_q_estimate(log, itself, QUICK).mean == pytest.approx(estimate.mean, abs=0.7)


@pytest.mark.parametrize("slips", [0.0, 0.3])
def test_a_better_policy_is_recognised_from_a_worse_ones_log(slips: float) -> None:
    log = log_of(SLOT, 0.7, 1, steps=300)
    target = slipping(log, SLOT, slips)
    for estimate in (importance_estimate(log, target), fitted_q_estimate(log, target, QUICK)):
        assert estimate.mean == pytest.approx(truth(slips), abs=1.0)
        assert estimate.low - 0.3 <= truth(slips) <= estimate.high + 0.3
        assert estimate.low > log.returns().mean() + 3


def test_the_interval_of_importance_sampling_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        log = log_of(SLOT, 0.6, seed, steps=25)
        estimate = importance_estimate(log, slipping(log, SLOT, 0.3), resamples=200, seed=seed)
        held += estimate.low <= truth(0.3) <= estimate.high
    assert held >= 50


def test_forgetting_the_weights_would_estimate_the_logging_policy() -> None:
    """The broken variant: propensities of 1 leave every dialogue of a deterministic target at weight 0 or 1 alike."""
    log = log_of(SLOT, 0.7, 2, steps=200)
    uniform = np.ones_like(log.masks, dtype=np.float32) / 6
    honest = importance_estimate(log, slipping(log, SLOT, 0.0))
    assert honest.mean == pytest.approx(18.0, abs=0.5)
    assert importance_estimate(log, uniform).mean < 6.0
    assert honest.effective < 0.5 * len(log.starts)


def test_discounting_counts_from_each_dialogues_begin() -> None:
    log = log_of(DELAY, 0.0, 0)
    best = slipping(log, DELAY, 0.0)
    assert importance_estimate(log, best, gamma=0.5).mean == pytest.approx(0.25)
    assert fitted_q_estimate(log, best, FQEConfig(heads=4, updates=400, refit=50, gamma=0.5)).mean == pytest.approx(
        0.25, abs=0.05
    )


def test_a_policy_that_nobody_followed_cannot_be_judged() -> None:
    log = log_of(SLOT, 0.0, 0)
    never = np.zeros_like(slipping(log, SLOT, 0.0))
    never[:, 1] = 1.0
    with pytest.raises(ValueError, match="never acts as logged to the end"):
        importance_estimate(log, never)


def test_greedy_probabilities_respect_the_mask() -> None:
    values = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], dtype=np.float32)
    masks = np.array([[True, True, True], [False, False, True]])
    assert greedy_probabilities(values, masks).tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
