"""``rejoinder serve``."""

from __future__ import annotations

import sys

from bot.app import build, policy_watcher, server_settings, slack_channel
from bot.channels.slack_settings import slack_settings
from bot.config import Config
from bot.server import create_app
from bot.server import serve as run

SWITCH_SECONDS = 0.0005
"""How long a thread keeps the interpreter while others wait. The NLU's thread gives it up around each pass of the
encoder; with Python's 5 ms it would wait that long for the event loop each time (measured: half the throughput)."""


def serve(config: Config) -> None:
    """Serve until SIGTERM or Ctrl-C; everything acknowledged is on disk when this returns."""
    sys.setswitchinterval(SWITCH_SECONDS)
    slack = slack_settings(config)  # before the models are loaded: a missing token is said at once
    bot = build(config)
    watcher = policy_watcher(bot)
    try:
        if watcher is not None:
            watcher.start()
        settings = server_settings(config)
        app = create_app(
            bot.conversations,
            settings,
            parse=bot.parse,
            title=bot.assistant.name.capitalize(),
            model=lambda: f"{bot.assistant.name} {bot.engine.policy.name} {bot.engine.policy.version}",
            actions=bot.engine.space.names,
            channels=slack_channel(bot, slack),
        )
        run(app, settings)
    finally:
        if watcher is not None:
            watcher.close()
        bot.close()
