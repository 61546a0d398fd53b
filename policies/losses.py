"""Losses of temporal-difference learning, per transition (torch; training only)."""

from __future__ import annotations

import torch
from torch import nn


def huber(chosen: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(M, K) Huber loss (kappa = 1) of estimates (M, K, 1) to targets (M, K, 1)."""
    return nn.functional.smooth_l1_loss(chosen, targets, reduction="none")[..., 0]


def quantile_huber(chosen: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(M, K) quantile Huber loss of N quantiles (M, K, N) to N' samples of the target distribution (M, K, N').

    Dabney et al. 2018, equation 10 and algorithm 1 with kappa = 1: the mean over targets, summed over the quantiles
    tau_i = (2 i + 1) / 2N, of |tau_i - 1[u < 0]| times Huber of u = target - quantile.
    """
    quantiles = chosen.shape[-1]
    tau = (torch.arange(quantiles, dtype=chosen.dtype, device=chosen.device) + 0.5) / quantiles
    error = targets[..., None, :] - chosen[..., :, None]
    weight = (tau[:, None] - (error.detach() < 0).to(chosen.dtype)).abs()
    distance = nn.functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none")
    return (weight * distance).mean(dim=-1).sum(dim=-1)


def large_margin(values: torch.Tensor, chosen: torch.Tensor, actions: torch.Tensor, margin: float) -> torch.Tensor:
    """Mean of max_a [Q(s, a) + margin 1(a != a_E)] - Q(s, a_E) (Hester et al. 2018, equation 2).

    ``values`` (M, K, A), ``actions`` (M, K, 1) those of the teacher and ``chosen`` (M, K) their values.
    """
    raised = values + margin * torch.ones_like(values).scatter_(2, actions, 0.0)
    return (raised.amax(dim=2) - chosen).mean()
