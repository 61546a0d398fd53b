"""The real server around the scripted engine: ``python -m tests.e2e.serve --db FILE --port PORT``."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bot.channels.views import BeliefViews
from bot.conversations import Conversations
from bot.limits import ServerSettings
from bot.server import create_app, serve
from memory.dialogue import NLUResult
from memory.store import SqliteStore
from tests.e2e.engine import ACTIONS, ScriptedEngine
from tests.e2e.payloads import payloads


async def parse(text: str) -> NLUResult:
    """Understands nothing; no test here asks."""
    await asyncio.sleep(0)
    return NLUResult(text)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--db", type=Path, required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--origin", action="append", default=[])
    arguments.add_argument("--inspect-token")
    given = arguments.parse_args()
    given.db.parent.mkdir(parents=True, exist_ok=True)
    settings = ServerSettings(
        port=given.port,
        allowed_origins=tuple(given.origin),
        inspect_token=given.inspect_token,
        secret_file=given.db.parent / "secret",
    )
    values = tuple(value for value in payloads() if "\0" not in value)
    engine = ScriptedEngine(("thai", "indian", *values))
    app = create_app(
        Conversations(engine, SqliteStore(given.db), turn_seconds=5.0),
        settings,
        parse=parse,
        title="restaurants",
        version="e2e",
        views=BeliefViews(engine.ontology, ACTIONS),
    )
    serve(app, settings)


if __name__ == "__main__":
    main()
