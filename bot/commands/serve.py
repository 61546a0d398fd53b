"""``rejoinder serve``."""

from __future__ import annotations

import sys

from bot.api_auth import ApiAuth
from bot.app import build, policy_watcher, selection_watcher, server_settings, slack_channel
from bot.assistant_yaml import read_map
from bot.channels.slack_settings import slack_settings
from bot.channels.views import BeliefViews
from bot.config import Config
from bot.rasa.reading.files import is_rasa_project, plain
from bot.server import create_app
from bot.server import serve as run

SWITCH_SECONDS = 0.0005
"""How long a thread keeps the interpreter while others wait. The NLU's thread gives it up around each pass of the
encoder; with Python's 5 ms it would wait that long for the event loop each time (measured: half the throughput)."""


def serve(config: Config, auth: ApiAuth) -> None:
    """Serve until SIGTERM or Ctrl-C; everything acknowledged is on disk when this returns."""
    sys.setswitchinterval(SWITCH_SECONDS)
    if is_rasa_project(config.assistant):
        _serve_project(config, auth)
    else:
        _serve_assistant(config, auth)


def _serve_assistant(config: Config, auth: ApiAuth) -> None:
    slack = slack_settings(config)  # before the models are loaded: a missing token is said at once
    bot = build(config)
    watchers = [watcher for watcher in (policy_watcher(bot), selection_watcher(bot)) if watcher is not None]
    try:
        for watcher in watchers:
            watcher.start()
        settings = server_settings(config)
        app = create_app(
            bot.conversations,
            settings,
            parse=bot.parse,
            title=bot.assistant.name.capitalize(),
            model=lambda: f"{bot.assistant.name} {bot.engine.policy.name} {bot.engine.policy.version}",
            views=BeliefViews(bot.assistant.ontology, bot.engine.space.names),
            domain=plain(read_map(config.assistant / "domain.yml", needed_for="the domain")),
            auth=auth,
            channels=slack_channel(bot, slack),
        )
        run(app, settings)
    finally:
        for watcher in watchers:
            watcher.close()
        bot.close()


def _serve_project(config: Config, auth: ApiAuth) -> None:
    from bot.rasa.app import ProjectChannels, build_rasa

    bot = build_rasa(config)
    try:
        settings = server_settings(config)
        app = create_app(
            bot.conversations,
            settings,
            parse=bot.parse,
            title=config.name.capitalize(),
            model=bot.model,
            views=bot.views,
            domain=bot.project.domain.raw,
            auth=auth,
            connect=ProjectChannels(bot, settings),
        )
        run(app, settings)
    finally:
        bot.close()
