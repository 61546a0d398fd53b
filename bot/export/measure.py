"""Size and latency of a bundle's networks: ONNX Runtime here, and its WebAssembly build as browsers run it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.export.bundle import Bundle, BundleFile, Feed
from bot.export.web_runtime import MODULE, web_runtime
from bot.npm_package import NpmPackageError, node_command

SIZES = {"batch": 1, "tokens": 12, "rows": 20}
"""One message of twelve word pieces; twenty remembered statements."""
SCRIPT = Path(__file__).with_name("latency.mjs")
_NODE = """
import {{ readFileSync }} from "node:fs";
import * as ort from {runtime};
import {{ measure }} from {script};
console.log(JSON.stringify(await measure(ort, readFileSync, JSON.parse(readFileSync(0, "utf8")))));
"""
_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Measurement:
    """One network, one message at a time on one core.

    Attributes:
        load_ms, p50_ms: to open the file, and the median of a run, with ONNX Runtime here.
        wasm_load_ms, wasm_p50_ms: the same under WebAssembly.
        difference: largest difference between the two in any output; None where only one ran.
    """

    file: str
    precision: str
    bytes: int
    load_ms: float
    p50_ms: float
    wasm_load_ms: float | None = None
    wasm_p50_ms: float | None = None
    difference: float | None = None


def measure(bundle: Bundle, repeats: int, tell: Callable[[float, str], None]) -> tuple[list[Measurement], str | None]:
    """Measurements of all networks, and why there are none under WebAssembly (None when there are)."""
    rng = np.random.default_rng(0)
    feeds = [file.sample_inputs(rng, **SIZES) for file in bundle.networks]
    here, outputs = [], []
    for done, (file, feed) in enumerate(zip(bundle.networks, feeds, strict=True)):
        tell(done / len(feeds) / 2, f"timing {file.file}")
        measured, found = _time(bundle, file, feed, repeats)
        here.append(measured)
        outputs.append(found)
    tell(0.5, "timing under WebAssembly")
    try:
        under_wasm = _run_in_node(
            [job(bundle, f, feed, repeats) for f, feed in zip(bundle.networks, feeds, strict=True)]
        )
    except NpmPackageError as error:
        return here, str(error)
    tell(1.0, "measured")
    return [_joined(*row) for row in zip(here, outputs, bundle.networks, under_wasm, strict=True)], None


def job(bundle: Bundle, file: BundleFile, feed: Feed, repeats: int) -> dict[str, Any]:
    """What ``latency.mjs`` takes: a file, its inputs as JSON values, and how often to run it."""
    values = {
        name: {
            "dtype": str(array.dtype),
            "shape": list(array.shape),
            "data": [str(v) for v in array.ravel()] if array.dtype == np.int64 else array.ravel().tolist(),
        }
        for name, array in feed.items()
    }
    return {"file": str(bundle.folder / file.file), "repeats": repeats, "feed": values}


def largest_difference(file: BundleFile, outputs: Sequence[np.ndarray], other: dict[str, list[float]]) -> float:
    """Between outputs here and those of ``latency.mjs``, over all numbers."""
    return max(
        float(np.abs(values.ravel() - np.array(other[spec.name], np.float64)).max())
        for spec, values in zip(file.outputs, outputs, strict=True)
    )


def _time(bundle: Bundle, file: BundleFile, feed: Feed, repeats: int) -> tuple[Measurement, list[np.ndarray]]:
    started = time.perf_counter()
    session = bundle.session(file)
    loaded = time.perf_counter() - started
    outputs, times = session.run(None, feed), []
    for _ in range(repeats):
        started = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - started)
    median = float(np.median(times))
    return Measurement(file.file, file.precision or "", file.bytes, _ms(loaded), _ms(median)), outputs


def _run_in_node(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    again = "rejoinder export --measure"
    runtime = (web_runtime() / MODULE).as_uri()
    program = _NODE.format(runtime=json.dumps(runtime), script=json.dumps(SCRIPT.as_uri()))
    command = [*node_command("node", again), "--input-type=module", "--eval", program]
    try:
        done = subprocess.run(
            command, input=json.dumps(jobs), capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NpmPackageError(f"Node took longer than {_TIMEOUT_SECONDS} s for the networks") from None
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise NpmPackageError(f"Node could not run the networks: {reason[0]}")
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def _joined(here: Measurement, outputs: list[np.ndarray], file: BundleFile, wasm: dict[str, Any]) -> Measurement:
    return Measurement(
        here.file, here.precision, here.bytes, here.load_ms, here.p50_ms,
        round(wasm["load_ms"], 1), round(wasm["p50_ms"], 3), largest_difference(file, outputs, wasm["outputs"]),
    )  # fmt: skip


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)
