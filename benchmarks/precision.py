"""What storing the networks with fewer bits saves and costs: bytes, time, and how far outputs and answers move.

    rejoinder export --out bundle && python benchmarks/precision.py bundle [--stories 8] [--json]

For policy and memory: float32, float16 weights computed in float32 (`rejoinder export --precision fp16`), float16
throughout, and int8 weights (dynamic quantisation). Outputs are compared on the same random inputs, answers on
questions about generated stories of all kinds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.export.bundle import Bundle, BundleFile, open_session, read_bundle
from bot.export.measure import SIZES
from bot.export.precision import halve_weights
from bot.report import print_json, print_table
from memory.dnc.reader import StoryMemory
from memory.dnc.stories import CONVERSATIONS, generate

REPEATS = 300


def half_throughout(data: bytes) -> bytes:
    """Weights and computing in float16, inputs and outputs as before."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    converted: bytes = convert_float_to_float16(onnx.load_from_string(data), keep_io_types=True).SerializeToString()
    return converted


def eight_bits(data: bytes) -> bytes:
    """Weights in int8, activations quantised while running."""
    from onnxruntime.quantization import quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.onnx", Path(folder) / "out.onnx"
        source.write_bytes(data)
        quantize_dynamic(source, target)
        return target.read_bytes()


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "fp32": lambda data: data,
    "fp16, computed in fp32": halve_weights,
    "fp16 throughout": half_throughout,
    "int8, dynamic": eight_bits,
}


def network(bundle: Bundle, file: BundleFile, way: Callable[[bytes], bytes]) -> dict[str, Any]:
    """Bytes, median milliseconds and the largest move of an output of one network stored in one way."""
    data = (bundle.folder / file.file).read_bytes()
    changed = way(data)
    whole, other = open_session(data), open_session(changed)
    moved = 0.0
    for seed in range(20):
        feed = file.sample_inputs(np.random.default_rng(seed), **SIZES)
        for one, two in zip(whole.run(None, feed), other.run(None, feed), strict=True):
            moved = max(moved, float(np.abs(one - two).max()) if np.isfinite(two).all() else float("inf"))
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        other.run(None, feed)
        times.append(time.perf_counter() - began)
    return {"bytes": len(changed), "p50_ms": float(np.median(times)) * 1000, "moved": moved}


def answers(bundle: Bundle, stories: int, way: Callable[[bytes], bytes]) -> list[tuple[str | None, float]]:
    """What the memory stored in one way answers to generated questions, with its confidences."""
    folder = bundle.folder / "memory"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    graphs = [open_session(way((folder / name).read_bytes())) for name in ("write.onnx", "read.onnx")]
    memory, said = StoryMemory(graphs[0], graphs[1], manifest), []
    for task in (*range(1, 21), *CONVERSATIONS):
        for story in generate(task, stories, seed=99):
            state = memory.empty()
            for line in story.lines:
                if isinstance(line, str):
                    state = memory.write(state, line)
                else:
                    answer = memory.ask(state, line.text)
                    said.append((answer.text, answer.confidence))
    return said


def main() -> None:
    """Print the table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="a folder written by `rejoinder export`")
    parser.add_argument("--stories", type=int, default=8, help="generated stories of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    bundle = read_bundle(options.bundle)
    report: dict[str, Any] = {"networks": [], "answers": {}}
    for file in bundle.networks:
        if file.precision == "fp32":
            for name, way in WAYS.items():
                report["networks"].append({"file": file.file, "stored_as": name, **network(bundle, file, way)})
    before = answers(bundle, options.stories, WAYS["fp32"])
    for name in ("fp16, computed in fp32", "int8, dynamic"):
        after = answers(bundle, options.stories, WAYS[name])
        pairs = list(zip(before, after, strict=True))
        report["answers"][name] = {
            "questions": len(pairs),
            "same": sum(one[0] == two[0] for one, two in pairs),
            "confidence_moved": max(abs(one[1] - two[1]) for one, two in pairs),
        }
    if options.json:
        print_json(report)
        return
    rows = [[r["file"], r["stored_as"], r["bytes"] // 1000, r["p50_ms"], r["moved"]] for r in report["networks"]]
    print_table("networks", ["network", "stored as", "kB", "ms", "largest move"], rows)
    rows = [[name, r["questions"], r["same"], r["confidence_moved"]] for name, r in report["answers"].items()]
    print_table("answers", ["stored as", "questions", "same answer", "confidence moved"], rows)


if __name__ == "__main__":
    main()
