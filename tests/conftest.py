"""What all tests share: the default assistant, and one model of it, trained once and kept until its inputs change."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot.assistant import Assistant, load_assistant
from bot.config import Config
from tests.postgresql import postgres

__all__ = ["postgres"]
ROOT = Path(__file__).parents[1]
POLICY_STEPS = 1000
"""Steps of the tests' policy training: a third of the default, enough to be on a par with the rules."""


ALONE = ("promises", "e2e", "slack")
"""Folders whose tests kill servers, count milliseconds or drive a browser."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what must not run beside other tests (see the Makefile)."""
    for item in items:
        if item.path.relative_to(ROOT / "tests").parts[0] in ALONE:
            item.add_marker("alone")


@pytest.fixture(scope="session")
def assistant() -> Assistant:
    """The restaurants assistant."""
    return load_assistant(ROOT / "assistants" / "restaurants")


@pytest.fixture(scope="session")
def models() -> Path:
    """The models folder with a trained restaurants model.

    A model that `make serve` or an earlier run trained from the same files is taken as it is.
    """
    folder = ROOT / "build" / "test-models"
    folder.mkdir(parents=True, exist_ok=True)
    marker, wanted = folder / "inputs.sha256", _inputs()
    with (folder / "lock").open("w") as lock:  # two runs at once train once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != wanted:
            marker.unlink(missing_ok=True)
            _train(folder)
            marker.write_text(wanted)
    return folder


def _train(folder: Path) -> None:
    shutil.rmtree(folder / "restaurants", ignore_errors=True)
    config = folder / "config.yml"
    config.write_text(f"assistant: {ROOT / 'assistants' / 'restaurants'}\nmodels: {folder}\n")
    command = [sys.executable, "-m", "bot", "train", "--config", str(config), "--steps", str(POLICY_STEPS), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "report.json").write_text(done.stdout)


@pytest.fixture(scope="session")
def model_dir(models: Path) -> Path:
    """The trained restaurants model."""
    return models / "restaurants"


@pytest.fixture
def config(models: Path, tmp_path: Path) -> Config:
    """A configuration with the trained model and a database of its own."""
    return Config(assistant=ROOT / "assistants" / "restaurants", models=models, data=tmp_path / "data")


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where an empty event log is to be: a file, then a PostgreSQL database (skipped where there is none)."""
    if request.param == "sqlite":
        return tmp_path / "data" / "log.sqlite3"
    return str(request.getfixturevalue("postgres").fresh())


def _inputs() -> str:
    """Hash of everything that training reads or runs."""
    digest = hashlib.sha256()
    folders = ("memory", "policies", "simulator", "bot/nlu", "assistants")
    files = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in (".py", ".yml", ".csv")]
    for path in sorted([*files, *(ROOT / "bot").glob("assistant*.py"), ROOT / "bot/commands/train.py"]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
