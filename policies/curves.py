"""Learning curves as PNG (training only: matplotlib)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from memory.turn import FloatArray

History = Sequence[Mapping[str, float]]
"""The evaluations of one run in order, each with ``step`` and the plotted quantity."""


def plot_learning_curve(history: list[dict[str, float]], path: Path, baseline: float | None = None) -> None:
    """Draw evaluation reward over steps as PNG, with the rule policy's reward as a line."""
    plot_learning_curves([history], path, baseline)


def plot_learning_curves(
    histories: Sequence[History], path: Path, baseline: float | None = None, quantity: str = "reward"
) -> None:
    """Draw the mean of ``quantity`` over seeds with its 95 % bootstrap interval, and every seed as a thin line.

    ``histories``: one per seed; steps at which not all of them were evaluated (an interrupted run) are left out of
    the mean. ``baseline``: the rule policy's value, a dashed line. ValueError without any history.
    """
    from matplotlib.figure import Figure

    steps, table = _aligned(histories, quantity)
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="environment steps", ylabel=f"mean {quantity}")
    if len(histories) > 1:
        for history in histories:
            own = [(row["step"], row[quantity]) for row in history]
            axes.plot(*zip(*own, strict=True), color="C0", lw=0.5, alpha=0.5)
        low, high = bootstrap_interval(table)
        axes.fill_between(steps, low, high, color="C0", alpha=0.25, lw=0, label="95 % interval of the mean")
    label = "learned policy" if len(histories) == 1 else f"learned policy, mean of {len(histories)} seeds"
    axes.plot(steps, table.mean(axis=0), color="C0", label=label)
    if baseline is not None:
        axes.axhline(baseline, linestyle="--", color="grey", label="rule policy")
    axes.legend()
    figure.savefig(path, dpi=120)


def bootstrap_interval(table: FloatArray, level: float = 0.95, draws: int = 2000) -> tuple[FloatArray, FloatArray]:
    """(T,) lower and upper ends of the percentile bootstrap interval of the mean over the rows of ``table`` (S, T)."""
    chosen = np.random.default_rng(0).integers(len(table), size=(draws, len(table)))
    means = table[chosen].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _aligned(histories: Sequence[History], quantity: str) -> tuple[list[float], FloatArray]:
    """The steps all runs were evaluated at (T,), and the quantity there (S, T)."""
    if not histories:
        raise ValueError("no learning curve to draw: give at least one history")
    rows = [{row["step"]: row[quantity] for row in history} for history in histories]
    steps = sorted(set.intersection(*(set(row) for row in rows)))
    return steps, np.array([[row[step] for step in steps] for row in rows], dtype=np.float32)
