"""What a training writes down: evaluations, the best network among them, metrics as JSON lines and for TensorBoard."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from policies.files import write_atomically
from policies.resume import State, pack_json, part, prefixed, unpack_json

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Evaluate = Callable[[nn.Module], Mapping[str, float]]
"""Plays a network greedily; must contain ``reward``, by which the best network is chosen."""

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called with (step, steps, metrics of the latest evaluation)."""


@dataclass
class TrainingResult:
    """The best network by mean evaluation reward, its evaluation, and all of them in order."""

    network: nn.Module
    best: Mapping[str, float]
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False


class Record:
    """Evaluations so far and the best network among them; ``result`` is valid at any moment.

    ``steps`` is what ``progress`` is told as the end. Each evaluation is appended to ``metrics`` as a JSON line and
    written to the folder ``tensorboard`` as scalars over steps. Networks are evaluated and kept in evaluation mode.
    """

    def __init__(
        self, network: nn.Module, evaluate: Evaluate, steps: int, progress: Progress | None = None,
        metrics: Path | None = None, tensorboard: Path | None = None,
    ) -> None:  # fmt: skip
        self._network, self._evaluate, self._steps, self._progress = network, evaluate, steps, progress
        self._metrics, self._folder = metrics, tensorboard
        self._writer: SummaryWriter | None = None
        self.result = TrainingResult(copy.deepcopy(network).eval(), {"reward": -np.inf})
        self._rewrite()

    def take(self, step: int, learned: Mapping[str, float]) -> None:
        """Evaluate the network as it is after ``step``; ``learned`` are the learner's own figures."""
        row = {"step": float(step), **{name: float(value) for name, value in learned.items()}}
        self._network.eval()
        row.update({name: float(value) for name, value in self._evaluate(self._network).items()})
        self.result.history.append(row)
        if row["reward"] >= self.result.best["reward"]:
            self.result.best = row
            self.result.network = copy.deepcopy(self._network)
        self._network.train()
        if self._metrics is not None:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        self._scalars(row)
        if self._progress is not None:
            self._progress(step, self._steps, row)

    def close(self) -> None:
        """Write out what TensorBoard's writer still holds back."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def state(self) -> State:
        """All evaluations and the best network's weights."""
        weights = {name: tensor.cpu().numpy().copy() for name, tensor in self.result.network.state_dict().items()}
        return {
            **prefixed("best", weights),
            "history": pack_json({"best": dict(self.result.best), "rows": self.result.history}),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Resumable``; the metrics file again ends with the last evaluation of ``state``."""
        weights = {name: torch.from_numpy(array.copy()) for name, array in part("best", state).items()}
        self.result.network.load_state_dict(weights)
        history = unpack_json(state["history"])
        self.result.best, self.result.history = history["best"], history["rows"]
        self._rewrite()

    def _rewrite(self) -> None:
        if self._metrics is not None:
            lines = "".join(json.dumps(row) + "\n" for row in self.result.history)
            write_atomically(self._metrics, lines.encode())

    def _scalars(self, row: Mapping[str, float]) -> None:
        if self._folder is None:
            return
        from torch.utils.tensorboard import SummaryWriter

        step = int(row["step"])
        if self._writer is None:  # what a killed run wrote beyond its last checkpoint is superseded
            self._writer = SummaryWriter(str(self._folder), purge_step=step)
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, step)
        self._writer.flush()
