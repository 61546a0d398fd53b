"""Clipping bounds what it says and leaves the rest alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from policies.optimize.clipping import cap_losses, clip_norm, clip_output_gradient, clip_value

NUMBERS = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=6)
LIMITS = st.floats(0.01, 50)


def weights(*gradients: list[float]) -> list[torch.Tensor]:
    made = [torch.zeros(len(gradient), requires_grad=True) for gradient in gradients]
    for weight, gradient in zip(made, gradients, strict=True):
        weight.grad = torch.tensor(gradient)
    return made


def joined(parameters: list[torch.Tensor]) -> np.ndarray:
    return np.concatenate([weight.grad.numpy() for weight in parameters if weight.grad is not None])


@given(NUMBERS, NUMBERS, LIMITS)
def test_norm(one: list[float], other: list[float], limit: float) -> None:
    parameters, before = weights(one, other), np.array(one + other, np.float32)
    norm = clip_norm([*parameters, torch.zeros(2, requires_grad=True)], limit).item()
    assert norm == pytest.approx(float(np.linalg.norm(before)), rel=1e-4, abs=1e-6)
    expected = before * min(1.0, limit / norm) if norm else before
    np.testing.assert_allclose(joined(parameters), expected, rtol=1e-3, atol=1e-6)


@given(NUMBERS, NUMBERS, LIMITS)
def test_value(one: list[float], other: list[float], limit: float) -> None:
    parameters, before = weights(one, other), np.array(one + other, np.float32)
    assert clip_value(parameters, limit) == np.abs(before).max()
    np.testing.assert_allclose(joined(parameters), before.clip(-limit, limit), rtol=1e-6)


@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=6), LIMITS)
def test_losses(values: list[float], limit: float) -> None:
    losses = torch.tensor(values, requires_grad=True)
    capped = cap_losses(losses, limit)
    np.testing.assert_allclose(capped.detach(), np.minimum(values, limit), rtol=1e-5)
    capped.sum().backward()
    assert losses.grad is not None
    expected = [min(1.0, limit / value) if value else 1.0 for value in values]
    np.testing.assert_allclose(losses.grad, expected, rtol=1e-5)  # above the limit too it learns on


def test_output_gradient_alone_is_clipped() -> None:
    weight = torch.tensor([1.0, -2.0, 0.01], requires_grad=True)
    output = 3 * weight
    bounded = clip_output_gradient(output, 0.5)
    assert torch.equal(bounded, output)
    (bounded**2 / 2).sum().backward(retain_graph=True)
    assert weight.grad is not None
    np.testing.assert_allclose(weight.grad, [1.5, -1.5, 0.09], rtol=1e-5)
    weight.grad = None
    (output**2 / 2).sum().backward()  # the caller's own tensor has no hook
    np.testing.assert_allclose(weight.grad, [9.0, -18.0, 0.09], rtol=1e-5)
    with torch.no_grad():
        assert torch.equal(clip_output_gradient(output, 0.5), output)


def test_no_limit_clips_nothing() -> None:
    parameters = weights([3e10, -4e10])
    assert clip_norm(parameters, math.inf).item() == pytest.approx(5e10)
    assert clip_value(parameters, math.inf) == pytest.approx(4e10)
    assert joined(parameters).tolist() == pytest.approx([3e10, -4e10])
    assert cap_losses(torch.tensor([3e10]), math.inf).item() == pytest.approx(3e10)


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan])
def test_limits_must_be_above_zero(limit: float) -> None:
    one = torch.ones(1, requires_grad=True)
    for clip in (clip_norm, clip_value):
        with pytest.raises(ValueError, match="above 0"):
            clip([one], limit)
    for bound in (cap_losses, clip_output_gradient):
        with pytest.raises(ValueError, match="above 0"):
            bound(one, limit)
