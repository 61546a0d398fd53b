"""The sum tree against plain cumulative sums, and prioritised replay against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.prioritized import FLOOR, PrioritizedReplay, SumTree
from policies.replay import Batch


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 70))
def test_the_tree_is_a_table_of_prefix_sums(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    tree, weights = SumTree(size), np.zeros(size)
    for _ in range(6):
        slots = rng.integers(size, size=rng.integers(1, 9))
        values = rng.integers(0, 4, size=len(slots)).astype(np.float64)
        tree.set(slots, values)
        weights[slots] = values  # numpy too lets the last one count
    assert np.array_equal(tree.weights(), weights)
    assert tree.total == weights.sum()
    if tree.total:
        prefix = rng.random(50) * tree.total
        found = tree.find(prefix)
        assert np.array_equal(found, np.searchsorted(np.cumsum(weights), prefix, side="right"))
        assert (weights[found] > 0).all()


def test_rounding_never_leads_to_a_weight_of_zero() -> None:
    tree = SumTree(8)
    tree.set(np.arange(8), np.array([0.1, 0.2, 0.3, 0, 0, 0, 0, 0]))
    assert tree.find(np.array([tree.total, tree.total * (1 + 1e-12), 0.0])).tolist() == [2, 2, 0]


def filled(steps: int, alpha: float = 1.0, beta: float = 1.0, envs: int = 2, n_step: int = 2) -> PrioritizedReplay:
    """Feature = reward = time * 10 + environment; room for 12 steps."""
    replay = PrioritizedReplay(12 * envs, envs, 1, 1, n_step, 0.5, alpha=alpha, beta=beta)
    for time in range(steps):
        at = np.float32([10 * time + env for env in range(envs)])
        no = np.zeros(envs, dtype=np.int32)
        replay.add(at[:, None], np.ones((envs, 1), dtype=np.bool_), no, at, no > 0)
    return replay


@pytest.mark.parametrize("steps", [3, 8, 12, 13, 31])
def test_exactly_the_complete_transitions_are_drawn(steps: int) -> None:
    replay = filled(steps)
    drawn = replay.sample(4000, np.random.default_rng(0))
    oldest = max(steps - 12, 0)
    wanted = [10 * time + env for time in range(oldest, steps - 2) for env in range(2)]
    assert np.unique(drawn.features).tolist() == wanted
    assert np.allclose(drawn.returns, 1.5 * drawn.features[:, 0] + 5.0)  # r + .5 (r + 10)
    assert np.allclose(drawn.next_features, drawn.features + 20)
    assert (drawn.weights == 1.0).all()  # nothing has been learned from yet: all alike


def test_draws_follow_the_errors_and_weights_undo_it() -> None:
    replay, rng = filled(10, alpha=0.5, beta=0.5), np.random.default_rng(0)
    everything = replay.sample(2000, rng)
    errors = np.where(everything.features[:, 0] == 41, 9.0, 1.0).astype(np.float32)
    replay.reprioritise(everything, errors)
    batch = replay.sample(20_000, rng, progress=1.0)  # by then beta is 1
    frequent = (batch.features[:, 0] == 41).mean()
    priority = 9**0.5
    assert frequent == pytest.approx(priority / (priority + 15), abs=0.005)
    assert batch.weights is not None
    assert np.unique(batch.weights.round(4)).tolist() == pytest.approx([1 / 3, 1.0], abs=1e-3)
    # an importance-weighted mean over prioritised draws is the plain mean over transitions
    mean = (batch.weights * batch.features[:, 0]).sum() / batch.weights.sum()
    assert mean == pytest.approx(np.mean([10 * t + e for t in range(8) for e in range(2)]), rel=0.02)
    early = replay.sample(64, rng, progress=0.0).weights
    assert early is not None
    assert early.min() == pytest.approx((1 / 3) ** 0.5, abs=1e-3)


def test_new_transitions_come_first_and_nothing_is_forgotten() -> None:
    replay, rng = filled(12), np.random.default_rng(0)
    known = replay.sample(4000, rng)
    replay.reprioritise(known, np.full(4000, 0.01, dtype=np.float32))
    no = np.zeros(2, dtype=np.int32)
    replay.add(np.float32([[120], [121]]), np.ones((2, 1), dtype=np.bool_), no, np.float32([0, 0]), no > 0)
    batch = replay.sample(1000, rng)
    assert np.isin(batch.features[:, 0], [100, 101]).mean() > 0.9  # they have just become complete
    replay.reprioritise(batch, np.zeros(1000, dtype=np.float32))
    assert replay.sample(1000, rng).features.size == 1000
    assert FLOOR > 0


def test_a_restored_replay_draws_the_same() -> None:
    replay, rng = filled(17), np.random.default_rng(3)
    replay.reprioritise(replay.sample(50, rng), rng.random(50).astype(np.float32))
    other = PrioritizedReplay(24, 2, 1, 1, 2, 0.5, alpha=1.0, beta=1.0)
    other.load_state(replay.state())
    one, two = (r.sample(100, np.random.default_rng(4)) for r in (replay, other))
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in Batch.__slots__ if name != "heads")
