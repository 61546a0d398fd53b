"""One setting says where trainings run, in the file and on the command line; what isn't there is refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands.options import settings
from bot.config import Config, ConfigError, load_config
from bot.errors import explain
from policies.devices import DeviceError, is_available

MISSING = next((name for name in ("mps", "cuda") if not is_available(name)), None)


def test_the_cpu_is_the_default_and_the_command_line_wins(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("training: {device: auto, steps: 700}\n")
    assert Config().training.device == "cpu"
    assert load_config(file).training.device == "auto"
    chosen = settings(file, None, device="cpu").training
    assert (chosen.device, chosen.steps) == ("cpu", 700)


def test_no_device_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"command line: training\.device: .*'gpu'"):
        settings(None, None, device="gpu")
    file = tmp_path / "config.yml"
    file.write_text("training: {device: gpu}\n")
    with pytest.raises(ConfigError, match=r"config\.yml: training\.device"):
        load_config(file)


@pytest.mark.skipif(MISSING is None, reason="every device is on this machine")
def test_memory_is_not_trained_where_there_is_no_device(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "memory", "--device", str(MISSING), "--out", str(tmp_path / "memory")])
    assert isinstance(result.exception, DeviceError)
    assert f"training.device: {MISSING} is not there" in (explain(result.exception) or "")
    assert not (tmp_path / "memory").exists()
