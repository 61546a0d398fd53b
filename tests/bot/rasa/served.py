"""A Rasa project behind the whole server in this process: real engine, real log, shortcuts in place of an NLU."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from bot.api_auth import ApiAuth
from bot.config import Config
from bot.conversations import Conversations
from bot.limits import ServerSettings
from bot.nlu.pool import NLUPool
from bot.rasa.actions.protocol import Actions
from bot.rasa.app import ProjectChannels, RasaBot
from bot.rasa.engine import RasaEngine
from bot.rasa.reading.loading import load_project
from bot.rasa.views import RasaViews
from bot.server import create_app
from memory.dialogue import NLUResult, SystemAct
from memory.store import SqliteStore
from tests.bot.rasa.talk import OwnActions, understand


class Shortcuts:
    """Reads messages as ``talk.understand`` does."""

    def parse(self, text: str, previous: SystemAct | None = None) -> NLUResult:
        return asyncio.run(understand(text))


def project_bot(folder: Path, data: Path, actions: Actions | None = None) -> RasaBot:
    """A bot of the project in ``folder`` that keeps its log in ``data``."""
    project = load_project(folder)
    pool, actions = NLUPool([Shortcuts()]), actions or OwnActions()
    engine = RasaEngine(project, pool.parse, None, actions)
    conversations = Conversations(engine, SqliteStore(data / "log.sqlite3"), turn_seconds=5.0)
    config = Config(assistant=folder, data=data)
    return RasaBot(config, project, pool, engine, actions, conversations, RasaViews(project.domain))


def project_app(bot: RasaBot, settings: ServerSettings | None = None, auth: ApiAuth | None = None) -> Starlette:
    """The server around it."""
    settings = settings or ServerSettings()
    return create_app(
        bot.conversations,
        settings,
        parse=bot.parse,
        title="test",
        model=bot.model,
        version="9",
        views=bot.views,
        domain=bot.project.domain.raw,
        auth=auth,
        connect=ProjectChannels(bot, settings),
    )


class Http:
    """A client of an application in this process; blocking, on one event loop of its own."""

    def __init__(self, app: Starlette, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **more))

    def say(self, text: str, sender: str = "ann") -> list[dict[str, Any]]:
        """The webhook's replies."""
        answer = self("POST", "/webhooks/rest/webhook", json={"sender": sender, "message": text})
        assert answer.status_code == 200, answer.text
        replies: list[dict[str, Any]] = answer.json()
        return replies

    def tracker(self, sender: str = "ann", **query: Any) -> dict[str, Any]:
        """The conversation's tracker."""
        tracker: dict[str, Any] = self("GET", f"/conversations/{sender}/tracker", params=query).json()
        return tracker


@contextmanager
def served(folder: Path, data: Path, actions: Actions | None = None) -> Iterator[Http]:
    """A client of the project in ``folder``."""
    bot = project_bot(folder, data, actions)
    with asyncio.Runner() as runner:
        try:
            yield Http(project_app(bot), runner)
        finally:
            bot.close()
