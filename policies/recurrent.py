"""A policy with memory for observations that are no state: recurrent PPO on whole sequences.

For raw n-best input without a belief tracker the policy itself must remember what was said (Hausknecht & Stone 2015
for the recurrent Q-network; here an actor-critic, as Ni et al. 2022 find it the stronger baseline). The memory is a
``RecurrentCore``; an LSTM is given, a DNC or any other fits through the same two methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.masked import check_finite, draw, entropy, masked_log_probs, perceptron
from policies.ppo import generalised_advantages
from policies.selection import Selection
from policies.train import Evaluate, Progress, TrainingEnv, TrainingResult

State = tuple[torch.Tensor, ...]
"""What a core remembers: tensors with a leading batch axis."""


class RecurrentCore(Protocol):
    """A memory: an ``nn.Module`` that reads (B, inputs) a step at a time and gives (B, ``outputs``)."""

    outputs: int

    def initial(self, batch: int) -> State:
        """The state before the first step of an episode."""
        ...

    def __call__(self, inputs: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """One step: (B, inputs) and the state before it to (B, outputs) and the state after it."""
        ...


MakeCore = Callable[[int], RecurrentCore]
"""Builds a core for that many inputs."""


class LSTMCore(nn.Module):
    """One LSTM layer (Hochreiter & Schmidhuber 1997) that begins by remembering: forget bias 1 (Gers et al. 2000)."""

    def __init__(self, inputs: int, outputs: int = 64) -> None:
        super().__init__()
        self.outputs = outputs
        self.cell = nn.LSTMCell(inputs, outputs)
        nn.init.orthogonal_(self.cell.weight_ih)
        nn.init.orthogonal_(self.cell.weight_hh)
        nn.init.zeros_(self.cell.bias_ih)
        nn.init.zeros_(self.cell.bias_hh)
        with torch.no_grad():
            self.cell.bias_ih[outputs : 2 * outputs] = 1.0

    def initial(self, batch: int) -> State:
        """Hidden and cell state, zero."""
        return torch.zeros(batch, self.outputs), torch.zeros(batch, self.outputs)

    def forward(self, inputs: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """See ``RecurrentCore``."""
        hidden, cell = self.cell(inputs, (state[0], state[1]))
        return hidden, (hidden, cell)


class RecurrentActorCritic(nn.Module):
    """Encoder, memory core, and on what both give a policy and a value."""

    def __init__(self, inputs: int, actions: int, encoded: int, make_core: MakeCore) -> None:
        super().__init__()
        self.encoder = nn.Sequential(perceptron((inputs, encoded), gain=2**0.5), nn.Tanh())
        self.core: RecurrentCore = make_core(encoded)
        self.actor = perceptron((encoded + self.core.outputs, actions), gain=0.01)
        self.critic = perceptron((encoded + self.core.outputs, 1))

    def forward(
        self, features: torch.Tensor, state: State, began: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, State]:
        """One step: (B, inputs) -> logits (B, A), values (B,), state. Where ``began`` (B,) the past is forgotten."""
        fresh = self.core.initial(len(features))
        state = tuple(
            torch.where(began.view(-1, *(1,) * (old.ndim - 1)), new, old) for new, old in zip(fresh, state, strict=True)
        )
        encoded = self.encoder(features)
        remembered, state = self.core(encoded, state)
        joint = torch.cat([encoded, remembered], dim=-1)
        return self.actor(joint), self.critic(joint)[:, 0], state

    def unroll(self, features: torch.Tensor, state: State, began: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """T steps: (T, B, inputs) and ``began`` (T, B) -> logits (T, B, A), values (T, B)."""
        logits, values = [], []
        for x, new in zip(features, began, strict=True):
            at_step, value, state = self(x, state, new)
            logits.append(at_step)
            values.append(value)
        return torch.stack(logits), torch.stack(values)


class RecurrentPlayer:
    """Plays a network in B environments, remembering between calls; greedy, or drawing with ``rng``."""

    def __init__(self, network: nn.Module, batch: int, rng: np.random.Generator | None = None) -> None:
        self.network = cast(RecurrentActorCritic, network)
        self.state = self.network.core.initial(batch)
        self._rng = rng

    @torch.no_grad()
    def __call__(self, features: FloatArray, masks: BoolArray, began: BoolArray) -> IntArray:
        """(B,) actions; a ``policies.episodes.SequentialAct``."""
        logits, _, self.state = self.network(torch.from_numpy(features), self.state, torch.from_numpy(began))
        log_probs = masked_log_probs(logits, torch.from_numpy(masks))
        if self._rng is not None:
            return draw(log_probs, self._rng)[0]
        return log_probs.argmax(dim=1).numpy().astype(np.int32)


@dataclass(frozen=True, slots=True)
class RecurrentConfig:
    """Everything a run depends on; the fields are those of ``PPOConfig``, except:

    A rollout is one sequence of ``rollout`` steps per environment; gradients flow through all of it and stop at its
    begin, where the stored state is taken over. A minibatch is the sequences of some environments. ``encoded`` is the
    width of the observation's encoding, ``core`` the memory (default: an LSTM of 64).
    """

    steps: int = 3200
    rollout: int = 32
    epochs: int = 4
    minibatches: int = 4
    encoded: int = 64
    core: MakeCore = LSTMCore
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    target_kl: float = 0.05
    value_weight: float = 0.5
    entropy: float = 0.02
    learning_rate: float = 3e-3
    gradient_clip: float = 0.5
    reward_scale: float = 0.05
    evaluate_every: int = 320
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Sequences:
    """T steps of B environments: ``features`` (T, B, n_in), ..., ``began`` (T, B), and the ``state`` before them."""

    state: State
    features: torch.Tensor
    masks: torch.Tensor
    began: torch.Tensor
    actions: torch.Tensor
    log_probs: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor

    def minibatches(self, count: int, rng: np.random.Generator) -> Iterator[Sequences]:
        """``count`` random sets of whole sequences."""
        names = [name for name in Sequences.__slots__ if name != "state"]
        for columns in np.array_split(rng.permutation(self.began.shape[1]), count):
            chosen = torch.from_numpy(columns)
            state = tuple(part[chosen] for part in self.state)
            yield Sequences(state, *(getattr(self, name)[:, chosen] for name in names))


def train_recurrent(
    env: TrainingEnv,
    config: RecurrentConfig,
    evaluate: Evaluate,
    *,
    progress: Progress | None = None,
    metrics: Path | None = None,
) -> TrainingResult:
    """Train from scratch; see ``train_ppo`` for determinism, errors and Ctrl-C.

    ``evaluate`` gets a ``RecurrentActorCritic``; play it with a ``RecurrentPlayer``.
    """
    torch.set_num_threads(config.threads)
    rng, scale = np.random.default_rng(config.seed), np.float32(config.reward_scale)
    features, _ = env.reset(seed=config.seed)
    masks, began = env.action_masks(), np.ones(env.num_envs, dtype=np.bool_)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = RecurrentActorCritic(features.shape[1], masks.shape[1], config.encoded, config.core)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, eps=1e-5)
    selection = Selection(network, evaluate, config.steps, progress, metrics)
    # an initial state can be learned; what enters a rollout is taken over as it is
    state, kl, step = tuple(part.detach() for part in network.core.initial(env.num_envs)), 0.0, 0
    try:
        while step < config.steps:
            rows: list[tuple[NDArray[np.generic], ...]] = []
            first = state
            for _ in range(config.rollout):
                actions, log_probs, values, state = _act(network, features, masks, state, began, rng)
                following, reward, terminated, truncated, _ = env.step(actions)
                check_finite(step, reward=reward, features=following)
                done = terminated | truncated
                rows.append((features.copy(), masks, began, actions, log_probs, values, scale * reward, done))
                features, masks, began = following, env.action_masks(), done
            last = _act(network, features, masks, state, began, rng)[2]
            kl = _learn(network, optimizer, _sequences(rows, first, last, config), config, step / config.steps, rng)
            before, step = step, step + config.rollout
            if step // config.evaluate_every > before // config.evaluate_every or step >= config.steps:
                selection.take(step, {"kl": kl})
    except KeyboardInterrupt:
        selection.result.interrupted = True
    if not selection.result.history:
        selection.take(step, {"kl": kl})
    return selection.result


@torch.no_grad()
def _act(
    network: RecurrentActorCritic,
    features: FloatArray,
    masks: BoolArray,
    state: State,
    began: BoolArray,
    rng: np.random.Generator,
) -> tuple[IntArray, FloatArray, FloatArray, State]:
    """(B,) drawn actions, their log-probabilities and values, and the state after the step."""
    logits, values, state = network(torch.from_numpy(features), state, torch.from_numpy(began))
    actions, log_probs = draw(masked_log_probs(logits, torch.from_numpy(masks)), rng)
    return actions, log_probs, values.numpy(), state


def _learn(
    network: RecurrentActorCritic,
    optimizer: torch.optim.Optimizer,
    sequences: Sequences,
    config: RecurrentConfig,
    progress: float,
    rng: np.random.Generator,
) -> float:
    """All epochs on one rollout; returns the last estimate of KL(old || new)."""
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * (1.0 - progress)
    kl = 0.0
    for epoch in range(config.epochs):
        for part in sequences.minibatches(config.minibatches, rng):
            loss, kl = recurrent_loss(network, part, config, config.entropy * (1.0 - progress))
            check_finite(epoch, loss=loss)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            check_finite(epoch, gradient=nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip))
            optimizer.step()
        if kl > config.target_kl:
            break
    return kl


def recurrent_loss(
    network: RecurrentActorCritic, part: Sequences, config: RecurrentConfig, entropy_weight: float
) -> tuple[torch.Tensor, float]:
    """PPO's loss (see ``PPO.loss``) on unrolled sequences, and KL(old || new)."""
    logits, values = network.unroll(part.features, part.state, part.began)
    log_probs = masked_log_probs(logits, part.masks)
    log_ratio = log_probs.gather(2, part.actions[..., None])[..., 0] - part.log_probs
    ratio = log_ratio.exp()
    advantage = (part.advantages - part.advantages.mean()) / (part.advantages.std(correction=0) + 1e-8)
    clipped = ratio.clamp(1.0 - config.clip, 1.0 + config.clip)
    surrogate = torch.minimum(ratio * advantage, clipped * advantage).mean()
    error = (values - part.returns).square().mean()
    kl = float((ratio.detach() - 1.0 - log_ratio.detach()).mean())
    return config.value_weight * error - surrogate - entropy_weight * entropy(log_probs).mean(), kl


def _sequences(
    rows: list[tuple[NDArray[np.generic], ...]], state: State, last: FloatArray, config: RecurrentConfig
) -> Sequences:
    features, masks, began, actions, log_probs, values, rewards, done = (np.stack(c) for c in zip(*rows, strict=True))
    advantages = generalised_advantages(rewards, values, done, last, config.gamma, config.gae_lambda)
    arrays = (features, masks, began, actions.astype(np.int64), log_probs, advantages, advantages + values)
    return Sequences(state, *(torch.from_numpy(array) for array in arrays))
