"""Networks from features to action values (torch; training only)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn


class DuelingNetwork(nn.Module):
    """Q(s, a) = V(s) + A(s, a) - mean_a A(s, a) on a ReLU trunk (Wang et al. 2016, equation 9).

    Features (B, inputs) -> values (B, actions). With ``dueling=False`` a plain linear head.
    """

    def __init__(self, inputs: int, actions: int, hidden: Sequence[int] = (256, 128), dueling: bool = True) -> None:
        super().__init__()
        sizes = [inputs, *hidden]
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise(sizes):
            layers += [nn.Linear(width, following), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.advantage = nn.Linear(sizes[-1], actions)
        self.value = nn.Linear(sizes[-1], 1) if dueling else None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, inputs) -> (B, actions)."""
        hidden = self.trunk(features)
        advantage: torch.Tensor = self.advantage(hidden)
        if self.value is None:
            return advantage
        value: torch.Tensor = self.value(hidden)
        return value + advantage - advantage.mean(dim=1, keepdim=True)
