"""What the Slack channel needs to run: its settings, and its secrets from the environment."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bot.config import Config, SlackConfig

_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_LIKE_A_SECRET = re.compile("(?i)xox|xapp|[0-9a-f]{24}")


class SlackSettingsError(ValueError):
    """Slack is turned on but can't run; the message says what to set or install and never shows a secret."""


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """One workspace's app; secrets stay out of ``repr``.

    ``posts_per_second`` is for one Slack channel (0: no limit of our own), ``max_waiting`` the events that may wait
    for their reply before more are refused with 503 (Slack sends them again).
    """

    mode: Literal["events", "socket"]
    inbox: Path
    bot_token: str = field(repr=False)
    signing_secret: str = field(default="", repr=False)
    app_token: str = field(default="", repr=False)
    api_url: str = "https://slack.com/api/"
    posts_per_second: float = 1.0
    max_waiting: int = 10_000
    thumbs: bool = True
    max_message_chars: int = 1_000


def slack_settings(config: Config, environment: Mapping[str, str] | None = None) -> SlackSettings | None:
    """The settings, or None when Slack is off.

    Raises:
        SlackSettingsError: a package or a secret is missing, or a secret has the wrong form.
    """
    slack = config.channels.slack
    if slack.mode == "off":
        return None
    missing = [name for name in ("slack_bolt", "aiohttp") if importlib.util.find_spec(name) is None]
    if missing:
        raise SlackSettingsError(
            f"channels.slack.mode is {slack.mode!r}, but the package {missing[0]} is not installed: "
            "pip install 'rejoinder[slack]', or set channels.slack.mode to \"off\""
        )
    given = os.environ if environment is None else environment
    events = slack.mode == "events"
    return SlackSettings(
        mode=slack.mode,
        inbox=config.database.with_suffix(".slack.sqlite3"),
        bot_token=_secret(slack, "bot_token_variable", given, "xoxb-", "OAuth & Permissions > Bot User OAuth Token"),
        signing_secret=_secret(slack, "signing_secret_variable", given, "", "Basic Information > Signing Secret")
        if events
        else "",
        app_token=""
        if events
        else _secret(slack, "app_token_variable", given, "xapp-", "Basic Information > App-Level Tokens"),
        api_url=slack.api_url.rstrip("/") + "/",
        posts_per_second=slack.posts_per_second,
        max_waiting=slack.max_waiting,
        thumbs=slack.thumbs,
        max_message_chars=config.server.max_message_chars,
    )


def _secret(slack: SlackConfig, key: str, environment: Mapping[str, str], prefix: str, where: str) -> str:
    name: str = getattr(slack, key)
    if not _VARIABLE.fullmatch(name) or _LIKE_A_SECRET.search(name):
        raise SlackSettingsError(
            f"channels.slack.{key}: give the name of an environment variable, not the secret itself"
        )
    value = environment.get(name, "").strip()
    if not value:
        raise SlackSettingsError(
            f"channels.slack.mode is {slack.mode!r}, but the environment variable {name} is not set: "
            f"put there what your app's page shows under {where} (docs/slack.md)"
        )
    if not value.startswith(prefix) or not value.isascii() or len(value) < 16 or any(c.isspace() for c in value):
        form = f"start with {prefix} and " if prefix else ""
        raise SlackSettingsError(
            f"the environment variable {name} does not hold a Slack secret: it must {form}be at least 16 ASCII "
            f"characters without spaces; copy it again from {where}"
        )
    return value
