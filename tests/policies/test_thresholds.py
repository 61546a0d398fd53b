"""The search finds a planted optimum in each context, stays in the box, and rarely leaves what is safe."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from policies.actions import MaskThresholds
from policies.rule import RuleThresholds
from policies.thresholds import RULE_BOX, Acquisition, Box, ThresholdTuner, Trial, default_setting, rule_policy
from simulator.small import small_ontology

BOX = Box(("a", "b"), (0.0, 10.0), (1.0, 20.0))
START, CONTEXTS, MARGIN, TRIALS = (0.2, 13.0), (0.0, 1.0), 0.05, 40
DELTA = 0.05
"""Share of trials that may be unsafe: the confidence bounds are not certain."""


def planted(setting: tuple[float, ...], context: float) -> tuple[float, float]:
    """(reward, success): the best reward is 5, at (.7, .3) or (.4, .5) of the box; success falls beyond a + b > 1.3."""
    unit = BOX.to_unit(np.array([setting]))[0]
    best = np.array([0.7 - 0.3 * context, 0.3 + 0.2 * context])
    return 5 * float(np.exp(-8 * ((unit - best) ** 2).sum())), 1 - 0.6 * max(0.0, float(unit.sum()) - 1.3)


@cache
def search(acquisition: Acquisition, seed: int, margin: float) -> tuple[ThresholdTuner, tuple[Trial, ...]]:
    tuner = ThresholdTuner(BOX, START, acquisition=acquisition, margin=margin, seed=seed)
    rng, trials = np.random.default_rng(seed), list[Trial]()
    for i in range(TRIALS):
        context = CONTEXTS[i % 2]
        setting = tuner.propose(context, trials)
        reward, success = planted(setting, context)
        noisy = reward + 0.1 * rng.standard_normal(), success + 0.005 * rng.standard_normal()
        trials.append(Trial(context, setting, noisy[0], 0.1, noisy[1], 0.005))
    return tuner, tuple(trials)


SEARCHES: list[tuple[Acquisition, int]] = [(a, s) for a in ("ucb", "thompson") for s in range(3)]  # type: ignore[misc]


@pytest.mark.parametrize(("acquisition", "seed"), SEARCHES)
def test_the_planted_optimum_is_found_in_each_context(acquisition: Acquisition, seed: int) -> None:
    tuner, trials = search(acquisition, seed, MARGIN)
    for context in CONTEXTS:
        assert planted(START, context)[0] < 4.2
        assert planted(tuner.best(context, trials).setting, context)[0] > 4.8


def test_chance_does_not_find_it() -> None:
    """The planted problem is no gift: as many random settings miss it in most runs."""
    rng = np.random.default_rng(0)
    best = [max(planted(tuple(BOX.from_unit(rng.random((1, 2)))[0]), 0.0)[0] for _ in range(20)) for _ in range(200)]
    assert np.mean(np.array(best) > 4.8) < 0.5


@pytest.mark.parametrize(("acquisition", "seed"), SEARCHES)
def test_no_trial_lies_outside_the_box(acquisition: Acquisition, seed: int) -> None:
    for trial in search(acquisition, seed, MARGIN)[1]:
        for value, low, high in zip(trial.setting, BOX.low, BOX.high, strict=True):
            assert low <= value <= high


def unsafe_share(margin: float) -> float:
    trials = [trial for which in SEARCHES for trial in search(*which, margin)[1]]
    return float(np.mean([planted(t.setting, t.context)[1] < 1 - MARGIN for t in trials]))


def test_the_unsafe_region_is_left_alone() -> None:
    assert unsafe_share(MARGIN) <= DELTA


def test_without_the_constraint_it_would_not_be() -> None:
    assert unsafe_share(1.0) > 2 * DELTA


def test_the_first_trial_of_every_context_is_the_start() -> None:
    _, trials = search("ucb", 0, MARGIN)
    assert trials[0].setting == trials[1].setting == START


def test_a_search_goes_on_exactly_where_it_was() -> None:
    _, trials = search("ucb", 1, MARGIN)
    fresh = ThresholdTuner(BOX, START, acquisition="ucb", margin=MARGIN, seed=1)
    for known in (7, 20, 39):
        assert fresh.propose(trials[known].context, trials[:known]) == trials[known].setting


def test_the_start_stays_when_nothing_is_better() -> None:
    flat = [Trial(0.0, START, 1.0, 0.1, 1.0, 0.01)]
    flat += [Trial(0.0, (a, 15.0), 0.9, 0.1, 1.0, 0.01) for a in (0.3, 0.5, 0.9)]
    assert ThresholdTuner(BOX, START).best(0.0, flat).setting == START


def test_a_trial_that_proved_unsafe_is_never_recommended() -> None:
    trials = [Trial(0.0, START, 1.0, 0.05, 0.95, 0.005), Trial(0.0, (0.9, 19.0), 9.0, 0.05, 0.5, 0.005)]
    assert ThresholdTuner(BOX, START).best(0.0, trials).setting == START


def test_bad_boxes_and_starts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a: low 1\.0 is not below high 1\.0"):
        Box(("a",), (1.0,), (1.0,))
    with pytest.raises(ValueError, match="outside the box"):
        ThresholdTuner(BOX, (2.0, 13.0))


def test_the_default_setting_is_the_default_policy() -> None:
    policy = rule_policy(small_ontology(), dict(zip(RULE_BOX.names, default_setting(), strict=True)))
    assert policy.thresholds == RuleThresholds()
    assert policy.space.thresholds == MaskThresholds()
    setting = BOX.from_unit(BOX.to_unit(np.array([START])))
    np.testing.assert_allclose(setting[0], START)
