"""RMSProp is what the paper's equations say, resumes exactly, and refuses nonsense."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from policies.optimize.rmsprop import OptimizerSettings, RMSProp, make_optimizer


def transcribed(weights: np.ndarray, gradients: np.ndarray, settings: OptimizerSettings) -> np.ndarray:
    """Graves (2013), equations 38 to 41, in double precision."""
    n, g, delta, w = (np.zeros_like(weights) for _ in range(4))
    w += weights
    for e in gradients:
        n = settings.decay * n + (1 - settings.decay) * e**2
        g = settings.decay * g + (1 - settings.decay) * e
        delta = settings.momentum * delta - settings.learning_rate * e / np.sqrt(n - g**2 + settings.epsilon)
        w = w + delta
    return w


def followed(optimizer: torch.optim.Optimizer, weight: torch.Tensor, gradients: np.ndarray) -> np.ndarray:
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    return weight.detach().numpy().copy()


@pytest.mark.parametrize(("decay", "momentum"), [(0.95, 0.9), (0.5, 0.0), (0.0, 0.3)])
def test_the_papers_equations(decay: float, momentum: float) -> None:
    rng = np.random.default_rng(1)
    start, gradients = rng.normal(size=(4, 3)), rng.normal(size=(25, 4, 3)) * [[[0.01, 1, 30]]]
    settings = OptimizerSettings("rmsprop", 0.01, decay, momentum, epsilon=1e-3)
    weight = torch.tensor(start, requires_grad=True)
    reached = followed(make_optimizer([weight], settings), weight, gradients)
    np.testing.assert_allclose(reached, transcribed(start, gradients, settings), rtol=1e-10)
    theirs = torch.tensor(start, requires_grad=True)
    uncentred = torch.optim.RMSprop([theirs], 0.01, decay, 1e-3, momentum=momentum)
    assert not np.allclose(followed(uncentred, theirs, gradients), reached, rtol=1e-3)


def test_a_changed_learning_rate_leaves_gathered_steps_alone() -> None:
    weight = torch.tensor([1.0], requires_grad=True)
    optimizer = RMSProp([weight], 0.1, momentum=0.5)
    before = followed(optimizer, weight, np.ones((1, 1), np.float32))
    optimizer.param_groups[0]["lr"] = 0.0
    after = followed(optimizer, weight, np.ones((1, 1), np.float32))
    np.testing.assert_allclose(after - before, 0.5 * (before - 1), rtol=1e-6)


def test_state_dict_goes_on_exactly_where_it_was() -> None:
    gradients = np.random.default_rng(2).normal(size=(10, 5)).astype(np.float32)
    whole, cut = (torch.zeros(5, requires_grad=True) for _ in range(2))
    expected = followed(RMSProp([whole]), whole, gradients)
    first = RMSProp([cut])
    followed(first, cut, gradients[:4])
    second = RMSProp([cut], learning_rate=9.0)
    second.load_state_dict(first.state_dict())
    assert np.array_equal(followed(second, cut, gradients[4:]), expected)
    fresh = torch.tensor(np.zeros(5, np.float32), requires_grad=True)
    assert not np.array_equal(followed(RMSProp([fresh]), fresh, gradients[4:]), expected)


def test_large_equal_gradients_stay_finite() -> None:
    weight = torch.zeros(1, requires_grad=True)
    reached = followed(RMSProp([weight]), weight, np.full((400, 1), 12345.678, np.float32))
    assert np.isfinite(reached).all()


def test_closure_and_weights_without_a_gradient() -> None:
    used, unused = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    optimizer = RMSProp([used, unused], 0.1)

    def closure() -> float:
        optimizer.zero_grad()
        loss = (used**2).sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 1.0
    assert used.item() < 1
    assert unused.item() == 1


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_both_find_the_bottom_of_a_narrow_valley(name: str) -> None:
    weight = torch.tensor([3.0, 3.0], requires_grad=True)
    optimizer = make_optimizer([weight], OptimizerSettings(name, 0.05))  # type: ignore[arg-type]
    for _ in range(1000):
        optimizer.zero_grad()
        (weight**2 * torch.tensor([1.0, 100.0])).sum().backward()
        optimizer.step()
    assert weight.abs().max().item() < 0.2


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": 0}, {"decay": 1}, {"momentum": -0.1}, {"betas": (0.9, 1.0)}, {"epsilon": 0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OptimizerSettings(**wrong)  # type: ignore[arg-type]
