"""``rejoinder train policy``: what stops it is said in one sentence, and nothing good is lost by it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bot.commands.train import train
from bot.config import Config
from bot.errors import CommandError
from policies.resume import Checkpoints
from simulator.reward import Reward

ROOT = Path(__file__).parents[2]
MEASURED = {
    "rates": {"deletion": 0.05, "substitution": 0.05, "insertion": 0.02},
    "confidence_correct": {"mean": 0.9, "sd": 0.1},
    "confidence_wrong": {"mean": 0.6, "sd": 0.2},
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An assistant whose NLU was measured and whose policy is not trained yet."""
    config = Config(assistant=ROOT / "assistants" / "restaurants", models=tmp_path)
    (config.model_dir / "nlu").mkdir(parents=True)
    (config.model_dir / "nlu" / "error_model.json").write_text(json.dumps(MEASURED))
    return config


def test_a_checkpoint_of_other_settings_is_refused_and_stays(config: Config) -> None:
    folder = config.model_dir / "policy" / "resume"
    Checkpoints(folder).save(7, {"steps": 500}, {"step": np.array(7)})
    with pytest.raises(CommandError, match=r"resume.json: this training was begun with .* = .*, now it is"):
        train("policy", config, steps=400, resume=True, as_json=True)
    assert (folder / "state-7.npz").exists()


def test_numbers_that_are_not_finite_are_named(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Reward.__call__
    monkeypatch.setattr(Reward, "__call__", lambda *arguments: judge(*arguments) * np.nan)
    with pytest.raises(CommandError, match=r"rewards is not finite at update 0.*last good state is in .*resume"):
        train("policy", config, steps=400, as_json=True)
    assert not (config.model_dir / "policy" / "policy.onnx").exists()
