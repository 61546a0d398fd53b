"""GP-SARSA: its recursion is the batch Gaussian process of Engel et al. 2005, and it learns from few dialogues."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.ontology import IntArray
from policies.gp_sarsa import GPResult, GPSarsaConfig, GPValues, SparseGP, train_gp_sarsa
from simulator.probes import OBSERVATION, PROBES, SLOT, Probe, ProbeEnv, mean_return

CONFIG = GPSarsaConfig(
    steps=300, variance=1.0, noise=0.7, length_scale=0.5, nu=0.01, capacity=20, exploration=1.0, evaluate_every=100
)


def solve(probe: Probe, seed: int, **changes: Any) -> GPResult:
    scale = max(probe.optimum, 1.0) ** 2
    config = replace(CONFIG, gamma=probe.gamma, seed=seed, variance=scale, noise=0.7 * scale, **changes)
    return train_gp_sarsa(
        ProbeEnv(probe, 8), config, lambda values: {"reward": mean_return(ProbeEnv(probe), values.greedy)}
    )


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe.name))
def test_gp_sarsa_solves_the_probe(probe: Probe) -> None:
    for seed in range(3):
        assert solve(probe, seed).history[-1]["reward"] == pytest.approx(probe.optimum)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.floats(0.0, 1.0))
def test_the_posterior_is_that_of_batch_gp_sarsa(seed: int, lengths: list[int], gamma: float) -> None:
    rng = np.random.default_rng(seed)
    config = GPSarsaConfig(variance=4.0, noise=0.5, length_scale=0.8, nu=1e-9, capacity=40)
    values = GPValues(3, 2, config)
    count = sum(lengths)
    x, actions = rng.random((count, 3)).astype(np.float32), rng.integers(2, size=count).astype(np.int32)
    rewards, differences = rng.normal(size=count), np.zeros((count, count))
    at = 0
    for length in lengths:
        rows = slice(at, at + length)
        ahead, returns = 0.0, np.zeros(length)
        for t in range(length - 1, -1, -1):
            returns[t] = ahead = rewards[at + t] + gamma * ahead
        values.learn(x[rows], actions[rows], returns)
        differences[rows, rows] = np.eye(length) - gamma * np.eye(length, k=1)  # H of one episode
        at += length

    def kernel(one: Any, a: IntArray, other: Any, b: IntArray) -> Any:
        squares = ((one[:, None].astype(float) - other[None].astype(float)) ** 2).sum(axis=2)
        return 4.0 * np.exp(-squares / (2 * 0.8**2)) * (a[:, None] == b[None])

    tests = rng.random((6, 3)).astype(np.float32)
    gram = differences @ (kernel(x, actions, x, actions) + 0.5 * np.eye(count)) @ differences.T
    mean, variance = values.predict(tests)
    for action in (0, 1):
        those = np.full(6, action, dtype=np.int32)
        cross = kernel(tests, those, x, actions) @ differences.T
        assert mean[:, action] == pytest.approx(cross @ np.linalg.solve(gram, rewards), abs=1e-5)
        reduction = np.einsum("ij,ij->i", cross, np.linalg.solve(gram, cross.T).T)
        assert variance[:, action] == pytest.approx(4.0 - reduction, abs=1e-5)


def test_a_dictionary_stays_small_and_loses_little() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.random((400, 2))
    targets = np.sin(4 * inputs[:, 0]) + inputs[:, 1] + 0.1 * rng.normal(size=400)
    full, sparse, tiny = (
        SparseGP(2, 1.0, 0.5, 0.01, nu, capacity) for nu, capacity in ((1e-9, 400), (1e-3, 400), (1e-3, 5))
    )
    for process in (full, sparse, tiny):
        for x, y in zip(inputs, targets, strict=True):
            process.add(x, float(y))
    tests = rng.random((200, 2))
    truth = np.sin(4 * tests[:, 0]) + tests[:, 1]
    assert sparse.size < 60
    assert tiny.size == 5
    assert np.abs(sparse.predict(tests)[0] - full.predict(tests)[0]).max() < 0.1
    assert np.abs(sparse.predict(tests)[0] - truth).mean() < 0.05
    far = np.array([[9.0, 9.0]])
    assert sparse.predict(far)[1] == pytest.approx(1.0)
    assert sparse.predict(tests)[1].max() < 0.05


def test_posterior_samples_explore_where_nothing_is_known() -> None:
    config = replace(CONFIG, noise=0.01)
    values = GPValues(1, 3, config)
    here = np.zeros((1, 1), dtype=np.float32)
    for _ in range(20):
        values.learn(here, np.array([0], dtype=np.int32), np.array([0.5]))
        values.learn(here, np.array([1], dtype=np.int32), np.array([-0.5]))
    many = np.repeat(here, 2000, axis=0)
    masks, rng = np.ones((2000, 3), dtype=np.bool_), np.random.default_rng(0)
    counts = np.bincount(values.sample(many, masks, 1.0, rng), minlength=3) / 2000
    assert counts[0] == pytest.approx(0.69, abs=0.05), "P(N(0, 1) < 0.5): the unknown action is often better"
    assert counts[1] < 0.01
    assert (values.sample(many, masks, 0.0, rng) == 0).all()
    masks[:, 0] = False
    assert (values.greedy(many, masks) == 2).all()


def test_the_same_seed_gives_the_same_values_and_ctrl_c_keeps_the_best() -> None:
    one, two, other = (solve(SLOT, seed, steps=60, evaluate_every=30) for seed in (0, 0, 1))
    states = np.eye(8, dtype=np.float32)
    assert np.array_equal(one.values.predict(states)[0], two.values.predict(states)[0])
    assert not np.array_equal(one.values.predict(states)[0], other.values.predict(states)[0])

    def interrupt(step: int, steps: int, row: object) -> None:
        raise KeyboardInterrupt

    result = train_gp_sarsa(ProbeEnv(SLOT, 8), CONFIG, lambda values: {"reward": 1.0}, progress=interrupt)
    assert result.interrupted
    assert result.best["step"] == 100


def test_bad_numbers_stop_training_at_once() -> None:
    class Poisoned(ProbeEnv):
        def step(self, actions: IntArray, /) -> Any:
            observations, reward, *rest = super().step(actions)
            return (observations, reward * np.inf, *rest)

    with pytest.raises(FloatingPointError, match="not finite at step 0"):
        train_gp_sarsa(Poisoned(OBSERVATION, 4), CONFIG, lambda values: {"reward": 0.0})
