"""Slack: direct messages, mentions and threads, through the Events API or Socket Mode (slack-bolt).

    Slack -> signature -> slack-bolt -> inbox on disk -> 200      at most some milliseconds, whatever the turn takes
                                          |
                                          +-> turn -> replies -> Slack's Web API, again until it takes them

Only this module and ``slack_calls`` import Slack's packages (extra ``slack``), and only a server whose configuration
turns Slack on imports them.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.channels.slack_calls import Later, SlackCalls
from bot.channels.slack_delivery import SlackDelivery
from bot.channels.slack_events import received
from bot.channels.slack_inbox import AlreadyReceived, Inbox
from bot.channels.slack_settings import SlackSettings
from bot.channels.slack_signature import is_from_slack
from bot.conversations import Conversations
from bot.wire import Refusal, parse_object
from memory.store import StoreUnavailable

log = logging.getLogger("rejoinder.slack")

PATH = "/slack/events"
MAX_BODY = 1_000_000
"""In bytes; an interaction carries the whole message that was clicked, percent-encoded."""
CALL_SECONDS = 10
PRUNE_SECONDS = 3_600.0

_SECRET = re.compile(r"(?i)(xox[a-z]*-|xapp-|ticket=|bearer )[^\s\"'&,)]+")


def _redact(record: logging.LogRecord) -> bool:
    record.msg, record.args, record.exc_info = _SECRET.sub(r"\1...", record.getMessage()), (), None
    return True


_sdk_log = logging.getLogger("rejoinder.slack.sdk")
_sdk_log.setLevel(logging.ERROR)  # below that Slack's packages log what was said
_sdk_log.addFilter(_redact)


class SlackChannel:
    """One workspace's bot; ``start`` and ``stop`` it with the server.

    Args:
        conversations: where turns happen.
        settings: with the secrets.
        inbox: closed with the channel; by default the file that the settings name.

    Raises:
        StoreUnavailable: the inbox can't be opened.
    """

    def __init__(self, conversations: Conversations, settings: SlackSettings, inbox: Inbox | None = None) -> None:
        self._settings = settings
        self._conversations = conversations
        self._inbox = inbox or Inbox(settings.inbox)
        self._bot_user: str | None = None
        self._bot: AuthorizeResult | None = None
        self._app: AsyncApp | None = None
        self._delivery: SlackDelivery | None = None
        self._session: aiohttp.ClientSession | None = None
        self._socket: AsyncSocketModeHandler | None = None
        self._tasks: list[asyncio.Task[None]] = []
        conversations.metrics.watch("rejoinder_slack_waiting", "Slack events without their reply.", self._waiting)

    @property
    def routes(self) -> list[BaseRoute]:
        """The address for Slack's requests; none in Socket Mode."""
        return [Route(PATH, self.events, methods=["POST"])] if self._settings.mode == "events" else []

    def _waiting(self) -> float:
        return 0 if self._delivery is None else self._delivery.count

    async def start(self) -> None:
        """Take up what waits in the inbox and, in Socket Mode, connect; returns at once, whether or not Slack is up."""
        settings = self._settings
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS))
        client = AsyncWebClient(
            settings.bot_token,
            settings.api_url,
            timeout=CALL_SECONDS,
            session=self._session,
            retry_handlers=[],
            logger=_sdk_log,
        )
        calls = SlackCalls(client, settings.posts_per_second)
        self._app = self._bolt()
        self._delivery = SlackDelivery(self._inbox, self._conversations, calls, settings)
        self._delivery.start()
        self._tasks = [asyncio.create_task(self._introduce(calls)), asyncio.create_task(self._prune())]
        if settings.mode == "socket":
            self._socket = AsyncSocketModeHandler(
                self._app, settings.app_token, web_client=AsyncWebClient(base_url=settings.api_url, logger=_sdk_log)
            )
            self._tasks.append(asyncio.create_task(self._connect(self._socket)))

    async def stop(self) -> None:
        """Take nothing more, finish what is in hand, leave the rest in the inbox."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            try:
                await self._socket.close_async()  # type: ignore[no-untyped-call]
            except Exception as error:  # the rest has to be stopped and closed all the same
                log.warning("the connection to Slack was not closed cleanly (%s)", type(error).__name__)
        if self._delivery is not None:
            await self._delivery.stop()
        if self._session is not None:
            await self._session.close()
        self._inbox.close()

    @staticmethod
    async def _connect(socket: AsyncSocketModeHandler) -> None:
        await socket.connect_async()  # type: ignore[no-untyped-call]

    def _bolt(self) -> AsyncApp:
        # bolt looks at parameters' names and stumbles over methods
        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            return self._authorize(enterprise_id, team_id)

        async def keep(body: dict[str, Any]) -> BoltResponse:
            return await self._keep(body)

        # the client without a token: bolt must not ask Slack who we are before an event is acknowledged
        app = AsyncApp(
            name="rejoinder",
            logger=_sdk_log,
            signing_secret=self._settings.signing_secret or "unused in Socket Mode",
            client=AsyncWebClient(base_url=self._settings.api_url, logger=_sdk_log),
            authorize=authorize,
            ssl_check_enabled=False,
        )
        app.use(keep)
        return app

    def _authorize(self, enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        known = self._bot
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_user_id=None if known is None else known.bot_user_id,
            bot_id=None if known is None else known.bot_id,
            bot_token=self._settings.bot_token,
        )

    async def events(self, request: Request) -> Response:
        """Slack's requests: events, their repetitions, interactions, the challenge.

        Raises:
            Refusal: 401 not signed by Slack, 413 too long, 400 signed but no JSON, 503 not kept: Slack sends it again.
        """
        body = await _read(request)
        if not is_from_slack(self._settings.signing_secret, request.headers.raw, body, time.time()):
            raise Refusal(401, "NotAuthenticated", "the request is not signed by Slack")
        text = body.decode("utf-8")
        _check_json(text, request.headers.get("content-type", ""))
        assert self._app is not None
        bolt_request = AsyncBoltRequest(body=text, headers=dict(request.headers))
        answer = await self._app.async_dispatch(bolt_request)
        if answer.status >= 500:
            log.error("an event from Slack was not acknowledged (%d)", answer.status)
            raise Refusal(503, "NotKept", "the event was not stored: send it again", retry_after=1)
        kind = answer.first_headers().get("content-type", "text/plain")
        return Response(answer.body or "", answer.status, media_type=kind)

    async def _keep(self, body: dict[str, Any]) -> BoltResponse:
        """The last middleware: what it answers is what Slack gets, so it answers when the event is on disk."""
        event = received(body, self._bot_user)
        if event is None:
            return BoltResponse(status=200, body="")
        assert self._delivery is not None
        if self._delivery.count >= self._settings.max_waiting:
            self._conversations.metrics.error("TooBusy")
            return BoltResponse(status=503, body="")
        try:
            row = await self._inbox.receive(event)
        except AlreadyReceived:
            self._conversations.metrics.duplicate()
            return BoltResponse(status=200, body="")
        except StoreUnavailable as error:
            self._conversations.metrics.error(type(error).__name__)
            log.error("an event from Slack was not kept and not acknowledged: %s", error)
            return BoltResponse(status=503, body="")
        self._delivery.add(row, event.conversation_id)
        return BoltResponse(status=200, body="")

    async def _introduce(self, calls: SlackCalls) -> None:
        """Learn who we are, and say in the log when Slack refuses the token."""
        wait = 1.0
        while True:
            try:
                who = await calls.identity()
            except Later as later:
                log.error("Slack does not say who we are (%s): check the bot token and the network", later)
                await asyncio.sleep(later.seconds or wait)
                wait = min(60.0, wait * 2)
                continue
            self._bot_user = who.get("user_id")
            self._bot = AuthorizeResult(
                enterprise_id=None, team_id=None, bot_user_id=self._bot_user, bot_id=who.get("bot_id")
            )
            return

    async def _prune(self) -> None:
        while True:
            try:
                await self._inbox.forget_old()
            except StoreUnavailable as error:
                log.error("old Slack events were not erased: %s", error)
            await asyncio.sleep(PRUNE_SECONDS)


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(413, "PayloadTooLarge", f"the body is longer than {MAX_BODY} bytes", close=True)
    return bytes(body)


def _check_json(text: str, content_type: str) -> None:
    """Refuse what slack-bolt would stumble over."""
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        text = parse_qs(text).get("payload", [""])[0]
    parse_object(text)
