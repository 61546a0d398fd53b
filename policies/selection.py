"""Keeping the best network of a run: evaluate, write the metrics down, remember the best (training only)."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import nn

from policies.train import Evaluate, Progress, TrainingResult


class Selection:
    """Evaluations so far and the best network among them; ``result`` is valid at any moment.

    ``steps`` is what ``progress`` is told as the end; each evaluation is appended to ``metrics`` as a JSON line.
    """

    def __init__(
        self, network: nn.Module, evaluate: Evaluate, steps: int, progress: Progress | None, metrics: Path | None
    ) -> None:
        self._network, self._evaluate, self._steps = network, evaluate, steps
        self._progress, self._metrics = progress, metrics
        self.result = TrainingResult(copy.deepcopy(network), {"reward": -np.inf})
        if metrics is not None:
            metrics.parent.mkdir(parents=True, exist_ok=True)
            metrics.write_text("", encoding="utf-8")

    def take(self, step: int, learned: Mapping[str, float]) -> None:
        """Evaluate the network as it is after ``step``; ``learned`` are the learner's own figures."""
        row = {"step": float(step), **{name: float(value) for name, value in learned.items()}}
        row.update({name: float(value) for name, value in self._evaluate(self._network).items()})
        self.result.history.append(row)
        if row["reward"] >= self.result.best["reward"]:
            self.result.best = row
            self.result.network = copy.deepcopy(self._network)
        if self._metrics is not None:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if self._progress is not None:
            self._progress(step, self._steps, row)
