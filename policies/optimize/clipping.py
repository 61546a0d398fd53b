"""Bounds on what one update, one example or one output may do to a network (torch; training only)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor, nn


def clip_norm(parameters: Iterable[Tensor], limit: float) -> Tensor:
    """Shrink all gradients together so that their joint Euclidean norm is at most ``limit``; their direction stays.

    Pascanu, Mikolov and Bengio (2013), algorithm 1. Returns the norm before, a scalar; parameters without a gradient
    are left out. ``limit`` inf only measures. ValueError for a limit that isn't above 0.
    """
    return nn.utils.clip_grad_norm_(parameters, _above_zero(limit))


def clip_value(parameters: Iterable[Tensor], limit: float) -> float:
    """Clamp each component of each gradient to [-limit, limit]; their direction may turn.

    Graves et al. (2014) train the NTM so, with limit 10. Returns the largest absolute component before, 0 without any
    gradient. ValueError for a limit that isn't above 0.
    """
    _above_zero(limit)
    largest = 0.0
    for weight in parameters:
        if weight.grad is not None and weight.grad.numel():
            largest = max(largest, weight.grad.abs().max().item())
            weight.grad.clamp_(-limit, limit)
    return largest


def cap_losses(losses: Tensor, limit: float) -> Tensor:
    """Losses of examples (B,), at least 0, with those above ``limit`` scaled down to it; the same shape.

    The factor min(1, limit / loss) is a constant of the gradient: an example that is far off keeps its direction and
    weighs less. A plain minimum would learn nothing from exactly those examples. ValueError for a limit that isn't
    above 0.
    """
    _above_zero(limit)
    return losses * (limit / losses.detach().clamp(min=limit)) if math.isfinite(limit) else losses


def clip_output_gradient(output: Tensor, limit: float) -> Tensor:
    """``output`` itself, whose gradient on the way back is clamped to [-limit, limit] per component.

    Graves (2013), section 2.1: it is the derivative of the loss at the network's output that is clipped, so that the
    gradients further down stay those of one (other) loss. ValueError for a limit that isn't above 0.
    """
    _above_zero(limit)
    bounded = output.view_as(output)  # its own node of the graph: the caller's tensor gets no hook
    if bounded.requires_grad:
        bounded.register_hook(lambda gradient: gradient.clamp(-limit, limit))  # type: ignore[no-untyped-call]
    return bounded


def _above_zero(limit: float) -> float:
    if not limit > 0:
        raise ValueError(f"limit {limit}: give a number above 0 (inf to clip nothing)")
    return limit
