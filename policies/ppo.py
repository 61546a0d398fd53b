"""Proximal policy optimisation with action masks (Schulman et al. 2017), readable from top to bottom.

Advantages: generalised advantage estimation (Schulman et al. 2016). Masks: Huang & Ontañón 2022.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.masked import ActorCritic, check_finite, draw, entropy, masked_log_probs
from policies.optimize.clipping import clip_norm
from policies.selection import Selection
from policies.train import Evaluate, Progress, TrainingEnv, TrainingResult


@dataclass(frozen=True, slots=True)
class PPOConfig:
    """Everything a run depends on; two runs with equal settings give equal weights on one machine.

    ``steps`` of all parallel environments, in rollouts of ``rollout`` steps; each is learned from ``epochs`` times in
    ``minibatches`` parts. In the first ``critic_steps`` only the value function learns: a cloned policy is not thrown
    away by the advantages of an untrained critic. ``clip`` bounds how far the new policy's probability ratio counts;
    ``target_kl`` ends a rollout's epochs early. Learning rate and ``entropy`` bonus fall linearly to 0.
    ``reward_scale`` multiplies rewards inside the learner. The policy is evaluated every ``evaluate_every`` steps.
    """

    steps: int = 3200
    rollout: int = 32
    epochs: int = 4
    minibatches: int = 8
    critic_steps: int = 0
    hidden: tuple[int, ...] = (128, 96)
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    target_kl: float = 0.03
    value_weight: float = 0.5
    entropy: float = 0.02
    learning_rate: float = 1e-3
    gradient_clip: float = 0.5
    reward_scale: float = 0.05
    evaluate_every: int = 320
    seed: int = 0
    threads: int = 1


def generalised_advantages(
    rewards: FloatArray, values: FloatArray, done: BoolArray, last: FloatArray, gamma: float, lam: float
) -> FloatArray:
    """(T, B) advantages sum_k (gamma lam)^k delta_{t+k} with delta_t = r_t + gamma V(s_{t+1}) - V(s_t).

    ``rewards``, ``values`` (V(s_t)) and ``done`` (the episode ended with step t) are (T, B), ``last`` (B,) is
    V(s_T). Nothing crosses an end (Schulman et al. 2016, equation 16).
    """
    advantages = np.zeros_like(values)
    ahead, following = np.zeros_like(last), last
    for t in range(len(rewards) - 1, -1, -1):
        alive = (~done[t]).astype(np.float32)
        delta = rewards[t] + gamma * alive * following - values[t]
        ahead = delta + gamma * lam * alive * ahead
        advantages[t], following = ahead, values[t]
    return advantages


@dataclass(frozen=True, slots=True)
class Rollout:
    """What T steps of B environments brought, flattened to M = T B rows: ``log_probs`` are the acting policy's."""

    features: torch.Tensor
    masks: torch.Tensor
    actions: torch.Tensor
    log_probs: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor

    def minibatches(self, count: int, rng: np.random.Generator) -> Iterator[Rollout]:
        """``count`` random parts that together are everything."""
        for rows in np.array_split(rng.permutation(len(self.actions)), count):
            chosen = torch.from_numpy(rows)
            yield Rollout(*(getattr(self, name)[chosen] for name in Rollout.__slots__))


