"""When will a user come back? An LSTM over past visits, and a hazard for each interval of the time to come.

For training only (torch). Hazards are discrete (Kvamme and Borgan 2021): time is cut into intervals,
h_k = P(returns in interval k | not yet), and P(not back after k) is the product of (1 - h_j). Recurrent as in the
neural survival recommender (Jing and Smola 2017), and like it taught after every visit, not only after the last one.
Users who have not come back yet (censored) count with the intervals in which they did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from policies.ranking.latent.survival import Array, Flags


@dataclass(frozen=True, slots=True)
class HazardSettings:
    """``hidden`` size, number of ``intervals``, ``updates`` (whole batches) at most, ``rate`` and ``decay`` of AdamW.

    ``held_out``: share of users whose likelihood ends the training after ``patience`` evaluations, every 5 updates,
    that bring nothing. ``members`` networks are averaged. ValueError names a setting that makes no sense.
    """

    hidden: int = 16
    intervals: int = 12
    updates: int = 300
    rate: float = 0.01
    decay: float = 0.02
    dropout: float = 0.2
    held_out: float = 0.2
    patience: int = 8
    members: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("hidden", "intervals", "updates", "rate", "patience", "members"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} must be above 0")
        for name in ("dropout", "held_out"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} must be from 0 to below 1")


class _HazardNetwork(nn.Module):
    """Visits (N, T, F) -> logits of the hazards after each of them (N, T, K)."""

    def __init__(self, features: int, settings: HazardSettings) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, settings.hidden, batch_first=True)
        self.dropout = nn.Dropout(settings.dropout)
        self.shape = nn.Linear(settings.hidden + features, settings.intervals)
        # proportional part: one number shifts all hazards, as in Cox's model
        self.level = nn.Linear(settings.hidden + features, 1)
        nn.init.zeros_(self.shape.weight)

    def forward(self, visits: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(visits)
        seen = torch.cat([self.dropout(states), visits], dim=2)
        logits: torch.Tensor = self.shape(seen) + self.level(seen)
        return logits


@dataclass(frozen=True, slots=True, eq=False)
class ReturnTimes:
    """A fitted model. ``edges`` (K,): the end of each interval; ``center`` and ``scale`` (F,): of the features."""

    edges: Array
    center: Array
    scale: Array
    networks: tuple[nn.Module, ...]

    def curves(self, histories: Sequence[Array]) -> Array:
        """(N, K) P(not back at the end of each interval) after ``histories``, each (T, F)."""
        visits, lengths = _padded(histories, self.center, self.scale)
        with torch.no_grad():
            rows = torch.arange(len(visits))
            logits = [network.eval()(visits)[rows, lengths - 1] for network in self.networks]
        staying = torch.stack([nn.functional.logsigmoid(-part.double()).cumsum(dim=1).exp() for part in logits])
        return np.asarray(staying.mean(dim=0).numpy())

    def risk(self, histories: Sequence[Array]) -> Array:
        """(N,) higher for who comes back sooner: minus the expected time, up to the last edge."""
        curves = self.curves(histories)
        widths = np.diff(self.edges, prepend=0.0)
        before = np.concatenate([np.ones((len(curves), 1)), curves[:, :-1]], axis=1)
        return np.asarray(-((before + curves) / 2 * widths).sum(axis=1))

    def survival(self, histories: Sequence[Array], at: float) -> Array:
        """(N,) P(time > ``at``), straight lines between edges."""
        edges = np.concatenate([[0.0], self.edges])
        return np.array([np.interp(at, edges, np.concatenate([[1.0], curve])) for curve in self.curves(histories)])


def fit_return_times(
    histories: Sequence[Array],
    times: Array,
    happened: Flags,
    settings: HazardSettings | None = None,
    earlier: Sequence[Array] | None = None,
) -> ReturnTimes:
    """Fit on ``histories`` (each (T, F)), the ``times`` (N,) until the return, and whether it ``happened`` (N,).

    ``earlier``: for each user the times (T - 1,) between visits, so that every visit teaches. Equal arguments give an
    equal model. ValueError for empty input, or when nobody returned.
    """
    settings = settings or HazardSettings()
    if not len(histories) or len(histories) != len(times) or len(times) != len(happened):
        raise ValueError(
            f"{len(histories)} histories, {len(times)} times and {len(happened)} outcomes: one each is needed"
        )
    if not happened.any() or any(not len(history) for history in histories):
        raise ValueError("at least one user must have returned, and every history must hold a visit")
    rows = np.concatenate(list(histories))
    center, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    between = np.concatenate([times[happened], *(earlier or ())])
    quantiles = np.quantile(between, np.linspace(0, 1, settings.intervals + 1)[1:])
    edges = np.unique(np.append(quantiles[:-1], max(times.max(), between.max())))
    settings = replace(settings, intervals=len(edges))
    visits, lengths = _padded(histories, center, scale)
    target, known = torch.zeros(*visits.shape[:2], len(edges)), torch.zeros(*visits.shape[:2], len(edges))
    rows_of, last = torch.arange(len(visits)), lengths - 1
    target[rows_of, last], known[rows_of, last] = _targets(times, happened, edges)
    for n, gaps in enumerate(earlier or ()):
        target[n, : len(gaps)], known[n, : len(gaps)] = _targets(gaps, np.ones(len(gaps), dtype=bool), edges)
    networks = tuple(
        _trained(visits, target, known, settings, settings.seed + member) for member in range(settings.members)
    )
    return ReturnTimes(edges, center, scale, networks)


def _padded(histories: Sequence[Array], center: Array, scale: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Scaled visits (N, T, F), zeros after each history's end, and lengths (N,)."""
    longest = max(len(history) for history in histories)
    visits = np.zeros((len(histories), longest, len(center)), dtype=np.float32)
    for n, history in enumerate(histories):
        visits[n, : len(history)] = np.clip((history - center) / scale, -5, 5)
    return torch.from_numpy(visits), torch.tensor([len(history) for history in histories])


