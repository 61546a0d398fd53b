"""The Kalman filter against the joint Gaussian it is a short cut for, and mood."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.ranking.latent.kalman import LinearGaussian, Mood, fit_mood, kalman_filter, smoothed


def drawn(seed, states, seen, steps, missing):
    """A random model and observations with holes."""
    rng = np.random.default_rng(seed)

    def covariance(n):
        a = rng.normal(size=(n, n))
        return a @ a.T + 0.1 * np.eye(n)

    model = LinearGaussian(
        0.6 * rng.normal(size=(states, states)), rng.normal(size=states), covariance(states),
        rng.normal(size=(seen, states)), covariance(seen), rng.normal(size=states), covariance(states),
    )  # fmt: skip
    observations = rng.normal(size=(steps, seen)) * 2
    observations[rng.random((steps, seen)) < missing] = np.nan
    return model, observations


def joint(model, steps):
    """Mean and covariance of all states (T S,), and of all observations given them, without any recursion's help."""
    states = len(model.mean)
    powers = [np.eye(states)]
    for _ in range(steps):
        powers.append(model.transition @ powers[-1])
    mean = [model.mean]
    for _ in range(steps - 1):
        mean.append(model.transition @ mean[-1] + model.offset)
    # x = L (x_1, w_2, ..., w_T) with blocks F^(t - s)
    lower = np.block(
        [[powers[t - s] if t >= s else np.zeros((states, states)) for s in range(steps)] for t in range(steps)]
    )
    noise = np.kron(np.eye(steps), model.process)
    noise[:states, :states] = model.covariance
    return np.concatenate(mean), lower @ noise @ lower.T


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.sampled_from([0.0, 0.4, 0.9]))
def test_filter_and_smoother_are_the_joint_gaussian(seed, states, seen, steps, missing):
    model, observations = drawn(seed, states, seen, steps, missing)
    mean, covariance = joint(model, steps)
    h, r = np.kron(np.eye(steps), model.observation), np.kron(np.eye(steps), model.noise)
    there = ~np.isnan(observations.ravel())
    h, r, y = h[there], r[np.ix_(there, there)], observations.ravel()[there]
    spread, error = h @ covariance @ h.T + r, y - h @ mean
    expected = (
        -0.5 * (error @ np.linalg.solve(spread, error) + np.linalg.slogdet(2 * np.pi * spread)[1]) if len(y) else 0
    )
    filtered = kalman_filter(model, observations)
    assert filtered.log_likelihood == pytest.approx(expected, rel=1e-8, abs=1e-8)
    gain = covariance @ h.T @ np.linalg.pinv(spread) if len(y) else np.zeros((len(mean), 0))
    means, covariances = smoothed(model, filtered)
    assert means.ravel() == pytest.approx(mean + gain @ error, abs=1e-6)
    after = covariance - gain @ h @ covariance
    for t in range(steps):
        block = slice(t * states, (t + 1) * states)
        assert covariances[t] == pytest.approx(after[block, block], abs=1e-6)


def test_a_long_run_stays_a_covariance():
    model, observations = drawn(3, 3, 2, 3000, 0.3)
    covariances = kalman_filter(model, observations).covariances
    assert (np.linalg.eigvalsh(covariances) > -1e-9).all()


def test_missing_scores_widen_the_doubt_and_pull_mood_back_to_usual():
    mood = Mood(usual=0.0)
    level, doubt = mood.follow([-0.8, -0.8, -0.9, None, None, None, float("nan")])
    assert level[2] < -0.4
    assert (np.diff(np.abs(level[2:])) < 0).all()
    assert (np.diff(doubt[2:]) > 0).all()
    assert all(len(part) == 0 for part in mood.follow([]))


def test_mood_is_nearer_the_truth_than_the_scores():
    rng, true = np.random.default_rng(0), Mood()
    errors = []
    for _ in range(20):
        level = [true.usual]
        for _ in range(40):
            level.append(true.usual + true.persistence * (level[-1] - true.usual) + rng.normal(0, true.drift))
        scores = np.array(level) + rng.normal(0, true.noise, 41)
        errors.append((np.mean((true.follow(scores)[0] - level) ** 2), np.mean((scores - level) ** 2)))
    filtered, raw = np.mean(errors, axis=0)
    assert filtered < 0.5 * raw


def test_the_fit_finds_what_made_the_scores():
    rng, true = np.random.default_rng(1), Mood(usual=0.2, persistence=0.85, drift=0.2, noise=0.2)
    conversations = []
    for _ in range(20):
        level, scores = true.usual, []
        for _ in range(40):
            level = true.usual + true.persistence * (level - true.usual) + rng.normal(0, true.drift)
            scores.append(None if rng.random() < 0.2 else level + rng.normal(0, true.noise))
        conversations.append(scores)
    found = fit_mood(conversations, rounds=4)
    assert found.usual == pytest.approx(true.usual, abs=0.12)
    assert found.persistence == pytest.approx(true.persistence, abs=0.1)
    assert found.drift == pytest.approx(true.drift, rel=0.3)
    assert found.noise == pytest.approx(true.noise, rel=0.3)


def test_what_makes_no_sense_is_named():
    model, _ = drawn(0, 2, 1, 1, 0)
    for bad in (np.zeros((3, 2)), np.zeros(3), np.zeros((0, 1)), np.full((2, 1), np.inf)):
        with pytest.raises(ValueError, match="observations"):
            kalman_filter(model, bad)
    parts = {name: getattr(model, name) for name in model.__slots__}
    with pytest.raises(ValueError, match="offset"):
        LinearGaussian(**{**parts, "offset": np.zeros(3)})
    with pytest.raises(ValueError, match="process is no covariance"):
        LinearGaussian(**{**parts, "process": -np.eye(2)})
    with pytest.raises(ValueError, match="persistence"):
        Mood(persistence=1.0)
    with pytest.raises(ValueError, match="no sentiment score"):
        fit_mood([[], [None]])
