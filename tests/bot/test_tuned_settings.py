"""From a search's winner to config.yml and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import ConfigError, load_config
from bot.nlu.settings import NLUTraining
from bot.tuned_settings import patch, with_tuned
from policies.dqn_config import DQNConfig


def test_a_patch_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(patch("policy", {"learning_rate": 1e-05, "n_step": 3}))
    tuned = with_tuned(DQNConfig(), load_config(file).tuned.policy, "tuned.policy")
    assert (tuned.learning_rate, tuned.n_step, tuned.tau) == (1e-5, 3, DQNConfig().tau)
    file.write_text(patch("policy", {}))
    assert load_config(file).tuned.policy == {}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"learnin_rate": 1.0}, "did you mean 'learning_rate'"),
        ({"n_step": 2.5}, "type int"),
        ({"tau": 7.0}, "tau = 7.0"),
    ],
)
def test_bad_settings_are_named(values: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        with_tuned(DQNConfig(), values, "tuned.policy")


def test_what_was_found_for_the_nlu_counts(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(patch("nlu", {"balance": 0.25}))
    tuned = load_config(tmp_path / "config.yml").tuned.nlu
    assert with_tuned(NLUTraining(), tuned, "tuned.nlu") == NLUTraining(balance=0.25)
    with pytest.raises(ConfigError, match=r"tuned.nlu: typo_share = 2.0: give a number in \[0, 1\]"):
        with_tuned(NLUTraining(), {"typo_share": 2}, "tuned.nlu")
