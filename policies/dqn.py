"""Deep Q-learning with double targets, a dueling network, n-step returns and action masks.

Mnih et al. 2015; double: van Hasselt et al. 2016; dueling: Wang et al. 2016; n-step: Sutton 1988 as in Hessel et al.
2018; the replay begins with a rule policy's dialogues ("spiking", Lipton et al. 2018).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from memory.belief import BeliefState
from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.featurizer import Featurizer
from policies.networks import DuelingNetwork
from policies.policy import PolicyOutput, greedy_output, random_actions
from policies.replay import Batch


@dataclass(frozen=True, slots=True)
class DQNConfig:
    """Everything a run depends on; two runs with equal settings give equal weights on one machine.

    ``steps`` of ``num_envs`` parallel environments, the first ``spike_steps`` of them acted by the teacher, then
    ``pretrain_updates`` gradient steps that imitate it with ``margin`` (0: only learn from it), from then on
    ``updates_per_step`` each step. ``reward_scale`` multiplies rewards inside the learner. ``epsilon`` falls linearly
    from ``epsilon_start`` to ``epsilon_end`` over the first ``epsilon_fraction`` of the steps after spiking, the
    learning rate linearly to ``learning_rate_end``. ``tau`` moves the target network at each update. The greedy
    policy is evaluated every ``evaluate_every`` steps. ``threads``: torch's; more than 1 does not pay at this size.
    """

    steps: int = 3600
    num_envs: int = 128
    spike_steps: int = 250
    pretrain_updates: int = 1000
    margin: float = 0.05
    updates_per_step: int = 3
    batch_size: int = 256
    capacity: int = 150_000
    hidden: tuple[int, ...] = (192, 96)
    dueling: bool = True
    double: bool = True
    n_step: int = 2
    gamma: float = 0.99
    reward_scale: float = 0.05
    learning_rate: float = 5e-4
    learning_rate_end: float = 2e-5
    tau: float = 0.01
    gradient_clip: float = 10.0
    epsilon_start: float = 0.05
    epsilon_end: float = 0.01
    epsilon_fraction: float = 0.6
    evaluate_every: int = 250
    seed: int = 0
    threads: int = 1

    def progress(self, step: int) -> float:
        """0 at the end of spiking, 1 at the end of training."""
        return min(max((step - self.spike_steps) / max(self.steps - self.spike_steps, 1), 0.0), 1.0)

    def epsilon(self, step: int) -> float:
        """Probability of a random allowed action at ``step``."""
        done = min(self.progress(step) / self.epsilon_fraction, 1.0)
        return self.epsilon_start + done * (self.epsilon_end - self.epsilon_start)


class DQN:
    """The learner: online and target network, optimiser, one update at a time."""

    def __init__(self, inputs: int, actions: int, config: DQNConfig) -> None:
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.network = DuelingNetwork(inputs, actions, config.hidden, config.dueling)
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate, fused=True)
        self.updates = 0

    def values(self, features: FloatArray) -> FloatArray:
        """(B, A) action values, in scaled reward."""
        return network_values(self.network, features)

    def explore(self, features: FloatArray, masks: BoolArray, epsilon: float, rng: np.random.Generator) -> IntArray:
        """(B,) the best allowed action, or with probability ``epsilon`` any allowed one."""
        greedy = greedy_output(self.values(features), masks).actions
        roll = rng.random(len(masks)) < epsilon
        return np.where(roll, random_actions(masks, rng), greedy).astype(np.int32)

    def update(self, batch: Batch, progress: float = 0.0, margin: float = 0.0) -> float:
        """One gradient step; returns the loss. FloatingPointError when it is not finite.

        Huber loss to the targets; with a ``margin`` also the large-margin loss of Hester et al. 2018, which puts the
        batch's actions (then the teacher's) that far above all others.
        """
        c = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = c.learning_rate + progress * (c.learning_rate_end - c.learning_rate)
        values = self.network(torch.from_numpy(batch.features))
        actions = torch.from_numpy(batch.actions.astype(np.int64))[:, None]
        chosen = values.gather(1, actions)
        loss = nn.functional.smooth_l1_loss(chosen[:, 0], self.targets(batch))
        if margin:
            raised = values + margin * torch.ones_like(values).scatter_(1, actions, 0.0)
            loss = loss + (raised.amax(dim=1) - chosen[:, 0]).mean()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at update {self.updates}: a reward or feature is bad")
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), c.gradient_clip)
        self.optimizer.step()
        self._follow()
        self.updates += 1
        return float(loss.item())

    @torch.no_grad()
    def targets(self, batch: Batch) -> torch.Tensor:
        """(M,) n-step targets R + gamma^k Q_target(s', argmax_a Q(s', a)), the argmax over allowed actions only."""
        following = torch.from_numpy(batch.next_features)
        allowed = torch.from_numpy(batch.next_masks)
        worth = self.target(following)
        chooser = self.network(following) if self.config.double else worth
        best = chooser.masked_fill(~allowed, -torch.inf).argmax(dim=1, keepdim=True)
        target = worth.gather(1, best)[:, 0]
        targets: torch.Tensor = torch.from_numpy(batch.returns) + torch.from_numpy(batch.discounts) * target
        return targets

    @torch.no_grad()
    def _follow(self) -> None:
        torch._foreach_lerp_(list(self.target.parameters()), list(self.network.parameters()), self.config.tau)


@torch.no_grad()
def network_values(network: nn.Module, features: FloatArray) -> FloatArray:
    """(B, A) values of a network as a numpy array."""
    values: FloatArray = network(torch.from_numpy(features)).numpy()
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
