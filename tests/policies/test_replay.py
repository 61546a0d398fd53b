"""n-step returns from the ring equal those of a plain loop over the whole history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.replay import NStepReplay


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(6, 40))
def test_transitions_against_a_plain_loop(seed: int, n_step: int, steps: int) -> None:
    rng, envs, gamma = np.random.default_rng(seed), 3, 0.9
    replay = NStepReplay(capacity=12 * envs, num_envs=envs, inputs=2, actions=4, n_step=n_step, gamma=gamma)
    features = rng.random((steps, envs, 2)).astype(np.float32)
    masks = rng.random((steps, envs, 4)) < 0.5
    actions = rng.integers(4, size=(steps, envs)).astype(np.int32)
    rewards = rng.normal(size=(steps, envs)).astype(np.float32)
    done = rng.random((steps, envs)) < 0.3
    for t in range(steps):
        replay.add(features[t], masks[t], actions[t], rewards[t], done[t])
    oldest = max(steps - 12, 0)
    count = max(min(steps, 12) - n_step, 0)
    assert len(replay) == count * envs
    for age in range(count):
        for env in range(envs):
            batch = replay.transitions(np.array([age]), np.array([env]))
            t = oldest + age
            expected, discount = 0.0, 1.0
            for k in range(n_step):
                expected += discount * rewards[t + k, env]
                discount *= gamma
                if done[t + k, env]:
                    discount = 0.0
                    break
            assert batch.returns[0] == pytest.approx(expected, abs=1e-4)
            assert batch.discounts[0] == pytest.approx(discount, abs=1e-5)
            assert np.array_equal(batch.features[0], features[t, env])
            assert batch.actions[0] == actions[t, env]
            assert np.array_equal(batch.next_features[0], features[t + n_step, env])
            assert np.array_equal(batch.next_masks[0], masks[t + n_step, env])


def test_sampling_nothing_is_an_error_and_sampling_covers_everything() -> None:
    replay = NStepReplay(capacity=40, num_envs=2, inputs=1, actions=1, n_step=3, gamma=0.9)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no 3-step transition"):
        replay.sample(4, rng)
    for t in range(25):
        column = np.full(2, t)
        replay.add(column[:, None].astype(np.float32), np.ones((2, 1), bool), column * 0, column * 0.0, column < 0)
    seen = np.unique(replay.sample(2000, rng).features)
    assert seen.tolist() == list(range(5, 22))
