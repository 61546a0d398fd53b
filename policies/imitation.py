"""Behaviour cloning: a network that does what a teacher did, and DAgger, which also asks in the states it leads to.

Cloning is classification under action masks; DAgger: Ross, Gordon & Bagnell 2011. What is learned is a policy of its
own (a fallback where nothing better may act) and the start of ``policies.ppo``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.masked import ActorCritic, check_finite, masked_log_probs
from policies.policy import greedy_output
from policies.train import Progress, TrainingEnv


@dataclass(frozen=True, slots=True)
class ImitationConfig:
    """Everything a run depends on.

    ``rollout`` steps of all environments are recorded, then again in each of the ``dagger_rounds``, in which the
    network acts and the teacher says what it would have done. ``validation`` is the share of groups (dialogues) held
    out; training ends after ``patience`` epochs without a better validation loss, at the latest after ``epochs``.
    """

    rollout: int = 150
    dagger_rounds: int = 0
    hidden: tuple[int, ...] = (128, 96)
    epochs: int = 60
    patience: int = 5
    batch_size: int = 256
    learning_rate: float = 1e-3
    validation: float = 0.15
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Demonstrations:
    """N decisions of a teacher: ``features`` (N, n_in), ``masks`` (N, A), ``actions`` (N,).

    ``groups`` (N,) keeps together what must not be split between training and validation, e.g. one dialogue;
    ``weights`` (N,) says how much each decision counts (default: 1). ValueError for an action that its mask forbids.
    """

    features: FloatArray
    masks: BoolArray
    actions: IntArray
    groups: IntArray
    weights: FloatArray | None = None

    def __post_init__(self) -> None:
        allowed = self.masks[np.arange(len(self.actions)), self.actions]
        if not allowed.all():
            raise ValueError(f"demonstration {int(np.argmin(allowed))}: the mask forbids the teacher's action")

    def and_also(self, other: Demonstrations) -> Demonstrations:
        """Both, one after the other (neither weighted); groups stay distinct."""
        groups = np.concatenate([self.groups, other.groups + self.groups.max() + 1])
        features, masks, actions = (
            np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("features", "masks", "actions")
        )
        return Demonstrations(features, masks, actions, groups)


@dataclass
class Clone:
    """The network of the best validation loss, and per epoch ``train`` and ``validation`` loss and ``agreement``.

    ``agreement`` is the share of held-out decisions in which the greedy clone does what the teacher did.
    """

    network: ActorCritic
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False

    @property
    def best(self) -> dict[str, float]:
        """The figures of the epoch that was kept."""
        return min(self.history, key=lambda row: row["validation"])


def clone_behaviour(
    data: Demonstrations, config: ImitationConfig, *, start: ActorCritic | None = None, progress: Progress | None = None
) -> Clone:
    """Minimise the masked cross-entropy -log pi(a|s); Ctrl-C returns the best network so far.

    ValueError when there are too few groups to hold any out; FloatingPointError when the loss is not finite.
    """
    torch.set_num_threads(config.threads)
    rng = np.random.default_rng(config.seed)
    held_out = _held_out(data.groups, config.validation, rng)
    network = copy.deepcopy(start) if start is not None else _fresh(data, config)
    optimizer = torch.optim.Adam(network.actor.parameters(), lr=config.learning_rate)
    train, validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    clone = Clone(copy.deepcopy(network))
    try:
        for epoch in range(config.epochs):
            losses = []
            order = rng.permutation(train)
            for rows in np.array_split(order, max(len(order) // config.batch_size, 1)):
                loss = _loss(network, data, rows)
                check_finite(epoch, loss=loss)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                losses.append(float(loss.item()))
            row = {"epoch": float(epoch), "train": float(np.mean(losses)), **_validate(network, data, validation)}
            if not clone.history or row["validation"] < clone.best["validation"]:
                clone.network = copy.deepcopy(network)
            clone.history.append(row)
            if progress is not None:
                progress(epoch + 1, config.epochs, row)
            if epoch - clone.best["epoch"] >= config.patience:
                break
    except KeyboardInterrupt:
        clone.interrupted = True
    return clone


def clone(
    env: TrainingEnv, teacher: Callable[[], IntArray], config: ImitationConfig, *, progress: Progress | None = None
) -> Clone:
    """Record ``teacher`` (the environments' actions for where they are now), clone it, then run the DAgger rounds.

    After the first round the network acts alone, DAgger's parameter-free schedule beta_i = [i = 1].
    """
    data = demonstrate(env, teacher, config.rollout, config.seed)
    learned = clone_behaviour(data, config, progress=progress)
    for round_ in range(1, config.dagger_rounds + 1):
        if learned.interrupted:
            break
        data = data.and_also(demonstrate(env, teacher, config.rollout, config.seed + round_, learned.network))
        settings = replace(config, seed=config.seed + round_)
        learned = clone_behaviour(data, settings, start=learned.network, progress=progress)
    return learned


@torch.no_grad()
def demonstrate(
    env: TrainingEnv, teacher: Callable[[], IntArray], steps: int, seed: int, actor: ActorCritic | None = None
) -> Demonstrations:
    """What ``teacher`` says in ``steps`` steps of all environments, in which it acts itself, or ``actor`` does."""
    features, _ = env.reset(seed=seed)
    dialogue = np.arange(env.num_envs)
    rows = []
    for _ in range(steps):
        masks, advised = env.action_masks(), teacher()
        rows.append((features.copy(), masks, advised, dialogue))
        acted = advised
        if actor is not None:
            acted = greedy_output(actor(torch.from_numpy(features)).numpy(), masks).actions
        features, _, terminated, truncated, _ = env.step(acted)
        done = terminated | truncated
        dialogue = np.where(done, dialogue.max() + np.cumsum(done), dialogue)
    return Demonstrations(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _fresh(data: Demonstrations, config: ImitationConfig) -> ActorCritic:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return ActorCritic(data.features.shape[1], data.masks.shape[1], config.hidden)


def _held_out(groups: IntArray, share: float, rng: np.random.Generator) -> BoolArray:
    """(N,) which rows validate: all those of a random ``share`` of the groups."""
    names = np.unique(groups)
    count = round(share * len(names))
    if not 0 < count < len(names):
        raise ValueError(f"{len(names)} groups can't be split at {share:g}: record more dialogues")
    return np.isin(groups, rng.choice(names, size=count, replace=False))


def _loss(network: ActorCritic, data: Demonstrations, rows: NDArray[np.intp]) -> torch.Tensor:
    """The weighted mean of -log pi(a|s) over ``rows``."""
    masks, actions = torch.from_numpy(data.masks[rows]), torch.from_numpy(data.actions[rows].astype(np.int64))
    log_probs = masked_log_probs(network(torch.from_numpy(data.features[rows])), masks)
    weights = np.ones(len(rows), dtype=np.float32) if data.weights is None else data.weights[rows]
    chosen = log_probs.gather(1, actions[:, None])[:, 0]
    return -(torch.from_numpy(weights) * chosen).sum() / float(weights.sum())


@torch.no_grad()
def _validate(network: ActorCritic, data: Demonstrations, rows: NDArray[np.intp]) -> dict[str, float]:
    logits = network(torch.from_numpy(data.features[rows])).numpy()
    agreement = greedy_output(logits, data.masks[rows]).actions == data.actions[rows]
    return {"validation": float(_loss(network, data, rows).item()), "agreement": float(agreement.mean())}
