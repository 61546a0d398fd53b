"""Turning Slack on: what is missing is said, nothing secret is shown, and off costs nothing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from bot.channels.slack_settings import SlackSettingsError, slack_settings
from bot.config import ChannelsConfig, Config, SlackConfig
from tests.slack.slack_server import ROOT, SECRETS


def config(**changes: object) -> Config:
    return Config(channels=ChannelsConfig(slack=SlackConfig.model_validate(changes)))


def test_off_is_the_default_and_needs_nothing() -> None:
    assert slack_settings(Config(), {}) is None


@pytest.mark.parametrize(
    ("mode", "names"),
    [("events", ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET")), ("socket", ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"))],
)
def test_each_mode_names_the_variable_that_is_missing(mode: str, names: tuple[str, ...]) -> None:
    assert slack_settings(config(mode=mode), {name: SECRETS[name] for name in names}) is not None
    for missing in names:
        with pytest.raises(SlackSettingsError, match=f"{missing} is not set") as error:
            slack_settings(config(mode=mode), {name: SECRETS[name] for name in names if name != missing})
        assert "docs/slack.md" in str(error.value)


@pytest.mark.parametrize("wrong", ["xoxp-a-user-token-1234", "xoxb-short", "xoxb-with a space 1234", "xoxb-é" * 9])
def test_a_value_of_the_wrong_form_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(SlackSettingsError, match="SLACK_BOT_TOKEN") as error:
        slack_settings(config(mode="events"), {**SECRETS, "SLACK_BOT_TOKEN": wrong})
    assert wrong not in str(error.value)


@pytest.mark.parametrize("pasted", [*SECRETS.values(), "a b", ""])
def test_a_secret_pasted_into_the_configuration_is_refused_and_not_shown(pasted: str) -> None:
    with pytest.raises(SlackSettingsError, match="give the name of an environment variable") as error:
        slack_settings(config(mode="events", bot_token_variable=pasted), SECRETS)
    assert not pasted or pasted not in str(error.value)


def test_secrets_stay_out_of_repr() -> None:
    shown = repr(slack_settings(config(mode="events"), SECRETS))
    assert not [secret for secret in SECRETS.values() if secret in shown]


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SlackSettingsError, match=r"pip install 'rejoinder\[slack\]'"):
        slack_settings(config(mode="socket"), SECRETS)


def test_serving_works_without_the_packages_and_says_so_when_they_are_asked_for(tmp_path: Path) -> None:
    hide = "import sys; sys.modules.update({'slack_bolt': None, 'slack_sdk': None, 'aiohttp': None}); "
    code = hide + "import bot.server, bot.app, bot.commands.serve; print('served')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "served"
    (tmp_path / "config.yml").write_text('channels: {slack: {mode: "events"}}\n')
    command = [sys.executable, "-m", "bot", "serve", "--config", str(tmp_path / "config.yml")]
    failed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"PATH": ""}, check=False)
    assert failed.returncode == 1
    assert "SLACK_BOT_TOKEN is not set" in failed.stderr
    assert "Traceback" not in failed.stderr
