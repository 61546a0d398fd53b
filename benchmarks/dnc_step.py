"""A training step of the DNC (forward, backward, parameters' and inputs' gradients) beside the PyPI package ``dnc``'s.

    python benchmarks/dnc_step.py [--repeats 11] [--sparse] [--json]

One thread, the machines by turns so that a busy moment meets all of them; medians of wall clock, and of processor time,
which a busy machine disturbs less. ``floor_ms`` is the arithmetic alone: the matrix products of controller, interface
and output, of these shapes and in this order, without a memory. ``--sparse``: what a step of the sparse DNC costs by
rows instead.
For the comparison: ``pip install --no-deps dnc==1.1.0``, or the extra ``[bench]``.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1]))

from memory.dnc.cell import DNC, DNCSettings
from memory.dnc.compiled import compiled_dnc
from memory.dnc.sparse import SparseDNC, SparseSettings

INSTALL = "dnc is not installed, so nothing to compare with: pip install --no-deps dnc==1.1.0"
CONFIG = {"batch": 32, "time": 100, "inputs": 64, "hidden": 128, "memory_size": 64, "word_size": 32, "num_reads": 4}
ROWS = (1024, 2048, 4096, 8192)
MB = 1e6

Step = Callable[[], None]


def our_step(fast: bool = True, time_steps: int = CONFIG["time"]) -> Step:
    """A training step of our DNC on one random sequence; ``fast``: the compiled one."""
    sizes = {name: CONFIG[name] for name in ("inputs", "hidden", "memory_size", "word_size", "num_reads")}
    module = DNC(DNCSettings(outputs=CONFIG["inputs"], **sizes))  # type: ignore[arg-type]
    sequence = torch.randn(time_steps, CONFIG["batch"], CONFIG["inputs"], requires_grad=True)

    def step() -> None:
        module.zero_grad()
        sequence.grad = None
        compiled_dnc(module, sequence, fast=fast)[0].square().mean().backward()

    return step


def package_step(time_steps: int = CONFIG["time"]) -> Step | None:
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
    sequence = torch.randn(CONFIG["batch"], time_steps, CONFIG["inputs"], requires_grad=True)

    def step() -> None:
        module.zero_grad()
        sequence.grad = None
        module(sequence, (None, None, None), reset_experience=True)[0].square().mean().backward()

    return step


def floor_step() -> Step:
    """The products of a training step with the weights of controller, interface and output, and nothing else."""
    time_steps, batch, inputs, hidden = (CONFIG[name] for name in ("time", "batch", "inputs", "hidden"))
    features = hidden + CONFIG["num_reads"] * CONFIG["word_size"]
    interface = DNC(DNCSettings(inputs, inputs, hidden, CONFIG["memory_size"], CONFIG["word_size"],
                                CONFIG["num_reads"])).access.interface_size  # fmt: skip
    x, f, g, i = (torch.randn(time_steps, batch, size) for size in (inputs, features, 4 * hidden, interface))
    h = f[..., :hidden].contiguous()
    of_x, of_f, of_h = (
        torch.randn(4 * hidden, inputs),
        torch.randn(4 * hidden, features),
        torch.randn(interface, hidden),
    )
    of_out = torch.randn(inputs, features)

    def step() -> None:
        flat_x, flat_f, flat_h, flat_g, flat_i = (part.flatten(0, 1) for part in (x, f, h, g, i))
        flat_x @ of_x.t()
        for t in range(time_steps):
            f[t] @ of_f.t()
            h[t] @ of_h.t()
        out = flat_f @ of_out.t()
        out @ of_out
        out.t() @ flat_f
        for t in range(time_steps):
            i[t] @ of_h
            g[t] @ of_f
        flat_g.t() @ flat_x
        flat_g.t() @ flat_f
        flat_i.t() @ flat_h
        flat_g @ of_x

    return step


def timed(step: Step) -> tuple[float, float]:
    """Milliseconds of one call: wall clock, processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def by_turns(steps: dict[str, Step], repeats: int) -> dict[str, tuple[float, float]]:
    """Medians of each, after two calls that don't count."""
    for step in steps.values():
        step()
        step()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in track(range(repeats), "steps by turns", console=Console(stderr=True)):
        for name, step in steps.items():
            times[name].append(timed(step))
    return {
        name: (statistics.median(w for w, _ in of), statistics.median(c for _, c in of)) for name, of in times.items()
    }


def peak_mb(machine: str, time_steps: int) -> float:
    """By how much a training step raises the highest resident memory of a process of its own that has done a short
    one."""
    command = [sys.executable, __file__, "--peak", machine, str(time_steps)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(machine: str, time_steps: int) -> None:
    """What ``peak_mb`` runs."""
    short, full = (
        package_step(steps) if machine == "package" else our_step(machine == "ours", steps) for steps in (1, time_steps)
    )
    assert short is not None
    assert full is not None
    short()
    before = highest_mb()
    for _ in range(3):
        full()
    print(highest_mb() - before)


def highest_mb() -> float:
    """The highest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere that of the process which started this one may count
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        assert found is not None
        return int(found[1]) * 1024 / MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def measured(repeats: int) -> dict[str, object]:
    """All figures of the dense DNC."""
    steps: dict[str, Step] = {"ours": our_step(), "torch": our_step(fast=False), "floor": floor_step()}
    package = package_step()
    if package is not None:
        steps["dnc_package"] = package
    times = by_turns(steps, repeats)
    result: dict[str, object] = {f"{name}_ms": round(wall, 1) for name, (wall, _) in times.items()}
    result |= {f"{name}_cpu_ms": round(cpu, 1) for name, (_, cpu) in times.items()}
    lengths = {"ours": (50, 100, 200), "torch": (100,), "package": (100,) if package else ()}
    result["peak_mb"] = {
        name: {str(steps): round(peak_mb(name, steps), 1) for steps in of} for name, of in lengths.items() if of
    }
    if package is not None:
        for place, name in enumerate(("ratio", "ratio_cpu")):
            result[name] = round(times["dnc_package"][place] / times["ours"][place], 2)
    return {**result, "repeats": repeats, "threads": torch.get_num_threads(), "config": CONFIG}


def sparse_step(rows: int) -> Step:
    """A training step of the sparse DNC with links on a short sequence."""
    module = SparseDNC(SparseSettings(16, 16, hidden=32, memory_size=rows, word_size=32, num_reads=4, links=8))
    sequence = torch.randn(10, 2, 16)

    def step() -> None:
        module.zero_grad()
        module(sequence)[0].square().mean().backward()

    return step


def measured_sparse(repeats: int) -> dict[str, object]:
    """Milliseconds of one time step by rows; were they quadratic in rows, each doubling would bring four times."""
    times = by_turns({str(rows): sparse_step(rows) for rows in ROWS}, repeats)
    result: dict[str, object] = {rows: round(cpu / 10, 2) for rows, (_, cpu) in times.items()}
    return {"cpu_ms_a_step_by_rows": result, "repeats": repeats}


def main() -> None:
    """Print the figures, as JSON with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--repeats", type=int, default=11, help="timed steps of each machine")
    parser.add_argument("--sparse", action="store_true", help="the sparse DNC by rows instead")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.peak:
        print_peak(arguments.peak[0], int(arguments.peak[1]))
        return
    result = measured_sparse(arguments.repeats) if arguments.sparse else measured(arguments.repeats)
    if not arguments.sparse and "ratio" not in result:
        print(INSTALL, file=sys.stderr)
    print(json.dumps(result) if arguments.json else "\n".join(f"{name}: {of}" for name, of in result.items()))


if __name__ == "__main__":
    main()
