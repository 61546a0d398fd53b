"""All wiring of a Rasa project: from its folder and its trained model to a bot that can answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute

from bot.channels.access import Access
from bot.channels.push import PushChannel
from bot.channels.slack_settings import SlackSettings, SlackSettingsError, slack_settings
from bot.channels.turns import Turns
from bot.config import Config
from bot.conversations import Conversations
from bot.limits import ServerSettings
from bot.nlu.pool import NLUPool
from bot.rasa.actions.choice import choose_actions, choose_response_server
from bot.rasa.actions.protocol import Actions
from bot.rasa.credentials import slack_of_credentials, socketio_of_credentials
from bot.rasa.engine import RasaEngine
from bot.rasa.http.conversation_api import ConversationApi
from bot.rasa.http.model_api import ModelApi
from bot.rasa.http.sent_stories import SentStories
from bot.rasa.nlu.parsing import RasaNLU
from bot.rasa.project import RasaProject
from bot.rasa.reading.loading import load_project, require_environment
from bot.rasa.views import RasaViews
from memory.dialogue import NLUResult, SystemAct
from memory.store import EventStore
from memory.store_opening import open_store
from policies.stories.served import ServedStoryPolicy

log = logging.getLogger("rejoinder.server")

TURN_SECONDS = 60.0
"""The longest a turn may take: it may run ten custom actions, each with a time limit of its own."""


class ProjectReader:
    """A project's NLU as the pool of threads wants it: what was said before doesn't matter to it."""

    def __init__(self, nlu: RasaNLU) -> None:
        self._nlu = nlu

    def parse(self, text: str, previous: SystemAct | None = None) -> NLUResult:
        """What a message means."""
        return self._nlu.parse(text)


@dataclass(frozen=True)
class RasaBot:
    """A wired project; ``close`` it at the end."""

    config: Config
    project: RasaProject
    understand: NLUPool
    engine: RasaEngine
    actions: Actions
    conversations: Conversations
    views: RasaViews

    @property
    def model(self) -> str:
        """What is being served, in a few words."""
        return f"{self.config.name} {self.project.fingerprint[:12]}"

    async def parse(self, text: str) -> NLUResult:
        """What one text means outside any conversation."""
        return await self.understand.parse(text)

    def close(self) -> None:
        """Stop the NLU's threads and close the store."""
        self.understand.close()
        self.conversations.close()


def build_rasa(
    config: Config,
    *,
    project: RasaProject | None = None,
    actions: Actions | None = None,
    store: EventStore | None = None,
) -> RasaBot:
    """Load the project that ``config.assistant`` names and its trained model; raises the errors in ``bot.errors``."""
    if project is None:
        project = load_project(config.assistant)
        require_environment(project)
    folder = config.model_dir
    pool = NLUPool([ProjectReader(RasaNLU.load(folder / "nlu", project)) for _ in range(config.nlu.threads)])
    policy = ServedStoryPolicy.load(folder / "policy")
    if policy.manifest.project != project.fingerprint:
        log.warning("%s was trained on other files than %s has now: train again", folder, project.path)
    actions = actions or choose_actions(project.path, project.endpoints)
    source = choose_response_server(project.path, project.endpoints)
    engine = RasaEngine(project, pool.parse, policy, actions, config.seed, source)
    if store is None:
        config.data.mkdir(parents=True, exist_ok=True)
        store = open_store(config.store_address)
    conversations = Conversations(engine, store, turn_seconds=TURN_SECONDS)
    return RasaBot(config, project, pool, engine, actions, conversations, RasaViews(project.domain))


def is_trained(config: Config, project: RasaProject) -> bool:
    """Whether a whole model of this project, as its files are now, is there."""
    from bot.nlu.pipeline import NLUError
    from policies.export import ModelError

    try:
        RasaNLU.load(config.model_dir / "nlu", project)
        policy = ServedStoryPolicy.load(config.model_dir / "policy")
    except (NLUError, ModelError):
        return False
    return policy.manifest.project == project.fingerprint


class ProjectChannels:
    """Rasa's HTTP API and the channels that credentials.yml turns on; call it with the server's limits and access."""

    def __init__(self, bot: RasaBot, settings: ServerSettings) -> None:
        credentials = bot.project.credentials
        self._bot, self._settings = bot, settings
        self._socketio = socketio_of_credentials(credentials)
        self._slack = slack_settings(bot.config) or _slack_or_none(bot)

    def __call__(self, turns: Turns, access: Access) -> Sequence[PushChannel]:
        """The channels, made for one server."""
        bot = self._bot
        domain = bot.project.domain
        conversation = ConversationApi(turns, access, bot.engine, bot.views, bot.parse, domain)
        stories = SentStories(bot.project, bot.engine.policies, bot.parse)
        model = ModelApi(access, bot.engine, bot.views, domain, stories)
        channels: list[PushChannel] = [Api((*conversation.routes, *model.routes), bot.actions)]
        if self._socketio is not None:
            from bot.channels.socketio import SocketIOChannel

            channels.append(SocketIOChannel(turns, self._settings, self._socketio))
        if self._slack is not None:
            from bot.channels.slack import SlackChannel

            channels.append(SlackChannel(bot.conversations, self._slack))
        return channels


def _slack_or_none(bot: RasaBot) -> SlackSettings | None:
    """Slack as credentials.yml says; off when it can't run, for entries that nobody filled in stand there too."""
    try:
        return slack_of_credentials(bot.project.credentials, bot.config)
    except SlackSettingsError as error:
        log.warning("Slack is off: %s", error)
        return None


class Api:
    """The routes of an API as a channel: beside them it only gives back the actions' connections at the end."""

    def __init__(self, routes: Sequence[BaseRoute], actions: Actions) -> None:
        self.routes = routes
        self._actions = actions

    async def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """Close connections to the action server."""
        await self._actions.close()
