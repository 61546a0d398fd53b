"""How updates a second grow with the workers of a parameter server, measured, and a model of it up to 1,000.

    python benchmarks/parameter_server.py [--updates 40] [--compute-ms 40] [--dqn-steps 0] [--quick] [--json]

A worker's arithmetic is replaced by waiting ``--compute-ms`` divided by the number of workers, which needs no core: two
cores then show what servers, messages and the driver cost as if each worker had a machine of its own, apart from
what they still compete for. The ``busy`` rows do real arithmetic of the same length and so can't get faster than the
cores allow. From the waiting rows the model

    t(K, S, d) = C / K + latency + message * (K S + K + 2 S) + 12 d K / bandwidth

is fitted (non-negative least squares of relative errors), on all but the most workers, and checked on these.
``--dqn-steps N`` also trains the small world's policy for N steps with 1, 2, 4 and 8 workers. Needs ``rejoinder[ray]``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import nnls

sys.path.insert(0, str(Path(__file__).parents[1]))

from policies.optimize.parameter_server import ServerSettings, State, Vector
from policies.optimize.parameter_server_ray import RayGroup
from policies.optimize.parameter_server_workers import Ask, Gradient, PartStates, Program, Sizes
from policies.optimize.ray_connection import connected

WORKERS, PARTS = (1, 2, 4, 8), 8
LAN_BANDWIDTH = 1.25e9
"""Bytes a second of a 10 Gbit network, for the prediction."""
BYTES = 12
"""A parameter and its slow copy are pulled, a gradient is pushed: three float32 for each worker."""


@dataclass(frozen=True, slots=True)
class Measured:
    """``ms`` an update with ``workers``, ``servers`` and ``parameters``; ``mode`` waiting or busy."""

    mode: str
    workers: int
    servers: int
    parameters: int
    ms: float


class Computing:
    """A worker whose share of an update takes a fixed time, waiting or busy."""

    def __init__(self, seconds: float, busy: bool, parts: Sequence[int], ask: Ask) -> None:
        self._seconds, self._busy = seconds * len(parts) / PARTS, busy
        self._square = np.ones((64, 64), dtype=np.float32)

    def gradient(self, update: int, parameters: Vector, average: Vector) -> Gradient:
        """Takes its time; busy it uses so much CPU time, however long that lasts."""
        if self._busy:
            until = time.process_time() + self._seconds
            while time.process_time() < until:
                self._square @ self._square
        else:
            time.sleep(self._seconds)
        return Gradient(parameters * np.float32(0.01) + np.float32(0.01), 1.0)

    def state(self) -> PartStates:
        """None."""
        return {}

    def load_state(self, states: Mapping[int, State]) -> None:
        """None."""


def measure(mode: str, sizes: Sizes, parameters: int, compute: float, updates: int) -> Measured:
    """The median of three runs of ``updates`` updates, after a first one that starts everything."""
    program = Program(PARTS, partial(Computing, compute, mode == "busy"))
    group = RayGroup(program, np.zeros(parameters, dtype=np.float32), ServerSettings(), sizes, without="this benchmark")
    try:
        group.advance(0, [1e-3] * 3)
        times = []
        for run in range(3):
            began = time.perf_counter()
            group.advance(3 + run * updates, [1e-3] * updates)
            times.append((time.perf_counter() - began) / updates)
    finally:
        group.close()
    return Measured(mode, sizes.workers, sizes.servers, parameters, 1e3 * float(np.median(times)))


def terms(workers: int, servers: int, parameters: int) -> list[float]:
    """What latency (1), a message and a byte are multiplied with."""
    return [1.0, workers * servers + workers + 2 * servers, float(BYTES * parameters * workers)]


def fitted(rows: Sequence[Measured], compute_ms: float) -> dict[str, float]:
    """Milliseconds of latency and of a message, and GB a second, from the ``waiting`` rows; relative errors count."""
    waiting = [row for row in rows if row.mode == "waiting"]
    design = np.array([terms(row.workers, row.servers, row.parameters) for row in waiting])
    beyond = np.array([row.ms - compute_ms / row.workers for row in waiting])
    scale = np.array([row.ms for row in waiting])
    size = design.max(axis=0)
    (latency, message, byte), _ = nnls(design / size / scale[:, None], beyond / scale)
    per_byte = byte / size[2]
    return {
        "latency_ms": latency / size[0], "message_ms": message / size[1],
        "gigabytes_per_second": 1e-6 / per_byte if per_byte else np.inf,
    }  # fmt: skip


def predicted(model: Mapping[str, float], compute_ms: float, workers: int, servers: int, parameters: int) -> float:
    """Milliseconds of an update on the machine of the measurements."""
    one, messages, moved = terms(workers, servers, parameters)
    carried = 1e-6 * moved / model["gigabytes_per_second"]
    return compute_ms / workers + model["latency_ms"] * one + model["message_ms"] * messages + carried


def in_a_cluster(
    model: Mapping[str, float], share_ms: float, workers: int, servers: int, parameters: int
) -> dict[str, float]:
    """Where every worker and server has a machine and each worker computes ``share_ms`` for an update: milliseconds by
    term (a server's link carries its part of all bytes), the share of the time that workers compute, and how many
    asynchronous updates a second the driver can conduct at most.
    """
    _, messages, moved = terms(workers, servers, parameters)
    parts = {
        "compute": share_ms, "latency": model["latency_ms"], "messages": model["message_ms"] * messages,
        "bytes": 1e3 * moved / servers / LAN_BANDWIDTH,
    }  # fmt: skip
    total = sum(parts.values())
    ceiling = 1e3 / (model["message_ms"] * (1 + 4 * servers)) if model["message_ms"] else np.inf
    return {**parts, "total": total, "efficiency": share_ms / total, "asynchronous_ceiling": ceiling}


def dqn(steps: int, workers: Sequence[int]) -> list[dict[str, float]]:
    """Throughput of the policy's training in the small world."""
    from policies.dqn_config import DQNConfig
    from simulator.distributed import Spread, train_policy_distributed
    from simulator.simulation import SimulationSettings
    from simulator.small import small_ontology, small_task

    config = DQNConfig(steps=steps, spike_steps=steps // 3, pretrain_updates=steps // 3, evaluate_every=10 * steps)
    told = []
    for count in workers:
        with tempfile.TemporaryDirectory() as folder:
            spread = Spread(Sizes(count, 1, 1), seconds=np.inf)
            world = small_ontology(), SimulationSettings(small_task())
            report = train_policy_distributed(*world, Path(folder), config, spread, dialogues=50)
        told.append(report["throughput"])
    return told


def main() -> None:
    """Measure, fit, predict, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--updates", type=int, default=40)
    options.add_argument("--compute-ms", type=float, default=40.0)
    options.add_argument("--dqn-steps", type=int, default=0)
    options.add_argument("--quick", action="store_true", help="one server and one size only")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    connected(None, "this benchmark")
    compute = chosen.compute_ms
    sizes = (100_000,) if chosen.quick else (100_000, 1_000_000)
    plan = [("waiting", k, s, d) for d in sizes for s in ((1,) if chosen.quick else (1, 2)) for k in WORKERS]
    plan += [("busy", k, 1, sizes[0]) for k in WORKERS]
    rows = [
        measure(mode, Sizes(k, s), d, compute / 1e3, chosen.updates)
        for mode, k, s, d in track(plan, "measuring", console=Console(stderr=True), disable=chosen.json)
    ]
    fewer = [row for row in rows if row.workers < max(WORKERS)]
    model = fitted(fewer, compute)
    checks = [
        {**asdict(row), "predicted_ms": predicted(model, compute, row.workers, row.servers, row.parameters)}
        for row in rows if row.mode == "waiting"
    ]  # fmt: skip
    cluster = [
        {"workers": k, "servers": s, **in_a_cluster(model, share, k, s, sizes[0])}
        for share in (compute, 1e3)
        for k, s in ((8, 1), (100, 1), (1000, 1), (1000, 8))
    ]
    report = {
        "cores": os.cpu_count(), "load": os.getloadavg()[0], "compute_ms": compute,
        "rows": [asdict(row) for row in rows], "model": model, "checks": checks, "cluster": cluster,
        "dqn": dqn(chosen.dqn_steps, WORKERS) if chosen.dqn_steps else [],
    }  # fmt: skip
    if chosen.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)


def show(report: Mapping[str, Any]) -> None:
    """Tables."""
    console = Console()
    told = {(c["workers"], c["servers"], c["parameters"]): c["predicted_ms"] for c in report["checks"]}
    table = Table("mode", "workers", "servers", "parameters", "ms an update", "model", "updates/s and worker")
    for row in report["rows"]:
        guess = told.get((row["workers"], row["servers"], row["parameters"])) if row["mode"] == "waiting" else None
        each = 1e3 / row["ms"] / row["workers"]
        cells = [row["mode"], row["workers"], row["servers"], row["parameters"], f"{row['ms']:.1f}"]
        table.add_row(*map(str, cells), f"{guess:.1f}" if guess else "", f"{each:.2f}")
    console.print(table)
    console.print(f"{report['cores']} cores, load {report['load']:.1f}; " + str(report["model"]))
    for name in ("cluster", "dqn"):
        if report[name]:
            table = Table(*report[name][0])
            for row in report[name]:
                table.add_row(*(f"{value:.4g}" for value in row.values()))
            console.print(table)


if __name__ == "__main__":
    main()
