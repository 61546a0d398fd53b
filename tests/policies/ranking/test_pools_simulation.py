"""The simulation of blending: its optimum is the optimum, all methods meet the same world, and learning pays."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from policies.ranking.blending_bandit import BanditBlender, BlendSettings
from policies.ranking.pools_simulation import (
    BanditLearner,
    Environment,
    RatioLearner,
    Scene,
    best_ratio,
    compositions,
    play,
    reward_of,
)

POOLS = ("a", "b", "c", "d")
SCENE = Scene(users=12)
EVEN = np.full(4, 0.25)


def share(played, turns=20):
    """Regret of the last ``turns`` as a share of the oracle's value."""
    regret, best = played
    return regret[-turns:].sum() / best[-turns:].sum()


def learner(**changes):
    return BanditLearner(BanditBlender(replace(BlendSettings(POOLS), **changes)), SCENE.slots)


def test_all_divisions_are_tried():
    found = {tuple(row) for row in compositions(4, 3).tolist()}
    assert found == {counts for counts in product(range(5), repeat=3) if sum(counts) == 4}


def test_reward_is_the_sum_over_what_is_shown():
    environment = Environment.draw(SCENE, 3)
    values = environment.values(0)
    rate = environment.rates[0, 5, 2] * np.array(SCENE.rewards)
    by_hand = sum((rate * environment.curves[2, :, r]).sum() for r in range(3))
    assert reward_of(values, np.array([[0, 0, 3, 0]]))[5, 0] == pytest.approx(by_hand)


def test_no_method_beats_the_oracle_and_the_same_seed_is_the_same():
    environment = Environment.draw(SCENE, 4)
    first, again = (play(environment, learner(), POOLS, 4) for _ in range(2))
    assert (first[0] >= -1e-9).all()
    assert (first[0] == again[0]).all()


def test_drift_changes_the_tastes_at_half_time_only():
    still, drifted = (Environment.draw(replace(SCENE, drift=drift), 5) for drift in (False, True))
    assert (still.rates[0] == drifted.rates[0]).all()
    assert (still.rates[0] == still.rates[1]).all()
    assert not (drifted.rates[0] == drifted.rates[1]).all()
    assert (still.luck == drifted.luck).all()


def test_learning_beats_every_fixed_ratio_by_far():
    environment = Environment.draw(SCENE, 6)
    fixed = share(play(environment, RatioLearner(best_ratio(environment), 8), POOLS, 6))
    assert fixed <= share(play(environment, RatioLearner(EVEN, 8), POOLS, 6)) + 0.02
    assert share(play(environment, learner(), POOLS, 6)) < 0.25 * fixed


def test_after_a_drift_forgetting_pays():
    environment = Environment.draw(replace(SCENE, drift=True), 7)
    forgetting, never = learner(), learner(discount=1.0, change_rate=0.0)
    assert share(play(environment, forgetting, POOLS, 7)) < 0.75 * share(play(environment, never, POOLS, 7))
