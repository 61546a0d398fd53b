"""Train the learned user by maximum likelihood on recorded dialogues (training only: needs torch)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memory.turn import SYSTEM_KINDS, FloatArray
from simulator.corpora.dialogues import CorpusDialogue, CorpusError, fingerprint, split
from simulator.users.network import HEADS, UserNetwork
from simulator.users.replay import Replay, corpus_ontology
from simulator.users.situation import CONTEXT, FLOW_LABELS, OPEN, REQUEST, SLOT, features

Progress = Callable[[int, int, float], None]
"""Called with (epoch, most epochs, validation loss)."""


@dataclass(frozen=True, slots=True)
class LearningConfig:
    """``hidden`` GRU units, heads of ``width``; Adam with ``rate`` and ``decay``, dropout on the GRU's output.

    ``validation`` is the share of dialogues that early stopping watches; it stops after ``patience`` epochs without
    a better validation loss. ``device``: see ``policies.devices``.
    """

    hidden: int = 48
    width: int = 24
    rate: float = 4e-3
    decay: float = 1e-4
    dropout: float = 0.2
    batch: int = 32
    epochs: int = 60
    patience: int = 8
    validation: float = 0.15
    seed: int = 0
    device: str = "cpu"


class _Head(nn.Module):
    def __init__(self, hidden: int, part: int, width: int) -> None:
        super().__init__()
        self.state = nn.Linear(hidden, width)
        self.part = nn.Linear(part, width, bias=False)
        self.out = nn.Linear(width, 1)

    def forward(self, state: Tensor, parts: Tensor) -> Tensor:
        mixed = torch.tanh(self.state(state).unsqueeze(-2) + self.part(parts))
        logits: Tensor = self.out(mixed).squeeze(-1)
        return logits


class _Network(nn.Module):
    """The same function as ``UserNetwork``, on (N, T, ...) sequences and with gradients."""

    def __init__(self, config: LearningConfig) -> None:
        super().__init__()
        self.gru = nn.GRU(CONTEXT, config.hidden, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.flow = nn.Linear(config.hidden, len(FLOW_LABELS))
        self.slot = _Head(config.hidden, SLOT, config.width)
        self.request = _Head(config.hidden, REQUEST, config.width)
        self.open = _Head(config.hidden, OPEN, config.width)

    def forward(self, context: Tensor, slot: Tensor, request: Tensor, opened: Tensor) -> Tensor:
        state, _ = self.gru(context)
        state = self.dropout(state)
        parts = [self.slot(state, slot), self.request(state, request), self.open(state, opened)]
        return torch.cat([self.flow(state), *parts], dim=-1)


@dataclass(frozen=True, slots=True)
class _Sequences:
    """N padded dialogues: inputs (N, T, ...), ``labels`` and ``counted`` (N, T, L), ``turns`` the total number."""

    inputs: tuple[Tensor, ...]
    labels: Tensor
    counted: Tensor
    turns: int

    def to(self, device: str) -> _Sequences:
        """The same on a device."""
        inputs = tuple(part.to(device) for part in self.inputs)
        return _Sequences(inputs, self.labels.to(device), self.counted.to(device), self.turns)


def learn_user(
    dialogues: Sequence[CorpusDialogue], config: LearningConfig | None = None, progress: Progress | None = None
) -> UserNetwork:
    """A network with the highest likelihood on a validation part of ``dialogues``; equal seeds give equal weights.

    The loss is the negative log-likelihood of what was said and left unsaid among what could be said
    (``Situation.possible``), per turn. CorpusError when there are too few dialogues; FloatingPointError when the
    loss is not finite. Ctrl-C keeps the best network so far.
    """
    config = config or LearningConfig()
    spoken = [dialogue for dialogue in dialogues if dialogue.turns]
    training, validation = split(spoken, config.validation, "early stopping")
    if not training or not validation:
        raise CorpusError(f"{len(spoken)} dialogues with turns are too few to learn a user from: give more")
    ontology = corpus_ontology(dialogues)
    train_set, held_out = (sequences(Replay(part, ontology)).to(config.device) for part in (training, validation))
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    network = _Network(config).to(config.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.rate, weight_decay=config.decay)
    best, best_epoch, weights = math.inf, 0, _weights(network)
    try:
        for epoch in range(1, config.epochs + 1):
            _epoch(network, optimizer, train_set, rng.permutation(len(train_set.labels)), config.batch)
            loss = _validate(network, held_out)
            if loss < best:
                best, best_epoch, weights = loss, epoch, _weights(network)
            if progress is not None:
                progress(epoch, config.epochs, loss)
            if epoch - best_epoch >= config.patience:
                break
    except KeyboardInterrupt:
        if best == math.inf:
            raise
    manifest: dict[str, Any] = {
        "config": asdict(config), "corpus": fingerprint(dialogues), "dialogues": len(spoken),
        "seen": _seen(Replay(training, ontology)),
        "validation_loss": round(best, 4), "epoch": best_epoch,
    }  # fmt: skip
    return UserNetwork(weights, manifest)


def _seen(replay: Replay) -> dict[str, int]:
    """How many turns show each kind of system turn, a question about a slot without a wish, and a booking wanted."""
    seen: Counter[str] = Counter()
    for step in replay.steps():
        seen.update(SYSTEM_KINDS[kind] for kind in step.situation.kind)
        asked = step.situation.asked
        indifferent = asked.any(axis=1) & ~(asked & step.situation.cares).any(axis=1)
        seen["indifferent"] += int(indifferent.sum())
        seen["booking"] += int(step.situation.books.sum())
    return dict(seen)


def sequences(replay: Replay) -> _Sequences:
    """A replay as padded tensors; labels that could not be said, and padding, are not counted."""
    count, length = len(replay.dialogues), int(replay.turns.max(initial=1))
    padded: dict[str, FloatArray] = {}
    for t, step in enumerate(replay.steps()):
        seen = features(step.situation)
        columns = {
            "context": seen.context, **{head: getattr(seen, head) for head in HEADS},
            "labels": step.said.flat, "counted": step.situation.possible().flat,
        }  # fmt: skip
        for name, value in columns.items():
            padded.setdefault(name, np.zeros((count, length, *value.shape[1:]), dtype=np.float32))
            padded[name][step.rows, t] = value
    tensors = {name: torch.from_numpy(value) for name, value in padded.items()}
    inputs = tuple(tensors[name] for name in ("context", *HEADS))
    return _Sequences(inputs, tensors["labels"], tensors["counted"], int(replay.turns.sum()))


def _loss(network: _Network, data: _Sequences, rows: Tensor) -> Tensor:
    """Summed negative log-likelihood of the dialogues ``rows``."""
    logits = network(*(part[rows] for part in data.inputs))
    losses = nn.functional.binary_cross_entropy_with_logits(logits, data.labels[rows], reduction="none")
    return (losses * data.counted[rows]).sum()


def _epoch(
    network: _Network, optimizer: torch.optim.Optimizer, data: _Sequences, order: np.ndarray[Any, Any], batch: int
) -> None:
    network.train()
    for start in range(0, len(order), batch):
        rows = torch.from_numpy(order[start : start + batch]).to(data.labels.device)
        turns = data.counted[rows].any(dim=-1).sum()
        loss = _loss(network, data, rows) / turns
        if not torch.isfinite(loss):
            raise FloatingPointError("the loss of the learned user is not finite: lower the learning rate")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


def _validate(network: _Network, data: _Sequences) -> float:
    network.eval()
    with torch.no_grad():
        return float(_loss(network, data, torch.arange(len(data.labels), device=data.labels.device))) / data.turns


def _weights(network: _Network) -> dict[str, FloatArray]:
    return {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}
