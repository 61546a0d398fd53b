"""`log export-slates`, `evaluate selection --log slates`, `train ranker`: from a log to what is served."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.assistant import Assistant
from bot.config import SelectionConfig
from bot.selection import Selection
from bot.selection_store import SelectionError, SelectionVersions, load_selection
from bot.selection_training import split, train_selection
from bot.selection_watch import SelectionWatcher
from memory.slates import OfferedCandidate, OfferedSlate
from memory.store import SqliteStore
from policies.ranking.gbt import RankerSettings
from policies.ranking.logged_slates import LoggedSlate
from tests.bot.test_selection import CENTRE, Talk, selection
from tests.conftest import ROOT

SMALL = RankerSettings(trees=15, members=1, min_candidates_per_leaf=5)
NAMES = ("rating", "noise")


def call(*options: object):
    return CliRunner().invoke(app, [str(option) for option in options])


def slates(count: int, contrary: bool = False) -> list[LoggedSlate]:
    """Evenly drawn venues; people take up what has a high rating, those held out the opposite when ``contrary``."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        person, values = f"person {number % 40}", rng.random((6, 2)).round(3)
        said = int(rng.integers(6))
        like = values[said, 0]
        drawn = LoggedSlate(f"q{number}", f"q{number}", person, float(number), _slate(number, values, said))
        if contrary and split([drawn])[1]:
            like = 1 - like
        action = "accepted" if rng.random() < 0.1 + 0.8 * (like > 0.6) else "refused"
        found.append(replace(drawn, feedback=((action, f"venue {said}", float(number)),)))
    return found


def _slate(number: int, values: np.ndarray, said: int) -> OfferedSlate:
    order = [said, *(i for i in range(6) if i != said)]
    candidates = tuple(
        OfferedCandidate(f"venue {i}", "best_match", {"best_match": i}, tuple(values[i]), 1 / 6, None, i == said)
        for i in order
    )
    return OfferedSlate("venues", f"q{number}", "uniform", {"best_match": 1.0}, 0.0, "", NAMES, candidates)


def train(found: list[LoggedSlate], folder: Path, **settings) -> dict:
    config = SelectionConfig(pools=("best_match", "popular"), **settings)
    return train_selection(found, config, folder, settings=SMALL)


def test_a_better_ranker_is_promoted_and_served(assistant: Assistant, tmp_path: Path) -> None:
    report = train(slates(900), tmp_path)
    venues = report["kinds"]["venues"]
    assert venues["result"] == "promoted"
    assert venues["gate"]["difference"] > 0.1
    served = load_selection(SelectionConfig(pools=("best_match", "popular")), tmp_path, assistant.ontology)
    assert served.selector.rankers is not None
    assert served.selector.rankers.kinds == ("venues",)
    assert served.behaviour.shown("venues", ["venue 1", "venue 9"])[0] > 0
    talk = Talk(assistant, served)
    talk.say(CENTRE)
    slate = talk.slates()[0]
    assert slate.ranker == served.selector.rankers["venues"].version
    assert all(candidate.score is not None for candidate in slate.candidates)
    taken: list[Selection] = []
    load = partial(load_selection, SelectionConfig(pools=("best_match", "popular")), tmp_path, assistant.ontology)
    watcher = SelectionWatcher(SelectionVersions(tmp_path), load, taken.append)
    assert not watcher.look()
    again = train(slates(900), tmp_path)
    assert not again["promoted"], "the same log gives the same version"
    assert SelectionVersions(tmp_path).served().version == report["version"]
    assert not watcher.look()
    train(slates(910), tmp_path)
    assert watcher.look(), "a running server takes it over"
    assert len(taken) == 1
    (tmp_path / "current.json").write_text("damaged")
    assert not watcher.look(), "and stays with it when the files are damaged"
    tmp_path.rename(tmp_path.with_name("away"))
    tmp_path.write_text("no folder any more")
    assert not watcher.look(), "or can't be looked at"
    assert len(taken) == 1


def test_a_ranker_that_is_worse_for_others_is_refused(tmp_path: Path) -> None:
    venues = train(slates(900, contrary=True), tmp_path)["kinds"]["venues"]
    assert venues["result"] == "refused"
    assert venues["gate"]["high"] < 0
    folder = SelectionVersions(tmp_path).folder()
    assert folder is not None
    assert not (folder / "venues").exists(), "what is counted is served all the same"
    assert (folder / "behaviour.json").exists()


