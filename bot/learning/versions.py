"""Versions of a served policy: folders that never change, and one pointer that is replaced atomically.

    models/<assistant>/policy/            the policy `rejoinder train` wrote: the base
        versions/<version>/               a promoted policy, whole before it gets this name
        current.json                      which version is served, and those before it

A crash at any moment leaves the old pointer or the new one, and both name a whole folder. The pointer belongs to one
base: after `rejoinder train` the newly trained policy is served and earlier promotions no longer count.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from policies.export import ModelError, read_manifest
from policies.files import write_atomically

POINTER, FOLDER = "current.json", "versions"
_STAGED = ".staged-"
REMEMBERED = 20
"""How many versions back a rollback can go."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The served ``version``, those it replaced (oldest first), and the ``base`` they descend from."""

    base: str
    version: str
    history: tuple[str, ...] = ()


class PolicyVersions:
    """The versions below one policy folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = directory / FOLDER

    @property
    def base(self) -> str:
        """The version of the trained policy; ModelError when there is none."""
        return read_manifest(self.directory).sha256[:12]

    def pointer(self) -> Pointer:
        """What is served; the base as long as nothing was promoted on top of it.

        Raises:
            ModelError: there is no trained policy, or the pointer can't be read.
        """
        base, path = self.base, self.directory / POINTER
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            pointer = Pointer(raw["base"], raw["version"], tuple(raw["history"]))
        except FileNotFoundError:
            return Pointer(base, base)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{path}: not a pointer ({error}): delete it to serve the trained policy") from None
        return pointer if pointer.base == base else Pointer(base, base)

    def path(self, version: str) -> Path:
        """The folder of a version."""
        return self.directory if version == self.base else self.folder / version

    def served(self) -> Path:
        """The folder of the version to serve; ModelError as ``pointer``."""
        return self.path(self.pointer().version)

    def signature(self) -> tuple[object, ...]:
        """Changes whenever another version is to be served; cheap enough to ask every second."""
        found: list[object] = []
        for path in (self.directory / POINTER, self.directory / "manifest.json"):
            try:
                status = path.stat()
                found.append((status.st_ino, status.st_mtime_ns))
            except FileNotFoundError:
                found.append(None)
        return tuple(found)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder to write a candidate into; it is gone afterwards unless ``publish`` took it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(f"{_STAGED}*"):  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        staged = Path(tempfile.mkdtemp(dir=self.folder, prefix=_STAGED))
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def publish(self, staged: Path) -> str:
        """Give the staged policy its version's name and serve it; returns the version."""
        version = read_manifest(staged).sha256[:12]
        target = self.path(version)
        if not target.exists():
            staged.rename(target)
            _sync(self.folder)
        before = self.pointer()
        if version != before.version:
            history = (*before.history, before.version)[-REMEMBERED:]
            self._point(Pointer(before.base, version, history))
        return version

    def rollback(self) -> str:
        """Serve the version before; returns it. ModelError when there is none."""
        now = self.pointer()
        if not now.history:
            raise ModelError(
                f"{self.directory}: version {now.version} is the first one: there is nothing to go back to"
            )
        self._point(Pointer(now.base, now.history[-1], now.history[:-1]))
        return now.history[-1]

    def _point(self, pointer: Pointer) -> None:
        write_atomically(self.directory / POINTER, json.dumps(asdict(pointer)).encode())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
