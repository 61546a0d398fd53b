"""Losses against their equations, and noisy layers against theirs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from policies.losses import huber, large_margin, quantile_huber
from policies.noisy import NoisyLinear, resample


def test_quantile_huber_against_the_double_loop_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    chosen, targets = rng.normal(size=(3, 2, 4)) * 2, rng.normal(size=(3, 2, 5)) * 2
    expected = np.zeros((3, 2))
    for m in range(3):
        for k in range(2):
            for i in range(4):
                tau = (2 * i + 1) / 8
                for j in range(5):
                    u = targets[m, k, j] - chosen[m, k, i]
                    size = 0.5 * u * u if abs(u) <= 1 else abs(u) - 0.5
                    expected[m, k] += abs(tau - (u < 0)) * size / 5
    result = quantile_huber(torch.from_numpy(chosen), torch.from_numpy(targets))
    assert np.allclose(result.numpy(), expected)


def test_minimising_it_finds_the_quantiles_of_a_distribution() -> None:
    samples = torch.tensor([0.0] * 3 + [1.0] * 7)[None, None] * 100  # kappa is small beside the spread
    quantiles = torch.zeros(1, 1, 5, requires_grad=True)
    optimizer = torch.optim.Adam([quantiles], lr=1.0)
    for _ in range(1500):
        optimizer.zero_grad()
        quantile_huber(quantiles, samples.expand(1, 1, -1)).sum().backward()
        optimizer.step()
    # 10, 30, 50, 70 and 90 %: the first is surely in the lower atom, the last three in the upper one
    found = quantiles.detach()[0, 0].numpy()
    assert found[0] == pytest.approx(0.0, abs=2.0)
    assert found[2:] == pytest.approx([100.0] * 3, abs=2.0)


def test_huber_is_per_head() -> None:
    chosen, targets = torch.tensor([[[0.0], [0.0]]]), torch.tensor([[[0.5], [3.0]]])
    assert huber(chosen, targets).tolist() == [[0.125, 2.5]]


def test_large_margin_is_zero_once_the_teacher_is_ahead_by_the_margin() -> None:
    values, actions = torch.tensor([[[1.0, 0.8, 0.0]]]), torch.tensor([[[0]]])
    assert large_margin(values, values[..., 0], actions, 0.1).item() == pytest.approx(0.0)
    assert large_margin(values, values[..., 0], actions, 0.5).item() == pytest.approx(0.3)


def test_noise_is_factorised_fresh_and_off_in_evaluation() -> None:
    torch.manual_seed(0)
    layer, rng = NoisyLinear(3, 2, 0.5), np.random.default_rng(0)
    features = torch.eye(3)
    mean = layer.eval()(features)
    layer.train()
    assert torch.equal(layer(features), mean)  # none before the first draw
    resample(torch.nn.Sequential(layer), rng)
    first = layer(features)
    sigma = 0.5 / 3**0.5
    drawn = np.random.default_rng(0).standard_normal(5, dtype=np.float32)
    scaled = np.sign(drawn) * np.sqrt(np.abs(drawn))
    expected = sigma * (np.outer(scaled[:3], scaled[3:]) + scaled[3:])
    assert np.allclose((first - mean).detach().numpy(), expected, atol=1e-6)
    resample(layer, rng)
    assert not torch.equal(layer(features), first)
    assert torch.equal(layer.eval()(features), mean)


def test_noise_has_the_papers_variance() -> None:
    layer, rng = NoisyLinear(1, 400, 1.0), np.random.default_rng(1)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
    outputs = []
    for _ in range(300):
        layer.resample(rng)
        outputs.append(layer(torch.zeros(1, 1)).detach().numpy())
    # the bias' noise is f(e) with E f(e)^2 = E |e| = sqrt(2 / pi)
    assert np.mean(np.square(outputs)) == pytest.approx((2 / np.pi) ** 0.5, rel=0.02)
