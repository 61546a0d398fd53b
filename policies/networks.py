"""Networks from features to action values (torch; training only)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from policies.noisy import NoisyLinear


class HeadedNetwork(nn.Module):
    """What the DQN learner asks of a network."""

    def heads(self, features: torch.Tensor) -> torch.Tensor:
        """(B, inputs) -> (B, K, actions, N): every quantile of every head."""
        raise NotImplementedError


class DuelingNetwork(HeadedNetwork):
    """Q(s, a) = V(s) + A(s, a) - mean_a A(s, a) on a ReLU trunk (Wang et al. 2016, equation 9).

    Features (B, inputs) -> values (B, actions). With ``dueling=False`` a plain linear head. ``heads`` K > 1: that many
    value functions on the shared trunk (Osband et al. 2016); ``quantiles`` N > 1: each gives N quantiles of the return
    (Dabney et al. 2018). ``noisy``: the initial sigma of noisy layers in place of linear ones (None: linear).
    """

    def __init__(
        self, inputs: int, actions: int, hidden: Sequence[int] = (256, 128), dueling: bool = True, *,
        heads: int = 1, quantiles: int = 1, noisy: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()

        def linear(width: int, following: int) -> nn.Module:
            return nn.Linear(width, following) if noisy is None else NoisyLinear(width, following, noisy)

        sizes = [inputs, *hidden]
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise(sizes):
            layers += [linear(width, following), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.shape = (heads, actions, quantiles)
        self.advantage = linear(sizes[-1], heads * actions * quantiles)
        self.value = linear(sizes[-1], heads * quantiles) if dueling else None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, inputs) -> (B, actions): the mean over heads and quantiles."""
        values = self.heads(features)
        heads, _, quantiles = self.shape
        return values[:, 0, :, 0] if heads == quantiles == 1 else values.mean(dim=(1, 3))

    def heads(self, features: torch.Tensor) -> torch.Tensor:
        """(B, inputs) -> (B, K, actions, N): every quantile of every head."""
        heads, actions, quantiles = self.shape
        hidden = self.trunk(features)
        advantage: torch.Tensor = self.advantage(hidden).view(-1, heads, actions, quantiles)
        if self.value is None:
            return advantage
        value: torch.Tensor = self.value(hidden).view(-1, heads, 1, quantiles)
        return value + advantage - advantage.mean(dim=2, keepdim=True)
