from __future__ import annotations

import ast
import asyncio
import json
import sys
import time
import types
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.assistant import Assistant
from bot.batch.scores import catalogue_of, offers, tables_of
from bot.batch.served_scores import SCORES, BatchScores, query_key
from bot.commands.batch import batch
from bot.config import Config
from bot.errors import CommandError
from memory.dialogue import Decision, DialogueAct, NLUResult, ScoredAct, SystemAct
from memory.events import Booked, Decided, Event, TrackerEvent, UserUttered
from memory.key_values import KeyValues
from memory.store import SqliteStore

ROOT = Path(__file__).parents[3]
DAY = 86_400.0
NOW = 1_700_000_000.0


def said(time: float, text: str, act: str = "inform") -> UserUttered:
    nlu = NLUResult(text, (ScoredAct(DialogueAct(act), 0.9),))
    return UserUttered(time, text, f"m{time}", "rest", nlu)


def named(time: float, kind: str, venue: str) -> Decided:
    return Decided(time, Decision(kind, "learned"), SystemAct(kind, entity=venue))


def talk(time: float, text: str, venue: str, ends: str) -> list[Event]:
    """An offer of ``venue`` that was ignored, asked about, or booked."""
    events: list[Event] = [said(time, text), named(time, "offer", venue)]
    if ends != "ignored":
        events += [said(time + 1, "what is the phone number", "request"), named(time + 1, "answer", venue)]
    if ends == "booked":
        events.append(Booked(time + 2, "R", venue, {}))
    return events


def test_offers_and_what_became_of_them() -> None:
    events = [
        TrackerEvent(0.0, "slot", {}),
        *talk(1.0, "thai in the north", "Siam", "ignored"),
        *talk(10.0, "another one", "Bangkok", "booked"),
        Booked(20.0, "R2", "Elsewhere", {}),
    ]
    found = [(o.query, o.venue, o.clicked, o.booked) for o in offers("a", events)]
    assert found == [
        ("thai in the north", "Siam", False, False),
        ("another one", "Bangkok", True, True),
        ("another one", "Elsewhere", True, True),
    ]


@pytest.fixture(scope="module")
def venues(assistant: Assistant) -> tuple[str, str, str]:
    """Two venues of one category and one of another."""
    documents = catalogue_of(assistant.ontology).documents
    categories = Counter(document.category for document in documents)
    first = next(d for d in documents if categories[d.category] > 1)
    same = next(d for d in documents if d.category == first.category and d is not first)
    other = next(d for d in documents if d.category != first.category)
    return first.key, same.key, other.key


def test_what_people_take_up_scores_above_what_they_ignore(assistant: Assistant, venues: tuple[str, str, str]) -> None:
    liked, ignored, other = venues
    catalogue = catalogue_of(assistant.ontology)
    found = []
    for i in range(40):
        found += offers(f"u{i}", talk(NOW - DAY + i, "something fiery please", liked, "booked"))
        found += offers(f"v{i}", talk(NOW - DAY + i, "something fiery please", ignored, "ignored"))
        found += offers(f"w{i}", talk(NOW - DAY + i, "a quiet corner", other, "asked"))
    found += offers("x", talk(NOW - DAY, "gone", "A Venue That Closed", "booked"))
    tables = {name: dict(pairs) for name, pairs in tables_of(found, catalogue, NOW).items()}
    popularity = tables["popularity"]
    assert popularity[liked]["choice_rate"] > popularity[ignored]["choice_rate"]
    assert set(popularity) == {document.key for document in catalogue.documents}, "new venues have their priors"
    category = {document.key: document.category for document in catalogue.documents}
    shares = tables["query_category"][query_key("please something FIERY")]
    assert max(shares, key=shares.__getitem__) == category[liked]
    assert sum(shares.values()) == pytest.approx(1)
    affinity = tables["affinity"]["u0"]
    assert max(affinity, key=affinity.__getitem__) == liked
    assert tables["need"]["u0"][category[liked]] != tables["need"][""][category[liked]]
    assert tables_of([], catalogue, NOW)["query_category"] == []