def test_too_little_feedback_is_said_and_an_earlier_ranker_stays(tmp_path: Path) -> None:
    first = train(slates(900), tmp_path)
    report = train(slates(150), tmp_path)
    assert report["kinds"]["venues"]["result"] == "waiting"
    assert report["kinds"]["venues"]["needed"] == 200
    folder = SelectionVersions(tmp_path).folder()
    assert folder is not None
    assert (folder / "venues" / "ranker.json").exists()
    assert SelectionVersions(tmp_path).served().history == (first["version"],)
    (folder / "venues" / "ranker.onnx").write_bytes(b"damaged")
    assert train(slates(160), tmp_path)["kinds"]["venues"]["result"] == "waiting", "the remedy for it is to train"
    mended = SelectionVersions(tmp_path).folder()
    assert mended is not None
    assert not (mended / "venues").exists()
    with SelectionVersions(tmp_path).staging(), pytest.raises(SelectionError, match="another training"):
        train(slates(30), tmp_path)
    refused = [replace(item, feedback=(("refused", item.slate.candidates[0].key, 0.0),)) for item in slates(300)]
    row = train(refused, tmp_path / "refused")["kinds"]["venues"]
    assert row["result"] == "waiting", "where nothing earns anything every ranker would pass the gate"
    assert "worth anything" in row["why"]
    silent = [replace(item, feedback=()) for item in slates(30)]
    assert train(silent, tmp_path / "silent")["kinds"]["venues"]["result"] == "waiting"


def write_config(path: Path, data: Path, models: Path) -> None:
    assistant = ROOT / "assistants" / "restaurants"
    path.write_text(f"assistant: {assistant}\nmodels: {models}\ndata: {data}\n")


@pytest.fixture
def config(assistant: Assistant, tmp_path: Path) -> Path:
    """A configuration with an event log in which six people were offered venues."""
    database = tmp_path / "data" / "restaurants.sqlite3"
    database.parent.mkdir()
    store = SqliteStore(database)
    for person in range(6):
        talk = Talk(assistant, selection(assistant, "uniform"), f"person {person}")
        for line in (CENTRE, "/reqalts", '/request{"attribute":"phone"}', "/bye"):
            talk.say(line)
        asyncio.run(store.append(talk.state.id, 0, talk.events))
    store.close()
    path = tmp_path / "config.yml"
    write_config(path, tmp_path / "data", tmp_path)
    return path


def test_from_the_log_to_estimates(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "slates.jsonl"
    result = call("log", "export-slates", "--config", config, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    venues = json.loads(result.stdout)["kinds"]["venues"]
    assert venues == {"slates": 12, "with_feedback": 12, "refused": 6, "accepted": 6}
    printed = call("log", "export-slates", "--config", config)
    assert sorted(printed.stdout.splitlines()) == sorted(out.read_text().splitlines())
    for path in (out, "database"):
        command = ("evaluate", "selection", "--log", "slates", path, "--config", config, "--resamples", 100, "--json")
        result = call(*command)
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)["kinds"]["venues"]
        assert found["on_policy"]["value"] == pytest.approx(0.25), "half accepted, worth .5"
        uniform = {row["estimator"]: row for row in found["estimates"] if row["target"] == "uniform"}
        assert {name: round(row["value"], 3) for name, row in uniform.items() if name != "dr"} == dict.fromkeys(
            ("replay", "ips", "snips"), 0.25
        )
    table = call("evaluate", "selection", "--log", "slates", out, "--config", config, "--resamples", 100)
    assert table.exit_code == 0
    assert "venues: 12 slates" in table.stdout


def test_training_from_a_small_log_says_what_it_waits_for(config: Path) -> None:
    result = call("train", "ranker", "--config", config, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert {row["result"] for row in report["kinds"].values()} == {"waiting"}
    assert report["promoted"], "counts and ratio are served"
    assert "a ranker needs 200" in call("train", "ranker", "--config", config).stdout


def test_plain_words_where_there_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    write_config(path, tmp_path, tmp_path)
    for command in (
        ("log", "export-slates"),
        ("train", "ranker"),
        ("evaluate", "selection", "--log", "slates", "database"),
    ):
        result = call(*command, "--config", path)
        assert result.exit_code != 0
        assert "no conversations yet" in str(result.exception or result.output)
    SqliteStore(tmp_path / "restaurants.sqlite3").close()
    assert "no reply had a choice yet" in str(call("train", "ranker", "--config", path).exception)
    folder = call("log", "export-slates", "--out", tmp_path, "--config", path)
    assert f"{tmp_path}: is a folder" in str(folder.exception)
    folder = call("batch", "--out", tmp_path, "--config", path)
    assert f"{tmp_path}: is a folder" in str(folder.exception)
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"\xff no runs")
    wrong = call("simulate", "feedback", "--users", "10", "--seeds", "2", "--out", other, "--config", path)
    assert f"{other}: is no file of finished runs" in str(wrong.exception)
    assert other.read_bytes() == b"\xff no runs"
