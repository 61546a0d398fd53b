"""A training step of the DNC (forward, backward, parameters' gradients) beside that of the PyPI package ``dnc``.

Example: ``python benchmarks/dnc_step.py --json``. For the comparison: ``pip install --no-deps dnc==1.1.0``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from memory.dnc.cell import DNC, DNCSettings
from memory.dnc.compiled import compiled_dnc

INSTALL = "dnc is not installed, so nothing to compare with: pip install --no-deps dnc==1.1.0"
CONFIG = {"batch": 32, "time": 100, "inputs": 64, "hidden": 128, "memory_size": 64, "word_size": 32, "num_reads": 4}


def our_step(fast: bool, time_steps: int) -> Callable[[], None]:
    """A training step of our DNC on one random sequence."""
    sizes = {name: CONFIG[name] for name in ("inputs", "hidden", "memory_size", "word_size", "num_reads")}
    module = DNC(DNCSettings(outputs=CONFIG["inputs"], **sizes))  # type: ignore[arg-type]
    sequence = torch.randn(time_steps, CONFIG["batch"], CONFIG["inputs"])

    def step() -> None:
        module.zero_grad()
        compiled_dnc(module, sequence, fast=fast)[0].square().mean().backward()

    return step


def package_step() -> Callable[[], None] | None:
    """The same of the package, or None where it is not installed."""
    try:
        from dnc import DNC as PackageDNC  # noqa: N811
    except ModuleNotFoundError:
        return None
    module = PackageDNC(
        CONFIG["inputs"],
        CONFIG["hidden"],
        rnn_type="lstm",
        num_layers=1,
        num_hidden_layers=1,
        nr_cells=CONFIG["memory_size"],
        cell_size=CONFIG["word_size"],
        read_heads=CONFIG["num_reads"],
        batch_first=True,
    )
    sequence = torch.randn(CONFIG["batch"], CONFIG["time"], CONFIG["inputs"])

    def step() -> None:
        module.zero_grad()
        module(sequence, (None, None, None), reset_experience=True)[0].square().mean().backward()

    return step


def timed(step: Callable[[], None]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - start)


def saved_mb(time_steps: int) -> float:
    """Megabytes that the compiled step keeps for backward, counted once per storage."""
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        our_step(True, time_steps)()
    return sum(storage.nbytes() for storage in kept.values()) / 1e6


def measured(repeats: int) -> dict[str, object]:
    """Medians in milliseconds, the machines by turns so that a busy moment meets all of them."""
    torch.set_num_threads(1)
    steps = {"ours_ms": our_step(True, CONFIG["time"]), "torch_ms": our_step(False, CONFIG["time"])}
    if (package := package_step()) is not None:
        steps["dnc_package_ms"] = package
    for step in steps.values():
        step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            times[name].append(timed(step))
    result: dict[str, object] = {name: round(statistics.median(of), 1) for name, of in times.items()}
    if package is not None:
        result["ratio"] = round(statistics.median(times["dnc_package_ms"]) / statistics.median(times["ours_ms"]), 2)
    result["saved_mb"] = {str(steps): round(saved_mb(steps), 1) for steps in (50, 100, 200)}
    return {**result, "config": CONFIG}


def main() -> None:
    """Print the figures, as JSON with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps each")
    arguments = parser.parse_args()
    result = measured(arguments.repeats)
    if "ratio" not in result:
        print(INSTALL, file=sys.stderr)
    print(json.dumps(result) if arguments.json else "\n".join(f"{name}: {of}" for name, of in result.items()))


if __name__ == "__main__":
    main()
