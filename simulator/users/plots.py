"""Pictures of simulated against recorded people (training only: needs matplotlib)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from policies.files import write_atomically
from simulator.users.judge import ACTS, Conversations

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_turns(looks: Mapping[str, Conversations], path: Path) -> None:
    """The distribution of the number of user turns, one line for each of ``looks``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    longest = max(int(look.turns.max(initial=1)) for look in looks.values())
    for name, look in looks.items():
        share = np.bincount(look.turns, minlength=longest + 1) / max(len(look.turns), 1)
        axes.plot(range(len(share)), share, marker="o", markersize=3, label=f"{name} (n = {len(look.turns)})")
    axes.set(xlabel="user turns", ylabel="share of dialogues", title="length of dialogues")
    axes.legend(frameon=False)
    _write(figure, path)


def plot_acts(looks: Mapping[str, Conversations], path: Path) -> None:
    """How often each act happens per user turn, a group of bars per act."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(looks)
    for i, (name, look) in enumerate(looks.items()):
        axes.bar(np.arange(len(ACTS)) + i * width, [look.acts[act] for act in ACTS], width, label=name)
    axes.set_xticks(np.arange(len(ACTS)) + 0.4 - width / 2, ACTS, rotation=30)
    axes.set(ylabel="acts per user turn", title="what people say")
    axes.legend(frameon=False)
    _write(figure, path)


def plot_matrix(cells: Sequence[Sequence[float]], rows: Sequence[str], columns: Sequence[str], path: Path) -> None:
    """A heat map of success rates: policies trained with ``rows``, tested with ``columns``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.5 + 1.3 * len(columns), 1.5 + 0.6 * len(rows)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(np.array(cells), vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for r, row in enumerate(cells):
        for c, value in enumerate(row):
            axes.text(c, r, f"{100 * value:.0f}", ha="center", va="center", color="white" if value < 0.6 else "black")
    axes.set_xticks(range(len(columns)), columns, rotation=25, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="tested with", ylabel="trained with", title="success, %")
    figure.colorbar(image)
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    data = BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomically(path, data.getvalue())
