"""``rejoinder serve``."""

from __future__ import annotations

from bot.app import build, server_settings
from bot.config import Config
from bot.server import create_app
from bot.server import serve as run


def serve(config: Config) -> None:
    """Serve until SIGTERM or Ctrl-C; everything acknowledged is on disk when this returns."""
    bot = build(config)
    try:
        settings = server_settings(config)
        app = create_app(
            bot.conversations,
            settings,
            parse=bot.parse,
            title=bot.assistant.name.capitalize(),
            model=f"{bot.assistant.name} {bot.engine.policy.name} {bot.engine.policy.version}",
            actions=bot.engine.space.names,
        )
        run(app, settings)
    finally:
        bot.close()
