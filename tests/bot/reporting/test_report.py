from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.report import report
from bot.config import Config
from bot.errors import CommandError
from bot.reporting.dialogues import Dialogue, dialogues
from bot.reporting.metrics import difference, failures, report_of, wilson
from bot.reporting.page import html_page
from memory.dialogue import BotResponse, NLUResult
from memory.events import BotUttered, Event, TrackerEvent, UserUttered
from memory.store import SqliteStore
from tests.bot.reporting.made_up_log import Talk, booked, handed_off, left, made_up, misunderstood

ROOT = Path(__file__).parents[3]
SILENCE = 1800.0


def only(talk: Talk, *, tasks: bool = True) -> Dialogue:
    (found,) = dialogues("a", talk.events, SILENCE, tasks=tasks)
    return found


def test_what_counts_as_success_and_as_failure() -> None:
    good, bad, gone, person = (only(make(0.0)) for make in (booked, misunderstood, left, handed_off))
    assert [d.success for d in (good, bad, gone, person)] == [True, False, False, False]
    assert [d.handed_off for d in (good, bad, gone, person)] == [False, False, False, True]
    assert [sorted(d.failures) for d in (good, bad, gone, person)] == [
        [], ["not understood"], ["left after an offer"], ["a person took over"],
    ]  # fmt: skip
    assert (good.booked, good.intent, good.mood, good.version) == (True, "inform", "positive", "learned v1")
    asked = Talk(0.0).turn("inform", "offer").turn("request", "answer").turn("bye", action="bye")
    assert only(asked).success
    assert not only(Talk(0.0).turn("hello", action="hello").turn("bye", action="bye")).success, "nothing was answered"
    assert only(Talk(0.0).turn("inform", "offer").turn("thankyou", action="thankyou")).success


def test_a_silence_cuts_and_late_feedback_finds_its_dialogue() -> None:
    talk = misunderstood(0.0).thumb(-1)
    late = talk.events.pop()
    talk.now += SILENCE + 1
    second = talk.turn("inform", "offer").turn("bye", action="bye")
    second.events.append(late)
    found = dialogues("a", second.events, SILENCE, tasks=True)
    assert [d.success for d in found] == [False, True]
    assert [sorted(d.failures) for d in found] == [["not understood", "thumbs down"], []]
    assert dialogues("a", [BotUttered(0.0, (BotResponse("hi"),))], SILENCE, tasks=True) == []


def rasa(*intents_and_actions: str) -> list[Event]:
    events: list[Event] = []
    for i, item in enumerate(intents_and_actions):
        if item.startswith("/"):
            nlu = NLUResult(item, intents=((item[1:], 0.9),))
            events.append(UserUttered(float(i), item, f"m{i}", "socketio", nlu))
        else:
            events.append(TrackerEvent(float(i), "action", {"name": item}))
    return events


def test_a_rasa_dialogue_succeeds_unless_it_ends_in_a_fallback() -> None:
    recovered = rasa("/nlu_fallback", "action_default_fallback", "/greet", "utter_greet", "action_listen")
    ended = rasa("/greet", "utter_greet", "/nlu_fallback", "action_default_fallback", "action_listen")
    found = [d for events in (recovered, ended) for d in dialogues("a", events, SILENCE, tasks=False)]
    assert [d.success for d in found] == [True, False]
    figures = report_of(found, tasks=False)
    assert set(figures["metrics"]) == {"success", "containment"}
    assert [row["stage"] for row in figures["funnel"] if row["count"]] == ["1 turn", "2 turns"]
    assert figures["failures"][0]["reason"] == "not understood"


@given(st.integers(0, 500), st.integers(0, 500))
def test_intervals_hold_the_share_and_are_symmetric(count: int, of: int) -> None:
    count, of = min(count, of), max(count, of)
    low, high = wilson(count, of)
    assert 0 <= low <= (count / of if of else 0.5) <= high <= 1
    other_low, other_high = wilson(of - count, of)
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low))


def test_intervals_are_those_of_the_papers() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998a, table 1
    assert wilson(0, 20)[1] == pytest.approx(0.1611, abs=1e-4)
    # Newcombe 1998b, table 2: 56/70 - 48/80
    assert difference((48, 80), (56, 70)) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_worth_is_what_the_others_success_would_give() -> None:
    talks = [booked(0.0)] * 6 + [left(0.0)] * 2 + [misunderstood(0.0)] * 4
    rows = failures([only(talk) for talk in talks])
    assert [(row["reason"], row["dialogues"]) for row in rows] == [("not understood", 4), ("left after an offer", 2)]
    assert rows[0]["worth"] == pytest.approx(4 * 6 / 8)
    assert rows[0]["low"] < rows[0]["worth"] < rows[0]["high"]
    (alone,) = failures([only(misunderstood(0.0))])
    assert alone["worth"] is None, "nobody to compare with"


def config_with(tmp_path: Path, talks: dict[str, Talk]) -> Config:
    config = Config(assistant=ROOT / "assistants" / "restaurants", data=tmp_path / "data")
    store = SqliteStore(config.database, synchronous="OFF")

    async def fill() -> None:
        await asyncio.gather(*(store.append(name, 0, talk.events) for name, talk in talks.items()))

    asyncio.run(fill())
    store.close()
    return config


def test_the_page_and_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talks = made_up(200)
    talks["x"] = Talk(1_700_000_500, "<script>alert(1)</script> $x$").turn("inform", "offer")
    config, out = config_with(tmp_path, talks), tmp_path / "r" / "report.html"
    report(config, out, "", "", as_json=True)
    figures = json.loads(capsys.readouterr().out)
    assert (figures["dialogues"], figures["skipped"]) == (201, 0)
    success = sum(only(talk).success for talk in talks.values())
    assert figures["metrics"]["success"]["count"] == success
    assert len(figures["days"]) == 10
    assert sum(row["dialogues"] for row in figures["days"]) == 201
    better = {row["group"]: row["success"]["rate"] for row in figures["versions"] if row["group"] != "social"}
    assert better["learned v2"] > better["learned v1"]
    assert figures["funnel"][0]["count"] == 201 > figures["funnel"][-1]["count"] == success
    page = out.read_text()
    assert page.count("data:image/svg+xml") == 4
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == [], "the page needs no other file"
    report(config, out, "2023-11-20", "2023-11-20", as_json=True)
    assert [row["group"] for row in json.loads(capsys.readouterr().out)["days"]] == ["2023-11-20"]


def test_empty_and_tiny_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, out = config_with(tmp_path, {"a": booked(1.0)}), tmp_path / "report.html"
    report(config, out, "", "", as_json=False)
    assert "look at the intervals" in out.read_text()
    assert "100.0" in capsys.readouterr().out
    report(config, out, "2030-01-01", "", as_json=True)
    assert json.loads(capsys.readouterr().out)["metrics"]["success"]["rate"] is None
    assert "No dialogues yet" in out.read_text()
    assert "<table" in html_page(report_of([only(booked(0.0))], tasks=True), "no plots", {})
    for wrong, says in (("soon", "--since is 'soon'"), ("", "is a folder")):
        with pytest.raises(CommandError, match=says):
            report(config, out if wrong else tmp_path, wrong, "", as_json=True)
