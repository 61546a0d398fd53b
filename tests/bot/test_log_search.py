from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.log_filter import turn_filter
from memory.events import FeedbackGiven
from memory.store import SqliteStore
from memory.store_turns import TurnFilter
from tests.memory.event_factory import turn
from tests.postgresql import Postgres

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, TurnFilter()),
        ({"intent": " inform ", "channel": "slack"}, TurnFilter(intent="inform", channel="slack")),
        ({"since": "2026-01-01", "until": "2026-01-01"}, TurnFilter(since=NOON - 43200, until=NOON + 43200)),
        ({"since": "2026-01-01T13:00+01:00", "until": "2026-01-01 12:00"}, TurnFilter(since=NOON, until=NOON)),
        ({"since": "90m", "until": "1w"}, TurnFilter(since=NOON - 5400, until=NOON - 7 * 86400)),
        ({"sentiment": "negative", "failed": "yes"}, TurnFilter(sentiment="negative", failed=True)),
        ({"failed": "no", "feedback": "down"}, TurnFilter(failed=False, feedback=-1)),
    ],
)
def test_filters_in_words(given: dict[str, str], found: TurnFilter) -> None:
    assert turn_filter(given, now=NOON) == found


@pytest.mark.parametrize(
    ("name", "value"),
    [("since", "soon"), ("until", "2026-13-01"), ("sentiment", "sad"), ("failed", "maybe"), ("feedback", "1")],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is '.*: give "):
        turn_filter({name: value}, now=NOON)


def test_the_command_searches_either_store(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.commands.store_copy import copy
    from bot.config import load_config

    file = tmp_path / "config.yml"
    file.write_text("data: data")
    config = load_config(file)
    store = SqliteStore(config.database)
    asyncio.run(store.append("a", 0, [*turn("cheap thai food", at=NOON), FeedbackGiven(NOON, "m1", 1)]))
    asyncio.run(store.append("b", 0, turn("more thai food", at=NOON + 86400)))
    store.close()
    url = postgres.fresh()
    copy(config, None, url, as_json=True)

    def search(*arguments: str) -> list[str]:
        done = CliRunner().invoke(app, ["log", "search", *arguments, "--json", "-c", str(file)])
        assert done.exit_code == 0, done.output
        return [hit["conversation_id"] for hit in json.loads(done.stdout)["hits"]]

    for address in ("", url):
        monkeypatch.setenv("REJOINDER_STORE_URL", address)
        assert sorted(search("thai")) == ["a", "b"]
        assert search("thai", "--feedback", "up") == search("--until", "2026-01-01", "--channel", "rest") == ["a"]
        assert search("--failed") == search("cheap", "--since", "2026-01-02") == []
    for arguments, says in (([], "nothing to search for"), (["--since", "soon"], "--since is 'soon': give a day")):
        done = CliRunner().invoke(app, ["log", "search", *arguments, "-c", str(file)])
        assert done.exit_code == 1
        assert says in str(done.exception)
