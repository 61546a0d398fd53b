"""Checkpoints of a parameter server on disk: one safetensors file for the servers and one for each part of the work.

All files of a checkpoint carry its update in their name; ``servers.json`` names them with their sha256 and is replaced
last, in one step. A crash at any point leaves the checkpoint before or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from policies.optimize.parameter_server import State
from policies.optimize.parameter_server_workers import Snapshot

MANIFEST = "servers.json"
ANEW = "train without resuming, which begins anew"


class ServerCheckpointError(ValueError):
    """A checkpoint is damaged or belongs to another training; names file, what differs and the remedy."""


@dataclass(frozen=True)
class ServerCheckpoints:
    """A folder that belongs to one training; ``about`` (JSON-able): what must be the same when it goes on."""

    directory: Path
    about: Mapping[str, Any]

    def save(self, snapshot: Snapshot, driver: State) -> int:
        """Write a checkpoint in place of the one before; ``driver``: the state of whoever conducts. Bytes written."""
        self.directory.mkdir(parents=True, exist_ok=True)
        states = {"server": snapshot.server, "driver": driver}
        states |= {f"worker-{part}": state for part, state in snapshot.workers.items()}
        states |= {f"store-{part}": state for part, state in snapshot.stores.items()}
        files, written = {}, 0
        stamp = f"{snapshot.updates}-{time.time_ns()}"  # never the name of a file that the manifest on disk names
        for name, state in states.items():
            data = save({key: array if array.flags.c_contiguous else array.copy() for key, array in state.items()})
            path = self.directory / f"{name}-{stamp}.safetensors"
            _write(path, data)
            files[name], written = {"file": path.name, "sha256": hashlib.sha256(data).hexdigest()}, written + len(data)
        manifest = {"updates": snapshot.updates, "about": dict(self.about), "files": files}
        _write(self.directory / MANIFEST, json.dumps(manifest, indent=1).encode())
        kept = {entry["file"] for entry in files.values()}
        for old in self.directory.glob("*.safetensors*"):
            if old.name not in kept:
                old.unlink(missing_ok=True)
        return written

    def load(self) -> tuple[Snapshot, State] | None:
        """The last checkpoint and its driver's state, or None where there is none.

        ServerCheckpointError when it is damaged, or of a training that differs in ``about``.
        """
        path = self.directory / MANIFEST
        if not path.exists():
            return None
        states: dict[str, State] = {}
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            self._require_same(manifest["about"])
            for name, entry in manifest["files"].items():
                data = (self.directory / entry["file"]).read_bytes()
                if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                    raise ServerCheckpointError(
                        f"{self.directory / entry['file']}: sha256 differs from {MANIFEST}, the file is damaged: {ANEW}"
                    )
                states[name] = load(data)
            server, driver = states.pop("server"), states.pop("driver")
        except (KeyError, TypeError, AttributeError, OSError, json.JSONDecodeError, SafetensorError) as error:
            raise ServerCheckpointError(f"{path}: not a checkpoint ({error!r}): {ANEW}") from None
        parts: dict[str, dict[int, State]] = {"worker": {}, "store": {}}
        for name, state in states.items():
            kind, _, number = name.rpartition("-")
            parts[kind][int(number)] = state
        return Snapshot(server, parts["worker"], parts["store"]), driver

    def clear(self) -> None:
        """Forget the training: it is finished, or a new one begins."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _require_same(self, before: Mapping[str, Any]) -> None:
        now = json.loads(json.dumps(dict(self.about)))
        for key in sorted({*before, *now}):
            if before.get(key) != now.get(key):
                raise ServerCheckpointError(
                    f"{self.directory / MANIFEST}: this training was begun with {key} = {before.get(key)!r}, now it is "
                    f"{now.get(key)!r}: give the same settings, or {ANEW}"
                )


def _write(path: Path, data: bytes) -> None:
    """Write, fsync, rename: the old file or the new one, never a mixture."""
    temporary = path.with_name(f"{path.name}.part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
