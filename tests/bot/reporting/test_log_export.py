from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from bot.commands.log_export import export
from bot.config import Config
from bot.errors import CommandError
from bot.reporting.parquet import SCHEMAS, write_parquet
from bot.reporting.tables import conversation_tables
from memory.events import Booked, Event, FeedbackGiven, HandedOff, Selected, TrackerEvent
from memory.slates import OfferedCandidate, OfferedSlate
from memory.store import SqliteStore
from tests.memory.event_factory import turn

ROOT = Path(__file__).parents[3]


def slate() -> OfferedSlate:
    first = OfferedCandidate("Bangkok", "near", {"near": 0}, (0.5, None), 0.7, 1.25, said=True)
    second = OfferedCandidate("Siam", "", {}, (0.1, 2.0), 0.3)
    return OfferedSlate("venues", "3", "learned", {"near": 1.0}, 0.1, "v2", ("rating", "price"), (first, second))


def events() -> list[Event]:
    heard, decided, said = turn("thai \ud800 food", "m1", at=1_700_000_000.25)
    return [
        heard,
        decided,
        Selected(1_700_000_000.25, (slate(),)),
        said,
        Booked(1_700_000_001.0, "R1", "Bangkok", {"time": "19:00"}),
        FeedbackGiven(1_700_000_002.0, "m1", -1, "too loud"),
        *turn("/greet", "m2", "hi", at=1_700_000_003.0),
        TrackerEvent(1_700_000_003.0, "slot", {"name": "size", "value": 4}),
        TrackerEvent(1_700_000_003.0, "action", {"name": "action_default_fallback"}),
        HandedOff(1_700_000_004.0, "asked"),
    ]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    given = Config(assistant=ROOT / "assistants" / "restaurants", data=tmp_path / "data")
    store = SqliteStore(given.database)
    asyncio.run(store.append("a", 0, events()))
    asyncio.run(store.append("b", 0, turn("hello", "m1", at=2.0)))
    store.close()
    return given


def test_what_was_exported_opens_in_duckdb_and_says_what_happened(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    export(config, folder, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["conversations"], report["skipped"]) == (2, [])
    assert report["rows"] == {
        "conversations": 2, "turns": 3, "decisions": 3, "slates": 2, "feedback": report["rows"]["feedback"],
        "events": len(events()) + 3,
    }  # fmt: skip

    def ask(sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            return db.execute(sql.replace("$", f"{folder}/")).fetchall()

    sql = "SELECT turn, text, action, failed, booked, handed_off, feedback FROM '$turns.parquet' ORDER BY 1, 2"
    assert ask(sql) == [
        (1, "hello", "offer", False, False, False, None),
        (1, "thai ? food", "offer", False, True, False, -1),
        (2, "/greet", "action_default_fallback", True, False, True, None),
    ]  # fmt: skip
    assert ask("SELECT acts[1].act, entities[1].value, replies[1] FROM '$turns.parquet' WHERE text = 'hello'") == [
        ("inform(food=thai)", "thai", "Bangkok is nice")
    ]
    assert ask("SELECT action_values, allowed FROM '$decisions.parquet' LIMIT 1") == [([0.5, None], [True, False])]
    assert ask("SELECT candidate, position, said, features->>'price' FROM '$slates.parquet' ORDER BY position") == [
        ("Bangkok", 0, True, None),
        ("Siam", 1, False, "2.0"),
    ]
    found = ask("SELECT action, value, comment, candidate FROM '$feedback.parquet' ORDER BY action")
    assert ("thumbs_down", -1, "too loud", None) in found
    assert ("booked", None, None, "Bangkok") in found
    assert ask("SELECT payload->'fields'->>'value' FROM '$events.parquet' WHERE payload->>'name' = 'slot'") == [("4",)]
    assert ask("SELECT started FROM '$conversations.parquet' WHERE conversation_id = 'a'") == [
        (datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC),)
    ]


def test_files_have_the_documented_columns_and_are_replaced_whole(config: Config, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    export(config, folder, as_json=True)
    page = (ROOT / "docs/storage.md").read_text()
    for name, schema in SCHEMAS.items():
        assert pq.read_schema(folder / f"{name}.parquet").equals(schema)
        for column in schema.names:
            assert f"`{column}`" in page, f"docs/storage.md does not name {name}.{column}"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def breaks():  # type: ignore[no-untyped-def]
        yield conversation_tables("c", turn())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_parquet(breaks(), folder, lambda: None)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_empty_log_gives_empty_tables_and_no_log_an_error(tmp_path: Path) -> None:
    config = Config(assistant=ROOT / "assistants" / "restaurants", data=tmp_path / "data")
    with pytest.raises(CommandError, match="no conversations yet"):
        export(config, tmp_path / "out", as_json=True)
    SqliteStore(config.database).close()
    export(config, tmp_path / "out", as_json=True)
    assert pq.read_table(tmp_path / "out" / "turns.parquet").num_rows == 0
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="not a folder"):
        export(config, tmp_path / "file", as_json=True)