def test_the_job_replaces_the_store_that_a_server_reads(
    assistant: Assistant, venues: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(assistant=ROOT / "assistants/restaurants", models=tmp_path / "models", data=tmp_path / "data")
    with pytest.raises(CommandError, match="no conversations yet"):
        batch(config, None, 1e6, as_json=True)
    store = SqliteStore(config.database)
    asyncio.run(store.append("a", 0, talk(time.time() - 1000, "something fiery", venues[0], "booked")))
    store.close()
    served = KeyValues(config.model_dir / SCORES, monotonic=iter(range(0, 1000, 10)).__next__)
    assert served.get("popularity", venues[0]) is None
    batch(config, None, 1e6, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["conversations"], report["offers"], report["bookings"], report["skipped"]) == (1, 1, 1, 0)
    assert report["pairs"] == sum(report["keys"].values())
    assert served.get("popularity", venues[0])["choice_rate"] > 0
    assert served.about["offers"] == 1
    scores, liked = BatchScores(config.model_dir / SCORES), venues[0]
    assert scores.made_at is not None
    known, unknown = scores.popularity([liked, "nowhere"])
    assert known > 0
    assert np.isnan(unknown)
    assert scores.affinities("a", [liked])[0] > 0
    assert scores.affinities("somebody else", [liked])[0] > 0
    assert max(scores.categories("fiery something").values()) > 0.5
    assert scores.categories("never said") == {}
    assert scores.needs("a") != scores.needs("somebody else") != {}
    scores.close()
    assert BatchScores(tmp_path / "none").made_at is None
    batch(config, None, 0.01, as_json=True)
    assert served.about["offers"] == 0, "an offer of long ago no longer counts"


def test_a_rasa_project_has_nothing_to_score(tmp_path: Path) -> None:
    project = tmp_path / "moodbot"
    (project / "data").mkdir(parents=True)
    (project / "domain.yml").write_text('version: "3.1"\nintents: [greet]\n')
    (project / "config.yml").write_text("language: en\npipeline: []\npolicies: []\n")
    with pytest.raises(CommandError, match="Rasa project"):
        batch(Config(assistant=project, data=tmp_path), None, 1, as_json=True)


class Task:
    """In the place of Airflow's operators and DAGs: notes what it was made with, and the order."""

    made: list[Task] = []

    def __init__(self, **given: Any) -> None:
        self.given, self.after = given, list[Task]()
        self.made.append(self)

    def __enter__(self) -> Task:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __rrshift__(self, before: list[Task]) -> Task:
        self.after += before
        return self


def test_the_example_dag_runs_commands_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow isn't installed: its two classes are stood in for, all else is the file as it is."""
    from typer.testing import CliRunner

    from bot.__main__ import app

    source = (ROOT / "examples/airflow_dag.py").read_text()
    imported = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert {"airflow", "airflow.providers.standard.operators.bash"} <= imported
    for name in ("airflow", "airflow.providers", "airflow.providers.standard", "airflow.providers.standard.operators"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    bash = types.ModuleType("airflow.providers.standard.operators.bash")
    bash.BashOperator = Task  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, bash.__name__, bash)
    sys.modules["airflow"].DAG = Task  # type: ignore[attr-defined]
    Task.made.clear()
    exec(compile(source, "airflow_dag.py", "exec"), {"__name__": "airflow_dag"})
    dag, *tasks = Task.made
    assert dag.given["catchup"] is False
    report = next(task for task in tasks if task.given["task_id"] == "report")
    assert {task.given["task_id"] for task in report.after} == {"learn", "batch", "export"}
    for task in tasks:
        arguments = task.given["bash_command"].split(".venv/bin/rejoinder ")[1].split()
        words = [word for word in arguments if not word.startswith("-")][:2]
        command = words if words[0] == "log" else words[:1]
        told = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0, told.output
        assert all(option in told.output for option in arguments if option.startswith("--"))
