"""``rejoinder export``: one folder with everything that was trained, for other programs, devices and browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bot.assistant import load_assistant
from bot.config import Config
from bot.export.build import ExportSettings, build_bundle
from bot.export.bundle import Bundle
from bot.export.measure import Measurement, measure
from bot.export.web_runtime import ONNXRUNTIME_WEB
from bot.report import console, print_json, print_table

REPEATS = 100
"""Timed runs of each network."""


def export(config: Config, out: Path, settings: ExportSettings, *, measured: bool, as_json: bool) -> None:
    """Write the bundle to ``out`` and say what is in it; with ``measured`` also what it weighs and how fast it is."""
    assistant = load_assistant(config.assistant)
    measurements: list[Measurement] = []
    missing = None
    with _progress(quiet=as_json) as tell:
        bundle = build_bundle(config, assistant, out, settings, tell)
        if measured:
            measurements, missing = measure(bundle, REPEATS, tell)
    if as_json:
        print_json(_report(bundle, measurements, missing))
        return
    rows = [[f.file, f.role, _size(f.bytes), f.precision or "", f.opset or "", f.licence] for f in bundle.files]
    print_table(f"written to {out}", ["file", "role", "kB", "precision", "opset", "licence"], rows)
    if measured:
        _show(measurements, missing)


def _report(bundle: Bundle, measurements: list[Measurement], missing: str | None) -> dict[str, Any]:
    report: dict[str, Any] = {"out": str(bundle.folder), **bundle.manifest()}
    if measurements:
        report["measurements"] = [asdict(measurement) for measurement in measurements]
        report["runtimes"] = _runtimes()
        report["without_wasm_because"] = missing
    return report


def _show(measurements: list[Measurement], missing: str | None) -> None:
    columns = ["file", "kB", "open ms", "run ms", "wasm open ms", "wasm run ms", "largest difference"]
    rows = [
        [
            m.file, _size(m.bytes), f"{m.load_ms:.1f}", f"{m.p50_ms:.3f}", _number(m.wasm_load_ms, ".0f"),
            _number(m.wasm_p50_ms, ".3f"), _number(m.difference, ".1e"),
        ]
        for m in measurements
    ]  # fmt: skip
    runtimes = _runtimes()
    title = ", ".join(f"{name} {number}" for name, number in runtimes.items())
    print_table(f"one message at a time, one core: {title}", columns, rows)
    if missing:
        console.print(f"not timed under WebAssembly: {missing}", markup=False)


def _runtimes() -> dict[str, str]:
    return {"onnxruntime": version("onnxruntime"), ONNXRUNTIME_WEB.name: ONNXRUNTIME_WEB.version}


def _size(size: int) -> str:
    return f"{size / 1000:.0f}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[float, str], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, disable=quiet, console=console, transient=True) as progress:
        task = progress.add_task("export", total=1.0)
        yield lambda share, what: progress.update(task, completed=share, description=what)
