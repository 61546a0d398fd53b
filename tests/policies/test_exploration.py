"""Explorers never choose what is masked, and say exactly how probable their choice was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.exploration import Boltzmann, EpsilonGreedy, Explorer, Greedy, Schedule, Thompson, UpperConfidence
from policies.policy import PolicyOutput

MAKERS = {
    "epsilon": lambda: EpsilonGreedy(Schedule(0.4, 0.1)),
    "boltzmann": lambda: Boltzmann(Schedule(0.7, 0.3)),
    "ucb": lambda: UpperConfidence(1.5),
    "thompson": Thompson,
    "greedy": Greedy,
}
HEADS = 4


def act(explorer: Explorer, values: np.ndarray, masks: np.ndarray, rng: np.random.Generator) -> PolicyOutput:
    return explorer.act(values, masks, 0.5, rng, np.ones(len(masks), dtype=np.bool_))


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 6),
    actions=st.integers(1, 7),
    scale=st.sampled_from([0.0, 1.0, 1e6]),
)
def test_never_a_masked_action(name: str, seed: int, rows: int, actions: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    values = (scale * rng.normal(size=(rows, HEADS, actions))).astype(np.float32)
    masks = rng.random((rows, actions)) < 0.4
    masks[np.arange(rows), rng.integers(actions, size=rows)] = True
    values[~masks[:, None, :].repeat(HEADS, axis=1)] += np.float32(1e9)  # what is masked would be the best
    explorer = MAKERS[name]()
    for _ in range(5):
        output = act(explorer, values, masks, rng)
        assert masks[np.arange(rows), output.actions].all()
        assert ((output.propensity > 0) & (output.propensity <= 1)).all()
        assert np.isnan(output.values[~masks]).all()
        assert np.isfinite(output.values[masks]).all()


@pytest.mark.parametrize("name", MAKERS)
def test_propensities_are_the_frequencies_of_the_actions(name: str) -> None:
    rng, rows, actions = np.random.default_rng(0), 40_000, 5
    state = rng.normal(size=(1, HEADS, actions)).astype(np.float32)
    mask = np.array([[True, False, True, True, True]])
    values, masks = state.repeat(rows, axis=0), mask.repeat(rows, axis=0)
    output = act(MAKERS[name](), values, masks, rng)
    for action in np.unique(output.actions):
        chosen = output.actions == action
        told = np.unique(output.propensity[chosen])
        assert len(told) == 1
        assert chosen.mean() == pytest.approx(told[0], abs=4 * np.sqrt(0.25 / rows))


def test_a_propensity_that_forgets_greedy_draws_would_be_caught() -> None:
    """The frequency test has teeth: the share of random choices alone is not the probability."""
    rng, rows = np.random.default_rng(0), 40_000
    values, masks = np.tile(np.float32([1, 2, 3]), (rows, 1)), np.ones((rows, 3), dtype=np.bool_)
    output = act(EpsilonGreedy(Schedule(0.4, 0.4)), values, masks, rng)
    greedy = (output.actions == 2).mean()
    assert greedy == pytest.approx(0.6 + 0.4 / 3, abs=0.01)
    assert abs(greedy - 0.6) > 4 * np.sqrt(0.25 / rows)


@pytest.mark.parametrize("name", MAKERS)
def test_a_mask_that_forbids_everything_names_its_row(name: str) -> None:
    values, masks = np.zeros((3, HEADS, 2), dtype=np.float32), np.array([[True, True], [True, False], [False, False]])
    with pytest.raises(ValueError, match="row 2 of the action masks allows no action"):
        act(MAKERS[name](), values, masks, np.random.default_rng(0))


def test_thompson_keeps_a_head_for_an_episode_and_can_be_resumed() -> None:
    rng = np.random.default_rng(1)
    values = np.tile(np.eye(HEADS, dtype=np.float32), (500, 1, 1))  # head k wants action k
    masks, same = np.ones((500, HEADS), dtype=np.bool_), np.zeros(500, dtype=np.bool_)
    explorer = Thompson()
    first = act(explorer, values, masks, rng).actions
    assert np.bincount(first, minlength=HEADS).min() > 80
    assert (explorer.act(values, masks, 0.0, rng, same).actions == first).all()
    ended = np.arange(500) < 250
    second = explorer.act(values, masks, 0.0, rng, ended).actions
    assert (second[250:] == first[250:]).all()
    assert (second[:250] != first[:250]).any()
    other = Thompson()
    other.load_state(explorer.state())
    assert (other.act(values, masks, 0.0, rng, same).actions == second).all()


def test_optimism_prefers_what_heads_disagree_on() -> None:
    values = np.float32([[[1.0, 0.0], [1.0, 1.8]]])  # means 1.0 and 0.9, deviations 0 and 0.9
    masks = np.ones((1, 2), dtype=np.bool_)
    rng = np.random.default_rng(0)
    assert act(UpperConfidence(0.0), values, masks, rng).actions == [0]
    assert act(UpperConfidence(1.0), values, masks, rng).actions == [1]


def test_schedule() -> None:
    falls = Schedule(0.4, 0.0, 0.5)
    assert [round(falls(progress), 6) for progress in (0.0, 0.25, 0.5, 1.0)] == [0.4, 0.2, 0.0, 0.0]
    assert EpsilonGreedy(falls).figures(0.25) == {"epsilon": pytest.approx(0.2)}
    assert Boltzmann(falls).figures(0.25) == {"temperature": pytest.approx(0.2)}
