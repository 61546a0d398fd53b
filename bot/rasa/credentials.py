"""A project's credentials.yml: which channels are on, with Rasa's keys."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.channels.slack_settings import SlackSettings, SlackSettingsError
from bot.config import Config
from bot.limits import SettingsError

if TYPE_CHECKING:
    from bot.channels.socketio import SocketIOSettings

ANSWERED = ("rest", "socketio", "slack")
"""Channels that are served; ``rest`` always is."""


def socketio_of_credentials(credentials: Mapping[str, Any]) -> SocketIOSettings | None:
    """The Socket.IO channel's settings; None when the project doesn't name it.

    Raises:
        SettingsError: an unknown key, or a value of the wrong kind.
    """
    if "socketio" not in credentials:
        return None
    from bot.channels.socketio import socketio_settings

    return socketio_settings(_entry(credentials, "socketio"))


def slack_of_credentials(credentials: Mapping[str, Any], config: Config) -> SlackSettings | None:
    """The Slack channel's settings, as the Events API needs them; None when the project doesn't name Slack.

    Raises:
        SlackSettingsError: a package or a secret is missing.
    """
    entry = _entry(credentials, "slack")
    if not entry:
        return None
    missing = [name for name in ("slack_bolt", "aiohttp") if importlib.util.find_spec(name) is None]
    if missing:
        raise SlackSettingsError(
            f"credentials.yml names slack, but the package {missing[0]} is not installed: "
            "pip install 'rejoinder[slack]', or remove `slack:` there"
        )
    slack = config.channels.slack
    return SlackSettings(
        mode="events",
        inbox=config.database.with_suffix(".slack.sqlite3"),
        bot_token=_secret(entry, "slack_token", "xoxb-"),
        signing_secret=_secret(entry, "slack_signing_secret", ""),
        api_url=slack.api_url.rstrip("/") + "/",
        posts_per_second=slack.posts_per_second,
        max_waiting=slack.max_waiting,
        thumbs=slack.thumbs,
        max_message_chars=config.server.max_message_chars,
    )


def _entry(credentials: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    entry = credentials.get(name)
    if entry is None:
        return {}
    if not isinstance(entry, Mapping):
        raise SettingsError(f"credentials.yml: {name} must hold `key: value` lines")
    return entry


def _secret(entry: Mapping[str, Any], key: str, prefix: str) -> str:
    """A secret of the right form; the message never shows it."""
    value = entry.get(key)
    if not isinstance(value, str) or not value or value.startswith("${"):
        raise SlackSettingsError(f"credentials.yml: slack: {key} is not set: write {key}: ${{SLACK_...}} and set it")
    if not value.startswith(prefix) or not value.isascii() or len(value) < 16 or any(c.isspace() for c in value):
        form = f"start with {prefix} and " if prefix else ""
        raise SlackSettingsError(
            f"credentials.yml: slack: {key} is no Slack secret: it must {form}have at least 16 ASCII characters"
        )
    return value
