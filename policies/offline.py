"""Learning from logged dialogues alone: discrete conservative Q-learning (Kumar et al. 2020).

CQL(H), equation 4: to the Bellman error it adds alpha (log sum_a exp Q(s, a) - Q(s, a_logged)), which pushes down
what was never tried. Beneath it is double Q-learning with n-step returns, as in ``policies.dqn``. Judge the result with
``policies.off_policy`` before anybody talks to it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from policies.episodes import Log
from policies.masked import MASKED, check_finite
from policies.networks import DuelingNetwork
from policies.optimize.clipping import clip_norm
from policies.replay import Batch
from policies.train import Progress


@dataclass(frozen=True, slots=True)
class CQLConfig:
    """Everything a run depends on.

    ``alpha`` weighs the conservative penalty; 0 is plain double Q-learning. ``n_step`` returns above 1 are not
    corrected for what the logging policy did next: they lean towards its value. ``reward_scale`` multiplies rewards
    inside the learner, so ``alpha`` is in that unit. ``tau`` moves the target network at each update; the learning
    rate falls linearly to 0. Figures are reported every ``report_every`` updates.
    """

    updates: int = 4000
    batch_size: int = 256
    alpha: float = 0.5
    n_step: int = 2
    hidden: tuple[int, ...] = (128, 96)
    gamma: float = 0.99
    reward_scale: float = 0.05
    learning_rate: float = 5e-4
    tau: float = 0.01
    gradient_clip: float = 10.0
    report_every: int = 500
    seed: int = 0
    threads: int = 1


@dataclass
class OfflineResult:
    """The network after the last update (nothing that was logged can say which one is best), and its figures.

    ``history``: ``update``, ``loss``, ``penalty`` and ``value``, the mean greedy value of first states in true reward.
    """

    network: DuelingNetwork
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False


def train_cql(log: Log, config: CQLConfig, *, progress: Progress | None = None) -> OfflineResult:
    """Learn action values from ``log``; deterministic for a configuration. Ctrl-C returns the network so far.

    FloatingPointError when the loss is not finite.
    """
    torch.set_num_threads(config.threads)
    rng = np.random.default_rng(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = DuelingNetwork(log.features.shape[1], log.masks.shape[1], config.hidden)
    target = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    result, transitions = OfflineResult(network), LoggedTransitions(log, config)
    try:
        for update in range(config.updates):
            rows = rng.integers(len(log), size=config.batch_size)
            loss, penalty = cql_loss(network, target, transitions.batch(rows), log.masks[rows], config)
            check_finite(update, loss=loss)
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * (1.0 - update / config.updates)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            clip_norm(network.parameters(), config.gradient_clip)
            optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(list(target.parameters()), list(network.parameters()), config.tau)
            if (update + 1) % config.report_every == 0:
                row = {"update": update + 1.0, "loss": float(loss.item()), "penalty": penalty}
                result.history.append({**row, "value": start_value(network, log) / config.reward_scale})
                if progress is not None:
                    progress(update + 1, config.updates, result.history[-1])
    except KeyboardInterrupt:
        result.interrupted = True
    return result


class LoggedTransitions:
    """The n-step transitions of a log, rewards scaled; none crosses the end of a dialogue."""

    def __init__(self, log: Log, config: CQLConfig) -> None:
        self._log = log
        rows = np.arange(len(log))
        last = np.append(log.starts[1:], len(log))[log.dialogue] - 1  # of each row's dialogue
        self._returns = np.zeros(len(log), dtype=np.float32)
        for k in range(config.n_step):
            worth = np.float32(config.reward_scale * config.gamma**k) * log.rewards[np.minimum(rows + k, last)]
            self._returns += np.where(rows + k <= last, worth, np.float32(0.0))
        self._following = np.minimum(rows + config.n_step, last)
        self._discounts = np.where(rows + config.n_step <= last, config.gamma**config.n_step, 0.0).astype(np.float32)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Those that begin at ``rows`` (M,)."""
        following = self._following[rows]
        return Batch(
            features=self._log.features[rows],
            actions=self._log.actions[rows],
            returns=self._returns[rows],
            discounts=self._discounts[rows],
            next_features=self._log.features[following],
            next_masks=self._log.masks[following],
        )


def cql_loss(
    network: nn.Module, target: nn.Module, batch: Batch, masks: NDArray[np.bool_], config: CQLConfig
) -> tuple[torch.Tensor, float]:
    """The Huber loss to double n-step targets plus ``alpha`` times the conservative penalty, and that penalty.

    ``masks`` (M, A): what was allowed where the batch's actions were taken; only that is pushed down.
    """
    values = network(torch.from_numpy(batch.features))
    chosen = values.gather(1, torch.from_numpy(batch.actions.astype(np.int64))[:, None])[:, 0]
    with torch.no_grad():
        following = torch.from_numpy(batch.next_features)
        best = network(following).masked_fill(~torch.from_numpy(batch.next_masks), MASKED).argmax(dim=1, keepdim=True)
        ahead = target(following).gather(1, best)[:, 0]
        targets = torch.from_numpy(batch.returns) + torch.from_numpy(batch.discounts) * ahead
    penalty = (values.masked_fill(~torch.from_numpy(masks), MASKED).logsumexp(dim=1) - chosen).mean()
    loss = nn.functional.smooth_l1_loss(chosen, targets) + config.alpha * penalty
    return loss, float(penalty.item())


@torch.no_grad()
def start_value(network: nn.Module, log: Log) -> float:
    """The mean value, in scaled reward, of the greedy action in the dialogues' first states."""
    values = network(torch.from_numpy(log.features[log.starts]))
    return float(values.masked_fill(~torch.from_numpy(log.masks[log.starts]), MASKED).amax(dim=1).mean())
