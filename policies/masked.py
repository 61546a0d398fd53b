"""Categorical policies under action masks, and the network that learners of policies share (torch; training only)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from memory.belief import BeliefState
from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.featurizer import Featurizer
from policies.policy import PolicyOutput

MASKED = -1e9
"""The logit of a masked action: its probability is exactly 0 in float32, yet p log p and all gradients stay finite."""


def masked_log_probs(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """(..., A) log-probabilities of the categorical distribution over the allowed actions (Huang & Ontañón 2022).

    ValueError when a row allows no action.
    """
    if not bool(masks.any(dim=-1).all()):
        row = int((~masks.any(dim=-1)).flatten().to(torch.int8).argmax())
        raise ValueError(f"row {row} of the action masks allows no action")
    return torch.log_softmax(logits.masked_fill(~masks, MASKED), dim=-1)


def entropy(log_probs: torch.Tensor) -> torch.Tensor:
    """(...,) entropy in nats of (..., A) masked log-probabilities."""
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def draw(log_probs: torch.Tensor, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """(B,) one action per row of (B, A) log-probabilities, and its log-probability (Gumbel-max)."""
    table: FloatArray = log_probs.detach().numpy()
    actions: IntArray = np.argmax(table + rng.gumbel(size=table.shape), axis=1).astype(np.int32)
    return actions, table[np.arange(len(table)), actions]


def perceptron(sizes: Sequence[int], gain: float = 1.0) -> nn.Sequential:
    """Linear layers of ``sizes`` with tanh between them; orthogonal weights, the last layer's scaled by ``gain``."""
    layers: list[nn.Module] = []
    for width, following in itertools.pairwise(sizes):
        linear = nn.Linear(width, following)
        nn.init.orthogonal_(linear.weight, 2**0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    with torch.no_grad():
        linear.weight.mul_(gain / 2**0.5)
    return nn.Sequential(*layers[:-1])


class ActorCritic(nn.Module):
    """A policy and a state value, each a network of its own so that neither disturbs the other.

    ``forward`` gives logits (B, actions), so that whatever plays or exports a network of action values takes this one
    as well: the greedy action is the most probable one.
    """

    def __init__(self, inputs: int, actions: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.actor = perceptron((inputs, *hidden, actions), gain=0.01)
        self.critic = perceptron((inputs, *hidden, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, inputs) -> logits (B, actions)."""
        logits: torch.Tensor = self.actor(features)
        return logits

    def value(self, features: torch.Tensor) -> torch.Tensor:
        """(B, inputs) -> (B,) state values."""
        values: torch.Tensor = self.critic(features)
        return values[..., 0]


@torch.no_grad()
def probabilities(network: nn.Module, features: FloatArray, masks: BoolArray) -> FloatArray:
    """(B, A) probabilities of the masked categorical policy whose logits ``network`` gives."""
    logits = network(torch.from_numpy(features))
    table: FloatArray = masked_log_probs(logits, torch.from_numpy(masks)).exp().numpy()
    return table


class CategoricalPolicy:
    """The stochastic policy of a network of logits: draws actions and says how probable each was.

    Logs of it have exact propensities, which is what off-policy estimates need; for the greedy policy of the same
    network use ``policies.dqn.NetworkPolicy``.
    """

    version = "training"

    def __init__(self, network: nn.Module, featurizer: Featurizer, name: str = "ppo") -> None:
        self.name = name
        self._network, self._featurizer = network, featurizer

    @torch.no_grad()
    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        """See ``Policy.act``; ``propensity`` is pi(a|s), ``values`` are log-probabilities."""
        logits = self._network(torch.from_numpy(self._featurizer(belief)))
        log_probs = masked_log_probs(logits, torch.from_numpy(masks))
        actions, chosen = draw(log_probs, rng)
        values = np.where(masks, log_probs.numpy(), np.nan).astype(np.float32)
        return PolicyOutput(actions, values, np.exp(chosen))


def check_finite(update: int, **quantities: torch.Tensor | FloatArray) -> None:
    """FloatingPointError that names the first quantity with a NaN or infinity in it, and at which update."""
    for name, quantity in quantities.items():
        finite = torch.isfinite(torch.as_tensor(quantity))
        if not bool(finite.all()):
            raise FloatingPointError(f"{name} is not finite at update {update}: a reward, feature or step size is bad")
