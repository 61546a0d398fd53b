"""Offline evaluation: unbiased where it says so, intervals that cover the truth, and plain words for bad logs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.offline_evaluation import (
    EvaluationSettings,
    LoggedFeedback,
    OfflineEvaluationError,
    cross_fitted,
    doubly_robust,
    inverse_propensity,
    on_policy,
    replay,
    self_normalized,
)
from policies.ranking.reward_models import AdditiveLogistic, RidgePerAction
from tests.policies.ranking.digits_bandit import DigitsBandit

QUICK = EvaluationSettings(resamples=200)


@pytest.fixture(scope="module")
def digits():
    return DigitsBandit.make()


def covered(digits, estimate_of, logs, rows=1000):
    """Share of intervals that hold the truth, and the mean error."""
    found = [estimate_of(*digits.log(rows, seed)) for seed in range(logs)]
    return np.mean([e.low <= digits.truth <= e.high for e in found]), np.mean([e.value for e in found]) - digits.truth


def test_intervals_of_snips_and_doubly_robust_cover_the_truth(digits):
    """95 % intervals from 60 logs of 1,000 rows: at least 90 % hold the truth (a longer run is in the results)."""
    snips, snips_bias = covered(digits, lambda log, target: self_normalized(log, target, QUICK), 60)
    ridge, ridge_bias = covered(digits, lambda log, target: doubly_robust(log, target, RidgePerAction(), QUICK), 60)
    assert min(snips, ridge) >= 0.9
    assert abs(snips_bias) < 0.02
    assert abs(ridge_bias) < 0.02


def test_replay_is_honest_on_uniform_logs_and_biased_on_others(digits):
    uniform = [replay(*digits.log(1000, seed, uniform=True), QUICK).value for seed in range(20)]
    assert np.mean(uniform) == pytest.approx(digits.truth, abs=0.02)
    log, target = digits.log(20_000, 0)
    with pytest.raises(OfflineEvaluationError, match="drawn uniformly"):
        replay(log, target)
    agreed = target[np.arange(20_000), log.actions]
    assert (agreed * log.rewards).sum() / agreed.sum() - digits.truth > 0.02  # what it would have said


def test_a_wrong_reward_model_does_not_bias_doubly_robust(digits):
    class Wrong:
        def fit(self, contexts, actions, positions, rewards, action_count):
            return lambda given, where: np.full((len(given), action_count), 5.0)

    values = [doubly_robust(*digits.log(3000, seed), Wrong(), QUICK).value for seed in range(20)]
    assert np.mean(values) == pytest.approx(digits.truth, abs=0.1)


def test_a_reward_model_saves_rows_against_ips(digits):
    found = [digits.log(1000, seed) for seed in range(10)]
    ips = np.mean([inverse_propensity(*f, QUICK).standard_error for f in found])
    dr = np.mean([doubly_robust(*f, RidgePerAction(), QUICK).standard_error for f in found])
    assert dr < 0.8 * ips


logs = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n),
        st.lists(st.floats(0.05, 1.0), min_size=n, max_size=n),
        st.integers(0, 2**16),
    )
)


@settings(max_examples=50, deadline=None)
@given(logs)
def test_estimators_are_their_equations(drawn):
    actions, rewards, propensities, seed = drawn
    log = LoggedFeedback.of(actions, rewards, propensities, 3)
    target = np.random.default_rng(seed).dirichlet(np.ones(3), size=len(actions))
    weight = np.array([target[n, a] / p for n, (a, p) in enumerate(zip(actions, propensities, strict=True))])
    ips, snips = inverse_propensity(log, target, QUICK), self_normalized(log, target, QUICK)
    assert ips.value == pytest.approx((weight * rewards).mean())
    assert snips.value == pytest.approx((weight * rewards).sum() / weight.sum())
    assert ips.effective == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert min(rewards) - 1e-9 <= snips.low <= snips.value + 1e-9
    assert snips.value - 1e-9 <= snips.high <= max(rewards) + 1e-9
    clipped = inverse_propensity(log, target, EvaluationSettings(clip=0.5, resamples=100))
    assert clipped.value == pytest.approx((np.minimum(weight, 0.5) * rewards).mean())
    assert clipped.clipped == pytest.approx((weight > 0.5).mean())


def test_a_policy_evaluated_on_its_own_log_is_its_mean():
    rng = np.random.default_rng(0)
    policy = np.array([0.2, 0.3, 0.5])
    actions = rng.choice(3, p=policy, size=500)
    rewards = (rng.random(500) < 0.3).astype(float)
    log = LoggedFeedback.of(actions, rewards, policy[actions], 3)
    target = np.tile(policy, (500, 1))
    for estimate in (inverse_propensity(log, target), self_normalized(log, target)):
        assert estimate.value == pytest.approx(on_policy(rewards).value)
        assert estimate.effective == pytest.approx(500)


def test_positions_matter_to_the_reward_model():
    """Slot 0 is looked at, slot 1 hardly; a model that knows the slot predicts so."""
    rng = np.random.default_rng(1)
    positions = rng.integers(2, size=4000)
    rewards = (rng.random(4000) < np.where(positions == 0, 0.6, 0.1)).astype(float)
    log = LoggedFeedback.of(rng.integers(3, size=4000), rewards, np.full(4000, 1 / 3), 3, positions)
    predicted = cross_fitted(log, AdditiveLogistic(1.0))
    assert predicted[positions == 0].mean() == pytest.approx(0.6, abs=0.05)
    assert predicted[positions == 1].mean() == pytest.approx(0.1, abs=0.05)


def test_no_row_is_predicted_by_a_model_that_saw_it():
    """Rewards that are noise can't be predicted by an honest fit, though a table of rows could recall them."""
    rng = np.random.default_rng(2)
    contexts, rewards = np.arange(300.0)[:, None], rng.normal(size=300)

    class Table:
        def fit(self, contexts, actions, positions, rewards, action_count):
            known = dict(zip(contexts[:, 0].tolist(), rewards.tolist(), strict=True))
            return lambda given, where: np.array([[known.get(x, 0.0)] for x in given[:, 0].tolist()])

    log = LoggedFeedback.of(np.zeros(300), rewards, np.ones(300), 1, contexts=contexts)
    assert (cross_fitted(log, Table()) == 0).all()
    assert (Table().fit(contexts, None, None, rewards, 1)(contexts, None)[:, 0] == rewards).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"actions": [], "rewards": [], "propensities": []}, "no rows"),
        ({"actions": [0, 3, 1]}, "row 2: the action"),
        ({"actions": [0, -1, 1]}, "row 2: the action"),
        ({"rewards": [0, 1, float("nan")]}, "row 3: the reward"),
        ({"propensities": [0.5, 0.0, 0.5]}, "row 2: the propensity"),
        ({"propensities": [0.5, 0.5, 1.2]}, "row 3: the propensity"),
        ({"propensities": [float("nan"), 0.5, 0.5]}, "row 1: the propensity"),
        ({"rewards": [0, 1]}, "rewards has 2 rows, actions has 3"),
        ({"positions": [0, 1, -1]}, "row 3: the position"),
        ({"contexts": [[0.0], [float("inf")], [0.0]]}, "row 2: a context feature"),
    ],
)
def test_a_log_that_is_damaged_is_refused_with_its_row(change, said):
    sound = {"actions": [0, 1, 2], "rewards": [0, 1, 0], "propensities": [0.5, 0.5, 0.5], "action_count": 3}
    LoggedFeedback.of(**sound)
    with pytest.raises(OfflineEvaluationError, match=said):
        LoggedFeedback.of(**{**sound, **change})


def test_targets_and_settings_that_make_no_sense_are_refused():
    log = LoggedFeedback.of([0, 1], [0, 1], [0.5, 0.5], 2)
    with pytest.raises(OfflineEvaluationError, match="shape"):
        inverse_propensity(log, np.ones((2, 3)) / 3)
    with pytest.raises(OfflineEvaluationError, match="row 2: the target's probabilities"):
        inverse_propensity(log, np.array([[0.5, 0.5], [0.5, 0.6]]))
    with pytest.raises(OfflineEvaluationError, match="none of the logged actions"):
        self_normalized(log, np.array([[0.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(OfflineEvaluationError, match="never agrees"):
        replay(log, np.array([[0.0, 1.0], [1.0, 0.0]]))
    for wrong in ({"clip": 0.0}, {"level": 1.0}, {"resamples": 3}, {"folds": 1}):
        with pytest.raises(OfflineEvaluationError):
            EvaluationSettings(**wrong)
    with pytest.raises(ValueError, match="RidgePerAction"):
        AdditiveLogistic().fit(np.zeros((2, 1)), np.array([0, 1]), np.array([0, 0]), np.array([0.5, 2.0]), 2)
