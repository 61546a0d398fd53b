"""An unfinished training on disk: kill it at any moment, go on from there, end with the same bits (numpy only).

A checkpoint is one npz of plain arrays and ``resume.json`` that names it and its sha256. The arrays are written first,
under a name of their own; the manifest is replaced last and in one step. A crash at any point therefore leaves the
checkpoint before or the new one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from policies.files import open_atomically, write_atomically

FORMAT = 1
MANIFEST_FILE = "resume.json"

State = dict[str, NDArray[Any]]
"""Named arrays; everything that decides what happens next."""


class ResumeError(ValueError):
    """A checkpoint is damaged or belongs to another training; the message names file, what differs and the remedy."""


@runtime_checkable
class Resumable(Protocol):
    """Whatever has a state that a resumed training needs: environments, replays, explorers."""

    def state(self) -> State:
        """Everything that decides what happens next; no array is changed later."""
        ...

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue exactly where ``state`` was taken."""
        ...


def pack_json(value: Any) -> NDArray[np.uint8]:
    """JSON as an array of bytes; floats and integers of any size come back exactly."""
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


def unpack_json(array: NDArray[Any]) -> Any:
    """What ``pack_json`` was given."""
    return json.loads(array.tobytes())


def pack_rng(rng: np.random.Generator) -> NDArray[np.uint8]:
    """The state of a generator, to be stored among other arrays."""
    return pack_json(rng.bit_generator.state)


def restore_rng(rng: np.random.Generator, array: NDArray[Any]) -> None:
    """Put ``rng`` where ``pack_rng`` found it."""
    rng.bit_generator.state = unpack_json(array)


def prefixed(name: str, state: Mapping[str, NDArray[Any]]) -> State:
    """``state`` with every key behind ``name/``, so that the states of several parts fit into one."""
    return {f"{name}/{key}": array for key, array in state.items()}


def part(name: str, state: Mapping[str, NDArray[Any]]) -> State:
    """The part of ``state`` that ``prefixed`` put behind ``name/``."""
    start = f"{name}/"
    return {key[len(start) :]: array for key, array in state.items() if key.startswith(start)}


def digest(state: Mapping[str, NDArray[Any]]) -> str:
    """sha256 over names, types, shapes and bytes: equal exactly when two states are bit-equal."""
    total = hashlib.sha256()
    for key in sorted(state):
        array = np.ascontiguousarray(state[key])
        total.update(f"{key} {array.dtype} {array.shape} ".encode())
        total.update(array.data)
    return total.hexdigest()


@dataclass
class Checkpoints:
    """Where and how often an unfinished training is written down; a ``directory`` belongs to one training.

    A checkpoint is due after ``every_steps`` environment steps or ``every_seconds``, whichever is set and comes
    first. When it is written has no influence on what is learned. ``about`` (JSON-able): what else must be the same
    when the training goes on, such as the environment's settings.
    """

    directory: Path
    every_steps: int | None = None
    every_seconds: float | None = 60.0
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._last = time.monotonic()

    def due(self, step: int) -> bool:
        """Whether to write one now, after ``step`` steps."""
        if self.every_steps is not None and step % self.every_steps == 0:
            return True
        return self.every_seconds is not None and time.monotonic() - self._last >= self.every_seconds

    def save(self, step: int, settings: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> None:
        """Write ``state`` after ``step`` steps of a training with ``settings`` (JSON-able); the one before goes."""
        path = self.directory / f"state-{step}.npz"
        with open_atomically(path) as file:
            np.savez(file, **state)  # type: ignore[arg-type]
        manifest = {
            "format": FORMAT, "step": step, "file": path.name, "sha256": _sha256(path),
            "settings": {**settings, **self.about},
        }  # fmt: skip
        write_atomically(self.directory / MANIFEST_FILE, json.dumps(manifest, indent=1).encode())
        for other in self.directory.glob("*state-*.npz*"):  # older ones, and what a crash left half-written
            if other != path:
                other.unlink(missing_ok=True)
        self._last = time.monotonic()

    def load(self, settings: Mapping[str, Any]) -> State | None:
        """The arrays of the last checkpoint, or None when there is none yet.

        ResumeError when it is damaged or its settings differ from ``settings``.
        """
        manifest_path = self.directory / MANIFEST_FILE
        if not manifest_path.exists():
            return None
        try:
            manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
            if manifest["format"] != FORMAT:
                raise ResumeError(f"{manifest_path}: format {manifest['format']}, this version reads {FORMAT}: {_ANEW}")
            _same(manifest_path, manifest["settings"], json.loads(json.dumps({**settings, **self.about})))
            path = self.directory / manifest["file"]
            if _sha256(path) != manifest["sha256"]:
                raise ResumeError(f"{path}: sha256 differs from {MANIFEST_FILE}, the file is damaged: {_ANEW}")
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        except (KeyError, TypeError, json.JSONDecodeError, FileNotFoundError, zipfile.BadZipFile) as error:
            raise ResumeError(f"{manifest_path}: not a checkpoint ({error!r}): {_ANEW}") from None

    def clear(self) -> None:
        """Forget the training: it is finished, or a new one begins."""
        shutil.rmtree(self.directory, ignore_errors=True)


_ANEW = "train without resuming, which begins anew"


def _same(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            raise ResumeError(
                f"{path}: this training was begun with {key} = {old.get(key)!r}, now it is {new.get(key)!r}: "
                f"give the same settings, or {_ANEW}"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
