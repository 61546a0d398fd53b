"""What would a policy have earned? Two estimates from dialogues that another policy led, each with an interval.

They fail in different ways, so look at both. Importance sampling needs exact propensities and dialogues in which the
logging policy happened to do what the new one would: ``effective`` says how many there were. Fitted Q evaluation needs
no propensities but believes its network.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from memory.ontology import BoolArray
from memory.turn import FloatArray
from policies.episodes import Log
from policies.masked import check_finite
from policies.policy import greedy_output

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """Expected return with its 95 % bootstrap interval (over dialogues).

    ``effective`` is the number of dialogues that speak for it: (sum w)^2 / sum w^2 over importance weights w, for
    fitted Q evaluation simply all dialogues. Below some 30, don't believe importance sampling's interval.
    """

    mean: float
    low: float
    high: float
    effective: float


def greedy_probabilities(values: FloatArray, masks: BoolArray) -> FloatArray:
    """(N, A) 1 for the allowed action of highest value, else 0; ``values`` (N, A) of any policy.

    For a stochastic network use ``policies.masked.probabilities``.
    """
    return np.eye(masks.shape[1], dtype=np.float32)[greedy_output(values, masks).actions]


def importance_estimate(
    log: Log, target: FloatArray, gamma: float = 1.0, *, resamples: int = 1000, seed: int = 0
) -> OffPolicyEstimate:
    """Consistent weighted per-decision importance sampling (Precup et al. 2000; Thomas 2015, section 3.3).

    ``target`` (N, A): the policy's probabilities in the logged states. V = sum_t gamma^t (sum_i w_it r_it) /
    (sum_i w_it), where w_it is the product of pi / propensity over the first t + 1 steps of dialogue i. ValueError when
    no logged dialogue could be the target's.
    """
    weights, rewards = _padded(log, target)
    total = weights[:, -1].sum()
    if total <= 0:
        raise ValueError("the target policy never acts as logged to the end of a dialogue: nothing can be estimated")
    discount: Floats = np.power(float(gamma), np.arange(weights.shape[1]))
    rng = np.random.default_rng(seed)
    count = len(weights)
    draws = [np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(resamples)]
    means = [_weighted(weights, rewards, discount, times.astype(np.float64)) for times in draws]
    low, high = np.quantile(means, (0.025, 0.975))
    mean = _weighted(weights, rewards, discount, np.ones(count))
    return OffPolicyEstimate(mean, float(low), float(high), float(total**2 / (weights[:, -1] ** 2).sum()))


def _padded(log: Log, target: FloatArray) -> tuple[Floats, Floats]:
    """(D, T) weights so far and rewards of each dialogue; after its end the weight stays and nothing is earned."""
    steps = np.arange(len(log)) - log.starts[log.dialogue]
    shape = (len(log.starts), int(steps.max()) + 1)
    ratios: Floats = np.ones(shape)
    rewards: Floats = np.zeros(shape)
    ratios[log.dialogue, steps] = target[np.arange(len(log)), log.actions] / log.propensity
    rewards[log.dialogue, steps] = log.rewards
    weights = np.cumprod(ratios, axis=1, dtype=np.float64)
    return weights, rewards


def _weighted(weights: Floats, rewards: Floats, discount: Floats, times: Floats) -> float:
    """The estimate when dialogue i is there ``times[i]`` times."""
    mass = times @ weights
    earned = times @ (weights * rewards)
    return float((discount * np.divide(earned, mass, out=np.zeros_like(mass), where=mass > 0)).sum())


@dataclass(frozen=True, slots=True)
class FQEConfig:
    """``heads`` value functions are fitted, each to its own Poisson resample of the dialogues.

    The target network is replaced every ``refit`` updates: that is one iteration, and values reach that many steps
    back.
    """

    heads: int = 20
    updates: int = 3000
    refit: int = 100
    batch_size: int = 256
    hidden: int = 64
    learning_rate: float = 3e-3
    gamma: float = 1.0
    reward_scale: float = 0.05
    seed: int = 0
    threads: int = 1


class _Heads(nn.Module):
    """(N, n_in) -> (N, K, A): K networks of one hidden layer that share nothing."""

    def __init__(self, inputs: int, heads: int, hidden: int, actions: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, heads * hidden)
        self.second = nn.Parameter(torch.randn(heads, hidden, actions) / hidden**0.5)
        self.bias = nn.Parameter(torch.zeros(heads, actions))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(features)).view(len(features), *self.second.shape[:2])
        return torch.einsum("nkh,kha->nka", hidden, self.second) + self.bias


def fitted_q_estimate(log: Log, target: FloatArray, config: FQEConfig | None = None) -> OffPolicyEstimate:
    """Fitted Q evaluation (Le et al. 2019) with a bootstrap over dialogues (Hao et al. 2021).

    ``target`` (N, A): the policy's probabilities in the logged states. Q is fitted to r + gamma sum_a pi(a|s') Q(s', a)
    and the estimate is its mean under pi in first states. FloatingPointError when the loss is not finite.
    """
    c = config or FQEConfig()
    torch.set_num_threads(c.threads)
    rng = np.random.default_rng(c.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(c.seed)
        network = _Heads(log.features.shape[1], c.heads, c.hidden, log.masks.shape[1])
    fixed = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.Adam(network.parameters(), lr=c.learning_rate)
    times = torch.from_numpy(rng.poisson(1.0, size=(len(log.starts), c.heads)).astype(np.float32))
    x, pi, dialogue = torch.from_numpy(log.features), torch.from_numpy(target), torch.from_numpy(log.dialogue).long()
    rewards, alive = torch.from_numpy(log.rewards) * c.reward_scale, torch.from_numpy(~log.done).float() * c.gamma
    for update in range(c.updates):
        if update % c.refit == 0:
            fixed.load_state_dict(network.state_dict())
        rows = torch.from_numpy(rng.integers(len(log), size=c.batch_size))
        following = torch.clamp(rows + 1, max=len(log) - 1)
        ahead = (fixed(x[following]) * pi[following][:, None]).sum(dim=2)
        wanted = rewards[rows][:, None] + alive[rows][:, None] * ahead
        actions = torch.from_numpy(log.actions[rows.numpy()].astype(np.int64))
        chosen = network(x[rows])[torch.arange(len(rows)), :, actions]
        loss = (times[dialogue[rows]] * (chosen - wanted).square()).mean(dim=0).sum()
        check_finite(update, loss=loss)
        for group in optimizer.param_groups:
            group["lr"] = c.learning_rate * (1.0 - update / c.updates)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        first = torch.from_numpy(log.starts).long()
        worth = (network(x[first]) * pi[first][:, None]).sum(dim=2)
        means = ((worth * times).sum(dim=0) / times.sum(dim=0)).numpy() / c.reward_scale
    low, high = np.quantile(means, (0.025, 0.975))
    return OffPolicyEstimate(float(means.mean()), float(low), float(high), float(len(log.starts)))
