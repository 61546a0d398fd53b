"""``rejoinder train policy --distributed``: stopped, it says how to go on; what it can't do is said in one sentence."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands import train_distributed
from policies.optimize.ray_connection import WorkerError
from simulator import distributed
from simulator.distributed import train_policy_distributed
from simulator.reward import Reward
from tests.bot.test_train_command import MEASURED, ROOT

CONFIG = f"""
assistant: {ROOT / "assistants" / "restaurants"}
training: {{num_envs: 8}}
tuned: {{policy: {{spike_steps: 20, pretrain_updates: 20, updates_per_step: 1}}}}
"""


@pytest.fixture
def call(tmp_path: Path) -> list[str]:
    (tmp_path / "config.yml").write_text(CONFIG)
    (tmp_path / "out" / "nlu").mkdir(parents=True)
    (tmp_path / "out" / "nlu" / "error_model.json").write_text(json.dumps(MEASURED))
    options = ["--config", str(tmp_path / "config.yml"), "--out", str(tmp_path / "out"), "--steps", "100"]
    return ["train", "policy", "--distributed", *options]


def test_stopped_it_says_what_to_type_and_that_goes_on(
    call: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def at_once() -> Iterator[Callable[[], bool]]:
        yield lambda: True

    monkeypatch.setattr(distributed, "train_policy_distributed", partial(train_policy_distributed, dialogues=40))
    here = [*call, "--address", "here"]
    with monkeypatch.context() as patch:
        patch.setattr(train_distributed, "interruptions", at_once)
        stopped = CliRunner().invoke(app, here)
    assert stopped.exit_code == 130, stopped.output
    assert "rejoinder train policy --distributed --workers 2 --servers 1" in stopped.output
    assert f"--out {tmp_path / 'out'} --address here --steps 100 --seed 7 --resume" in stopped.output
    finished = CliRunner().invoke(app, [*here, "--workers", "4", "--resume", "--json"])
    assert finished.exit_code == 0, finished.output
    report = json.loads(finished.stdout)["policy"]
    assert report["throughput"]["updates"] == 20 + 80 - 16
    assert not report["interrupted"]
    assert (tmp_path / "out" / "policy" / "policy.onnx").exists()


def test_what_it_cannot_do_is_named(call: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = CliRunner().invoke(app, ["train", "nlu", *call[2:]])
    assert "--distributed trains a policy, not 'nlu'" in str(wrong.exception)
    if importlib.util.find_spec("ray") is not None:
        silent = CliRunner().invoke(app, [*call, "--address", "ray://127.0.0.1:1"])
        assert isinstance(silent.exception, WorkerError)
        assert "doesn't answer" in str(silent.exception)
    judge = Reward.__call__
    monkeypatch.setattr(Reward, "__call__", lambda *arguments: judge(*arguments) * float("nan"))
    broken = CliRunner().invoke(app, [*call, "--address", "here"])
    assert "rewards is not finite at update 0" in str(broken.exception)
    assert "--resume` goes on" in str(broken.exception)
