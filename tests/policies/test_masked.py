"""Masked categorical distributions are distributions, and never choose what is masked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.belief import BeliefState
from policies.actions import ActionSpace
from policies.export import OnnxPolicy, export_onnx
from policies.featurizer import BeliefFeaturizer
from policies.masked import ActorCritic, CategoricalPolicy, check_finite, draw, entropy, masked_log_probs, probabilities
from simulator.small import small_ontology


def masks_of(rng: np.random.Generator, rows: int, actions: int) -> torch.Tensor:
    masks = rng.random((rows, actions)) < 0.5
    masks[np.arange(rows), rng.integers(actions, size=rows)] = True
    return torch.from_numpy(masks)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 8), st.floats(0.1, 300.0))
def test_probabilities_sum_to_one_and_masked_ones_are_zero(seed: int, actions: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(6, actions)) * scale).float().requires_grad_()
    masks = masks_of(rng, 6, actions)
    log_probs = masked_log_probs(logits, masks)
    p = log_probs.exp()
    assert torch.allclose(p.sum(dim=1), torch.ones(6), atol=1e-5)
    assert (p[~masks] == 0).all()
    plain = [torch.softmax(row[mask], dim=0) for row, mask in zip(logits, masks, strict=True)]
    for row, mask, expected in zip(p, masks, plain, strict=True):
        assert torch.allclose(row[mask], expected, atol=1e-5)
    nats = torch.stack([-(q * q.clamp_min(1e-38).log()).sum() for q in plain])
    assert torch.allclose(entropy(log_probs), nats, atol=1e-3)
    torch.autograd.backward(entropy(log_probs).sum() + log_probs.max(dim=1).values.sum())
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[~masks] == 0).all()


def test_a_row_that_allows_nothing_is_named() -> None:
    masks = torch.ones(4, 3, dtype=torch.bool)
    masks[2] = False
    with pytest.raises(ValueError, match="row 2 of the action masks"):
        masked_log_probs(torch.zeros(4, 3), masks)


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, 9.0]])
    masks = torch.tensor([[True, True, True, False]])
    log_probs = masked_log_probs(logits, masks)
    actions, chosen = draw(log_probs.expand(60_000, 4), np.random.default_rng(0))
    frequency = np.bincount(actions, minlength=4) / 60_000
    assert frequency == pytest.approx(log_probs.exp()[0].numpy(), abs=0.01)
    assert chosen == pytest.approx(log_probs[0].numpy()[actions])


def test_the_policy_tells_the_probability_of_what_it_chose() -> None:
    ontology = small_ontology()
    featurizer, space = BeliefFeaturizer(ontology), ActionSpace(ontology)
    torch.manual_seed(0)
    network = ActorCritic(featurizer.size, space.size, (8,))
    with torch.no_grad():
        network.actor[-1].weight.mul_(300.0)  # far from uniform
    belief = BeliefState.initial(ontology, 30_000)
    masks = space.masks(belief)
    output = CategoricalPolicy(network, featurizer).act(belief, masks, np.random.default_rng(0))
    assert masks[np.arange(30_000), output.actions].all()
    table = probabilities(network, featurizer(belief)[:1], masks[:1])[0]
    assert output.propensity == pytest.approx(table[output.actions], abs=1e-5)
    assert np.bincount(output.actions, minlength=space.size) / 30_000 == pytest.approx(table, abs=0.015)
    assert 0 < table.max() < 0.99
    assert np.isnan(output.values[~masks]).all()


def test_an_actor_is_served_like_a_network_of_values(tmp_path: Path) -> None:
    ontology = small_ontology()
    featurizer, space = BeliefFeaturizer(ontology), ActionSpace(ontology)
    network = ActorCritic(featurizer.size, space.size, (8,))
    export_onnx(network, tmp_path, space, featurizer, name="ppo")
    served = OnnxPolicy.load(tmp_path, ontology)
    belief = BeliefState.initial(ontology, 3)
    masks = space.masks(belief)
    best = probabilities(network, featurizer(belief), masks).argmax(axis=1)
    assert served.act(belief, masks, np.random.default_rng(0)).actions.tolist() == best.tolist()


def test_what_is_not_finite_is_named() -> None:
    check_finite(3, reward=np.zeros(2, dtype=np.float32), loss=torch.tensor(1.0))
    with pytest.raises(FloatingPointError, match="loss is not finite at update 3"):
        check_finite(3, reward=np.zeros(2, dtype=np.float32), loss=torch.tensor([1.0, np.inf]))
