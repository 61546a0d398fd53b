"""Linear layers that explore by themselves: factorised Gaussian noise on the weights (Fortunato et al. 2018)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn


class NoisyLinear(nn.Module):
    """y = (mu_w + sigma_w * e_w) x + mu_b + sigma_b * e_b, with e_w = f(e_out) f(e_in)^T and f(x) = sign(x) sqrt|x|.

    Equations 9 to 11 of the paper and its initialisation: mu uniform in +-1/sqrt(inputs), sigma ``sigma``/sqrt(inputs).
    In training mode the noise of the last ``resample`` counts (none before the first), in evaluation mode there is
    none. (B, inputs) -> (B, outputs).
    """

    noise_in: torch.Tensor
    noise_out: torch.Tensor

    def __init__(self, inputs: int, outputs: int, sigma: float) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.weight_sigma = nn.Parameter(torch.full((outputs, inputs), sigma * bound))
        self.bias_sigma = nn.Parameter(torch.full((outputs,), sigma * bound))
        self.register_buffer("noise_in", torch.zeros(inputs), persistent=False)
        self.register_buffer("noise_out", torch.zeros(outputs), persistent=False)

    def resample(self, rng: np.random.Generator) -> None:
        """Draw new noise."""
        for noise in (self.noise_in, self.noise_out):
            drawn = rng.standard_normal(len(noise), dtype=np.float32)
            noise.copy_(torch.from_numpy(np.sign(drawn) * np.sqrt(np.abs(drawn))))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, inputs) -> (B, outputs)."""
        if not self.training:
            return nn.functional.linear(features, self.weight, self.bias)
        weight = self.weight + self.weight_sigma * torch.outer(self.noise_out, self.noise_in)
        return nn.functional.linear(features, weight, self.bias + self.bias_sigma * self.noise_out)


def resample(network: nn.Module, rng: np.random.Generator) -> None:
    """New noise in every noisy layer of ``network``, in order; nothing happens without such layers."""
    for layer in network.modules():
        if isinstance(layer, NoisyLinear):
            layer.resample(rng)
