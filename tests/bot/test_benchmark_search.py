"""`rejoinder benchmark search`: every method's shares of new documents; a second call runs nothing again."""

import json

from typer.testing import CliRunner

from bot.__main__ import app
from policies.ranking.search.simulation import METHODS, ColdStartScene


def test_methods_are_compared_drawn_and_resumed(tmp_path, monkeypatch):
    tiny = ColdStartScene(categories=2, documents=4, searches=10, grown=2, days=8)
    monkeypatch.setattr("bot.commands.benchmark_search.QUICK", tiny)
    out = tmp_path / "runs.jsonl"
    calls = []
    for _ in range(2):
        result = CliRunner().invoke(app, ["benchmark", "search", "--quick", "--out", str(out), "--json"])
        assert result.exit_code == 0, result.output
        calls.append(json.loads(result.stdout))
        out.write_text(out.read_text()[:-40])  # cut short: the last run alone is played again
    report, again = calls
    assert again == report
    assert [cell["method"] for cell in report["methods"]] == list(METHODS)
    for cell in report["methods"]:
        assert len(cell["impressions"]) == tiny.days
        assert 0 <= cell["impressions_day_0_ci"][0] <= cell["impressions_day_0"] <= cell["impressions_day_0_ci"][1] <= 1
    assert out.with_suffix(".png").stat().st_size > 1000
    assert out.with_suffix(".md").read_text().count("\n") == 2 + len(METHODS)


def test_recorded_queries_are_found_better_after_choices_and_bad_files_are_named(tmp_path, monkeypatch):
    tiny = ColdStartScene(categories=2, documents=4, searches=5, grown=1, days=8)
    monkeypatch.setattr("bot.commands.benchmark_search.QUICK", tiny)
    file, out = tmp_path / "queries.csv", tmp_path / "runs.jsonl"
    said = {"lost_card": "it was stolen", "top_up": "add money please", "exchange": "euros for pounds"}
    rows = [f"{text} number{n},{name}" for n in range(20) for name, text in said.items()]
    file.write_text("\n".join(["text,category", *rows]))
    call = ["benchmark", "search", "--quick", "--out", str(out), "--queries", str(file), "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    before, *_, after = json.loads(result.stdout)["queries"]
    assert before["hit_1"] < 0.9
    assert after["hit_1"] == after["category"] == 1.0
    file.write_text("text,category\nhello,\n")
    result = CliRunner().invoke(app, call)
    assert "queries.csv:2" in str(result.exception)
