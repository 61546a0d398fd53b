"""A bundle: trained networks as ONNX files, and one manifest that says all it takes to run them.

    manifest.json
    encoder/   model.onnx tokenizer.json manifest.json     sentence -> states of its word pieces
    policy/    policy.onnx manifest.json                   features of a belief state -> value of each action
    memory/    write.onnx read.onnx manifest.json          statement -> row; question and rows -> answer

Each folder is also one that the server's own classes open (``Encoder``, ``OnnxPolicy``, ``StoryMemory``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "rejoinder-bundle/1"
"""Of the manifest; readers refuse any other."""
MANIFEST_FILE = "manifest.json"
Feed = dict[str, NDArray[Any]]
"""Input name -> array."""


class BundleError(ValueError):
    """A bundle is missing, damaged or can't be made; the message names the file and the remedy."""


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a network.

    Attributes:
        shape: numbers, and names where the size is free; equal names are equal sizes.
        range: lowest and highest meaningful value, both included; None when all are.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    range: tuple[float, float] | None = None

    def sample(self, sizes: Mapping[str, int], rng: np.random.Generator) -> NDArray[Any]:
        """A random array that fits; ``sizes`` of the free dimensions, 1 where they are silent."""
        shape = tuple(size if isinstance(size, int) else sizes.get(size, 1) for size in self.shape)
        low, high = self.range or (0, 1)
        dtype = np.dtype(self.dtype)
        if dtype.kind in "iub":
            return rng.integers(int(low), int(high), shape, endpoint=True).astype(dtype)
        return rng.uniform(low, high, shape).astype(dtype)


@dataclass(frozen=True)
class BundleFile:
    """One file of a bundle.

    Attributes:
        file: path inside the bundle.
        role: what it does: encoder, tokenizer, policy, memory_write, memory_read or settings.
        licence: of the weights, as far as they are anybody's but the exporter's own.
        inputs, outputs, opset, ir_version, precision: of an ONNX file; empty or None for others.
        version: twelve digits of the hash of what was trained, as the server's log and inspector show it.
        trained_on: the record of the training.
    """

    file: str
    role: str
    sha256: str
    bytes: int
    licence: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    opset: int | None = None
    ir_version: int | None = None
    precision: str | None = None
    version: str | None = None
    trained_on: Mapping[str, Any] = field(default_factory=dict)

    def sample_inputs(self, rng: np.random.Generator, **sizes: int) -> Feed:
        """Random inputs made from this description alone; ``sizes`` of the free dimensions (default 1)."""
        return {spec.name: spec.sample(sizes, rng) for spec in self.inputs}


@dataclass(frozen=True)
class Bundle:
    """A whole, checked bundle on disk."""

    folder: Path
    assistant: str
    ontology: str
    rejoinder: str
    files: tuple[BundleFile, ...]
    story_reading: Mapping[str, Any]
    """How the memory takes sentences apart into words (``memory.dnc.words``), for readers in other languages."""

    @property
    def networks(self) -> tuple[BundleFile, ...]:
        """The ONNX files."""
        return tuple(file for file in self.files if file.inputs)

    def network(self, role: str) -> BundleFile:
        """The ONNX file with a role; BundleError when there is none."""
        for file in self.networks:
            if file.role == role:
                return file
        raise BundleError(f"{self.folder / MANIFEST_FILE}: no file has the role {role!r}: export again")

    def session(self, file: BundleFile) -> Any:
        """An ONNX Runtime session of one of the files: CPU, one thread."""
        return open_session(self.folder / file.file)

    def manifest(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        return {
            "format": FORMAT,
            "rejoinder": self.rejoinder,
            "assistant": self.assistant,
            "ontology": self.ontology,
            "files": [asdict(file) for file in self.files],
            "story_reading": dict(self.story_reading),
        }


def read_bundle(folder: Path) -> Bundle:
    """Open a bundle and check every file of it against its manifest; BundleError says what is wrong."""
    path = folder / MANIFEST_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise BundleError(f"{path}: format {raw['format']!r}, this version reads {FORMAT!r}: export again")
        files = tuple(_file(fields) for fields in raw["files"])
        bundle = Bundle(folder, raw["assistant"], raw["ontology"], raw["rejoinder"], files, raw["story_reading"])
    except FileNotFoundError:
        raise BundleError(f"{path}: no such file: make a bundle with `rejoinder export --out {folder}`") from None
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: not the manifest of a bundle ({error}): export again") from None
    for file in bundle.files:
        _check(folder / file.file, file)
    return bundle


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds what an export wrote, whole or damaged."""
    try:
        raw = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(raw, dict) and str(raw.get("format", "")).startswith("rejoinder-bundle/")


def open_session(model: Path | bytes) -> Any:
    """An ONNX Runtime session of a file or its content: CPU, one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _file(fields: Mapping[str, Any]) -> BundleFile:
    specs = {
        side: tuple(
            TensorSpec(s["name"], s["dtype"], tuple(s["shape"]), tuple(s["range"]) if s["range"] else None)
            for s in fields[side]
        )
        for side in ("inputs", "outputs")
    }
    return BundleFile(**{**fields, **specs})


def _check(path: Path, file: BundleFile) -> None:
    if Path(file.file).is_absolute() or ".." in Path(file.file).parts:
        raise BundleError(f"{path}: leads out of the bundle: export again")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"{path}: no such file, though the manifest lists it: export again") from None
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise BundleError(f"{path}: sha256 differs from the manifest: the file is damaged, export again")
