"""``python -m tests.slack.serve_for_slack --db FILE --api-url URL``: the real server and Slack channel, a small engine.

``--trap`` breaks one mechanism on purpose; the fault tests must then fail.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from slack_bolt.response import BoltResponse

from bot.channels.slack import SlackChannel
from bot.channels.slack_events import Received
from bot.channels.slack_inbox import AlreadyReceived, Inbox
from bot.channels.slack_settings import slack_settings
from bot.channels.views import BeliefViews
from bot.config import ChannelsConfig, Config, SlackConfig
from bot.conversations import Conversations
from bot.limits import ServerSettings
from bot.server import create_app, serve
from memory.store import SqliteStore
from tests.promises.engine_for_tests import ACTIONS, EngineForTests, parse


class AckBeforeCommit(SlackChannel):
    """Trap: Slack hears that we have it before the disk does."""

    held: set[asyncio.Task[BoltResponse]] = set()

    async def _keep(self, body: dict[str, Any]) -> BoltResponse:
        self.held.add(asyncio.create_task(self._later(body)))
        return BoltResponse(status=200, body="")

    async def _later(self, body: dict[str, Any]) -> BoltResponse:
        await asyncio.sleep(0.1)
        return await super()._keep(body)


class DedupeInMemory(Inbox):
    """Trap: what was received is known until the process ends."""

    seen: set[str] = set()

    async def receive(self, event: Received) -> int:
        if event.key in self.seen:
            raise AlreadyReceived(event.key)
        self.seen.add(event.key)
        new = uuid4().hex
        return await super().receive(replace(event, key=new, message_id=new))


TRAPS = ("ack-before-commit", "dedupe-in-memory")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--api-url", required=True)
    parser.add_argument("--mode", default="events")
    parser.add_argument("--posts-per-second", type=float, default=0)
    parser.add_argument("--max-waiting", type=int, default=50_000)
    parser.add_argument("--sleep-ms", type=float, default=0)
    parser.add_argument("--trap", choices=TRAPS)
    args = parser.parse_args()
    slack = SlackConfig(
        mode=args.mode,
        api_url=args.api_url,
        posts_per_second=args.posts_per_second,
        max_waiting=args.max_waiting,
    )
    config = Config(assistant=Path("small"), data=args.db.parent, channels=ChannelsConfig(slack=slack))
    settings = slack_settings(config)
    assert settings is not None
    inbox = (DedupeInMemory if args.trap == "dedupe-in-memory" else Inbox)(settings.inbox)
    kind = AckBeforeCommit if args.trap == "ack-before-commit" else SlackChannel
    engine = EngineForTests(args.sleep_ms)
    conversations, views = Conversations(engine, SqliteStore(args.db)), BeliefViews(engine.ontology, ACTIONS)
    server = ServerSettings(port=0, access_log=True)
    channel = kind(conversations, settings, inbox)
    serve(create_app(conversations, server, parse=parse, title="test", views=views, channels=[channel]), server)


if __name__ == "__main__":
    main()
