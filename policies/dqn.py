"""Deep Q-learning with action masks, and the extensions of it that are worth having; all of them combine.

Mnih et al. 2015; double: van Hasselt et al. 2016; dueling: Wang et al. 2016; n-step: Sutton 1988 as in Hessel et al.
2018; prioritised replay: Schaul et al. 2016; noisy layers: Fortunato et al. 2018; bootstrapped heads: Osband et al.
2016; quantiles: Dabney et al. 2018. The replay begins with a rule policy's dialogues ("spiking", Lipton et al. 2018).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from memory.belief import BeliefState
from memory.ontology import BoolArray
from memory.turn import FloatArray
from policies.dqn_config import DQNConfig
from policies.featurizer import Featurizer
from policies.losses import huber, large_margin, quantile_huber
from policies.masked import check_finite
from policies.networks import DuelingNetwork, HeadedNetwork
from policies.noisy import resample
from policies.optimize.clipping import clip_norm
from policies.policy import PolicyOutput, greedy_output
from policies.replay import Batch
from policies.resume import State, pack_rng, part, prefixed, restore_rng

__all__ = ["DQN", "DQNConfig", "NetworkPolicy", "default_network", "load_weights", "network_values"]


def default_network(inputs: int, actions: int, config: DQNConfig) -> HeadedNetwork:
    """A dueling network on the whole feature vector."""
    noise = config.noisy_sigma if config.noisy else None
    return DuelingNetwork(
        inputs, actions, config.hidden, config.dueling, heads=config.heads, quantiles=config.quantiles, noisy=noise
    )


class DQN:
    """The learner: online and target network, optimiser, one update at a time.

    ``figures`` are those of the latest update: ``loss``, ``gradient_norm`` before clipping, ``value`` the mean worth
    of the batch's actions and ``td_error`` its mean absolute temporal-difference error, both in scaled reward.
    """

    def __init__(
        self, inputs: int, actions: int, config: DQNConfig, make_network: Callable[[], HeadedNetwork] | None = None
    ) -> None:
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = (make_network or (lambda: default_network(inputs, actions, config)))()
        self.device = torch.device(config.device)
        self.network = network.to(self.device)
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate, fused=True)
        self.noise = np.random.default_rng([config.seed, 1])
        self.updates = 0
        self.figures: dict[str, float] = {}
        self.errors: FloatArray = np.zeros(0, dtype=np.float32)

    @torch.no_grad()
    def values(self, features: FloatArray) -> FloatArray:
        """(B, K, A) what each head thinks of each action, in scaled reward, under fresh noise if layers are noisy."""
        resample(self.network, self.noise)
        values: FloatArray = self.network.heads(self._put(features)).mean(dim=3).cpu().numpy()
        return values

    def update(self, batch: Batch, progress: float = 0.0, margin: float = 0.0) -> float:
        """One gradient step; returns the loss and leaves the batch's errors (M,) in ``errors``.

        Huber or quantile Huber loss to the targets, per head where a head learns from the transition, weighted by the
        batch's importance weights; with a ``margin`` also the large-margin loss, which puts the batch's actions (then
        the teacher's) that far above all others. FloatingPointError when loss or gradients are not finite; the
        weights are then still those of before.
        """
        c = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = c.learning_rate + progress * (c.learning_rate_end - c.learning_rate)
        targets = self.targets(batch)
        resample(self.network, self.noise)
        values = self.network.heads(self._put(batch.features))
        actions = self._put(batch.actions.astype(np.int64))[:, None, None].expand(-1, c.heads, 1)
        chosen = values.gather(2, actions[..., None].expand(-1, -1, 1, c.quantiles))[:, :, 0]
        losses = (huber if c.quantiles == 1 else quantile_huber)(chosen, targets)
        if batch.heads is not None:
            losses = losses * self._put(batch.heads)
        losses = losses.mean(dim=1) if c.heads > 1 else losses[:, 0]
        loss = (losses if batch.weights is None else losses * self._put(batch.weights)).mean()
        if margin:
            loss = loss + large_margin(values.mean(dim=3), chosen.mean(dim=2), actions, margin)
        self._descend(loss)
        self._measure(loss, chosen.detach(), targets)
        return self.figures["loss"]

    @torch.no_grad()
    def targets(self, batch: Batch) -> torch.Tensor:
        """(M, K, N) n-step targets R + gamma^k Z_target(s', argmax_a Q(s', a)), the argmax over allowed actions only.

        Each head has targets of its own, made of the N quantiles of the target network's same head.
        """
        following = self._put(batch.next_features)
        allowed = self._put(batch.next_masks)[:, None]
        resample(self.target, self.noise)
        worth = self.target.heads(following)
        chooser = worth
        if self.config.double:
            resample(self.network, self.noise)
            chooser = self.network.heads(following)
        best = chooser.mean(dim=3).masked_fill(~allowed, -torch.inf).argmax(dim=2)
        target = worth.gather(2, best[..., None, None].expand(-1, -1, 1, worth.shape[3]))[:, :, 0]
        targets: torch.Tensor = self._column(batch.returns) + self._column(batch.discounts) * target
        return targets

    def state(self) -> State:
        """Both networks, the optimiser's moments, the noise generator and the number of updates."""
        moments = {
            f"{index}/{name}": tensor.cpu().numpy().copy()
            for index, slots in self.optimizer.state_dict()["state"].items()
            for name, tensor in slots.items()
        }
        return {
            **prefixed("network", _tensors(self.network)),
            **prefixed("target", _tensors(self.target)),
            **prefixed("optimizer", moments),
            "noise": pack_rng(self.noise),
            "updates": np.array(self.updates),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Resumable``."""
        load_weights(self.network, part("network", state))
        load_weights(self.target, part("target", state))
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, array in part("optimizer", state).items():
            index, name = key.split("/")
            moments.setdefault(int(index), {})[name] = torch.from_numpy(array.copy())
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        restore_rng(self.noise, state["noise"])
        self.updates = int(state["updates"])

    def _descend(self, loss: torch.Tensor) -> None:
        check_finite(self.updates, loss=loss.detach())
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        norm = clip_norm(self.network.parameters(), self.config.gradient_clip)
        check_finite(self.updates, gradients=norm)
        self.figures = {"loss": float(loss.item()), "gradient_norm": float(norm.item())}
        self.optimizer.step()
        self._follow()
        self.updates += 1

    def _measure(self, loss: torch.Tensor, chosen: torch.Tensor, targets: torch.Tensor) -> None:
        means = chosen.mean(dim=2)
        self.errors = (targets.mean(dim=2) - means).abs().mean(dim=1).cpu().numpy()
        self.figures |= {"value": float(means.mean()), "td_error": float(self.errors.mean())}

    @torch.no_grad()
    def _follow(self) -> None:
        torch._foreach_lerp_(list(self.target.parameters()), list(self.network.parameters()), self.config.tau)

    def _put(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def _column(self, array: FloatArray) -> torch.Tensor:
        return self._put(array)[:, None, None]


def _tensors(network: nn.Module) -> State:
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def load_weights(network: nn.Module, state: Mapping[str, NDArray[Any]]) -> None:
    """Put the arrays of ``state`` (by parameter name) into ``network``."""
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})


@torch.no_grad()
def network_values(network: nn.Module, features: FloatArray) -> FloatArray:
    """(B, A) values of a network as a numpy array."""
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    values: FloatArray = network(torch.from_numpy(features).to(device)).cpu().numpy()
    return values


class NetworkPolicy:
    """The greedy policy of a torch network, for evaluation during training."""

    version = "training"

    def __init__(self, network: nn.Module, featurizer: Featurizer, name: str = "dqn") -> None:
        self.name = name
        self._network, self._featurizer = network, featurizer

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        """See ``Policy.act``; propensity 1."""
        return greedy_output(network_values(self._network, self._featurizer(belief)), masks)
