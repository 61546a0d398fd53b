"""The progress bar of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.report import console


@contextmanager
def training_progress(label: str, *, quiet: bool) -> Iterator[Any]:
    """Yields ``update(share, text)``; ``share`` in [0, 1]."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[detail]}"),
    )  # fmt: skip
    with Progress(*columns, disable=quiet, console=console) as progress:
        task = progress.add_task(f"training {label}", total=1.0, detail="")
        yield lambda share, detail="": progress.update(task, completed=share, detail=detail)