def _targets(times: Array, happened: Flags, edges: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, K) 1 in the interval of the return, and (N, K) 1 in each interval that was lived through or ended."""
    interval = np.minimum(np.searchsorted(edges, times), len(edges) - 1)
    steps = np.arange(len(edges))
    target = (steps == interval[:, None]) & happened[:, None]
    # who was cut off within an interval says about it only that most of it passed without a return
    lower = np.concatenate([[0.0], edges[:-1]])[interval]
    passed = np.where(happened, True, times > (lower + edges[interval]) / 2)
    known = (steps < interval[:, None]) | ((steps == interval[:, None]) & passed[:, None])
    return torch.tensor(target, dtype=torch.float32), torch.tensor(known, dtype=torch.float32)


def _trained(
    visits: torch.Tensor, target: torch.Tensor, known: torch.Tensor, settings: HazardSettings, seed: int
) -> nn.Module:
    """One network, stopped where its likelihood on held-out users was best."""
    order = np.random.default_rng(seed).permutation(len(visits))
    held = torch.tensor(order[: int(len(order) * settings.held_out)])
    used = torch.tensor(order[len(held) :])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _HazardNetwork(visits.shape[2], settings)
        optimizer = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=settings.decay)
        best, kept, waited = float("inf"), network.state_dict(), 0
        for update in range(1, settings.updates + 1):
            network.train()
            optimizer.zero_grad()
            _loss(network(visits[used]), target[used], known[used]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if len(held) and update % 5 == 0:
                network.eval()
                with torch.no_grad():
                    loss = float(_loss(network(visits[held]), target[held], known[held]))
                waited = 0 if loss < best else waited + 1
                if loss < best:
                    best, kept = loss, {name: value.clone() for name, value in network.state_dict().items()}
                if waited >= settings.patience:
                    break
        if len(held):
            network.load_state_dict(kept)
    return network.eval()


def _loss(logits: torch.Tensor, target: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Minus the mean log likelihood of the outcomes in the intervals that are known."""
    parts = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * known
    return parts.sum() / known.any(dim=2).sum()
