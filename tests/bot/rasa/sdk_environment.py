"""rasa-sdk in a virtual environment of its own: its exact pins would change what the other tests run with."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ("rasa-sdk==3.21.*", "httpx==0.28.*")


def sdk_python() -> Path:
    """The interpreter that has rasa_sdk, installed once below build/; skips the test where that can't be done."""
    folder = ROOT / "build" / "rasa-sdk"
    folder.mkdir(parents=True, exist_ok=True)
    marker, python = folder / "installed", folder / "venv" / "bin" / "python"
    with (folder / "lock").open("w") as lock:  # two runs at once install once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text().split() != [*REQUIREMENTS]:
            marker.unlink(missing_ok=True)
            shutil.rmtree(folder / "venv", ignore_errors=True)
            _call([sys.executable, "-m", "venv", str(folder / "venv")])
            _call([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS])
            marker.write_text("\n".join(REQUIREMENTS))
    return python


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        pytest.skip(f"{REQUIREMENTS[0]} can't be installed here: {reason}")
