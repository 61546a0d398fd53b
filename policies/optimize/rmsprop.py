"""RMSProp as Graves (2013) wrote it, and the choice of an optimiser by its name (torch; training only)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import torch
from torch import Tensor
from torch.optim import Optimizer


@dataclass(frozen=True)
class OptimizerSettings:
    """Which optimiser, and how fast.

    Args:
        name: ``rmsprop`` is `RMSProp` below, ``adam`` is torch's.
        learning_rate: above 0.
        decay: of RMSProp's running means, in [0, 1).
        momentum: of RMSProp, in [0, 1).
        betas: decays of Adam's two moments, each in [0, 1).
        epsilon: above 0, added where the optimiser divides; None takes 1e-4 for RMSProp and 1e-8 for Adam.

    Raises:
        ValueError: a number is out of its range.
    """

    name: Literal["rmsprop", "adam"] = "adam"
    learning_rate: float = 1e-3
    decay: float = 0.95
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float | None = None

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate {self.learning_rate}: give a number above 0")
        if self.epsilon is not None and self.epsilon <= 0:
            raise ValueError(f"epsilon {self.epsilon}: give a number above 0, or leave it out")
        shares = {"decay": self.decay, "momentum": self.momentum, "betas[0]": self.betas[0], "betas[1]": self.betas[1]}
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} {share}: give a number of at least 0 and below 1")


def make_optimizer(parameters: Iterable[Tensor], settings: OptimizerSettings) -> Optimizer:
    """The optimiser that ``settings`` describe, over ``parameters``."""
    rate, epsilon = settings.learning_rate, settings.epsilon
    match settings.name:
        case "rmsprop":
            return RMSProp(parameters, rate, settings.decay, settings.momentum, 1e-4 if epsilon is None else epsilon)
        case "adam":
            return torch.optim.Adam(parameters, rate, settings.betas, 1e-8 if epsilon is None else epsilon)
        case _:
            assert_never(settings.name)


class RMSProp(Optimizer):
    """Centred RMSProp with momentum.

    A. Graves, "Generating sequences with recurrent neural networks" (2013), equations 38 to 41.
    For each weight w with gradient e, decay d, momentum m, learning rate l and epsilon c::

        n = d n + (1 - d) e^2            running mean of squares         (38)
        g = d g + (1 - d) e              running mean                    (39)
        D = m D - l e / sqrt(n - g^2 + c)                                (40)
        w = w + D                                                        (41)

    The defaults are the paper's. torch's own RMSprop differs: it adds epsilon after the root, and its momentum gathers
    steps before the learning rate, so that a changed learning rate also changes steps that were already gathered.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 1e-4,
        decay: float = 0.95,
        momentum: float = 0.9,
        epsilon: float = 1e-4,
    ) -> None:
        # "lr" is the name under which torch's schedulers look for the learning rate
        super().__init__(parameters, {"lr": learning_rate, "decay": decay, "momentum": momentum, "epsilon": epsilon})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change all weights that have a gradient; returns the loss of ``closure``, which computes them anew."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._change(weight, weight.grad, group)
        return loss

    def _change(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state.update({name: torch.zeros_like(weight) for name in ("squares", "mean", "delta")})
        squares, mean, delta = state["squares"], state["mean"], state["delta"]
        decay = group["decay"]
        squares.mul_(decay).addcmul_(gradient, gradient, value=1 - decay)
        mean.mul_(decay).add_(gradient, alpha=1 - decay)
        # the variance can't be negative, but its float32 difference can: by more than epsilon for large gradients
        variance = squares.addcmul(mean, mean, value=-1).clamp_(min=0)
        delta.mul_(group["momentum"]).addcdiv_(gradient, variance.add_(group["epsilon"]).sqrt_(), value=-group["lr"])
        weight.add_(delta)
