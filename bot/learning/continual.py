"""A trained network goes on learning, from simulated dialogues and real ones together (torch; training only).

Double Q-learning with n-step targets as in ``policies.dqn``, on batches of which a share is real. Real dialogues show
only what was done in them; the conservative term of CQL (Kumar et al. 2020, equation 4), on the real rows alone, keeps
other actions from being overrated there:  T log sum_a exp(Q(s, a) / T) - Q(s, a_logged),  over allowed actions, with
the temperature T of one unit of reward. What real users do and simulated ones don't is thus learned; what the real
dialogues do not show stays as practised.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bot.learning.experience import Transitions
from policies.checkpoint import CheckpointError, load_checkpoint
from policies.dqn import DQNConfig, default_network, network_values
from policies.policy import greedy_output, random_actions
from policies.replay import Batch, NStepReplay
from simulator.vector_env import DialogueVectorEnv


@dataclass(frozen=True, slots=True)
class ContinualConfig:
    """``updates`` gradient steps on ``batch_size`` transitions, ``real_share`` of them real, two for each simulated
    step after ``warm_up`` of them; simulated users are answered with ``epsilon`` random actions. The learning rate is
    the one at which training ends: larger ones undo in a few steps what it has settled.
    """  # fmt: skip

    updates: int = 600
    batch_size: int = 256
    real_share: float = 0.25
    conservatism: float = 0.2
    learning_rate: float = 2e-5
    tau: float = 0.01
    epsilon: float = 0.05
    warm_up: int = 60
    seed: int = 0


def load_network(directory: Path, inputs: int, actions: int) -> tuple[nn.Module, DQNConfig]:
    """The network of a policy folder and the settings it was trained with; CheckpointError when it can't go on."""
    path = directory / "checkpoint.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))["details"]["config"]
        known = {f.name: raw[f.name] for f in fields(DQNConfig) if f.name in raw}
        config = DQNConfig(**{**known, "hidden": tuple(raw["hidden"])})
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file: train the policy first") from None
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path}: not a policy's checkpoint ({error}): train the policy again") from None
    network = default_network(inputs, actions, config)
    load_checkpoint(directory, network)
    return network, config


def continue_training(
    network: nn.Module,
    trained: DQNConfig,
    env: DialogueVectorEnv,
    real: Transitions | None,
    config: ContinualConfig,
    progress: Callable[[float], None] = lambda share: None,
) -> nn.Module:
    """A copy of ``network`` that learned on; deterministic for equal arguments.

    FloatingPointError when the loss is not finite (a reward in the log or the configuration is out of all measure).
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(config.seed)
    learner = _Learner(network, trained, config)
    features, _ = env.reset(seed=config.seed)
    masks = env.action_masks()
    capacity = (config.warm_up + config.updates) * env.num_envs
    replay = NStepReplay(capacity, env.num_envs, features.shape[1], masks.shape[1], trained.n_step, trained.gamma)
    real_rows = round(config.real_share * config.batch_size) if real is not None else 0
    done = 0
    for step in range(config.warm_up + -(-config.updates // 2)):
        greedy = greedy_output(network_values(learner.network, features), masks).actions
        roll = rng.random(env.num_envs) < config.epsilon
        actions = np.where(roll, random_actions(masks, rng), greedy).astype(np.int32)
        following, reward, terminated, truncated, _ = env.step(actions)
        replay.add(features, masks, actions, np.float32(trained.reward_scale) * reward, terminated | truncated)
        features, masks = following, env.action_masks()
        if step < config.warm_up:
            continue
        for _ in range(min(2, config.updates - done)):
            rows = rng.integers(len(real), size=real_rows) if real is not None else None
            learner.update(replay.sample(config.batch_size - real_rows, rng), real, rows)
            done += 1
        progress(done / config.updates)
    return learner.network


class _Learner:
    """Online and target network, both starting as the served one, and one update at a time."""

    def __init__(self, network: nn.Module, trained: DQNConfig, config: ContinualConfig) -> None:
        self._trained, self._config = trained, config
        self.network = copy.deepcopy(network).eval()  # noisy layers by their means, dropout off: as it is served
        self._target = copy.deepcopy(network).requires_grad_(False)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)

    def update(self, simulated: Batch, real: Transitions | None, rows: NDArray[np.int64] | None) -> None:
        """One gradient step on the simulated batch and the ``rows`` of the real transitions."""
        loss = self._error(simulated, self.network(torch.from_numpy(simulated.features)))
        if real is not None and rows is not None and len(rows):
            batch = Batch(
                features=real.features[rows],
                actions=real.actions[rows].astype(np.int32),
                returns=real.returns[rows],
                discounts=real.discounts[rows],
                next_features=real.next_features[rows],
                next_masks=real.next_masks[rows],
            )
            values = self.network(torch.from_numpy(batch.features))
            loss = torch.cat([loss, self._error(batch, values)])
            penalty = self._conservative(values, torch.from_numpy(real.masks[rows]), batch)
            total = loss.mean() + self._config.conservatism * penalty * len(rows) / len(loss)
        else:
            total = loss.mean()
        if not torch.isfinite(total):
            raise FloatingPointError(f"the loss is {total.item()}: a reward is out of all measure")
        self._optimizer.zero_grad()
        torch.autograd.backward(total)
        nn.utils.clip_grad_norm_(self.network.parameters(), self._trained.gradient_clip)
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(self._target.parameters()), list(self.network.parameters()), self._config.tau)

    def _error(self, batch: Batch, values: torch.Tensor) -> torch.Tensor:
        """(M,) Huber loss to R + gamma^k Q_target(s', argmax_a Q(s', a))."""
        chosen = values.gather(1, torch.from_numpy(batch.actions.astype(np.int64))[:, None])[:, 0]
        with torch.no_grad():
            following, allowed = torch.from_numpy(batch.next_features), torch.from_numpy(batch.next_masks)
            best = self.network(following).masked_fill(~allowed, -torch.inf).argmax(dim=1, keepdim=True)
            worth = self._target(following).gather(1, best)[:, 0]
            target = torch.from_numpy(batch.returns) + torch.from_numpy(batch.discounts) * worth
        return nn.functional.smooth_l1_loss(chosen, target, reduction="none")

    def _conservative(self, values: torch.Tensor, masks: torch.Tensor, batch: Batch) -> torch.Tensor:
        """CQL's term, see the module."""
        temperature = self._trained.reward_scale
        chosen = values.gather(1, torch.from_numpy(batch.actions.astype(np.int64))[:, None])[:, 0]
        soft = temperature * torch.logsumexp(values.masked_fill(~masks, -torch.inf) / temperature, dim=1)
        return (soft - chosen).mean()
