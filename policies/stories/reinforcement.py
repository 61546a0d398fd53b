"""From imitation to a policy for paths that nobody wrote: PPO with users fitted on the stories (torch).

The clipped surrogate of Schulman et al. 2017 with generalised advantages, and two anchors: KL(imitation || policy) in
the states met, so that it does not unlearn, and the imitation's own loss on the stories with its outliers, so that
it stays sure where stories speak and unsure where nobody ever was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from memory.ontology import BoolArray
from policies.masked import check_finite, draw, masked_log_probs
from policies.optimize.clipping import clip_norm
from policies.ppo import generalised_advantages
from policies.stories.network import StoryNetwork
from policies.stories.training import Progress, StoryBatches, StoryLearner, imitation_loss
from policies.train import TrainingEnv


@dataclass(frozen=True, slots=True)
class StoryPPO:
    """Everything a run depends on.

    ``updates`` rollouts of ``rollout`` steps in every environment, each learned from ``epochs`` times in
    ``minibatches`` parts; in the first ``critic_updates`` only the critic learns. ``anchor`` weighs the KL,
    ``imitation`` the stories' own loss. ``reward_scale`` multiplies rewards inside the learner.
    """

    updates: int = 40
    rollout: int = 32
    epochs: int = 3
    minibatches: int = 4
    critic_updates: int = 4
    gamma: float = 0.95
    gae_lambda: float = 0.9
    clip: float = 0.2
    anchor: float = 0.02
    imitation: float = 0.5
    learning_rate: float = 1e-3
    gradient_clip: float = 0.5
    reward_scale: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Rollout:
    """T steps of B environments as M = T B rows."""

    features: torch.Tensor
    masks: torch.Tensor
    actions: torch.Tensor
    log_probs: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor

    def part(self, rows: NDArray[np.intp]) -> _Rollout:
        chosen = torch.from_numpy(rows)
        return _Rollout(*(getattr(self, name)[chosen] for name in _Rollout.__slots__))


def improve(
    learner: StoryLearner, batches: StoryBatches, env: TrainingEnv, settings: StoryPPO, progress: Progress | None = None
) -> StoryLearner:
    """A learner that went on from ``learner`` in ``env``; the given one stays. Ctrl-C ends early.

    ``env`` must have the learner's features and actions. FloatingPointError when a number is not finite.
    """
    better = copy.deepcopy(learner)
    network, rng = better.network, np.random.default_rng([settings.seed, 1])
    before = learner.network.eval()
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, eps=1e-5)
    network.eval()  # without dropout: the ratio compares equal policies
    features, _ = env.reset(seed=settings.seed)
    try:
        for update in range(settings.updates):
            rollout, features = _act(network, env, features, settings, rng)
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * (1.0 - update / settings.updates)
            for _ in range(settings.epochs):
                for rows in np.array_split(rng.permutation(len(rollout.actions)), settings.minibatches):
                    critic_only = update < settings.critic_updates
                    loss = _loss(network, before, rollout.part(rows), settings, critic_only=critic_only)
                    loss = loss + settings.imitation * imitation_loss(network, batches.draw())
                    check_finite(update, loss=loss)
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                    clip_norm(network.parameters(), settings.gradient_clip)
                    optimizer.step()
            if progress is not None:
                progress((update + 1) / settings.updates)
    except KeyboardInterrupt:
        better.interrupted = True
    return better


@torch.no_grad()
def _act(
    network: StoryNetwork, env: TrainingEnv, features: NDArray[np.float32], settings: StoryPPO, rng: np.random.Generator
) -> tuple[_Rollout, NDArray[np.float32]]:
    """A rollout by the present policy, and the features that it ended with."""
    rows = []
    for _ in range(settings.rollout):
        masks, x = env.action_masks(), torch.from_numpy(features)
        actions, log_probs = draw(masked_log_probs(network(x), torch.from_numpy(masks)), rng)
        values = network.value(x).numpy()
        following, reward, terminated, truncated, _ = env.step(actions)
        done: BoolArray = terminated | truncated
        rows.append((features, masks, actions, log_probs, values, settings.reward_scale * reward, done))
        features = following
    last = network.value(torch.from_numpy(features)).numpy()
    columns = [np.stack(column) for column in zip(*rows, strict=True)]
    before, masks_, actions_, log_probs_, values_, rewards, ended = columns
    advantages = generalised_advantages(rewards, values_, ended, last, settings.gamma, settings.gae_lambda)
    arrays = (before, masks_, actions_.astype(np.int64), log_probs_, advantages, advantages + values_)
    flat = (torch.from_numpy(np.ascontiguousarray(a.reshape(-1, *a.shape[2:]))) for a in arrays)
    return _Rollout(*flat), features


def _loss(
    network: StoryNetwork, before: StoryNetwork, part: _Rollout, settings: StoryPPO, *, critic_only: bool
) -> torch.Tensor:
    """Clipped surrogate (equation 7), value error and KL to the imitation."""
    error = 0.5 * (network.value(part.features) - part.returns).square().mean()
    if critic_only:
        return error
    log_probs = masked_log_probs(network(part.features), part.masks)
    with torch.no_grad():
        imitated = masked_log_probs(before(part.features), part.masks)
    kl = (imitated.exp() * (imitated - log_probs)).sum(dim=-1).mean()
    ratio = (log_probs.gather(1, part.actions[:, None])[:, 0] - part.log_probs).exp()
    advantage = (part.advantages - part.advantages.mean()) / (part.advantages.std(correction=0) + 1e-8)
    clipped = ratio.clamp(1.0 - settings.clip, 1.0 + settings.clip)
    surrogate = torch.minimum(ratio * advantage, clipped * advantage).mean()
    return error - surrogate + settings.anchor * kl


@torch.no_grad()
def calibrate(
    learner: StoryLearner,
    batches: StoryBatches,
    env: TrainingEnv,
    expected: Callable[[], list[str]],
    seed: int,
    *,
    steps: int = 60,
) -> float:
    """Fit the temperature on dialogues of new users and on the stories with their outliers; it is set and returned.

    ``expected`` tells the right action in every environment. The temperature minimises the cross-entropy (Guo et al.
    2017) over a grid from 0.5 to 4.
    """
    network, places = learner.network, {action: n for n, action in enumerate(learner.actions)}
    logits, targets = [], []
    rng = np.random.default_rng([seed, 2])
    features, _ = env.reset(seed=seed + 1)
    uniform = torch.full((len(learner.actions),), 1.0 / len(learner.actions))
    for _ in range(steps):
        x = torch.from_numpy(features)
        right = torch.tensor([places.get(name, -1) for name in expected()])
        known = right >= 0
        logits.append(network(x)[known])
        targets.append(torch.nn.functional.one_hot(right[known], len(places)).float())
        actions, _ = draw(masked_log_probs(network(x), torch.from_numpy(env.action_masks())), rng)
        features = env.step(actions)[0]
    for _ in range(10):
        x, chosen, spread = batches.draw()
        logits.append(network(x))
        one_hot = torch.nn.functional.one_hot(chosen, len(places)).float()
        targets.append((1.0 - spread)[:, None] * one_hot + spread[:, None] * uniform)
    scores, goal = torch.cat(logits), torch.cat(targets)
    grid = np.geomspace(0.5, 4.0, 40)
    losses = [float(-(goal * torch.log_softmax(scores / float(t), dim=-1)).sum(dim=-1).mean()) for t in grid]
    temperature = float(grid[int(np.argmin(losses))])
    network.temperature.mul_(temperature)
    return temperature