class PPO:
    """The learner: a network, its optimiser, acting and one update at a time."""

    def __init__(self, network: ActorCritic, config: PPOConfig) -> None:
        self.network, self.config = network, config
        self.optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, eps=1e-5)
        self.updates = 0

    @torch.no_grad()
    def act(
        self, features: FloatArray, masks: BoolArray, rng: np.random.Generator
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """(B,) drawn actions, their log-probabilities and the values of the states."""
        x = torch.from_numpy(features)
        actions, log_probs = draw(masked_log_probs(self.network(x), torch.from_numpy(masks)), rng)
        return actions, log_probs, self.network.value(x).numpy()

    def learn(self, rollout: Rollout, progress: float, rng: np.random.Generator, *, critic_only: bool) -> float:
        """All epochs on one rollout; ``progress`` (0 to 1) anneals. Returns the last estimate of KL(old || new)."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * (1.0 - progress)
        kl = 0.0
        for _ in range(self.config.epochs):
            for part in rollout.minibatches(self.config.minibatches, rng):
                loss, kl = self.loss(part, progress, critic_only=critic_only)
                check_finite(self.updates, loss=loss)
                self.optimizer.zero_grad()
                torch.autograd.backward(loss)
                norm = clip_norm(self.network.parameters(), self.config.gradient_clip)
                check_finite(self.updates, gradient=norm)
                self.optimizer.step()
                self.updates += 1
            if kl > self.config.target_kl:
                break
        return kl

    def loss(self, part: Rollout, progress: float, *, critic_only: bool = False) -> tuple[torch.Tensor, float]:
        """The clipped surrogate (equation 7) with value error and entropy bonus (equation 9), and KL(old || new)."""
        c = self.config
        error = (self.network.value(part.features) - part.returns).square().mean()
        if critic_only:
            return c.value_weight * error, 0.0
        log_probs = masked_log_probs(self.network(part.features), part.masks)
        log_ratio = log_probs.gather(1, part.actions[:, None])[:, 0] - part.log_probs
        ratio = log_ratio.exp()
        advantage = (part.advantages - part.advantages.mean()) / (part.advantages.std(correction=0) + 1e-8)
        surrogate = torch.minimum(ratio * advantage, ratio.clamp(1.0 - c.clip, 1.0 + c.clip) * advantage).mean()
        bonus = c.entropy * (1.0 - progress) * entropy(log_probs).mean()
        kl = float((ratio.detach() - 1.0 - log_ratio.detach()).mean())  # Schulman's low-variance estimate
        return c.value_weight * error - surrogate - bonus, kl


def train_ppo(
    env: TrainingEnv,
    config: PPOConfig,
    evaluate: Evaluate,
    *,
    start: ActorCritic | None = None,
    progress: Progress | None = None,
    metrics: Path | None = None,
) -> TrainingResult:
    """Train, from ``start`` (e.g. a cloned policy; it is copied) or from scratch; deterministic for a configuration.

    Truncation counts as an end, as in ``train_dqn``. Ctrl-C ends training early and returns the best network so far.
    FloatingPointError when a reward, a feature or the loss is not finite.
    """
    torch.set_num_threads(config.threads)
    rng, scale = np.random.default_rng(config.seed), np.float32(config.reward_scale)
    features, _ = env.reset(seed=config.seed)
    masks = env.action_masks()
    network = copy.deepcopy(start) if start is not None else _fresh(features.shape[1], masks.shape[1], config)
    learner = PPO(network, config)
    selection = Selection(network, evaluate, config.steps, progress, metrics)
    kl, step = 0.0, 0
    try:
        while step < config.steps:
            rows: list[tuple[NDArray[np.generic], ...]] = []
            for _ in range(config.rollout):
                actions, log_probs, values = learner.act(features, masks, rng)
                following, reward, terminated, truncated, _ = env.step(actions)
                check_finite(learner.updates, reward=reward, features=following)
                rows.append(
                    (features.copy(), masks, actions, log_probs, values, scale * reward, terminated | truncated)
                )
                features, masks = following, env.action_masks()
            rollout = _rollout(rows, learner.act(features, masks, rng)[2], config)
            kl = learner.learn(rollout, step / config.steps, rng, critic_only=step < config.critic_steps)
            before, step = step, step + config.rollout
            if step // config.evaluate_every > before // config.evaluate_every or step >= config.steps:
                selection.take(step, {"kl": kl})
    except KeyboardInterrupt:
        selection.result.interrupted = True
    if not selection.result.history:
        selection.take(step, {"kl": kl})
    return selection.result


def _fresh(inputs: int, actions: int, config: PPOConfig) -> ActorCritic:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return ActorCritic(inputs, actions, config.hidden)


def _rollout(rows: list[tuple[NDArray[np.generic], ...]], last: FloatArray, config: PPOConfig) -> Rollout:
    """Advantages and returns of T steps, flattened."""
    features, masks, actions, log_probs, values, rewards, done = (np.stack(c) for c in zip(*rows, strict=True))
    advantages = generalised_advantages(rewards, values, done, last, config.gamma, config.gae_lambda)
    arrays = (features, masks, actions.astype(np.int64), log_probs, advantages, advantages + values)
    return Rollout(*(torch.from_numpy(array.reshape(-1, *array.shape[2:])) for array in arrays))
