"""`rejoinder simulate feedback`: the ways to choose are compared, drawn, and a second call runs nothing again."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from bot import feedback_simulation
from bot.__main__ import app
from bot.commands import simulate_feedback


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(simulate_feedback, "SCENE", replace(simulate_feedback.SCENE, days=4))
    monkeypatch.setattr(feedback_simulation, "NIGHTS", (1,))


def test_all_ways_meet_the_same_visits_and_a_second_call_only_reads(tiny, tmp_path, monkeypatch):
    out = tmp_path / "runs.jsonl"
    call = ["simulate", "feedback", "--users", "60", "--seeds", "2", "--out", str(out), "--json"]
    first = CliRunner().invoke(app, call)
    assert first.exit_code == 0, first.output
    report, rows = json.loads(first.stdout), [json.loads(line) for line in out.read_text().splitlines()]
    assert [cell["selection"] for cell in report["selections"]] == list(simulate_feedback.SELECTIONS)
    for seed in (0, 1):
        assert len({json.dumps(row["visits"]) for row in rows if row["seed"] == seed}) == 1
    for row in rows:
        assert all(b <= a <= o for b, a, o in zip(row["booked"], row["accepted"], row["offers"], strict=True))
    for cell in report["selections"]:
        assert cell["booking"]["low"] <= cell["booking"]["mean"] <= cell["booking"]["high"]
        assert 0 < cell["acceptance"]["mean"] < 1
        assert len(cell["acceptance_by_day"]) == 4
    assert out.with_suffix(".png").stat().st_size > 1000
    monkeypatch.setattr(feedback_simulation, "run_feedback", None)
    again = CliRunner().invoke(app, call)
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == report


def test_too_few_users_are_refused(tmp_path):
    call = ["simulate", "feedback", "--users", "10", "--seeds", "20", "--out", str(tmp_path / "runs.jsonl")]
    result = CliRunner().invoke(app, call)
    assert result.exit_code != 0
    assert "--seeds" in str(result.exception)
