"""Making a bundle: what is trained is copied, described, tried, and put in place in one step."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bot.assistant import Assistant
from bot.config import Config
from bot.export.bundle import MANIFEST_FILE, Bundle, BundleError, BundleFile, TensorSpec, is_bundle, open_session
from bot.export.precision import TOLERANCE, halve_weights, story_difference
from bot.export.sources import Source, encoder_source, memory_source, policy_source
from memory.dnc.reader import StoryMemory
from memory.dnc.words import reading_rules

Tell = Callable[[float, str], None]
"""Called with the share done and what is being done."""
PRECISIONS = ("fp32", "fp16")
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}


@dataclass(frozen=True)
class ExportSettings:
    """How to export.

    Attributes:
        precision: fp32 leaves all files as they are; fp16 stores the weights of policy and memory in half precision
            (``bot.export.precision``). The encoder is int8 already.
        memory: folder of the memory, None for the configured one, else the one that comes with the package.
        encoder_licence: under which an encoder that this project does not know may be handed on.
        force: take the place of an earlier bundle.
    """

    precision: str = "fp32"
    memory: Path | None = None
    encoder_licence: str | None = None
    force: bool = False


def build_bundle(config: Config, assistant: Assistant, out: Path, settings: ExportSettings, tell: Tell) -> Bundle:
    """Write the bundle of what ``config`` serves to ``out``; the folder appears whole or not at all.

    Raises:
        BundleError: ``out`` is in use, nothing is trained, or a file can't be handed on or described.
        ModelError, EncoderError, MemoryModelError: a trained part is damaged.
    """
    _check_free(out, force=settings.force)
    if settings.precision not in PRECISIONS:
        raise BundleError(f"--precision {settings.precision}: choose {' or '.join(PRECISIONS)}")
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise BundleError("exporting needs onnx: run `make setup`, or install rejoinder[train]") from None
    tell(0.0, "checking what is trained")
    sources = [
        encoder_source(config, assistant, settings.encoder_licence),
        policy_source(config, assistant),
        memory_source(settings.memory or config.memory.model),
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.", ignore_cleanup_errors=True) as work:
        folder = Path(work) / "bundle"
        files: list[BundleFile] = []
        for done, source in enumerate(sources):
            tell(0.1 + 0.8 * done / len(sources), f"writing {source.folder}")
            files += _write(source, folder, settings.precision)
        bundle = Bundle(
            folder, assistant.name, assistant.ontology.fingerprint, version("rejoinder"), tuple(files), reading_rules()
        )
        tell(0.9, "trying every file")
        if settings.precision == "fp16":
            whole, halved = StoryMemory.load(sources[-1].path), StoryMemory.load(folder / "memory")
            _check_moved(sources[-1].path, story_difference(whole, halved))
        for file in bundle.networks:
            _try(bundle, file)
        content = json.dumps(bundle.manifest(), indent=1) + "\n"
        _write_safely(folder / MANIFEST_FILE, content.encode())
        _put_in_place(folder, out, Path(work) / "replaced")
    tell(1.0, "done")
    return replace(bundle, folder=out)


def _check_free(out: Path, *, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise BundleError(f"{out}: is a file: name a folder with --out")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not force:
        raise BundleError(f"{out}: is not empty: name another folder with --out, or replace an earlier bundle: --force")
    if not is_bundle(out):
        raise BundleError(f"{out}: holds something else than a bundle, which --force does not delete: name another")


def _put_in_place(folder: Path, out: Path, replaced: Path) -> None:
    if out.is_dir() and any(out.iterdir()):
        out.rename(replaced)
    try:
        folder.rename(out)
    except OSError:
        if replaced.exists():  # it would be deleted with the folder of the work
            replaced.rename(out)
        raise


def _write(source: Source, bundle: Path, precision: str) -> list[BundleFile]:
    """Write the files of one part; its own manifest last, with the hashes of what was written."""
    found, hashes = [], {}
    for name, role in source.files.items():
        data = (source.path / name).read_bytes()
        halved = precision == "fp16" and role in source.halved
        if halved:
            data = _halved(source.path / name, data, source)
        hashes[name] = hashlib.sha256(data).hexdigest()
        file = f"{source.folder}/{name}"
        _write_safely(bundle / file, data)
        described = BundleFile(file, role, hashes[name], len(data), source.licence)
        if name.endswith(".onnx"):
            described = replace(
                _described(described, data, source),
                precision="fp16" if halved else source.precision,
                version=source.version,
                trained_on=source.trained_on,
            )
        found.append(described)
    settings = json.dumps(source.settings(hashes), indent=1).encode() + b"\n"
    file = f"{source.folder}/{MANIFEST_FILE}"
    _write_safely(bundle / file, settings)
    digest = hashlib.sha256(settings).hexdigest()
    return [*found, BundleFile(file, "settings", digest, len(settings), source.licence)]


def _write_safely(path: Path, data: bytes) -> None:
    """On the disk before the bundle gets its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _described(file: BundleFile, data: bytes, source: Source) -> BundleFile:
    import onnx

    model, session = onnx.load_from_string(data), open_session(data)
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    return replace(
        file,
        inputs=tuple(_spec(node, source.ranges) for node in session.get_inputs()),
        outputs=tuple(_spec(node, {}) for node in session.get_outputs()),
        opset=opsets["ai.onnx"],
        ir_version=model.ir_version,
    )


def _spec(node: Any, ranges: dict[str, tuple[float, float]]) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else str(size) for size in node.shape)
    return TensorSpec(node.name, _DTYPES[node.type], shape, ranges.get(node.name))


def _halved(path: Path, data: bytes, source: Source) -> bytes:
    """``data`` with its weights in half precision; BundleError where an output moves by more than the tolerance.

    The memory's networks are compared at work (``story_difference``): random rows are nothing they ever hold.
    """
    halved = halve_weights(data)
    if source.folder == "memory":
        return halved
    probe = _described(BundleFile(path.name, "", "", 0, ""), data, source)
    before, after, rng = open_session(data), open_session(halved), np.random.default_rng(0)
    for _ in range(5):
        feed = probe.sample_inputs(rng, batch=8)
        for wanted, got in zip(before.run(None, feed), after.run(None, feed), strict=True):
            _check_moved(path, float(np.abs(wanted - got).max()))
    return halved


def _check_moved(path: Path, moved: float) -> None:
    if not moved <= TOLERANCE:
        raise BundleError(
            f"{path}: in half precision an output moves by {moved:.4f}, more than {TOLERANCE}: "
            "export with --precision fp32"
        )


def _try(bundle: Bundle, file: BundleFile) -> None:
    """Run a file on inputs made from its description, as a reader of the bundle would."""
    feed = file.sample_inputs(np.random.default_rng(0), batch=1, tokens=8, rows=4)
    try:
        outputs = bundle.session(file).run(None, feed)
    except Exception as error:
        raise BundleError(f"{file.file}: does not run ({error}): train that part again") from None
    for spec, values in zip(file.outputs, outputs, strict=True):
        if not np.isfinite(values).all():
            raise BundleError(f"{file.file}: its output {spec.name!r} is not finite: train that part again")
